"""integrated: the application at one cloud, DigitalOcean."""

import pulumi

from components.bundle import bundle
from components.digitalocean.database import Database
from components.digitalocean.functions import Functions
from components.digitalocean.regions import DEFAULT, FUNCTIONS
from components.digitalocean.store import Store
from components.digitalocean.watching import Watching
from components.kubernetes.inference import enable_autoscaling
from stacks.ladder.integrated import endpoints
from stacks.outputs import Outputs
from stacks.settings import MONTHLY_BUDGET_USD, Settings

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
    enable_autoscaling(inference, functions)
    Watching(
        "watching",
        title=title,
        production=settings.production,
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
