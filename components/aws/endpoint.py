"""Where an endpoint is, as a security group says it: arithmetic only."""

from ipaddress import AddressValueError, IPv4Address
from urllib.parse import urlsplit


def port(url: str) -> int:
    """The port of an http or https URL: its own, or that of its scheme."""
    parts = urlsplit(url)
    return parts.port or (443 if parts.scheme == "https" else 80)


def cidr(url: str) -> str:
    """The address in a URL alone; anywhere for a name, whose addresses change."""
    try:
        return f"{IPv4Address(urlsplit(url).hostname or '')}/32"
    except AddressValueError:
        return "0.0.0.0/0"
