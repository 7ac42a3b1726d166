"""Checks whether the zones of the network have the machines of the stack."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from preflight.aws_session import NO_ANSWER, NOT_REACHED, client, why
from preflight.checks import Finding, StackContext

NAME = "network_zones"

NO_EKS = frozenset({"use1-az3", "usw1-az2", "cac1-az3"})
"""IDs of zones where EKS puts no control plane (docs.aws.amazon.com/eks/latest/userguide,
network-reqs, subnet requirements; read in public code of 2026-11-29). Letters differ by account."""

SUBNET = "aws:ec2/subnet:Subnet"
GROUP = "aws:eks/nodeGroup:NodeGroup"
DATABASE = "aws:rds/instance:Instance"


@dataclass(frozen=True, kw_only=True)
class Zones:
    """What the zones of a region have, by their names.

    Attributes:
        usable: Zones for a subnet: they exist, and EKS takes them if there is a cluster.
        sold: Zones by machine type.
        database: Zones of the database's class.
    """

    usable: frozenset[str]
    sold: Mapping[str, frozenset[str]]
    database: frozenset[str]


def check(context: StackContext) -> Iterator[Finding]:
    """Check the zones of a network and of node groups that are not deployed yet."""
    (region,) = (r.inputs["region"] for r in context.resources if r.type == "pulumi:providers:aws")
    planned = {r.urn: r.inputs["availabilityZone"] for r in context.resources if r.type == SUBNET}
    deployed = {
        found["availabilityZone"]
        for urn, found in context.existing.items()
        if SUBNET in urn and found.get("availabilityZone", "").startswith(region)
    }
    if deployed - set(planned.values()):
        yield _moved(context, deployed, set(planned.values()))
        return
    wanted = {
        resource.inputs["instanceTypes"][0]: [
            planned[urn] for urn in resource.uses["subnetIds"] if urn in planned
        ]
        for resource in context.resources
        if resource.type == GROUP and resource.urn not in context.existing
    }
    if deployed and not wanted:
        return
    try:
        found = _zones(context, region, wanted)
        yield _judged(context, region, found, wanted, set(planned.values()), fixed=bool(deployed))
    except NOT_REACHED:
        return
    except NO_ANSWER as error:
        yield Finding(name=NAME, ok=None, found=f"unknown what the zones have: {why(error)}")


def _zones(context: StackContext, region: str, wanted: Iterable[str]) -> Zones:
    ec2 = client("ec2", region)
    has_cluster = any(r.type == "aws:eks/cluster:Cluster" for r in context.resources)
    rows = ec2.describe_availability_zones(
        Filters=[{"Name": "zone-type", "Values": ["availability-zone"]}]
    )["AvailabilityZones"]
    return Zones(
        usable=frozenset(
            row["ZoneName"]
            for row in rows
            if row["State"] == "available" and not (has_cluster and row["ZoneId"] in NO_EKS)
        ),
        sold={type_: _offered(ec2, [type_]).get(type_, frozenset()) for type_ in wanted},
        database=_database_zones(context, region),
    )


def _offered(ec2: object, types: Iterable[str]) -> dict[str, frozenset[str]]:
    """The zones of each type that the region sells."""
    pages = ec2.get_paginator("describe_instance_type_offerings").paginate(  # type: ignore[attr-defined]
        LocationType="availability-zone",
        Filters=[{"Name": "instance-type", "Values": list(types)}],
    )
    found: dict[str, set[str]] = {}
    for page in pages:
        for row in page["InstanceTypeOfferings"]:
            found.setdefault(row["InstanceType"], set()).add(row["Location"])
    return {type_: frozenset(zones) for type_, zones in found.items()}


def _database_zones(context: StackContext, region: str) -> frozenset[str]:
    (database,) = (r for r in context.resources if r.type == DATABASE)
    options = client("rds", region).describe_orderable_db_instance_options(
        Engine=database.inputs["engine"],
        DBInstanceClass=database.inputs["instanceClass"],
        Vpc=True,
        MaxRecords=100,
    )["OrderableDBInstanceOptions"]
    return frozenset(zone["Name"] for row in options for zone in row["AvailabilityZones"])


def _judged(
    context: StackContext,
    region: str,
    found: Zones,
    wanted: Mapping[str, list[str]],
    planned: set[str],
    *,
    fixed: bool,
) -> Finding:
    """The finding for these zones.

    Args:
        fixed: True if the network is deployed, and can have no other zones.
    """
    faults = [f"{zone} is no zone for this stack" for zone in sorted(planned - found.usable)]
    faults += [
        f"{type_} is not sold in {', '.join(missing)}"
        for type_, zones in wanted.items()
        if (missing := sorted(set(zones) - found.sold[type_]))
    ]
    if not planned & found.database:
        faults.append("the database's class is sold in neither")
    letters = ",".join(zone[-1] for zone in sorted(planned))
    if not faults:
        return Finding(name=NAME, ok=True, found=f"{letters} of {region} have all machines")
    told = f"In {region} the zones {letters} do not have the machines: {'; '.join(faults)}"
    if sold_out := [type_ for type_, zones in found.sold.items() if not zones & found.usable]:
        return _unsold(context, region, sold_out[0], found)
    if chosen := _chosen(found, wanted, planned, fixed=fixed):
        remedy = context.set_line(NAME, ",".join(zone[-1] for zone in chosen))
    elif fixed:
        remedy = "The deployed network cannot move: set another gpu_type, or use another stack"
    else:
        remedy = f"Set another region: {context.set_line('region', 'us-east-1')}"
    return Finding(name=NAME, ok=False, found=told, remedy=remedy)


def _chosen(
    found: Zones, wanted: Mapping[str, list[str]], planned: set[str], *, fixed: bool
) -> list[str]:
    """Two zones with all machines, that of the GPU nodes first; the planned ones if possible."""
    among = found.usable & planned if fixed else found.usable
    both = [found.sold[type_] for type_, zones in wanted.items() if len(zones) > 1]
    one = [found.sold[type_] for type_, zones in wanted.items() if len(zones) == 1]
    ranked = sorted(among.intersection(*both), key=lambda zone: (zone not in planned, zone))
    pairs = (
        [first, second]
        for first in ranked
        for second in ranked
        if first != second
        and all(first in zones for zones in one)
        and {first, second} & found.database
    )
    return next(pairs, [])


def _unsold(context: StackContext, region: str, type_: str, found: Zones) -> Finding:
    """The finding for a type that no usable zone sells, with the GPU machines that one sells."""
    offered = _offered(client("ec2", region), ["g*", "p*"])
    families = {slug.partition(".")[0] for slug, zones in offered.items() if zones & found.usable}
    return Finding(
        name="gpu_type",
        ok=False,
        found=f"{region} sells {type_} in no zone that the stack can use; the families of GPU "
        f"machines that it sells there: {', '.join(sorted(families)) or 'none'}",
        remedy="Set gpu_type to a machine of such a family, or another region: "
        + context.set_line("region", "us-east-1"),
    )


def _moved(context: StackContext, deployed: set[str], planned: set[str]) -> Finding:
    letters = ",".join(zone[-1] for zone in sorted(deployed))
    return Finding(
        name=NAME,
        ok=False,
        found=f"Config network_zones asks for {', '.join(sorted(planned))}, but the deployed "
        f"network has {', '.join(sorted(deployed))}, and its database cannot move",
        remedy=context.set_line(NAME, letters),
    )
