"""A private certificate authority and a server certificate, for an address without a domain."""

from ipaddress import ip_address

import pulumi
import pulumi_tls as tls

AUTHORITY_HOURS = 10 * 365 * 24
CERTIFICATE_HOURS = 365 * 24
RENEWAL_HOURS = 60 * 24
"""An `up` within this time of the end renews the certificate; the authority, and so the callers'
trust, stays."""


class Certificate(pulumi.ComponentResource):
    """A private authority and one server certificate that it signed.

    Creates two private keys, the authority's self-signed certificate, a certificate request, and
    the certificate.
    """

    authority: pulumi.Output[str]
    """PEM of the authority, which callers trust."""
    certificate: pulumi.Output[str]
    """PEM of the server's certificate."""
    private_key: pulumi.Output[str]
    """Secret. PEM of the server's key."""

    def __init__(
        self,
        name: str,
        *,
        address: pulumi.Output[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args: address: Host name or IP that callers use."""
        super().__init__("seamless:kubernetes:Certificate", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        authority_key = _key(f"{name}-authority", child)
        authority = tls.SelfSignedCert(
            f"{name}-authority",
            private_key_pem=authority_key.private_key_pem,
            is_ca_certificate=True,
            allowed_uses=["cert_signing", "crl_signing"],
            validity_period_hours=AUTHORITY_HOURS,
            subject={"common_name": "Seamless inference"},
            opts=child,
        )
        key = _key(name, child)
        request = tls.CertRequest(
            name,
            private_key_pem=key.private_key_pem,
            subject={"common_name": "gateway"},
            dns_names=address.apply(lambda host: [] if _is_ip(host) else [host]),
            ip_addresses=address.apply(lambda host: [host] if _is_ip(host) else []),
            opts=child,
        )
        certificate = tls.LocallySignedCert(
            name,
            cert_request_pem=request.cert_request_pem,
            ca_private_key_pem=authority_key.private_key_pem,
            ca_cert_pem=authority.cert_pem,
            allowed_uses=["digital_signature", "key_encipherment", "server_auth"],
            validity_period_hours=CERTIFICATE_HOURS,
            early_renewal_hours=RENEWAL_HOURS,
            opts=child,
        )
        self.authority = authority.cert_pem
        self.certificate = certificate.cert_pem
        self.private_key = pulumi.Output.secret(key.private_key_pem)
        self.register_outputs({"authority": self.authority, "certificate": self.certificate})


def _key(name: str, opts: pulumi.ResourceOptions) -> tls.PrivateKey:
    return tls.PrivateKey(name, algorithm="ECDSA", ecdsa_curve="P256", opts=opts)


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
