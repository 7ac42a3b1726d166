"""One GPU for several pods: what a pool's `gpu_sharing` means where it is, or why it cannot be.

Modes and their limits are those of NVIDIA's device plugin (its README, 2026-08), of its driver for
Dynamic Resource Allocation (chart 0.5.0) and of AMD's partitioning as DOKS offers it
(pulumi_digitalocean 4.84, `gpu_partition_mode`).
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from components.gpu import Gpu
from components.kubernetes.charts import CHARTS, Chart

Mode = Literal["exclusive", "mig", "mps", "time-slicing", "dra", "amd-partition"]

MEMORY_SHARE = 0.9
"""Of what a server is given, for the server; the rest is the driver's and CUDA graphs'."""
MOST_SHARES = 48
"""Clients of MPS on one GPU (docs.nvidia.com/deploy/mps, Volta and newer)."""

_PRESENT = {"nvidia.com/gpu.present": "true"}
"""The plugin's pods go where it is; nothing else of ours puts it there."""


@dataclass(frozen=True, kw_only=True)
class GpuPlatform:
    """What decides about sharing where a pool of GPU nodes runs.

    Attributes:
        product: What people call it.
        own_plugin: What hands out NVIDIA's GPUs is ours to install and configure.
        partitions: A pool's AMD GPUs can be partitioned.
    """

    product: str
    own_plugin: bool
    partitions: bool


@dataclass(frozen=True, kw_only=True)
class Sharing:
    """How the GPUs of a pool are handed out.

    Attributes:
        resource: What a container asks for; empty where it has a claim instead.
        shares: Of one GPU: a node has so many times its GPUs.
        several: One container may ask for more than one.
        plugin: Chart that hands them out; None where the platform does.
        values: Of that chart, beside where its pods run.
        node_labels: That every node of the pool needs for it.
        partition: Mode of the node pool, in DigitalOcean's words.
        memory_utilization: vLLM's `--gpu-memory-utilization`, so that the shares fit side by side.
        device_class: What a claim asks for, with Dynamic Resource Allocation.
    """

    mode: Mode
    resource: str
    shares: int = 1
    several: bool = False
    plugin: Chart | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    node_labels: Mapping[str, str] = field(default_factory=dict)
    partition: str | None = None
    memory_utilization: float = MEMORY_SHARE
    device_class: str | None = None


class SharingError(ValueError):
    """A way of sharing cannot be had; the message says why, and what to type instead."""

    def __init__(self, value: str, reason: str, instead: str) -> None:
        super().__init__(
            f"gpu_sharing is {value!r}, but {reason}."
            f" Choose another: pulumi config set gpu_sharing {instead}"
        )


def shared(platform: GpuPlatform, gpu: Gpu, value: str, *, minimum_nodes: int) -> Sharing:
    """What `gpu_sharing` comes to on these GPUs there.

    Args:
        value: `exclusive`, `mig:1g.10gb`, `mps:4`, `time-slicing:4`, `dra`, or
            `amd-partition:DPX_NPS2`.
        minimum_nodes: Of the pool; at 0 there are times without any node.

    Raises:
        SharingError: it cannot be had.
    """
    mode, _, detail = value.partition(":")
    if mode not in _MODES:
        raise SharingError(value, f"it must begin with one of {', '.join(_MODES)}", "exclusive")
    return _MODES[mode](_Ask(platform, gpu, value, detail, minimum_nodes))


@dataclass(frozen=True)
class _Ask:
    platform: GpuPlatform
    gpu: Gpu
    value: str
    detail: str
    minimum_nodes: int

    @property
    def whole(self) -> str:
        """The resource that is a whole GPU."""
        return f"{self.gpu.vendor}.com/gpu"

    @property
    def installs(self) -> bool:
        """Who hands out the GPUs is a chart of ours."""
        return self.platform.own_plugin and self.gpu.vendor == "nvidia"

    def refuse(self, reason: str, instead: str = "exclusive") -> SharingError:
        return SharingError(self.value, reason, instead)

    def need_nothing_more(self) -> None:
        if self.detail:
            raise self.refuse("nothing may follow it", self.value.partition(":")[0])

    def need_own_plugin(self) -> None:
        """What only NVIDIA's plugin can do, where it is ours."""
        if self.gpu.vendor != "nvidia":
            partition = self.gpu.partitions and self.platform.partitions
            instead = f"amd-partition:{_short(self.gpu.partitions[-1])}" if partition else None
            raise self.refuse(
                f"{self.gpu.product} is no GPU of NVIDIA's, whose plugin does that",
                instead or "exclusive",
            )
        if not self.platform.own_plugin:
            raise self.refuse(
                f"{self.platform.product} manages the device plugin and takes no configuration"
                " for it"
            )

    def count(self) -> int:
        if self.detail.isdecimal() and 2 <= int(self.detail) <= MOST_SHARES:
            return int(self.detail)
        mode = self.value.partition(":")[0]
        raise self.refuse(f"the number of shares must be 2 to {MOST_SHARES}", f"{mode}:2")


def _exclusive(ask: _Ask) -> Sharing:
    ask.need_nothing_more()
    return Sharing(
        mode="exclusive",
        resource=ask.whole,
        several=True,
        plugin=CHARTS["nvidia-device-plugin"] if ask.installs else None,
        node_labels=_PRESENT if ask.installs else {},
    )


def _mig(ask: _Ask) -> Sharing:
    """Slices with memory and compute of their own, cut by the operator's MIG manager."""
    ask.need_own_plugin()
    profiles = ask.gpu.mig
    if not profiles:
        raise ask.refuse(f"{ask.gpu.product} cannot be cut into slices", "mps:2")
    if ask.detail not in profiles:
        raise ask.refuse(
            f"{ask.gpu.product} has the profiles {', '.join(profiles)}",
            f"mig:{next(iter(profiles))}",
        )
    return Sharing(
        mode="mig",
        resource=f"nvidia.com/mig-{ask.detail}",
        shares=profiles[ask.detail],
        plugin=CHARTS["gpu-operator"],
        values={
            # Both are in the nodes' image; a second exporter would fight ours for the counters.
            "driver": {"enabled": False},
            "toolkit": {"enabled": False},
            "dcgmExporter": {"enabled": False},
            "mig": {"strategy": "mixed"},
        },
        node_labels={"nvidia.com/mig.config": f"all-{ask.detail}"},
    )


def _mps(ask: _Ask) -> Sharing:
    """Shares with a limit of memory each, but one domain of faults."""
    return _replicas(ask, mode="mps", key="mps", labels={"nvidia.com/mps.capable": "true"})


def _time_slicing(ask: _Ask) -> Sharing:
    """Turns on a GPU without any limit of memory: nothing but good manners divides it."""
    return _replicas(ask, mode="time-slicing", key="timeSlicing", labels={})


def _replicas(
    ask: _Ask, *, mode: Literal["mps", "time-slicing"], key: str, labels: Mapping[str, str]
) -> Sharing:
    ask.need_own_plugin()
    shares = ask.count()
    # Another name, so that who asks for a whole GPU never gets a part of one.
    rules: dict[str, Any] = {
        "renameByDefault": True,
        "resources": [{"name": ask.whole, "replicas": shares}],
    }
    if mode == "time-slicing":
        rules["failRequestsGreaterThanOne"] = True  # two turns are no more than one
    return Sharing(
        mode=mode,
        resource=f"{ask.whole}.shared",
        shares=shares,
        plugin=CHARTS["nvidia-device-plugin"],
        values={
            "config": {"default": "shared", "map": {"shared": _yaml({key: rules})}},
        },
        node_labels={**_PRESENT, **labels},
        memory_utilization=math.floor(100 * MEMORY_SHARE / shares) / 100,
    )


def _dra(ask: _Ask) -> Sharing:
    """Whole GPUs by claim: a driver is in the plugin's place, as both would give the same GPU away.

    At EKS that is for Kubernetes 1.34 and newer, on managed node groups, not in Auto Mode (EKS user
    guide, device-management-nvidia-dra-device-plugin, read 2026-11-22).
    """
    ask.need_nothing_more()
    if ask.minimum_nodes == 0:
        raise ask.refuse(
            "the pool may have no node, and the cluster autoscaler does not know what devices a"
            " node would bring, so that none would ever come (kubernetes/autoscaler#7799); a pool"
            " that keeps a node could have it"
        )
    return Sharing(
        mode="dra",
        resource="",
        several=True,
        plugin=CHARTS["dra-driver-nvidia-gpu"] if ask.installs else None,
        values=_DRIVER if ask.installs else {},
        node_labels=_PRESENT if ask.installs else {},
        device_class=f"gpu.{ask.gpu.vendor}.com",
    )


def _amd_partition(ask: _Ask) -> Sharing:
    if ask.gpu.vendor != "amd":
        instead = f"mig:{next(iter(ask.gpu.mig))}" if ask.gpu.mig else "mps:2"
        raise ask.refuse(
            f"{ask.gpu.product} is no GPU of AMD's",
            instead if ask.platform.own_plugin else "exclusive",
        )
    if not ask.platform.partitions:
        raise ask.refuse(f"{ask.platform.product} has no partitions of AMD's GPUs")
    modes = {_short(mode): mode for mode in ask.gpu.partitions}
    if ask.detail not in modes:
        raise ask.refuse(
            f"{ask.gpu.product} has the modes {', '.join(modes)} there",
            f"amd-partition:{list(modes)[-1]}",
        )
    return Sharing(
        mode="amd-partition",
        resource=ask.whole,
        shares=_PARTS[ask.detail.partition("_")[0]],
        partition=modes[ask.detail],
    )


_DRIVER: Mapping[str, Any] = {
    # Says that no device plugin is beside it; without, the chart refuses.
    "gpuResourcesEnabledOverride": True,
    # NVLink between nodes is sold in GB200 machines alone, which are not in our table.
    "resources": {"computeDomains": {"enabled": False}},
}
"""Of the DRA driver's chart; it takes the driver of the nodes' image for its own by default."""

_PARTS = {"SPX": 1, "DPX": 2}
"""Devices that one GPU shows as."""

_MODES: Mapping[str, Callable[[_Ask], Sharing]] = {
    "exclusive": _exclusive,
    "mig": _mig,
    "mps": _mps,
    "time-slicing": _time_slicing,
    "dra": _dra,
    "amd-partition": _amd_partition,
}


def _short(mode: str) -> str:
    return mode.removeprefix("AMD_PARTITION_MODE_")


def _yaml(sharing: Mapping[str, Any]) -> str:
    """The plugin's configuration file; JSON is YAML."""
    return json.dumps({"version": "v1", "sharing": sharing})
