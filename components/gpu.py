"""GPUs, and the machines with GPUs that the clouds rent: one table each, each row with its source.

Memory is counted in MiB as the cloud's own interface counts it, which is below the round number of
the product's name: GDDR6 cards keep 1/16 for error correction (a "24 GB" card shows 22,888 MiB).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, TypeVar

Vendor = Literal["nvidia", "amd"]
Row = TypeVar("Row")
Purchase = Literal["on-demand", "spot", "contract"]
"""How a machine is sold: by the hour, by the hour until reclaimed, after talking to sales."""

_KARPENTER = "github.com/aws/karpenter-provider-aws reference/instance-types.md (EC2 API)"
_DO_SIZES = "api.digitalocean.com/v2/sizes, listed by github.com/shyamsfo/bernoulli (secondary)"
_DO_FEATURES = "docs.digitalocean.com/products/droplets/details/features, contract-only plans"
_ROCM = "rocm.docs.amd.com gpu-specs, 7.13 preview"


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """One GPU model.

    Attributes:
        memory_mib: Binary megabytes as the source counts them, before the driver takes its share.
        bf16: Computes bfloat16; what does not cannot serve the models of this catalogue.
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
    memory_mib: int
    bf16: bool = True
    fp8: bool = True
    mxfp4: bool = False
    mig: Mapping[str, int] = field(default_factory=dict)
    partitions: tuple[str, ...] = ()
    board_watts: int | None = None
    source: str
    seen: date

    @property
    def memory_gib(self) -> float:
        """Binary gigabytes, to show."""
        return self.memory_mib / 1024


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A machine with GPUs that a cloud rents.

    Attributes:
        platform: The cloud, as stacks name it.
        slug: The cloud's name for the machine: a Droplet size, an EC2 instance type.
        gpu: Name of the GPU.
        count: GPUs in the machine.
        usd_hour: Price of an hour of the whole machine in US dollars, AWS in us-east-1; None is
            unknown.
        regions: None is unknown: ask the cloud, capacity changes by the hour.
        fabric: Has a network for one model across several machines (RDMA fabric, EFA).
        seen: When the source was written; without a date, when it was read; None: unknown.
    """

    platform: str
    slug: str
    gpu: str
    count: int
    vcpus: int | None
    memory_gib: int | None
    usd_hour: float | None
    purchase: Purchase = "on-demand"
    regions: tuple[str, ...] | None = None
    fabric: bool = False
    source: str
    seen: date | None

    @property
    def facts(self) -> dict[str, object]:
        """What a plan tells of the machine to who counts its cost."""
        return {
            "platform": self.platform,
            "slug": self.slug,
            "usd_hour": self.usd_hour,
            "source": self.source,
            "seen": self.seen.isoformat() if self.seen else None,
        }


def _mig(*memory_gb: int) -> Mapping[str, int]:
    """The six profiles of NVIDIA's seven-slice GPUs, by the memory of each in the name."""
    slices = (("1g", 7), ("1g", 4), ("2g", 3), ("3g", 2), ("4g", 1), ("7g", 1))
    return {f"{s}.{gb}gb": most for (s, most), gb in zip(slices, memory_gb, strict=True)}


def _nvidia(name: str, product: str, generation: str, memory_mib: int, **rest: object) -> Gpu:
    known: dict[str, object] = {"source": _KARPENTER, "seen": date(2026, 8, 21)} | rest
    return Gpu(
        name=name,
        vendor="nvidia",
        product=product,
        generation=generation,
        memory_mib=memory_mib,
        **known,  # type: ignore[arg-type]
    )


def _amd(name: str, memory_gib: int, watts: int, *, cdna: int) -> Gpu:
    return Gpu(
        name=name,
        vendor="amd",
        product=f"Instinct {name.upper()}",
        generation=f"CDNA{cdna}",
        memory_mib=memory_gib * 1024,
        mxfp4=cdna >= 4,
        partitions=("AMD_PARTITION_MODE_SPX_NPS1", "AMD_PARTITION_MODE_DPX_NPS2"),
        board_watts=watts,
        source=_ROCM,
        seen=date(2026, 11, 22),
    )


# Board power and MIG profiles are those of NVIDIA's data sheets and MIG user guide.
GPUS = {
    row.name: row
    for row in (
        _nvidia("t4", "T4", "Turing", 16_384, bf16=False, fp8=False, board_watts=70),
        _nvidia("a10g", "A10G", "Ampere", 22_888, fp8=False, board_watts=300),
        _nvidia("l4", "L4", "Ada", 22_888, board_watts=72),
        _nvidia("l40s", "L40S", "Ada", 45_776, board_watts=350),
        _nvidia(
            "a100-40gb",
            "A100 SXM4 40 GB",
            "Ampere",
            40_960,
            fp8=False,
            mig=_mig(5, 10, 10, 20, 20, 40),
            board_watts=400,
        ),
        _nvidia(
            "a100",
            "A100 SXM4 80 GB",
            "Ampere",
            81_920,
            fp8=False,
            mig=_mig(10, 20, 20, 40, 40, 80),
            board_watts=400,
        ),
        _nvidia(
            "h100",
            "H100 SXM5",
            "Hopper",
            81_920,
            mig=_mig(10, 20, 20, 40, 40, 80),
            board_watts=700,
        ),
        _nvidia(
            "h200",
            "H200 SXM5",
            "Hopper",
            144_384,
            mig=_mig(18, 35, 35, 71, 71, 141),
            board_watts=700,
        ),
        _nvidia(
            "b200",
            "B200 SXM6",
            "Blackwell",
            183_359,
            mxfp4=True,
            mig=_mig(23, 45, 45, 90, 90, 180),
            board_watts=1000,
        ),
        _nvidia(
            "b300",
            "B300 SXM6",
            "Blackwell",
            275_040,
            mxfp4=True,
            mig=_mig(34, 67, 67, 135, 135, 269),
        ),
        _nvidia(
            "rtx-pro-6000",
            "RTX PRO 6000 Blackwell Server Edition",
            "Blackwell",
            98_304,
            mxfp4=True,
            mig={"1g.24gb": 4, "2g.48gb": 2, "4g.96gb": 1},
            board_watts=600,
        ),
        # 15/16 of 20 and 48 GiB: error correction, as on the L4, A10G and L40S.
        _nvidia(
            "rtx-4000-ada",
            "RTX 4000 Ada Generation",
            "Ada",
            19_200,
            board_watts=130,
            source="20 GiB less 1/16 for error correction (computed)",
            seen=date(2026, 11, 22),
        ),
        _nvidia(
            "rtx-6000-ada",
            "RTX 6000 Ada Generation",
            "Ada",
            46_080,
            board_watts=300,
            source="48 GiB less 1/16 for error correction (computed)",
            seen=date(2026, 11, 22),
        ),
        _amd("mi300x", 192, 750, cdna=3),
        _amd("mi325x", 256, 1000, cdna=3),
        _amd("mi350x", 288, 1000, cdna=4),
        _amd("mi355x", 288, 1400, cdna=4),
    )
}


def _droplets() -> Iterator[Machine]:
    """Sizes of `/v2/sizes` with a price. The documentation of 2026-05-29 still had lower prices for
    some (H100 3.39, MI300X 1.99); the interface, asked later, is believed."""
    for slug, gpu_name, count, vcpus, memory_gib, usd in (
        ("gpu-4000adax1-20gb", "rtx-4000-ada", 1, 8, 32, 0.76),
        ("gpu-6000adax1-48gb", "rtx-6000-ada", 1, 8, 64, 1.57),
        ("gpu-l40sx1-48gb", "l40s", 1, 8, 64, 1.57),
        ("gpu-h100x1-80gb", "h100", 1, 20, 240, 4.41),
        ("gpu-h100x8-640gb", "h100", 8, 160, 1920, 35.28),
        ("gpu-h200x1-141gb", "h200", 1, 24, 240, 4.47),
        ("gpu-h200x8-1128gb", "h200", 8, 192, 1920, 35.76),
        ("gpu-mi300x1-192gb", "mi300x", 1, 20, 240, 2.59),
        ("gpu-mi300x8-1536gb", "mi300x", 8, 160, 1920, 20.72),
        ("gpu-mi325x1-256gb", "mi325x", 1, 20, 160, 3.80),
        ("gpu-mi325x8-2048gb", "mi325x", 8, 160, 1280, 30.40),
        ("gpu-mi350x1-288gb-spot", "mi350x", 1, 24, 256, 2.46),
        ("gpu-mi350x8-2304gb-spot", "mi350x", 8, 192, 2048, 19.68),
        ("gpu-mi355x1-288gb-spot", "mi355x", 1, 24, 256, 2.97),
        ("gpu-mi355x8-2304gb-spot", "mi355x", 8, 192, 2048, 23.76),
        ("gpu-b300x1-288gb-spot", "b300", 1, 28, 448, 8.00),
        ("gpu-b300x8-2304gb-spot", "b300", 8, 224, 3584, 64.00),
    ):
        yield Machine(
            platform="digitalocean",
            slug=slug,
            gpu=gpu_name,
            count=count,
            vcpus=vcpus,
            memory_gib=memory_gib,
            usd_hour=usd,
            purchase="spot" if slug.endswith("-spot") else "on-demand",
            source=_DO_SIZES,
            seen=date(2026, 10, 8),
        )
    for slug, gpu_name, vcpus, memory_gib in (
        ("gpu-h200x8-1128gb-fabric-contracted", "h200", 192, 1920),
        ("gpu-mi300x8-1536gb-fabric-contracted", "mi300x", 160, 1920),
        ("gpu-mi325x8-2048gb-fabric-contracted", "mi325x", 160, 1280),
    ):
        yield Machine(
            platform="digitalocean",
            slug=slug,
            gpu=gpu_name,
            count=8,
            vcpus=vcpus,
            memory_gib=memory_gib,
            usd_hour=None,
            purchase="contract",
            fabric=True,
            source=_DO_FEATURES,
            seen=None,
        )


def _ec2() -> Iterator[Machine]:
    """Instance types with whole GPUs; prices on demand in us-east-1, generated 2026-07-20."""
    for slug, gpu_name, count, vcpus, memory_gib, usd, efa in (
        ("g4dn.xlarge", "t4", 1, 4, 16, 0.526, False),
        ("g4dn.2xlarge", "t4", 1, 8, 32, 0.752, False),
        ("g4dn.4xlarge", "t4", 1, 16, 64, 1.204, False),
        ("g4dn.8xlarge", "t4", 1, 32, 128, 2.176, True),
        ("g4dn.12xlarge", "t4", 4, 48, 192, 3.912, True),
        ("g4dn.16xlarge", "t4", 1, 64, 256, 4.352, True),
        ("g4dn.metal", "t4", 8, 96, 384, 7.824, True),
        ("g5.xlarge", "a10g", 1, 4, 16, 1.006, False),
        ("g5.2xlarge", "a10g", 1, 8, 32, 1.212, False),
        ("g5.4xlarge", "a10g", 1, 16, 64, 1.624, False),
        ("g5.8xlarge", "a10g", 1, 32, 128, 2.448, True),
        ("g5.12xlarge", "a10g", 4, 48, 192, 5.672, True),
        ("g5.16xlarge", "a10g", 1, 64, 256, 4.096, True),
        ("g5.24xlarge", "a10g", 4, 96, 384, 8.144, True),
        ("g5.48xlarge", "a10g", 8, 192, 768, 16.288, True),
        ("g6.xlarge", "l4", 1, 4, 16, 0.8048, False),
        ("g6.2xlarge", "l4", 1, 8, 32, 0.9776, False),
        ("g6.4xlarge", "l4", 1, 16, 64, 1.3232, False),
        ("g6.8xlarge", "l4", 1, 32, 128, 2.0144, True),
        ("g6.12xlarge", "l4", 4, 48, 192, 4.6016, True),
        ("g6.16xlarge", "l4", 1, 64, 256, 3.3968, True),
        ("g6.24xlarge", "l4", 4, 96, 384, 6.6752, True),
        ("g6.48xlarge", "l4", 8, 192, 768, 13.3504, True),
        ("gr6.4xlarge", "l4", 1, 16, 128, 1.5392, False),
        ("gr6.8xlarge", "l4", 1, 32, 256, 2.4464, True),
        ("g6e.xlarge", "l40s", 1, 4, 32, 1.861, False),
        ("g6e.2xlarge", "l40s", 1, 8, 64, 2.24208, False),
        ("g6e.4xlarge", "l40s", 1, 16, 128, 3.00424, False),
        ("g6e.8xlarge", "l40s", 1, 32, 256, 4.52856, True),
        ("g6e.12xlarge", "l40s", 4, 48, 384, 10.49264, True),
        ("g6e.16xlarge", "l40s", 1, 64, 512, 7.57719, True),
        ("g6e.24xlarge", "l40s", 4, 96, 768, 15.06559, True),
        ("g6e.48xlarge", "l40s", 8, 192, 1536, 30.13118, True),
        ("g7e.2xlarge", "rtx-pro-6000", 1, 8, 64, 3.36312, False),
        ("g7e.4xlarge", "rtx-pro-6000", 1, 16, 128, 3.99816, False),
        ("g7e.8xlarge", "rtx-pro-6000", 1, 32, 256, 5.26824, True),
        ("g7e.12xlarge", "rtx-pro-6000", 2, 48, 512, 8.28608, True),
        ("g7e.24xlarge", "rtx-pro-6000", 4, 96, 1024, 16.57216, True),
        ("g7e.48xlarge", "rtx-pro-6000", 8, 192, 2048, 33.14432, True),
        ("p4d.24xlarge", "a100-40gb", 8, 96, 1152, 21.957642, True),
        ("p4de.24xlarge", "a100", 8, 96, 1152, 27.44705, True),
        ("p5.4xlarge", "h100", 1, 16, 256, 6.88, True),
        ("p5.48xlarge", "h100", 8, 192, 2048, 55.04, True),
        ("p5e.48xlarge", "h200", 8, 192, 2048, None, True),
        ("p5en.48xlarge", "h200", 8, 192, 2048, 63.296, True),
        ("p6-b200.48xlarge", "b200", 8, 192, 2048, 113.9328, True),
        ("p6-b300.48xlarge", "b300", 8, 192, 4096, 142.416, True),
    ):
        yield Machine(
            platform="aws",
            slug=slug,
            gpu=gpu_name,
            count=count,
            vcpus=vcpus,
            memory_gib=memory_gib,
            usd_hour=usd,
            fabric=efa,
            source=f"{_KARPENTER}; prices: pkg/providers/pricing",
            seen=date(2026, 8, 21),
        )


MACHINES = {row.slug: row for row in (*_droplets(), *_ec2())}


def gpu(name: str) -> Gpu:
    """The GPU of that name; `ValueError` names the known ones."""
    return _row("GPU", name, GPUS)


def machine(slug: str) -> Machine:
    """The machine of that slug or instance type; `ValueError` names the known ones."""
    return _row("machine", slug, MACHINES)


def machines(
    platform: str | None = None, *, purchases: tuple[Purchase, ...] = ("on-demand",)
) -> Iterator[Machine]:
    """Machines of a platform, or of all of them, that are sold in one of these ways."""
    platforms = {row.platform for row in MACHINES.values()}
    if platform is not None and platform not in platforms:
        raise ValueError(
            f"No machine with a GPU is known for platform {platform!r}: it must be one of"
            f" {', '.join(sorted(platforms))}."
        )
    for row in MACHINES.values():
        if platform in (None, row.platform) and row.purchase in purchases:
            yield row


def _row(kind: str, name: str, rows: Mapping[str, Row]) -> Row:
    try:
        return rows[name]
    except KeyError:
        raise ValueError(
            f"Unknown {kind} {name!r}: it must be one of {', '.join(sorted(rows))}."
        ) from None
