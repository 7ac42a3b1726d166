"""split: a provider's endpoint on the rungs that it has, a model of our own on the third."""

from collections.abc import Sequence

import pulumi

from components.aws.cluster import GPU_PLATFORM, Cluster
from components.aws.network import Network
from components.contracts import Inference
from components.kubernetes.inference import ClusterInference
from components.providers import PROVIDERS
from stacks.errors import SettingsError
from stacks.settings import Settings


def endpoints(
    settings: Settings, region: str, network: Network, aws: pulumi.ResourceOptions
) -> Sequence[Inference]:
    """The rung's endpoint, and those that answer beside it."""
    if settings.inference == "cluster":
        own: Inference | None = _cluster(settings, region, network, aws)
        return settings.endpoints(own, fallback=settings.external_inference)
    if settings.inference == "dedicated" and settings.inference_provider:
        _refuse_what_everybody_shares(settings)
    return settings.endpoints(settings.own_inference)


def _cluster(
    settings: Settings, region: str, network: Network, aws: pulumi.ResourceOptions
) -> Inference:
    """A model on GPU nodes of our own, in a cluster beside the functions."""
    gpu = settings.gpu
    fit = gpu.fit("aws")
    sharing = gpu.shared(GPU_PLATFORM, fit)
    cluster = Cluster(
        "cluster",
        region=region,
        network=network,
        machine=fit.machine,
        sharing=sharing,
        minimum=gpu.nodes(fit, gpu.minimum),
        maximum=gpu.nodes(fit, gpu.maximum),
        version=gpu.kubernetes_version,
        api_cidrs=gpu.api_cidrs,
        production=settings.production,
        protect=settings.protect,
        opts=aws,
    )
    return ClusterInference(
        "model",
        cluster=cluster,
        sharing=sharing,
        model_spec=gpu.serving(fit, sharing),
        sizing=fit.text,
        options=gpu.extras,
        hugging_face_token=gpu.hugging_face_token,
    )


def _refuse_what_everybody_shares(settings: Settings) -> None:
    """A deployment of one's own is another model at the provider's URL, or has its own URL."""
    name, model = settings.inference_provider, settings.inference_model
    provider = PROVIDERS[name]
    if not provider.deployment:
        rule = f"a dedicated deployment at {name} is reached by a URL of its own"
        raise SettingsError("inference_url", "not set", rule, "https://HOST/v1")
    if model in ("", provider.model):
        rule = f"dedicated needs a deployment of yours, and {provider.model} is everybody's"
        raise SettingsError(
            "inference_model", repr(model) if model else "not set", rule, provider.deployment
        )
