"""integrated: serverless inference, Dedicated Inference, or vLLM on DOKS."""

from collections.abc import Sequence

from components.contracts import Inference
from components.digitalocean.dedicated import REGIONS as DEDICATED
from components.digitalocean.dedicated import DedicatedInference
from components.digitalocean.regions import DEFAULT
from stacks.errors import SettingsError
from stacks.settings import Settings


def endpoints(settings: Settings, region: str, tags: Sequence[str]) -> Sequence[Inference]:
    """The endpoint of the inference mode, and the additional ones."""
    primary: Inference | None = settings.external_inference
    if settings.inference == "dedicated":
        primary = _dedicated(settings, region)
    elif settings.inference == "cluster":
        primary = _cluster(settings, tags)
    return settings.endpoints(primary, fallback=settings.external_inference)


def _dedicated(settings: Settings, region: str) -> Inference:
    """A Dedicated Inference endpoint."""
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
    """A model in a DOKS cluster, which the functions reach over the internet."""
    # Imported here: the other inference modes must not load the SDK of Kubernetes.
    from components.digitalocean.cluster import GPU_PLATFORM, REGIONS, SHARE_GIB, Cluster
    from components.kubernetes.inference import ClusterInference

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
        serving=serving,
        sizing=fit.text,
        extras=gpu.extras,
        hugging_face_token=gpu.hugging_face_token,
    )
