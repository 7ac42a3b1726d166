"""integrated: a model of DigitalOcean's, one that it runs for us, or one on our GPU nodes."""

from collections.abc import Sequence

from components.contracts import Inference
from components.digitalocean.cluster import GPU_PLATFORM, REGIONS, SHARE_GIB, Cluster
from components.digitalocean.dedicated import REGIONS as DEDICATED
from components.digitalocean.dedicated import DedicatedInference
from components.digitalocean.regions import DEFAULT
from components.kubernetes.inference import ClusterInference
from stacks.errors import SettingsError
from stacks.settings import Settings


def endpoints(settings: Settings, region: str, tags: Sequence[str]) -> Sequence[Inference]:
    """The rung's endpoint, and those that answer beside it."""
    own: Inference | None = settings.external_inference
    if settings.inference == "dedicated":
        own = _dedicated(settings, region)
    elif settings.inference == "cluster":
        own = _cluster(settings, tags)
    return settings.endpoints(own, fallback=settings.external_inference)


def _dedicated(settings: Settings, region: str) -> Inference:
    """A model on GPUs that DigitalOcean runs for us."""
    gpu = settings.gpu
    if region not in DEDICATED:
        rule = f"DigitalOcean runs Dedicated Inference only in {', '.join(DEDICATED)}"
        raise SettingsError("region", repr(region), rule, DEFAULT)
    fit = gpu.fit("digitalocean")
    return DedicatedInference(
        "dedicated",
        region=region,
        machine=fit.machine,
        repository=gpu.model.hugging_face,
        context_tokens=gpu.context_tokens,
        replicas=max(1, gpu.minimum),
        sizing=fit.text,
        hugging_face_token=gpu.hugging_face_token,
    )


def _cluster(settings: Settings, tags: Sequence[str]) -> Inference:
    """A model on GPU nodes of our own, in a cluster that is reached over the internet."""
    gpu = settings.gpu
    fit = gpu.fit("digitalocean")
    sharing = gpu.shared(GPU_PLATFORM, fit)
    serving = gpu.serving(fit, sharing)
    cluster = Cluster(
        "cluster",
        region=gpu.cluster_region or REGIONS[0],
        machine=fit.machine,
        sharing=sharing,
        minimum=gpu.nodes(fit, gpu.minimum),
        maximum=gpu.nodes(fit, gpu.maximum),
        spills_over_to="serverless" if settings.falls_back else None,
        version=gpu.kubernetes_version,
        share_gib=max(SHARE_GIB, serving.volume_gib),
        tags=tags,
        production=settings.production,
        protect=settings.protect,
    )
    return ClusterInference(
        "model",
        cluster=cluster,
        sharing=sharing,
        model_spec=serving,
        sizing=fit.text,
        options=gpu.extras,
        hugging_face_token=gpu.hugging_face_token,
    )
