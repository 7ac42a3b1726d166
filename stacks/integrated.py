"""integrated: the application and its inference at DigitalOcean."""

import pulumi

from components.bundle import bundle
from components.digitalocean.database import Database
from components.digitalocean.functions import Functions
from components.digitalocean.regions import DEFAULT, FUNCTIONS
from components.digitalocean.store import Store
from components.digitalocean.watching import Watching
from stacks.ladder import enable_autoscaling
from stacks.ladder.integrated import endpoints
from stacks.outputs import Outputs
from stacks.settings import MONTHLY_BUDGET_USD, Settings

FREE = False
"""The resources are billed, so `./seamless up` asks for confirmation."""

STATEFUL = frozenset(
    {
        "digitalocean:index/spacesBucket:SpacesBucket",
        "digitalocean:index/databaseCluster:DatabaseCluster",
        "digitalocean:index/databaseDb:DatabaseDb",
    }
)
"""Types of the resources that hold data which cannot be recreated."""

PREFLIGHT = ("components.digitalocean.preflight", "components.model_list")
"""Modules whose `check` runs before a deployment; loaded only then."""

_NO_BUDGET = (
    "monthly_budget_usd has no effect: DigitalOcean has no API for billing alerts. "
    "Set one in the control panel: cloud.digitalocean.com/account/billing"
)


def deploy(settings: Settings) -> Outputs:
    """Run the summarizer at DigitalOcean."""
    region = settings.region_among(FUNCTIONS, DEFAULT, "DigitalOcean runs Functions only in")
    if settings.monthly_budget_usd != MONTHLY_BUDGET_USD:
        pulumi.log.warn(_NO_BUDGET)
    title = f"{pulumi.get_project()}-{settings.stack}"
    tags = [f"app:{pulumi.get_project()}", f"env:{settings.environment}", f"stack:{settings.stack}"]
    inference = endpoints(settings, region, tags)
    store = Store("store", region=region, bucket=settings.bucket_name, protect=settings.protect)
    database = Database(
        "database",
        region=region,
        tags=tags,
        production=settings.production,
        protect=settings.protect,
    )
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
    enable_autoscaling(settings.inference, inference, functions)
    Watching(
        "monitoring",
        title=title,
        production=settings.production,
        page_url=functions.page_url,
        database=database.cluster,
        resources=[store.project_urn, database.project_urn],
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
