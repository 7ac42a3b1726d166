"""The cost of a plan without usage: one line for each billed part of a resource."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

from analysis.prices import (
    AWS_REGION,
    COUNTS,
    HOURS,
    LAUNCH_TEMPLATE,
    NODE_GROUP,
    NODE_POOL,
    PRICES,
    SERVICE,
    SIZES,
    Price,
)
from policies.resource import Resource


@dataclass(frozen=True, kw_only=True)
class Charge:
    """One billed part of a planned resource.

    Attributes:
        resource: URN.
        type: Pulumi's type token.
        part: What is billed; empty if the price table has no row for the type.
        count: Number of units.
        usd: US dollars for one unit; None is unknown, or paid by use.
        per: `hour`, `month`, `use` (nothing without usage), or empty like `part`.
        source: Source and date of the price; empty if there is none.
    """

    resource: str
    type: str
    part: str = ""
    count: int = 1
    usd: float | None = None
    per: str = ""
    source: str = ""

    @property
    def unknown(self) -> bool:
        """True if it may cost something without usage, and its price is unknown."""
        return self.usd is None and self.per != "use"

    @property
    def usd_month(self) -> float | None:
        """US dollars for a month of 730 hours; None is unknown, or paid by use."""
        if self.usd is None:
            return None
        return self.count * self.usd * (HOURS if self.per == "hour" else 1)

    def as_dict(self) -> dict[str, Any]:
        """The line as plain data, for JSON."""
        return {**asdict(self), "usd_month": self.usd_month}


def total(lines: Iterable[Charge]) -> float:
    """US dollars a month of the lines whose price is known."""
    return sum(line.usd_month or 0.0 for line in lines)


def changed(before: Iterable[Charge], after: Iterable[Charge]) -> list[tuple[Charge, Charge]]:
    """The lines whose monthly cost or number of units with an unknown price differs.

    Lines are the same by resource and part. All parts of a resource are one line if the price table
    has no row for it on one side. A line that is absent on one side costs nothing there: its
    `count` and its `usd` are 0.
    """
    lines = [*before], [*after]
    whole = {line.resource for side in lines for line in side if not line.part}
    old, new = (_by_part(side, whole) for side in lines)
    pairs = [
        (old.get(key) or _absent(new[key]), new.get(key) or _absent(old[key]))
        for key in sorted(old.keys() | new.keys())
    ]
    return [(one, other) for one, other in pairs if _amount(one) != _amount(other)]


def _amount(line: Charge) -> tuple[float | None, int | None]:
    """The monthly cost, or the number of units if their price is unknown."""
    return line.usd_month, line.count if line.unknown else None


def _absent(line: Charge) -> Charge:
    return replace(line, count=0, usd=0.0)


def _by_part(lines: Iterable[Charge], whole: Collection[str]) -> dict[tuple[str, str], Charge]:
    """The lines by resource and part; those of a resource in `whole` are one line."""
    found: dict[tuple[str, str], list[Charge]] = {}
    for line in lines:
        part = "" if line.resource in whole else line.part
        found.setdefault((line.resource, part), []).append(line)
    return {key: _joined(parts) for key, parts in found.items()}


def _joined(lines: Sequence[Charge]) -> Charge:
    """One line with the monthly cost of several; unknown if one of them is."""
    if len(lines) == 1:
        return lines[0]
    unknown = next((line for line in lines if line.unknown), None)
    return unknown or replace(lines[0], part="", count=1, usd=total(lines), per="month")


_FREE = (
    "pulumi:providers:",
    "pulumi-python:dynamic/seamless:",
    "pulumi-python:dynamic/local:",
    "seamless:",
    "tls:",
)
"""Beginnings of the types that no cloud bills."""

_HEADROOM = "seamless:kubernetes:Headroom"
"""Its input `nodes` counts GPU nodes that no other resource of the plan has."""

_POOL = "seamless:aws:NodeGroup"

_NODES = {"aws": (NODE_GROUP, AWS_REGION), "digitalocean": (NODE_POOL, "")}
"""By platform, the type of GPU nodes, and the region where their prices hold."""


def charges(resources: Iterable[Resource]) -> list[Charge]:
    """The billed parts of resources, in their order; free parts are left out.

    Kubernetes objects are paid through the nodes, except a load balancer that the cloud creates for
    a Service. What Helm charts create in the cloud is not seen. The prices of GPU machines come
    from the `machine` input of this project's components.
    """
    planned = list(resources)
    machines = list(_machines(planned))
    region = next((_region(r.inputs) for r in planned if r.type == "pulumi:providers:aws"), "")
    # An EKS node group is created empty; its component knows how many nodes always run.
    fewest = {r.urn: r.inputs["minimum"] for r in planned if r.type == _POOL}
    planned = [
        replace(r, inputs={**r.inputs, "minimum": fewest[r.parent]})
        if r.type == NODE_GROUP and r.parent in fewest
        else r
        for r in planned
    ]
    prices = (*PRICES.values(), *machines)
    nodes = _nodes_of_templates(planned)
    headroom = [
        _charge(resource, machines[0], resource.inputs["nodes"])
        for resource in planned
        if resource.type == _HEADROOM and resource.inputs["nodes"]
    ]
    return headroom + [
        replace(line, count=line.count * nodes.get(line.resource, 1))
        for resource in planned
        if not resource.type.startswith(_FREE) and not _is_paid_through_nodes(resource)
        for line in _lines(resource, prices, region)
        if nodes.get(line.resource, 1)
    ]


def _nodes_of_templates(planned: Iterable[Resource]) -> dict[str, int]:
    """The number of nodes without load, by the URN of their launch template."""
    return {
        template: int(_at(resource, COUNTS[NODE_GROUP]) or 0)
        for resource in planned
        if resource.type == NODE_GROUP
        for template in resource.uses.get("launchTemplate", [])
        if f"{LAUNCH_TEMPLATE}::" in template
    }


def _lines(resource: Resource, table: Iterable[Price], region: str) -> Iterator[Charge]:
    for price, count in Counter(_prices(resource, table, region)).items():
        if price is None:
            yield Charge(resource=resource.urn, type=resource.type)
        elif price.per != "nothing":
            yield _charge(resource, price, count)


def _charge(resource: Resource, price: Price, count: int) -> Charge:
    return Charge(
        resource=resource.urn,
        type=resource.type,
        part=price.part,
        count=count,
        usd=price.usd,
        per=price.per,
        source=price.origin,
    )


def _is_paid_through_nodes(resource: Resource) -> bool:
    """True for a Kubernetes object without a bill of its own."""
    balancer = resource.type == SERVICE and _at(resource, "spec.type") == "LoadBalancer"
    return resource.type.startswith("kubernetes:") and not balancer


def _machines(planned: Iterable[Resource]) -> Iterator[Price]:
    for resource in planned:
        if machine := resource.inputs.get("machine"):
            node, region = _NODES[machine["platform"]]
            seen = machine.get("seen")
            yield Price(
                type=node,
                size=machine["slug"],
                part="node",
                usd_hour=machine.get("usd_hour"),
                per="hour",
                region=region,
                source=machine["source"],
                seen=date.fromisoformat(seen) if seen else None,
            )


def _prices(resource: Resource, table: Iterable[Price], region: str) -> list[Price | None]:
    """The prices of a resource, one for each unit; one None if a row is missing."""
    size = str(_at(resource, SIZES.get(resource.type, "")) or "")
    rows = [
        row
        for row in table
        if row.type == resource.type
        and row.size in ("", size)
        and (not row.only_if or _at(resource, row.only_if) is True)
        and (not row.unless or _at(resource, row.unless) is not True)
    ]
    if (
        not rows
        or (resource.type in SIZES and all(not row.size for row in rows))
        or any(row.region not in ("", region) for row in rows)
        or resource.inputs.get("vpcEndpointType", "Gateway") != "Gateway"
    ):
        return [None]
    count = _at(resource, COUNTS.get(resource.type, ""))
    times = count if isinstance(count, int) else 1
    return [row for row in rows for _ in range(times if row.each else 1)]


def _at(resource: Resource, path: str) -> Any:
    """The input at a path of names and list indexes; None if it is absent."""
    found: Any = resource.inputs
    for step in path.split("."):
        if isinstance(found, Mapping):
            found = found.get(step)
        elif isinstance(found, list) and step.isdecimal() and int(step) < len(found):
            found = found[int(step)]
        else:
            return None
    return found


def _region(inputs: Mapping[str, Any]) -> str:
    return str(inputs.get("region", ""))
