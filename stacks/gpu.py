"""The model on own GPUs, its machines, and how pods share them: the `gpu_*` keys of the config."""

from collections.abc import Collection, Sequence

from components.kubernetes.scheduling import gpu_sharing as kinds
from components.kubernetes.scheduling.gpu_sharing import GpuPlatform, Sharing, SharingError
from components.kubernetes.serving.model_spec import ClusterOptions, ModelSpec
from functions.inference.endpoint import LEAST_CONTEXT_TOKENS
from sizing.machines import MACHINES, Machine, Vendor, machines
from sizing.memory import Fit
from sizing.models import MODELS
from sizing.right_sizing import size
from stacks.config import StackConfig
from stacks.errors import ConfigError

GIB = 2**30

CLAIMS_SINCE = 34
"""Minor version of Kubernetes that first serves `resource.k8s.io/v1` (its release notes)."""


def fitting(
    config: StackConfig,
    platform: str,
    *,
    region: str = "",
    vendors: Collection[Vendor] = ("nvidia", "amd"),
) -> Fit:
    """The cheapest machines of a platform that hold the model.

    Args:
        region: Only machines that are not known to be missing there; empty is any.
        vendors: Vendors to choose from, if `gpu_type` is empty.

    Raises:
        ConfigError: none does; with the arithmetic and the nearest choices that fit.
    """
    sold = tuple(machines(platform, region=region))
    _require_sold(config.gpu_type, platform, region, sold)
    try:
        return size(
            config.gpu_model,
            context_tokens=config.gpu_context_tokens,
            concurrency=config.gpu_concurrency,
            machines=sold,
            region=region,
            vendors=vendors,
            gpu_or_machine=config.gpu_type or None,
            least_context_tokens=LEAST_CONTEXT_TOKENS,
        ).chosen
    except ValueError as error:
        raise ConfigError.of(str(error)) from error


def _require_sold(wanted: str, platform: str, region: str, sold: Collection[Machine]) -> None:
    """Refuse a GPU or machine that the region does not sell.

    Raises:
        ConfigError: all machines of `gpu_type` are known to be missing there.
    """
    named = [row for row in MACHINES.values() if wanted in (row.slug, row.gpu)]
    missing = [row for row in named if row.platform == platform and row.purchase == "on-demand"]
    if missing and not set(missing) & set(sold):
        rule = f"{region or platform} does not sell it: " + "; ".join(
            f"{row.slug} is {row.sold}" for row in missing
        )
        raise ConfigError("gpu_type", repr(wanted), f"{rule}. Empty takes one that fits", "")


def cluster_vendors(config: StackConfig) -> Sequence[Vendor]:
    """Vendors that a cluster's machines are chosen from.

    A pod opens an AMD GPU with a group of the node that no cloud documents (docs/traps.md), so AMD
    is no default until a key names it.
    """
    amd = config.gpu_device_group or config.gpu_sharing.startswith("amd-")
    return ("nvidia", "amd") if amd else ("nvidia",)


def sharing(config: StackConfig, platform: GpuPlatform, fit: Fit) -> Sharing:
    """How pods share the GPUs of these machines.

    Raises:
        ConfigError: `gpu_sharing` is not possible there.
    """
    minimum = nodes(fit, config.gpu_minimum)
    try:
        shared = kinds.shared(platform, fit.gpu, config.gpu_sharing, minimum_nodes=minimum)
    except SharingError as error:
        raise ConfigError.of(str(error)) from error
    if fit.tensor_parallel > 1 and not shared.several:
        rule = f"{config.gpu_model} takes {fit.tensor_parallel} whole GPUs of {fit.machine.slug}"
        raise ConfigError("gpu_sharing", repr(config.gpu_sharing), rule, "exclusive")
    version = config.kubernetes_version
    if shared.mode == "dra" and version and _minor(version) < CLAIMS_SINCE:
        rule = f"gpu_sharing dra claims GPUs by an API of 1.{CLAIMS_SINCE} and newer"
        raise ConfigError("kubernetes_version", repr(version), rule, f"1.{CLAIMS_SINCE}")
    return shared


def serving(config: StackConfig, fit: Fit, shared: Sharing) -> ModelSpec:
    """The model and the shape of a replica on these machines.

    Raises:
        ConfigError: the model is gated, and there is no token.
    """
    model = MODELS[config.gpu_model]
    if model.gated and config.hugging_face_token is None:
        rule = f"{model.hugging_face} needs the token of an account that accepted its licence"
        raise ConfigError("hugging_face_token", "not set", rule, "", secret=True)
    return ModelSpec(
        model=model.name,
        repository=model.hugging_face,
        revision=config.gpu_model_revision or model.revision,
        weights_gib=-(-model.weights_bytes // GIB),
        context_tokens=config.gpu_context_tokens,
        concurrency=fit.max_num_seqs,
        batched_tokens=fit.max_num_batched_tokens,
        vendor=fit.gpu.vendor,
        device_group=config.gpu_device_group,
        gpus=fit.tensor_parallel,
        nodes=fit.nodes,
        memory_utilization=shared.memory_utilization,
        minimum=config.gpu_minimum,
        maximum=config.gpu_maximum,
    )


def options(config: StackConfig, fit: Fit) -> ClusterOptions:
    """The parts of the cluster beside the model."""
    warm = min(config.gpu_minimum + config.gpu_headroom, config.gpu_maximum)
    return ClusterOptions(
        headroom=config.gpu_headroom,
        headroom_nodes=nodes(fit, warm) - nodes(fit, config.gpu_minimum),
        notebook_people=config.notebook_people,
        prometheus=config.cluster_prometheus,
    )


def nodes(fit: Fit, replicas: int) -> int:
    """The number of machines for a number of replicas."""
    return -(-replicas * fit.nodes // fit.replicas_per_machine)


def _minor(version: str) -> int:
    """Of `1.35` or `1.35.1-do.0`; the cloud itself refuses other texts."""
    minor = version.partition(".")[2].partition(".")[0]
    return int(minor) if minor.isdecimal() else CLAIMS_SINCE
