"""GPU sharing: which modes each GPU of a platform has, and the errors for those that it has not.

The matrix is every platform, every GPU that it rents, and every value; its counts are printed.
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


def rented() -> Iterator[tuple[GpuPlatform, Gpu]]:
    for platform, name in sorted({(row.platform, row.gpu) for row in MACHINES.values()}):
        yield PLATFORMS[platform], gpu(name)


def answer(platform: GpuPlatform, row: Gpu, value: str, nodes: int = 1) -> Sharing | str:
    try:
        return shared(platform, row, value, minimum_nodes=nodes)
    except SharingError as error:
        return str(error)


def expected(platform: GpuPlatform, row: Gpu, value: str) -> bool:
    """The rules in one table."""
    mode, _, detail = value.partition(":")
    return {
        "exclusive": True,
        "mig": platform is EKS and detail in row.mig,
        "mps": platform is EKS and row.vendor == "nvidia",
        "time-slicing": platform is EKS and row.vendor == "nvidia",
        "dra": True,
        "amd-partition": platform is DOKS and row.vendor == "amd",
    }[mode]


def test_the_whole_matrix_is_allowed_or_refused_with_a_remedy_that_works(
    say: Callable[[str], None],
) -> None:
    counts: Counter[tuple[str, str]] = Counter()
    for platform, row in rented():
        for value in VALUES:
            given = answer(platform, row, value)
            refused = isinstance(given, str)
            assert refused is not expected(platform, row, value), (platform, row.name, value)
            counts[platform.product, "refused" if refused else "allowed"] += 1
            if isinstance(given, str):
                remedy = given.rpartition("pulumi config set gpu_sharing ")[2]
                assert isinstance(answer(platform, row, remedy), Sharing), given
    say(f"GPU sharing: {dict(counts)}")
    assert sum(counts.values()) == len(list(rented())) * len(VALUES)


def test_shares_fit_beside_one_another_in_the_memory_of_their_gpu() -> None:
    for platform, row in rented():
        for value in VALUES:
            given = answer(platform, row, value)
            if isinstance(given, Sharing) and given.mode in ("mps", "time-slicing"):
                assert 0 < given.shares * given.memory_utilization <= 0.9, value
            elif isinstance(given, Sharing):
                assert given.memory_utilization == 0.9, value


def test_a_whole_gpu_is_the_default_and_several_make_one_server() -> None:
    given = shared(DOKS, gpu("mi300x"), "exclusive", minimum_nodes=0)
    assert given == Sharing(mode="exclusive", resource="amd.com/gpu", several=True)
    ours = shared(EKS, gpu("l4"), "exclusive", minimum_nodes=0)
    assert ours.plugin is CHARTS["nvidia-device-plugin"]
    assert ours.node_labels == {"nvidia.com/gpu.present": "true"}


def test_a_slice_is_asked_for_by_its_profile_and_cut_by_the_operator() -> None:
    given = shared(EKS, gpu("h100"), "mig:1g.10gb", minimum_nodes=0)
    assert (given.resource, given.shares, given.several) == ("nvidia.com/mig-1g.10gb", 7, False)
    assert given.node_labels == {"nvidia.com/mig.config": "all-1g.10gb"}
    assert given.plugin is CHARTS["gpu-operator"]
    assert given.values["driver"] == given.values["toolkit"] == {"enabled": False}


@pytest.mark.parametrize(
    ("value", "key", "utilization"),
    [("mps:4", "mps", 0.22), ("time-slicing:2", "timeSlicing", 0.45)],
)
def test_shares_have_a_name_of_their_own(value: str, key: str, utilization: float) -> None:
    given = shared(EKS, gpu("l40s"), value, minimum_nodes=0)
    assert given.resource == "nvidia.com/gpu.shared"
    assert given.memory_utilization == utilization
    plugin = json.loads(given.values["config"]["map"]["shared"])
    assert plugin["sharing"][key]["renameByDefault"] is True
    assert plugin["sharing"][key]["resources"] == [
        {"name": "nvidia.com/gpu", "replicas": given.shares}
    ]


def test_half_an_amd_gpu_is_a_matter_of_the_pool() -> None:
    given = shared(DOKS, gpu("mi300x"), "amd-partition:DPX_NPS2", minimum_nodes=0)
    assert given.partition == "AMD_PARTITION_MODE_DPX_NPS2"
    assert (given.resource, given.shares) == ("amd.com/gpu", 2)


@pytest.mark.parametrize(
    ("platform", "name", "device_class"),
    [
        (EKS, "h200", "gpu.nvidia.com"),
        (DOKS, "h200", "gpu.nvidia.com"),
        (DOKS, "mi300x", "gpu.amd.com"),
    ],
)
def test_devices_are_claimed_only_from_a_pool_that_keeps_a_node(
    platform: GpuPlatform, name: str, device_class: str
) -> None:
    given = shared(platform, gpu(name), "dra", minimum_nodes=1)
    assert (given.resource, given.device_class) == ("", device_class)
    with pytest.raises(SharingError, match="the pool may have no node"):
        shared(platform, gpu(name), "dra", minimum_nodes=0)


def test_a_driver_for_claims_is_installed_only_where_the_platform_brings_none() -> None:
    ours = shared(EKS, gpu("l4"), "dra", minimum_nodes=1)
    assert ours.plugin is CHARTS["dra-driver-nvidia-gpu"]
    assert ours.values["gpuResourcesEnabledOverride"] is True
    assert ours.node_labels == {"nvidia.com/gpu.present": "true"}
    theirs = shared(DOKS, gpu("h100"), "dra", minimum_nodes=1)
    assert (theirs.plugin, theirs.values, theirs.node_labels) == (None, {}, {})


@pytest.mark.parametrize(
    ("platform", "name", "value", "message"),
    [
        (
            EKS,
            "l4",
            "mig:1g.10gb",
            "gpu_sharing is 'mig:1g.10gb', but L4 has no MIG slices."
            " Choose another: pulumi config set gpu_sharing mps:2",
        ),
        (
            EKS,
            "h100",
            "mig:1g.5gb",
            "gpu_sharing is 'mig:1g.5gb', but the profiles of H100 SXM5 are 1g.10gb, 1g.20gb,"
            " 2g.20gb, 3g.40gb, 4g.40gb, 7g.80gb."
            " Choose another: pulumi config set gpu_sharing mig:1g.10gb",
        ),
        (
            DOKS,
            "h100",
            "mps:2",
            "gpu_sharing is 'mps:2', but DOKS manages the device plugin, which cannot be"
            " configured. Choose another: pulumi config set gpu_sharing exclusive",
        ),
        (
            DOKS,
            "mi300x",
            "time-slicing:2",
            "gpu_sharing is 'time-slicing:2', but Instinct MI300X is not an NVIDIA GPU, which"
            " time-slicing needs. Choose another: pulumi config set gpu_sharing"
            " amd-partition:DPX_NPS2",
        ),
        (
            EKS,
            "l4",
            "mps:1",
            "gpu_sharing is 'mps:1', but the number of shares must be 2 to 48."
            " Choose another: pulumi config set gpu_sharing mps:2",
        ),
        (
            EKS,
            "l4",
            "half",
            "gpu_sharing is 'half', but it must begin with one of exclusive, mig, mps,"
            " time-slicing, dra, amd-partition."
            " Choose another: pulumi config set gpu_sharing exclusive",
        ),
        (
            EKS,
            "l4",
            "exclusive:2",
            "gpu_sharing is 'exclusive:2', but this mode takes no parameter."
            " Choose another: pulumi config set gpu_sharing exclusive",
        ),
    ],
)
def test_a_refusal_says_why_and_what_to_type(
    platform: GpuPlatform, name: str, value: str, message: str
) -> None:
    assert answer(platform, gpu(name), value) == message
