"""Checks whether the zones of the network have the machines of the stack."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from policies.resource import Resource
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
        database: Zones of the database's class; those with a standby, if it has one.
    """

    usable: frozenset[str]
    sold: Mapping[str, frozenset[str]]
    database: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The new and the changed machines of a stack.

    Attributes:
        nodes: Zones of each group's nodes, by machine type.
        database: The database, if it is new or changed.
        at: Zone of the deployed database, which cannot move; empty if it is new.
    """

    nodes: Mapping[str, list[str]]
    database: Resource | None
    at: str

    @property
    def standby(self) -> bool:
        """Whether the new or changed database has a standby, as in prod."""
        return self.database is not None and bool(self.database.inputs["multiAz"])

    def lacking(self, sold: frozenset[str], zones: set[str]) -> str:
        """What is wrong with two zones for the database; empty if nothing is."""
        if self.database is None:
            return ""
        class_ = self.database.inputs["instanceClass"]
        if self.standby:
            missing = ", ".join(sorted(zones - sold))
            return f"{class_} with a standby is not sold in {missing}" if missing else ""
        if self.at:
            return "" if self.at in sold else f"{class_} is not sold in {self.at}"
        return "" if zones & sold else "the database's class is sold in neither"


def check(context: StackContext) -> Iterator[Finding]:
    """Check the zones of a network, and of nodes and a database that are new or changed."""
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
    wanted = _wanted(context, planned)
    if deployed and not wanted.nodes and wanted.database is None:
        return
    try:
        found = _zones(context, region, wanted)
        zones = set(planned.values())
        yield context.for_up(_judged(context, region, found, wanted, zones, fixed=bool(deployed)))
    except NOT_REACHED:
        return
    except NO_ANSWER as error:
        yield Finding(name=NAME, ok=None, found=f"unknown what the zones have: {why(error)}")


def _wanted(context: StackContext, planned: Mapping[str, str]) -> Wanted:
    """What differs from what is deployed."""
    nodes = {}
    for group in (r for r in context.resources if r.type == GROUP):
        subnets = [urn for urn in group.uses["subnetIds"] if urn in planned]
        deployed = context.existing.get(group.urn, {})
        ids = {context.existing.get(urn, {}).get("id") for urn in subnets}
        types = group.inputs["instanceTypes"]
        if (deployed.get("instanceTypes"), set(deployed.get("subnetIds", ()))) != (types, ids):
            nodes[types[0]] = [planned[urn] for urn in subnets]
    (database,) = (r for r in context.resources if r.type == DATABASE)
    deployed = context.existing.get(database.urn, {})
    changed = any(deployed.get(key) != database.inputs[key] for key in ("instanceClass", "multiAz"))
    return Wanted(
        nodes=nodes,
        database=database if changed else None,
        at=deployed.get("availabilityZone", ""),
    )


def _zones(context: StackContext, region: str, wanted: Wanted) -> Zones:
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
        sold={type_: _offered(ec2, [type_]).get(type_, frozenset()) for type_ in wanted.nodes},
        database=_database_zones(wanted.database, region),
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


def _database_zones(database: Resource | None, region: str) -> frozenset[str]:
    if database is None:
        return frozenset()
    options = client("rds", region).describe_orderable_db_instance_options(
        Engine=database.inputs["engine"],
        DBInstanceClass=database.inputs["instanceClass"],
        Vpc=True,
        MaxRecords=100,
    )["OrderableDBInstanceOptions"]
    return frozenset(
        zone["Name"]
        for row in options
        for zone in row["AvailabilityZones"]
        if row["MultiAZCapable"] or not database.inputs["multiAz"]
    )


def _judged(
    context: StackContext,
    region: str,
    found: Zones,
    wanted: Wanted,
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
        for type_, zones in wanted.nodes.items()
        if (missing := sorted(set(zones) - found.sold[type_]))
    ]
    if lacking := wanted.lacking(found.database, planned):
        faults.append(lacking)
    letters = ",".join(zone[-1] for zone in sorted(planned))
    if not faults:
        return Finding(name=NAME, ok=True, found=f"{letters} of {region} have all machines")
    told = f"In {region} the zones {letters} do not have the machines: {'; '.join(faults)}"
    if sold_out := [type_ for type_, zones in found.sold.items() if not zones & found.usable]:
        return _unsold(context, region, sold_out[0], found)
    if chosen := _chosen(found, wanted, planned, fixed=fixed):
        remedy = context.set_line(NAME, ",".join(zone[-1] for zone in chosen))
    elif fixed and lacking:
        dev = f"{context.set_line('environment', 'dev')}, or " if wanted.standby else ""
        remedy = f"The deployed network and its database cannot move: {dev}use another stack"
    elif fixed:
        remedy = "The deployed network cannot move: set another gpu_type, or use another stack"
    else:
        remedy = f"Set another region: {context.set_line('region', 'us-east-1')}"
    return Finding(name=NAME, ok=False, found=told, remedy=remedy)


def _chosen(found: Zones, wanted: Wanted, planned: set[str], *, fixed: bool) -> list[str]:
    """Two zones with all machines, that of the GPU nodes first; the planned ones if possible."""
    among = found.usable & planned if fixed else found.usable
    both = [found.sold[type_] for type_, zones in wanted.nodes.items() if len(zones) > 1]
    one = [found.sold[type_] for type_, zones in wanted.nodes.items() if len(zones) == 1]
    ranked = sorted(among.intersection(*both), key=lambda zone: (zone not in planned, zone))
    pairs = (
        [first, second]
        for first in ranked
        for second in ranked
        if first != second
        and all(first in zones for zones in one)
        and not wanted.lacking(found.database, {first, second})
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
