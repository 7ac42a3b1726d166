"""split: a provider's serverless endpoint or deployment, or vLLM on EKS."""

from collections.abc import Callable, Sequence

import pulumi

from catalog.providers import PROVIDERS
from components.aws.network import Network
from components.contracts import Inference
from stacks import gpu
from stacks.config import StackConfig
from stacks.endpoints import as_primary, configured_endpoint, in_order, provider
from stacks.errors import ConfigError, ModeNotOfferedError
from stacks.network import network_zones


def endpoints(
    config: StackConfig, region: str, network: Network, aws: pulumi.ResourceOptions
) -> Sequence[Inference]:
    """The endpoint of the inference mode, and the additional ones."""
    if config.inference_mode == "cluster":
        primary = _cluster(config, region, network, aws)
        return in_order(config, primary, fallback=configured_endpoint(config))
    if config.inference_mode == "dedicated" and provider(config):
        _require_own_deployment(config)
    return in_order(config, as_primary(config))


def _cluster(
    config: StackConfig, region: str, network: Network, aws: pulumi.ResourceOptions
) -> Inference:
    """A model in an EKS cluster in the VPC of the functions."""
    # Imported here: the other inference modes must not load the SDK of Kubernetes.
    from components.aws.cluster.eks import (
        GPU_PLATFORM,
        MOST_GPU_NODES,
        Cluster,
        administrator_title,
    )
    from components.kubernetes.inference import ClusterInference

    fit = gpu.fitting(config, "aws")
    maximum = gpu.nodes(fit, config.gpu_maximum)
    if maximum > MOST_GPU_NODES:
        rule = f"it takes {maximum} machines, and a cluster has at most {MOST_GPU_NODES} with GPUs"
        raise ConfigError("gpu_maximum", str(config.gpu_maximum), rule, "1")
    _require_different(config.cluster_admins, administrator_title)
    sharing = gpu.sharing(config, GPU_PLATFORM, fit)
    cluster = Cluster(
        "cluster",
        region=region,
        network=network,
        machine=fit.machine,
        sharing=sharing,
        minimum=gpu.nodes(fit, config.gpu_minimum),
        maximum=maximum,
        version=config.kubernetes_version,
        api_cidrs=[str(cidr) for cidr in config.cluster_api_cidrs],
        admins=config.cluster_admins,
        gpu_zone=network_zones(config)[0],
        production=config.production,
        protect=config.protected,
        opts=aws,
    )
    return ClusterInference(
        "model",
        cluster=cluster,
        sharing=sharing,
        model_spec=gpu.serving(config, fit, sharing),
        sizing=fit.text,
        options=gpu.options(config, fit),
        hugging_face_token=config.hugging_face_token,
    )


def _require_different(admins: Sequence[str], title: Callable[[str], str]) -> None:
    """Refuse two administrators whose resources would have the same name.

    Raises:
        ConfigError: two entries are equal, or differ only in characters that no name has.
    """
    kept: dict[str, str] = {}
    refused = [arn for arn in admins if kept.setdefault(title(arn), arn) != arn]
    repeated = [arn for arn in kept.values() if admins.count(arn) > 1]
    if not repeated and not refused:
        return
    arn = [*repeated, *refused][0]
    rule = (
        "it must be in the list once"
        if repeated
        else f"its letters and digits name its resources, and those of {kept[title(arn)]} are the "
        "same"
    )
    raise ConfigError("cluster_admins", repr(arn), rule, ",".join(kept.values()))


def _require_own_deployment(config: StackConfig) -> None:
    """Refuse the provider's shared model: a dedicated deployment has its own model name or URL.

    Raises:
        ModeNotOfferedError: `inference_model` or `inference_url` must be set.
    """
    name, model = provider(config), config.inference_model
    row = PROVIDERS[name]
    if not row.deployment:
        rule = f"a dedicated deployment at {name} has its own URL"
        raise ModeNotOfferedError("inference_url", "not set", rule, "https://HOST/v1")
    if model in ("", row.model):
        rule = f"dedicated needs your own deployment, and {row.model} is shared"
        raise ModeNotOfferedError(
            "inference_model", repr(model) if model else "not set", rule, row.deployment
        )
