"""integrated: serverless inference, Dedicated Inference, or vLLM on DOKS."""

from collections.abc import Sequence

import pulumi

from components.contracts import Inference
from components.digitalocean.dedicated_inference import REGIONS as DEDICATED
from components.digitalocean.dedicated_inference import DedicatedInference
from components.digitalocean.regions import DEFAULT
from sizing.models import MODELS
from stacks import gpu
from stacks.config import StackConfig
from stacks.endpoints import configured_endpoint, in_order
from stacks.errors import ModeNotOfferedError


def endpoints(
    config: StackConfig, region: str, tags: Sequence[str], *, after: Sequence[pulumi.Resource]
) -> Sequence[Inference]:
    """The endpoint of the inference mode, and the additional ones."""
    configured = configured_endpoint(config)
    primary: Inference | None = configured
    if config.inference_mode == "dedicated":
        primary = _dedicated(config, region, after)
    elif config.inference_mode == "cluster":
        primary = _cluster(config, tags, after)
    return in_order(config, primary, fallback=configured)


def _dedicated(config: StackConfig, region: str, after: Sequence[pulumi.Resource]) -> Inference:
    """A Dedicated Inference endpoint."""
    if region not in DEDICATED:
        rule = f"DigitalOcean runs Dedicated Inference only in {', '.join(DEDICATED)}"
        raise ModeNotOfferedError("region", repr(region), rule, DEFAULT)
    fit = gpu.fitting(config, "digitalocean", region=region)
    return DedicatedInference(
        "dedicated",
        region=region,
        machine=fit.machine,
        repository=MODELS[config.gpu_model].hugging_face,
        context_tokens=config.gpu_context_tokens,
        replicas=max(1, config.gpu_minimum),
        sizing=fit.text,
        hugging_face_token=config.hugging_face_token,
        after=after,
    )


def _cluster(
    config: StackConfig, tags: Sequence[str], after: Sequence[pulumi.Resource]
) -> Inference:
    """A model in a DOKS cluster, which the functions reach over the internet."""
    # Imported here: the other inference modes must not load the SDK of Kubernetes.
    from components.digitalocean.cluster import GPU_PLATFORM, REGIONS, SHARE_GIB, Cluster
    from components.kubernetes.inference import ClusterInference

    region = config.cluster_region or REGIONS[0]
    fit = gpu.fitting(config, "digitalocean", region=region, vendors=gpu.cluster_vendors(config))
    sharing = gpu.sharing(config, GPU_PLATFORM, fit)
    serving = gpu.serving(config, fit, sharing)
    cluster = Cluster(
        "cluster",
        region=region,
        machine=fit.machine,
        sharing=sharing,
        minimum=gpu.nodes(fit, config.gpu_minimum),
        maximum=gpu.nodes(fit, config.gpu_maximum),
        spills_over_to="serverless" if config.falls_back else None,
        version=config.kubernetes_version,
        share_gib=max(SHARE_GIB, serving.volume_gib),
        tags=tags,
        production=config.production,
        protect=config.protected,
        after=after,
    )
    return ClusterInference(
        "model",
        cluster=cluster,
        sharing=sharing,
        model_spec=serving,
        sizing=fit.text,
        options=gpu.options(config, fit),
        hugging_face_token=config.hugging_face_token,
    )
