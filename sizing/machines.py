"""GPUs, and the machines with GPUs that the clouds rent; the rows are in the catalogue."""

from collections.abc import Iterator, Mapping
from typing import Literal, TypeVar

import msgspec

from catalog import Amount, Count, Row, Table
from catalog.regions import OFFERS

Vendor = Literal["nvidia", "amd"]
Purchase = Literal["on-demand", "spot", "contract"]
"""How a machine is sold: by the hour, by the hour until reclaimed, after talking to sales."""
R = TypeVar("R", bound=Row)


class Gpu(Row, frozen=True, kw_only=True):
    """One GPU model.

    Attributes:
        memory_mib: Binary megabytes as the source counts them, before the driver takes its share.
        bf16: Computes bfloat16; a GPU that does not cannot serve the models of the catalogue.
        fp8: Multiplies FP8 in hardware.
        mxfp4: Multiplies MXFP4 in hardware.
        mig: Profile of a hardware slice to how many of it fit; empty where there are none.
        partitions: Modes of AMD's partitioning that a node pool can choose.
        board_watts: Thermal design power; None is unknown.
    """

    name: str
    vendor: Vendor
    product: str
    generation: str
    memory_mib: Count
    bf16: bool = True
    fp8: bool = True
    mxfp4: bool = False
    mig: Mapping[str, Count] = msgspec.field(default_factory=dict)
    partitions: tuple[str, ...] = ()
    board_watts: Count | None = None

    @property
    def memory_gib(self) -> float:
        """Binary gigabytes, to show."""
        return self.memory_mib / 1024


class Machine(Row, frozen=True, kw_only=True):
    """A machine with GPUs that a cloud rents.

    Attributes:
        platform: The cloud, as stacks name it.
        slug: The cloud's name for the machine: a Droplet size, an EC2 instance type.
        gpu: Name of the GPU.
        count: GPUs in the machine.
        usd_hour: Price of an hour of the whole machine in US dollars, AWS in us-east-1; None is
            unknown.
        fabric: Has a network for one model across several machines (RDMA fabric, EFA).
    """

    platform: str
    slug: str
    gpu: str
    count: Count
    vcpus: Count
    memory_gib: Count
    usd_hour: Amount | None
    purchase: Purchase
    fabric: bool = False

    @property
    def regions(self) -> tuple[str, ...] | None:
        """Regions that sell it; empty where the cloud lists it and sells it nowhere; None is
        unknown.
        """
        offer = OFFERS.get(f"{self.platform} {self.slug}")
        return offer.regions if offer else None

    @property
    def sold(self) -> str:
        """Where it is sold, with the source, to show."""
        offer = OFFERS.get(f"{self.platform} {self.slug}")
        if offer is None:
            return "regions unknown: preflight asks the account"
        return f"sold in {', '.join(offer.regions) or 'no region'} ({offer.origin})"

    @property
    def facts(self) -> dict[str, object]:
        """Shown in the plan, where the cost of a node is read from it."""
        return {
            "platform": self.platform,
            "slug": self.slug,
            "usd_hour": self.usd_hour,
            "source": self.source,
            "seen": self.seen.isoformat() if self.seen else None,
        }


GPUS = Table("gpus", Gpu)
MACHINES = Table("machines", Machine, "slug")


def gpu(name: str) -> Gpu:
    """The GPU of that name; `ValueError` names the known ones."""
    return _row("GPU", name, GPUS)


def machine(slug: str) -> Machine:
    """The machine of that slug or instance type; `ValueError` names the known ones."""
    return _row("machine", slug, MACHINES)


def machines(
    platform: str | None = None,
    *,
    region: str = "",
    purchases: tuple[Purchase, ...] = ("on-demand",),
) -> Iterator[Machine]:
    """Machines of a platform, or of all of them, that are sold in one of these ways.

    Args:
        region: Leaves out machines that are known not to be sold there; empty leaves out those that
            are sold nowhere.
    """
    platforms = {row.platform for row in MACHINES.values()}
    if platform is not None and platform not in platforms:
        raise ValueError(
            f"No machine with a GPU is known for platform {platform!r}: it must be one of"
            f" {', '.join(sorted(platforms))}."
        )
    for row in MACHINES.values():
        if platform in (None, row.platform) and row.purchase in purchases:
            regions = row.regions
            if regions is None or region in regions or (regions and not region):
                yield row


def _row(kind: str, name: str, rows: Mapping[str, R]) -> R:
    try:
        return rows[name]
    except KeyError:
        raise ValueError(
            f"Unknown {kind} {name!r}: it must be one of {', '.join(sorted(rows))}."
        ) from None
