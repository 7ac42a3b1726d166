"""split: a provider's serverless endpoint or deployment, or vLLM on EKS."""

from collections.abc import Sequence

import pulumi

from components.aws.network import Network
from components.contracts import Inference
from components.providers import PROVIDERS
from stacks.errors import SettingsError
from stacks.settings import Settings


def endpoints(
    settings: Settings, region: str, network: Network, aws: pulumi.ResourceOptions
) -> Sequence[Inference]:
    """The endpoint of the inference mode, and the additional ones."""
    if settings.inference == "cluster":
        primary: Inference | None = _cluster(settings, region, network, aws)
        return settings.endpoints(primary, fallback=settings.external_inference)
    if settings.inference == "dedicated" and settings.inference_provider:
        _require_own_deployment(settings)
    return settings.endpoints(settings.own_inference)


def _cluster(
    settings: Settings, region: str, network: Network, aws: pulumi.ResourceOptions
) -> Inference:
    """A model in an EKS cluster in the VPC of the functions."""
    # Imported here: the other inference modes must not load the SDK of Kubernetes.
    from components.aws.cluster import GPU_PLATFORM, Cluster
    from components.kubernetes.inference import ClusterInference

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
        serving=gpu.serving(fit, sharing),
        sizing=fit.text,
        extras=gpu.extras,
        hugging_face_token=gpu.hugging_face_token,
    )


def _require_own_deployment(settings: Settings) -> None:
    """Refuse the provider's shared model: a dedicated deployment has its own model name or URL.

    Raises:
        SettingsError: `inference_model` or `inference_url` must be set.
    """
    name, model = settings.inference_provider, settings.inference_model
    provider = PROVIDERS[name]
    if not provider.deployment:
        rule = f"a dedicated deployment at {name} has its own URL"
        raise SettingsError("inference_url", "not set", rule, "https://HOST/v1")
    if model in ("", provider.model):
        rule = f"dedicated needs your own deployment, and {provider.model} is shared"
        raise SettingsError(
            "inference_model", repr(model) if model else "not set", rule, provider.deployment
        )
