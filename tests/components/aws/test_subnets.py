"""The subnets of a VPC, and invalid ranges."""

from ipaddress import IPv4Network
from itertools import combinations

import pytest

from components.aws.subnets import free, subnets


@pytest.mark.parametrize("prefix", range(16, 21))
@pytest.mark.parametrize("zones", [1, 2, 3])
def test_no_two_subnets_overlap_and_all_lie_in_the_range(prefix: int, zones: int) -> None:
    cidr = f"10.20.0.0/{prefix}"
    cut = subnets(cidr, zones)
    all_ = [IPv4Network(text) for text in cut.private + cut.public]

    assert (len(cut.private), len(cut.public)) == (zones, zones)
    assert all(subnet.subnet_of(IPv4Network(cidr)) for subnet in all_)
    assert not any(one.overlaps(other) for one, other in combinations(all_, 2))


@pytest.mark.parametrize(
    ("cidr", "zones"), [("10.20.0.0/15", 2), ("10.20.0.0/21", 2), ("10.20.0.0/16", 4)]
)
def test_a_range_that_cannot_be_split_is_refused(cidr: str, zones: int) -> None:
    with pytest.raises(ValueError, match=f"CIDR {cidr} cannot be split over {zones} zones: give"):
        subnets(cidr, zones)


def test_a_range_with_host_bits_is_refused() -> None:
    with pytest.raises(ValueError, match="host bits set"):
        subnets("10.20.0.1/16", 2)


def test_the_proposed_range_overlaps_no_peer() -> None:
    assert free([]) == "10.0.0.0/16"
    assert free(["10.0.0.0/15", "10.2.128.0/17"]) == "10.3.0.0/16"
    assert free(["10.0.0.0/8", "172.16.0.0/12"]) == "192.168.0.0/16"
    assert free(["0.0.0.0/0"]) == ""
