"""How the pods of a pool share its GPUs: the value of `gpu_sharing`, resolved for a platform.

Modes and their limits are those of NVIDIA's device plugin (its README, 2026-08), of its driver for
Dynamic Resource Allocation (chart 0.5.0) and of AMD's partitioning at DOKS
(pulumi_digitalocean 4.84, `gpu_partition_mode`).
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from components.kubernetes.base.charts import CHARTS, Chart
from components.kubernetes.base.pods import Manifest
from sizing.machines import Gpu

Mode = Literal["exclusive", "mig", "mps", "time-slicing", "dra", "amd-partition"]

MEMORY_SHARE = 0.9
"""Share of its GPU memory that vLLM takes; the driver and CUDA graphs need the rest."""
MOST_SHARES = 48
"""Clients of MPS on one GPU (docs.nvidia.com/deploy/mps, Volta and newer)."""

_PRESENT = {"nvidia.com/gpu.present": "true"}
"""Node label that the plugin's pods select; without the GPU operator, nothing else sets it."""


@dataclass(frozen=True, kw_only=True)
class GpuPlatform:
    """What a Kubernetes service allows.

    Attributes:
        product: Its name, for messages.
        configurable_plugin: NVIDIA's device plugin is not managed: we install and configure it.
        partitions: AMD GPUs of a pool can be partitioned.
    """

    product: str
    configurable_plugin: bool
    partitions: bool


@dataclass(frozen=True, kw_only=True)
class Sharing:
    """How the GPUs of a pool are allocated to containers.

    Attributes:
        resource: Extended resource that a container requests; empty where it has a claim.
        shares: Per GPU.
        several: A container may request more than one.
        plugin: Chart that allocates them; None where the platform does.
        values: Of that chart, without the placement of its pods.
        node_labels: That the plugin needs on every node of the pool.
        partition: DigitalOcean's `gpu_partition_mode` of the node pool.
        memory_utilization: vLLM's `--gpu-memory-utilization`, so that all shares fit.
        device_class: Of a claim, with Dynamic Resource Allocation.
    """

    mode: Mode
    resource: str
    shares: int = 1
    several: bool = False
    plugin: Chart | None = None
    values: Manifest = field(default_factory=dict)
    node_labels: Mapping[str, str] = field(default_factory=dict)
    partition: str | None = None
    memory_utilization: float = MEMORY_SHARE
    device_class: str | None = None


class SharingError(ValueError):
    """A value of `gpu_sharing` is not possible; the message has the reason and a remedy."""

    def __init__(self, value: str, reason: str, alternative: str) -> None:
        super().__init__(
            f"gpu_sharing is {value!r}, but {reason}."
            f" Choose another: pulumi config set gpu_sharing {alternative}"
        )


def shared(platform: GpuPlatform, gpu: Gpu, value: str, *, minimum_nodes: int) -> Sharing:
    """Resolve a value of `gpu_sharing` for these GPUs on a platform.

    Args:
        value: `exclusive`, `mig:1g.10gb`, `mps:4`, `time-slicing:4`, `dra`, or
            `amd-partition:DPX_NPS2`.
        minimum_nodes: Of the pool; at 0 there are times without any node.

    Raises:
        SharingError: it is not possible.
    """
    mode, _, parameter = value.partition(":")
    if mode not in _MODES:
        raise SharingError(value, f"it must begin with one of {', '.join(_MODES)}", "exclusive")
    return _MODES[mode](_Request(platform, gpu, value, mode, parameter, minimum_nodes))


@dataclass(frozen=True)
class _Request:
    platform: GpuPlatform
    gpu: Gpu
    value: str
    mode: str
    parameter: str
    minimum_nodes: int

    @property
    def whole_gpu(self) -> str:
        """The extended resource of a whole GPU."""
        return f"{self.gpu.vendor}.com/gpu"

    @property
    def installs_plugin(self) -> bool:
        """True where no managed plugin allocates the GPUs."""
        return self.platform.configurable_plugin and self.gpu.vendor == "nvidia"

    def error(self, reason: str, alternative: str = "exclusive") -> SharingError:
        return SharingError(self.value, reason, alternative)

    def require_no_parameter(self) -> None:
        if self.parameter:
            raise self.error("this mode takes no parameter", self.mode)

    def require_configurable_plugin(self) -> None:
        if self.gpu.vendor != "nvidia":
            partition = self.gpu.partitions and self.platform.partitions
            raise self.error(
                f"{self.gpu.product} is not an NVIDIA GPU, which {self.mode} needs",
                f"amd-partition:{_short(self.gpu.partitions[-1])}" if partition else "exclusive",
            )
        if not self.platform.configurable_plugin:
            raise self.error(
                f"{self.platform.product} manages the device plugin, which cannot be configured"
            )

    def shares(self) -> int:
        if self.parameter.isdecimal() and 2 <= int(self.parameter) <= MOST_SHARES:
            return int(self.parameter)
        raise self.error(f"the number of shares must be 2 to {MOST_SHARES}", f"{self.mode}:2")


def _exclusive(request: _Request) -> Sharing:
    request.require_no_parameter()
    return Sharing(
        mode="exclusive",
        resource=request.whole_gpu,
        several=True,
        plugin=CHARTS["nvidia-device-plugin"] if request.installs_plugin else None,
        node_labels=_PRESENT if request.installs_plugin else {},
    )


def _mig(request: _Request) -> Sharing:
    """Slices with memory and compute of their own, cut by the operator's MIG manager."""
    request.require_configurable_plugin()
    profiles, profile = request.gpu.mig, request.parameter
    if not profiles:
        raise request.error(f"{request.gpu.product} has no MIG slices", "mps:2")
    if profile not in profiles:
        raise request.error(
            f"the profiles of {request.gpu.product} are {', '.join(profiles)}",
            f"mig:{next(iter(profiles))}",
        )
    return Sharing(
        mode="mig",
        resource=f"nvidia.com/mig-{profile}",
        shares=profiles[profile],
        plugin=CHARTS["gpu-operator"],
        values={
            # Both are in the nodes' image; a second exporter would compete for the counters.
            "driver": {"enabled": False},
            "toolkit": {"enabled": False},
            "dcgmExporter": {"enabled": False},
            "mig": {"strategy": "mixed"},
        },
        node_labels={"nvidia.com/mig.config": f"all-{profile}"},
    )


def _mps(request: _Request) -> Sharing:
    """Shares with a memory limit each; a fault of one can affect the others."""
    return _replicated(request, "mps", "mps", {}, {"nvidia.com/mps.capable": "true"})


def _time_slicing(request: _Request) -> Sharing:
    """Pods take turns on the GPU, without any limit of memory."""
    # A container with two turns would get no more than one.
    return _replicated(
        request, "time-slicing", "timeSlicing", {"failRequestsGreaterThanOne": True}, {}
    )


def _replicated(
    request: _Request, mode: Mode, key: str, options: Manifest, labels: Mapping[str, str]
) -> Sharing:
    request.require_configurable_plugin()
    shares = request.shares()
    rules = {
        # Under another name a share never counts as a whole GPU.
        "renameByDefault": True,
        "resources": [{"name": request.whole_gpu, "replicas": shares}],
        **options,
    }
    # The plugin reads YAML, of which JSON is a part.
    config = json.dumps({"version": "v1", "sharing": {key: rules}})
    return Sharing(
        mode=mode,
        resource=f"{request.whole_gpu}.shared",
        shares=shares,
        plugin=CHARTS["nvidia-device-plugin"],
        values={"config": {"default": "shared", "map": {"shared": config}}},
        node_labels={**_PRESENT, **labels},
        memory_utilization=math.floor(100 * MEMORY_SHARE / shares) / 100,
    )


def _dra(request: _Request) -> Sharing:
    """Whole GPUs by claim. A driver replaces the plugin: both would allocate the same GPU.

    At EKS that is for Kubernetes 1.34 and newer, on managed node groups, not in Auto Mode (EKS user
    guide, device-management-nvidia-dra-device-plugin, read 2026-11-22).
    """
    request.require_no_parameter()
    if request.minimum_nodes == 0:
        raise request.error(
            "the pool may have no node, and the cluster autoscaler cannot predict the devices of a"
            " new node, so it never adds the first one (kubernetes/autoscaler#7799); gpu_minimum 1"
            " keeps a node"
        )
    return Sharing(
        mode="dra",
        resource="",
        several=True,
        plugin=CHARTS["dra-driver-nvidia-gpu"] if request.installs_plugin else None,
        values=_DRIVER if request.installs_plugin else {},
        node_labels=_PRESENT if request.installs_plugin else {},
        device_class=f"gpu.{request.gpu.vendor}.com",
    )


def _amd_partition(request: _Request) -> Sharing:
    gpu, platform = request.gpu, request.platform
    if gpu.vendor != "amd":
        alternative = f"mig:{next(iter(gpu.mig))}" if gpu.mig else "mps:2"
        raise request.error(
            f"{gpu.product} is not an AMD GPU",
            alternative if platform.configurable_plugin else "exclusive",
        )
    if not platform.partitions:
        raise request.error(f"{platform.product} does not partition AMD GPUs")
    modes = {_short(mode): mode for mode in gpu.partitions}
    if request.parameter not in modes:
        raise request.error(
            f"the modes of {gpu.product} are {', '.join(modes)}",
            f"amd-partition:{list(modes)[-1]}",
        )
    return Sharing(
        mode="amd-partition",
        resource=request.whole_gpu,
        shares=_PARTS[request.parameter.partition("_")[0]],
        partition=modes[request.parameter],
    )


_DRIVER: Manifest = {
    # Confirms that no device plugin is installed; without it the chart fails.
    "gpuResourcesEnabledOverride": True,
    # For NVLink between nodes, which only GB200 machines have; the catalogue has none.
    "resources": {"computeDomains": {"enabled": False}},
}
"""Values of the DRA driver's chart; by default it uses the driver of the nodes' image."""

_PARTS = {"SPX": 1, "DPX": 2}
"""Devices that one GPU shows as."""

_MODES: Mapping[str, Callable[[_Request], Sharing]] = {
    "exclusive": _exclusive,
    "mig": _mig,
    "mps": _mps,
    "time-slicing": _time_slicing,
    "dra": _dra,
    "amd-partition": _amd_partition,
}


def _short(mode: str) -> str:
    return mode.removeprefix("AMD_PARTITION_MODE_")
