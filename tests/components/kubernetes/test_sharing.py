"""The modes of GPU sharing of each GPU and platform, and the errors for all other modes.

The matrix has every platform, every GPU of it, and every value; its counts are printed.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from components.aws.cluster.eks import GPU_PLATFORM as EKS
from components.digitalocean.cluster import GPU_PLATFORM as DOKS
from components.kubernetes.base.charts import CHARTS
from components.kubernetes.scheduling.gpu_sharing import (
    GpuPlatform,
    Sharing,
    SharingError,
    shared,
)
from sizing.machines import GPUS, MACHINES, Gpu, gpu

PLATFORMS = {"aws": EKS, "digitalocean": DOKS}

VALUES = (
    "exclusive",
    *sorted({f"mig:{profile}" for row in GPUS.values() for profile in row.mig}),
    "mps:2",
    "mps:4",
    "time-slicing:2",
    "time-slicing:4",
    "dra",
    "amd-partition:SPX_NPS1",
    "amd-partition:DPX_NPS2",
)


def gpus() -> Iterator[tuple[GpuPlatform, Gpu]]:
    for platform, name in sorted({(row.platform, row.gpu) for row in MACHINES.values()}):
        yield PLATFORMS[platform], gpu(name)


def result_of(platform: GpuPlatform, row: Gpu, value: str, nodes: int = 1) -> Sharing | str:
    try:
        return shared(platform, row, value, minimum_nodes=nodes)
    except SharingError as error:
        return str(error)


def is_offered(platform: GpuPlatform, row: Gpu, value: str) -> bool:
    mode, _, detail = value.partition(":")
    return {
        "exclusive": True,
        "mig": platform is EKS and detail in row.mig,
        "mps": platform is EKS and row.vendor == "nvidia",
        "time-slicing": platform is EKS and row.vendor == "nvidia",
        "dra": True,
        "amd-partition": platform is DOKS and row.vendor == "amd",
    }[mode]


def test_every_value_is_allowed_or_refused_with_a_remedy_that_works(
    say: Callable[[str], None],
) -> None:
    counts: Counter[tuple[str, str]] = Counter()
    for platform, row in gpus():
        for value in VALUES:
            sharing = result_of(platform, row, value)
            refused = isinstance(sharing, str)
            assert refused is not is_offered(platform, row, value), (platform, row.name, value)
            counts[platform.product, "refused" if refused else "allowed"] += 1
            if isinstance(sharing, str):
                remedy = sharing.rpartition("pulumi config set gpu_sharing ")[2]
                assert isinstance(result_of(platform, row, remedy), Sharing), sharing
    say(f"GPU sharing: {dict(counts)}")
    assert sum(counts.values()) == len(list(gpus())) * len(VALUES)


def test_all_shares_of_a_gpu_fit_in_its_memory() -> None:
    for platform, row in gpus():
        for value in VALUES:
            sharing = result_of(platform, row, value)
            if isinstance(sharing, Sharing) and sharing.mode in ("mps", "time-slicing"):
                assert 0 < sharing.shares * sharing.memory_utilization <= 0.9, value
            elif isinstance(sharing, Sharing):
                assert sharing.memory_utilization == 0.9, value


def test_an_exclusive_gpu_has_the_resource_of_its_vendor() -> None:
    sharing = shared(DOKS, gpu("mi300x"), "exclusive", minimum_nodes=0)
    assert sharing == Sharing(mode="exclusive", resource="amd.com/gpu", several=True)
    eks = shared(EKS, gpu("l4"), "exclusive", minimum_nodes=0)
    assert eks.plugin is CHARTS["nvidia-device-plugin"]
    assert eks.node_labels == {"nvidia.com/gpu.present": "true"}


def test_a_mig_slice_is_a_resource_of_the_gpu_operator() -> None:
    sharing = shared(EKS, gpu("h100"), "mig:1g.10gb", minimum_nodes=0)
    assert (sharing.resource, sharing.shares, sharing.several) == (
        "nvidia.com/mig-1g.10gb",
        7,
        False,
    )
    assert sharing.node_labels == {"nvidia.com/mig.config": "all-1g.10gb"}
    assert sharing.plugin is CHARTS["gpu-operator"]
    assert sharing.values["driver"] == sharing.values["toolkit"] == {"enabled": False}


@pytest.mark.parametrize(
    ("value", "key", "utilization"),
    [("mps:4", "mps", 0.22), ("time-slicing:2", "timeSlicing", 0.45)],
)
def test_shares_have_a_separate_resource_name(value: str, key: str, utilization: float) -> None:
    sharing = shared(EKS, gpu("l40s"), value, minimum_nodes=0)
    assert sharing.resource == "nvidia.com/gpu.shared"
    assert sharing.memory_utilization == utilization
    plugin = json.loads(sharing.values["config"]["map"]["shared"])
    assert plugin["sharing"][key]["renameByDefault"] is True
    assert plugin["sharing"][key]["resources"] == [
        {"name": "nvidia.com/gpu", "replicas": sharing.shares}
    ]


def test_half_of_an_amd_gpu_is_a_partition_mode_of_the_pool() -> None:
    sharing = shared(DOKS, gpu("mi300x"), "amd-partition:DPX_NPS2", minimum_nodes=0)
    assert sharing.partition == "AMD_PARTITION_MODE_DPX_NPS2"
    assert (sharing.resource, sharing.shares) == ("amd.com/gpu", 2)


@pytest.mark.parametrize(
    ("platform", "name", "device_class"),
    [
        (EKS, "h200", "gpu.nvidia.com"),
        (DOKS, "h200", "gpu.nvidia.com"),
        (DOKS, "mi300x", "gpu.amd.com"),
    ],
)
def test_devices_are_claimed_only_from_a_pool_with_a_node(
    platform: GpuPlatform, name: str, device_class: str
) -> None:
    sharing = shared(platform, gpu(name), "dra", minimum_nodes=1)
    assert (sharing.resource, sharing.device_class) == ("", device_class)
    with pytest.raises(SharingError, match="the pool may have no node"):
        shared(platform, gpu(name), "dra", minimum_nodes=0)


def test_the_dra_driver_is_installed_only_if_the_platform_has_none() -> None:
    eks = shared(EKS, gpu("l4"), "dra", minimum_nodes=1)
    assert eks.plugin is CHARTS["dra-driver-nvidia-gpu"]
    assert eks.values["gpuResourcesEnabledOverride"] is True
    assert eks.node_labels == {"nvidia.com/gpu.present": "true"}
    doks = shared(DOKS, gpu("h100"), "dra", minimum_nodes=1)
    assert (doks.plugin, doks.values, doks.node_labels) == (None, {}, {})


MIG_PROFILES = "1g.10gb, 1g.20gb, 2g.20gb, 3g.40gb, 4g.40gb, 7g.80gb"
MODES = "exclusive, mig, mps, time-slicing, dra, amd-partition"


@pytest.mark.parametrize(
    ("platform", "name", "value", "reason", "remedy"),
    [
        (EKS, "l4", "mig:1g.10gb", "L4 has no MIG slices", "mps:2"),
        (
            EKS,
            "h100",
            "mig:1g.5gb",
            f"the profiles of H100 SXM5 are {MIG_PROFILES}",
            "mig:1g.10gb",
        ),
        (
            DOKS,
            "h100",
            "mps:2",
            "DOKS manages the device plugin, which cannot be configured",
            "exclusive",
        ),
        (
            DOKS,
            "mi300x",
            "time-slicing:2",
            "Instinct MI300X is not an NVIDIA GPU, which time-slicing needs",
            "amd-partition:DPX_NPS2",
        ),
        (EKS, "l4", "mps:1", "the number of shares must be 2 to 48", "mps:2"),
        (EKS, "l4", "half", f"it must begin with one of {MODES}", "exclusive"),
        (EKS, "l4", "exclusive:2", "this mode takes no parameter", "exclusive"),
    ],
)
def test_the_error_has_the_value_the_reason_and_a_remedy(
    platform: GpuPlatform, name: str, value: str, reason: str, remedy: str
) -> None:
    assert result_of(platform, gpu(name), value) == (
        f"gpu_sharing is {value!r}, but {reason}. "
        f"Choose another: pulumi config set gpu_sharing {remedy}"
    )
