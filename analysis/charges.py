"""What a plan costs at rest: each resource with the prices of its parts."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from analysis.prices import (
    AWS_REGION,
    COUNTS,
    HOURS,
    NODE_GROUP,
    NODE_POOL,
    PRICES,
    SERVICE,
    SIZES,
    Price,
    Source,
)
from analysis.resources import PlannedResource


@dataclass(frozen=True, kw_only=True)
class Charge:
    """What one planned resource is billed for; `price` is None where no row knows its type."""

    resource: str
    type: str
    price: Price | None

    @property
    def unknown(self) -> bool:
        """True when it may cost something that nobody here knows."""
        if self.price is None:
            return True
        return self.price.usd is None and self.price.per in ("hour", "month")


_MADE_HERE = (
    "pulumi:providers:",
    "pulumi-python:dynamic/seamless:",
    "pulumi-python:dynamic/local:",
    "seamless:",
    "tls:",
)
"""What is no cloud's."""

_NODES = {"aws": (NODE_GROUP, AWS_REGION), "digitalocean": (NODE_POOL, "")}
"""What nodes with GPUs are at each cloud, and where their prices hold."""


def charges(resources: Iterable[PlannedResource]) -> Iterator[Charge]:
    """What each resource that a cloud or a program makes is billed for, in the order given.

    Objects of a cluster cost its nodes, but for a balancer that the cloud makes of one; what its
    charts ask of the cloud besides is not seen. Machines with GPUs are priced by what the plan's
    own components say of them.
    """
    planned = list(resources)
    region = next((_region(r.inputs) for r in planned if r.type == "pulumi:providers:aws"), "")
    rows = (*PRICES, *_machines(planned))
    for resource in planned:
        if resource.type.startswith(_MADE_HERE) or _inside(resource):
            continue
        yield from (
            Charge(resource=resource.name, type=resource.type, price=price)
            for price in _prices(resource, rows, region)
        )


def _inside(resource: PlannedResource) -> bool:
    """True for an object that only a cluster keeps."""
    balancer = resource.type == SERVICE and _at(resource, "spec.type") == "LoadBalancer"
    return resource.type.startswith("kubernetes:") and not balancer


def _machines(planned: Iterable[PlannedResource]) -> Iterator[Price]:
    for resource in planned:
        if machine := resource.inputs.get("machine"):
            node, region = _NODES[machine["platform"]]
            seen = machine.get("seen")
            source = Source(name=machine["source"], seen=date.fromisoformat(seen) if seen else None)
            yield Price(
                type=node,
                size=machine["slug"],
                part="node",
                usd=machine.get("usd_hour"),
                per="hour",
                region=region,
                source=source,
            )


def _prices(resource: PlannedResource, table: Iterable[Price], region: str) -> list[Price | None]:
    """The rows of a resource, for as many as it is; one None where a row is missing."""
    size = str(_at(resource, SIZES.get(resource.type, "")) or "")
    rows = [
        row
        for row in table
        if row.type == resource.type
        and row.size in ("", size)
        and (not row.only_if or _at(resource, row.only_if) is True)
    ]
    if (
        not rows
        or (resource.type in SIZES and all(not row.size for row in rows))
        or any(row.region not in ("", region) for row in rows)
        or resource.inputs.get("multiAz")
        or resource.inputs.get("vpcEndpointType", "Gateway") != "Gateway"
    ):
        return [None]
    count = _at(resource, COUNTS.get(resource.type, ""))
    times = count if isinstance(count, int) else 1
    return [row for row in rows for _ in range(times if row.each else 1)]


def _at(resource: PlannedResource, path: str) -> Any:
    """The input at a path of names and numbers; None where there is none."""
    found: Any = resource.inputs
    for step in path.split("."):
        if isinstance(found, dict):
            found = found.get(step)
        elif isinstance(found, list) and step.isdecimal() and int(step) < len(found):
            found = found[int(step)]
        else:
            return None
    return found


def _region(inputs: dict[str, Any]) -> str:
    return str(inputs.get("region", ""))


def rows(found: Sequence[Charge]) -> list[dict[str, Any]]:
    """Charges as plain data, without what is free: a price of None is unknown, or paid by use."""
    return [
        {
            "resource": charge.resource,
            "type": charge.type,
            "count": count,
            "part": charge.price.part if charge.price else "",
            "usd": charge.price.usd if charge.price else None,
            "per": charge.price.per if charge.price else "",
            "source": str(charge.price.source or "") if charge.price else "",
        }
        for charge, count in Counter(found).items()
        if charge.price is None or charge.price.per != "nothing"
    ]


def summary(found: Sequence[Charge]) -> list[str]:
    """What it costs at rest, for a person: the dearest first, then what nobody here knows."""
    known: dict[Price, list[str]] = {}
    for charge in found:
        if charge.price and charge.price.usd:
            known.setdefault(charge.price, []).append(charge.resource)
    unknown = sorted(
        {f"{c.resource}, {c.price.part if c.price else c.type}" for c in found if c.unknown}
    )
    if not known and not unknown:
        return []
    month = sum(_month(price) * len(names) for price, names in known.items())
    return [
        f"at least ${month / HOURS:,.2f} an hour, ${month:,.0f} for a month of {HOURS} hours"
        + (f", and {len(unknown)} unknown" if unknown else ""),
        *(
            f"{len(names)} x ${price.usd:.4f} per {price.per}: {names[0]}, {price.part}"
            f" ({price.source or 'no source'})"
            for price, names in sorted(known.items(), key=lambda row: -_month(row[0]) * len(row[1]))
        ),
        *(f"unknown: {what}" for what in unknown),
    ]


def _month(price: Price) -> float:
    return (price.usd or 0) * {"hour": HOURS, "month": 1}.get(price.per, 0)
