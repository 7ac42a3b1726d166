"""Address and port of a URL, for the rules of security groups. Creates nothing."""

from ipaddress import AddressValueError, IPv4Address
from urllib.parse import urlsplit


def port(url: str) -> int:
    """The port of an http or https URL: the one it names, or the default of its scheme."""
    parts = urlsplit(url)
    return parts.port or (443 if parts.scheme == "https" else 80)


def cidr(url: str) -> str:
    """`ADDRESS/32` for an IPv4 address; `0.0.0.0/0` for a name, whose addresses may change."""
    try:
        return f"{IPv4Address(urlsplit(url).hostname or '')}/32"
    except AddressValueError:
        return "0.0.0.0/0"
