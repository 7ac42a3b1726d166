"""The simulated tls provider, with real keys and certificates.

What replaces a resource is `RequiresReplace` in internal/provider of
github.com/hashicorp/terraform-provider-tls, which the SDK bridges, read on 2026-11-22 in whatever
version was at hand; each row names its file there. Not simulated: renewal.
"""

import ssl
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from tests.support.clouds.kinds import Facts, Kind
from tests.support.clouds.provider import Properties, Provider
from tests.support.clouds.schema import Schema

_KEY, _AUTHORITY, _REQUEST, _SIGNED = (
    "tls:index/privateKey:PrivateKey",
    "tls:index/selfSignedCert:SelfSignedCert",
    "tls:index/certRequest:CertRequest",
    "tls:index/locallySignedCert:LocallySignedCert",
)
_NAMED = ("dnsNames", "ipAddresses", "privateKeyPem", "subject", "uris")
_CERTIFIED = ("allowedUses", "isCaCertificate", "setSubjectKeyId", "validityPeriodHours")

KINDS: dict[str, Kind] = {
    _KEY: Kind(
        # resource_private_key.go
        id="{hex}",
        replace=("algorithm", "ecdsaCurve", "rsaBits"),
        choices={"algorithm": ("ECDSA",), "ecdsaCurve": ("P256",)},  # the only used ones
    ),
    # resource_self_signed_cert.go
    _AUTHORITY: Kind(id="{hex}", replace=(*_NAMED, *_CERTIFIED, "setAuthorityKeyId")),
    # resource_cert_request.go
    _REQUEST: Kind(id="{hex}", replace=_NAMED),
    # resource_locally_signed_cert.go
    _SIGNED: Kind(
        id="{hex}", replace=(*_CERTIFIED, "caCertPem", "caPrivateKeyPem", "certRequestPem")
    ),
}


class Authority(Provider):
    """Creates keys, requests and certificates."""

    def __init__(self) -> None:
        super().__init__("tls", KINDS, "")

    def made(self, kind: Kind, known: Schema, facts: Facts, identity: str) -> Properties:
        """The outputs of a new resource, its PEM among them."""
        outputs = super().made(kind, known, facts, identity)
        match facts.token:
            case t if t == _KEY:
                return outputs | _key()
            case t if t == _REQUEST:
                return outputs | {"certRequestPem": _request(facts.inputs)}
            case t if t == _AUTHORITY:
                key = _load(facts.inputs["privateKeyPem"])
                name = _name(facts.inputs)
                return outputs | _certificate(facts.inputs, name, key.public_key(), name, key, [])
        request = x509.load_pem_x509_csr(facts.inputs["certRequestPem"].encode())
        authority = x509.load_pem_x509_certificate(facts.inputs["caCertPem"].encode())
        return outputs | _certificate(
            facts.inputs,
            request.subject,
            request.public_key(),
            authority.subject,
            _load(facts.inputs["caPrivateKeyPem"]),
            list(request.extensions),
        )


def provider() -> Provider:
    """The plugin's one provider."""
    return Authority()


def of_this_machine(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A self-signed certificate of 127.0.0.1 as a file, and a server's context."""
    key = _key()["privateKeyPem"]
    inputs = {"subject": {"commonName": "test"}, "validityPeriodHours": 1, "privateKeyPem": key}
    request = _request(inputs | {"ipAddresses": ["127.0.0.1"]})
    extensions = list(x509.load_pem_x509_csr(request.encode()).extensions)
    name, private = _name(inputs), _load(key)
    made = _certificate(inputs, name, private.public_key(), name, private, extensions)
    certificate, both = folder / "authority.pem", folder / "server.pem"
    certificate.write_text(made["certPem"])
    both.write_text(made["certPem"] + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    return certificate, context


def _key() -> Properties:
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    private = {
        name: key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()
        for name, form in (
            ("privateKeyPem", PrivateFormat.TraditionalOpenSSL),
            ("privateKeyPemPkcs8", PrivateFormat.PKCS8),
            ("privateKeyOpenssh", PrivateFormat.OpenSSH),
        )
    }
    return private | {"publicKeyPem": public.decode()}


def _request(inputs: Mapping[str, Any]) -> str:
    builder = x509.CertificateSigningRequestBuilder().subject_name(_name(inputs))
    names: list[x509.GeneralName] = [x509.DNSName(n) for n in inputs.get("dnsNames") or []]
    names += [x509.IPAddress(ip_address(n)) for n in inputs.get("ipAddresses") or []]
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    signed = builder.sign(_load(inputs["privateKeyPem"]), hashes.SHA256())
    return signed.public_bytes(Encoding.PEM).decode()


def _certificate(
    inputs: Mapping[str, Any],
    subject: x509.Name,
    public: Any,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    extensions: list[x509.Extension[Any]],
) -> Properties:
    begin = datetime.now(UTC)
    end = begin + timedelta(hours=inputs["validityPeriodHours"])
    is_authority = bool(inputs.get("isCaCertificate"))
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    for extension in extensions:
        builder = builder.add_extension(extension.value, critical=extension.critical)
    return {
        "certPem": builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode(),
        "readyForRenewal": False,
        "validityStartTime": begin.isoformat(timespec="seconds"),
        "validityEndTime": end.isoformat(timespec="seconds"),
    }


def _name(inputs: Mapping[str, Any]) -> x509.Name:
    subject = inputs.get("subject") or {}
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject["commonName"])])


def _load(pem: str) -> ec.EllipticCurvePrivateKey:
    key = load_pem_private_key(pem.encode(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key
