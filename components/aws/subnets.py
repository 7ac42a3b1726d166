"""The range of a VPC: what it may be, and how it is cut into subnets. Arithmetic only."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network
from itertools import islice

_PRIVATE = tuple(IPv4Network(each) for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
"""RFC 1918. In any other range the VPC would hide a part of the internet."""


@dataclass(frozen=True, kw_only=True)
class Subnets:
    """The address ranges of a VPC's subnets, one per zone."""

    private: tuple[str, ...]
    public: tuple[str, ...]


def subnets(cidr: str, zone_count: int) -> Subnets:
    """Cut a range into a private subnet of a quarter and a small public one for each zone.

    The public ones come out of the last quarter, 256 addresses each, so nothing overlaps.

    Raises:
        ValueError: when the range is no network, or is too small or too large for that.
    """
    network = IPv4Network(cidr)
    if not 16 <= network.prefixlen <= 20 or not 1 <= zone_count <= 3:
        raise ValueError(
            f"CIDR {cidr} over {zone_count} zones cannot be cut: "
            "give a range from /16 to /20 and 1 to 3 zones, such as 10.20.0.0/16 and 2."
        )
    *quarters, last = network.subnets(prefixlen_diff=2)
    return Subnets(
        private=tuple(str(quarter) for quarter in quarters[:zone_count]),
        public=tuple(str(small) for small in islice(last.subnets(new_prefix=24), zone_count)),
    )


def unusable(cidr: str) -> str:
    """Return what is wrong with a range for a VPC, as a rule that it breaks; empty for nothing."""
    network = _network(cidr)
    if network is None:
        return "it must be a range of IPv4 addresses that begins where its length says"
    if not any(network.subnet_of(private) for private in _PRIVATE):
        return f"it must lie in {', '.join(str(each) for each in _PRIVATE)}"
    if not 16 <= network.prefixlen <= 20:
        return "it must be from /16, the most that AWS takes, to /20, the least that subnets fit in"
    return ""


def overlapped(cidr: str, peers: Iterable[str]) -> str:
    """Return the first of these ranges that a range overlaps; empty for none."""
    network = IPv4Network(cidr)
    return next((peer for peer in peers if network.overlaps(IPv4Network(peer))), "")


def free(peers: Iterable[str]) -> str:
    """Return a usable range that overlaps none of these, the largest; empty for none."""
    taken = list(peers)
    ranges = (
        str(each)
        for length in (16, 20)
        for private in _PRIVATE
        for each in private.subnets(new_prefix=length)
    )
    return next((each for each in ranges if not overlapped(each, taken)), "")


def _network(cidr: str) -> IPv4Network | None:
    try:
        network = IPv4Network(cidr)
    except ValueError:
        return None
    return network if str(network) == cidr else None  # AWS takes no other form
