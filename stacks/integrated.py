"""integrated: the application at one cloud, DigitalOcean."""

from collections.abc import Sequence

import pulumi

from components.bundle import bundle
from components.contracts import Inference
from components.digitalocean.database import Database
from components.digitalocean.functions import Functions
from components.digitalocean.regions import DEFAULT, FUNCTIONS
from components.digitalocean.store import Store
from components.digitalocean.watching import Watching
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
    region, inference = _region(settings), _inference(settings)
    if settings.monthly_budget_usd != MONTHLY_BUDGET_USD:
        pulumi.log.warn(_NO_BUDGET)
    title = f"seamless-{settings.stack}"
    tags = ["app:seamless", f"env:{settings.environment}", f"stack:{settings.stack}"]
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


def _inference(settings: Settings) -> Sequence[Inference]:
    """The endpoints, all reached with a key that a person made, since no API makes one."""
    if settings.inference != "serverless" or settings.external_inference is None:
        rule = "integrated has only serverless so far"
        raise SettingsError("inference", repr(settings.inference), rule, "serverless")
    return settings.endpoints(settings.external_inference)
