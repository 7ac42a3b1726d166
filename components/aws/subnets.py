"""How the range of a VPC is cut into subnets: arithmetic only."""

from dataclasses import dataclass
from ipaddress import IPv4Network
from itertools import islice


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
