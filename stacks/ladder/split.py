"""split: a provider's endpoint on the rungs that it has, a model of our own on the third."""

from collections.abc import Sequence

import pulumi

from components.aws.cluster import GPU_PLATFORM, Cluster
from components.aws.network import Network
from components.contracts import Inference
from components.kubernetes.inference import ClusterInference
from components.providers import PROVIDERS
from stacks import gpu
from stacks.config import StackConfig
from stacks.endpoints import in_order, in_place_of_own, provider, serverless
from stacks.errors import ConfigError


def endpoints(
    config: StackConfig, region: str, network: Network, aws: pulumi.ResourceOptions
) -> Sequence[Inference]:
    """The rung's endpoint, and those that answer beside it."""
    if config.inference_mode == "cluster":
        own = _cluster(config, region, network, aws)
        return in_order(config, own, fallback=serverless(config))
    if config.inference_mode == "dedicated" and provider(config):
        _refuse_shared_deployment(config)
    return in_order(config, in_place_of_own(config))


def _cluster(
    config: StackConfig, region: str, network: Network, aws: pulumi.ResourceOptions
) -> Inference:
    """A model on GPU nodes of our own, in a cluster beside the functions."""
    fit = gpu.fitting(config, "aws")
    sharing = gpu.sharing(config, GPU_PLATFORM, fit)
    cluster = Cluster(
        "cluster",
        region=region,
        network=network,
        machine=fit.machine,
        sharing=sharing,
        minimum=gpu.nodes(fit, config.gpu_minimum),
        maximum=gpu.nodes(fit, config.gpu_maximum),
        version=config.kubernetes_version,
        api_cidrs=[str(cidr) for cidr in config.cluster_api_cidrs],
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
        options=gpu.extras(config),
        hugging_face_token=config.hugging_face_token,
    )


def _refuse_shared_deployment(config: StackConfig) -> None:
    """An own deployment is another model at the provider's URL, or has its own URL."""
    name, model = provider(config), config.inference_model
    row = PROVIDERS[name]
    if not row.deployment:
        rule = f"a dedicated deployment at {name} is reached by a URL of its own"
        raise ConfigError("inference_url", "not set", rule, "https://HOST/v1")
    if model in ("", row.model):
        rule = f"dedicated needs your own deployment, and {row.model} is shared by all customers"
        raise ConfigError(
            "inference_model", repr(model) if model else "not set", rule, row.deployment
        )
