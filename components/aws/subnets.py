"""Address ranges of a VPC and its subnets. Creates nothing."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network
from itertools import islice

_PRIVATE = tuple(IPv4Network(each) for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
"""RFC 1918. A VPC in another range would hide a part of the internet."""


@dataclass(frozen=True, kw_only=True)
class Subnets:
    """The address ranges of a VPC's subnets, one per zone."""

    private: tuple[str, ...]
    public: tuple[str, ...]


def subnets(cidr: str, zone_count: int) -> Subnets:
    """Split a range into a private subnet (a quarter of it) and a public one (/24) for each zone.

    The public ones are taken from the last quarter, so no two subnets overlap.

    Raises:
        ValueError: The range is no network, or is not between /16 and /20.
    """
    network = IPv4Network(cidr)
    if not 16 <= network.prefixlen <= 20 or not 1 <= zone_count <= 3:
        raise ValueError(
            f"CIDR {cidr} cannot be split over {zone_count} zones: "
            "give a range from /16 to /20 and 1 to 3 zones, such as 10.20.0.0/16 and 2."
        )
    *quarters, last = network.subnets(prefixlen_diff=2)
    return Subnets(
        private=tuple(str(quarter) for quarter in quarters[:zone_count]),
        public=tuple(str(small) for small in islice(last.subnets(new_prefix=24), zone_count)),
    )


def unusable(cidr: str) -> str:
    """Return the first rule for a VPC's range that `cidr` breaks; empty if it breaks none."""
    network = _network(cidr)
    if network is None:
        return "it must be an IPv4 network without host bits, such as 10.20.0.0/16"
    if not any(network.subnet_of(private) for private in _PRIVATE):
        return f"it must lie in {', '.join(str(each) for each in _PRIVATE)}"
    if not 16 <= network.prefixlen <= 20:
        return "it must be from /16, the largest for AWS, to /20, the smallest for the subnets"
    return ""


def overlapped(cidr: str, peers: Iterable[str]) -> str:
    """Return the first of the peers that overlaps `cidr`; empty if none does."""
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
    return network if str(network) == cidr else None  # AWS accepts no other form
