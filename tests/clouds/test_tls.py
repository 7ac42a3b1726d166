"""The certificates of the simulated tls provider are valid."""

import pulumi
import pytest
from cryptography import x509

from components.kubernetes.serving.certificate import Certificate
from tests.support.clouds.small import Small

pytestmark = [
    pytest.mark.nightly,  # the engine tests use the same simulation every day
    # The SDK leaves tasks behind when the engine ends a program that runs in this process, also
    # one of another test.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def test_a_certificate_is_signed_by_its_authority_and_changes_with_the_address(
    small: Small,
) -> None:
    """For an address and for a name; the authority survives both."""

    def at(address: str) -> dict[str, str]:
        def program() -> None:
            made = Certificate("door", address=pulumi.Output.from_input(address))
            pulumi.export("authority", made.authority)
            pulumi.export("certificate", made.certificate)

        return small.up(program)

    first = at("203.0.113.10")
    second = at("203.0.113.10")
    unchanged = small.changes
    third = at("models.example.com")

    authority = x509.load_pem_x509_certificate(first["authority"].encode())
    names = []
    for each in (first, third):
        certificate = x509.load_pem_x509_certificate(each["certificate"].encode())
        certificate.verify_directly_issued_by(authority)
        san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names += [str(name.value) for name in san.value]
    assert unchanged.keys() == {"same"}
    assert second == first
    assert third["authority"] == first["authority"]
    assert names == ["203.0.113.10", "models.example.com"]
