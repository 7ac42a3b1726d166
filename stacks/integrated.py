"""integrated: the application at one cloud, DigitalOcean."""

from collections.abc import Sequence

import pulumi

from components.bundle import bundle
from components.contracts import Inference
from components.digitalocean.cluster import GPU_PLATFORM, REGIONS, SHARE_GIB, Cluster
from components.digitalocean.database import Database
from components.digitalocean.dedicated import REGIONS as DEDICATED
from components.digitalocean.dedicated import DedicatedInference
from components.digitalocean.functions import Functions
from components.digitalocean.regions import DEFAULT, FUNCTIONS
from components.digitalocean.store import Store
from components.digitalocean.watching import Watching
from components.kubernetes.inference import ClusterInference, follow
from stacks.outputs import Outputs
from stacks.settings import MONTHLY_BUDGET_USD, Settings, SettingsError

FREE = False
"""What is deployed is billed, so `./seamless up` asks first."""

STATEFUL = frozenset(
    {
        "digitalocean:index/spacesBucket:SpacesBucket",
        "digitalocean:index/databaseCluster:DatabaseCluster",
        "digitalocean:index/databaseDb:DatabaseDb",
    }
)
"""Types of the resources that hold what a person cannot make again."""

PREFLIGHT = ("components.digitalocean.preflight", "components.model_list")
"""Modules whose `ask` is asked before anything is created; loaded only for that."""


_NO_BUDGET = (
    "monthly_budget_usd has no effect here: no API of DigitalOcean makes a billing alert. "
    "Set it by hand: cloud.digitalocean.com/account/billing"
)


def deploy(settings: Settings) -> Outputs:
    """Run the summarizer at DigitalOcean."""
    region = _region(settings)
    if settings.monthly_budget_usd != MONTHLY_BUDGET_USD:
        pulumi.log.warn(_NO_BUDGET)
    title = f"{pulumi.get_project()}-{settings.stack}"
    tags = [f"app:{pulumi.get_project()}", f"env:{settings.environment}", f"stack:{settings.stack}"]
    inference = _inference(settings, region, tags)
    store = Store("store", region=region, bucket=settings.bucket_name, protect=settings.protect)
    database = Database("database", region=region, tags=tags, protect=settings.protect)
    functions = Functions(
        "functions",
        label=title,
        region=region,
        code=bundle("digitalocean"),
        store=store,
        database=database,
        inference=inference,
        rung=settings.inference,
        log_destinations=settings.log_destinations,
    )
    follow(inference, functions)
    Watching(
        "watching",
        title=title,
        production=settings.protect,
        page_url=functions.page_url,
        database=database.cluster,
        resources=[store.urn_in_project, database.urn_in_project],
        alert_email=settings.alert_email,
    )
    return Outputs(
        page_url=functions.page_url,
        api_token=functions.api_token,
        bucket=store.bucket,
        database_host=database.host,
        inference_url=inference[0].base_url,
        inference_model=inference[0].model,
        rung=settings.inference,
        arrangement=settings.arrangement,
    )


def _region(settings: Settings) -> str:
    region = settings.region or DEFAULT
    if region not in FUNCTIONS:
        rule = f"DigitalOcean runs Functions only in {', '.join(FUNCTIONS)}"
        raise SettingsError("region", repr(region), rule, DEFAULT)
    return region


def _inference(settings: Settings, region: str, tags: Sequence[str]) -> Sequence[Inference]:
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
