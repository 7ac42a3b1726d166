"""integrated: the application and its inference at DigitalOcean."""

import pulumi

from build.bundle import bundle
from components.digitalocean.database import Database
from components.digitalocean.functions import PACKAGE, Functions
from components.digitalocean.functions_api.namespace import Namespace
from components.digitalocean.monitoring import Monitoring
from components.digitalocean.object_store import Store
from components.digitalocean.regions import DEFAULT, OFFERED, rule
from stacks.config import StackConfig
from stacks.config_schema import KEYS
from stacks.inference import enable_autoscaling
from stacks.inference.integrated import endpoints
from stacks.outputs import Outputs

FREE = False
"""The resources are billed, so `./seamless up` asks for confirmation."""

PREFLIGHT = ("preflight.digitalocean", "preflight.model_list")
"""Modules whose `check` runs before a deployment; loaded only then."""

_NO_BUDGET = (
    "monthly_budget_usd has no effect: DigitalOcean has no API for billing alerts. "
    "Set one in the control panel: cloud.digitalocean.com/account/billing"
)


def deploy(config: StackConfig) -> Outputs:
    """Run the summarizer at DigitalOcean."""
    region = config.region_among(OFFERED, DEFAULT, rule(config.region or DEFAULT))
    if config.monthly_budget_usd != KEYS["monthly_budget_usd"]["default"]:
        pulumi.log.warn(_NO_BUDGET)
    title = f"{pulumi.get_project()}-{pulumi.get_stack()}"
    tags = [
        f"app:{pulumi.get_project()}",
        f"env:{config.environment}",
        f"stack:{pulumi.get_stack()}",
    ]
    # First: it fails, before anything is billed, where the account lacks a part of Functions.
    namespace = Namespace(
        "functions-namespace",
        label=title,
        region=region,
        package=PACKAGE,
        opts=pulumi.ResourceOptions(aliases=[_child_of_functions()]),
    )
    inference = endpoints(config, region, tags, after=[namespace])
    store = Store(
        "store",
        region=region,
        bucket=config.bucket_name,
        protect=config.protected,
        after=[namespace],
    )
    database = Database(
        "database",
        region=region,
        tags=tags,
        production=config.production,
        protect=config.protected,
        after=[namespace],
    )
    functions = Functions(
        "functions",
        namespace=namespace,
        code=bundle("digitalocean"),
        store=store,
        database=database,
        inference=inference,
        inference_mode=config.inference_mode,
        page_url=config.page_url,
        log_destinations=config.log_destinations,
    )
    enable_autoscaling(config.inference_mode, inference, functions)
    Monitoring(
        "monitoring",
        title=title,
        production=config.production,
        page_url=functions.page_url,
        database=database.cluster,
        resources=[store.project_urn, database.project_urn],
        alert_email=config.alert_email,
    )
    return Outputs.of(
        config, store=store, database=database, inference=inference, functions=functions
    )


def _child_of_functions() -> str:
    """Former URN of the namespace, which is the parent of no other resource."""
    return (
        f"urn:pulumi:{pulumi.get_stack()}::{pulumi.get_project()}::"
        "seamless:digitalocean:Functions$pulumi-python:dynamic/digitalocean:Namespace"
        "::functions-namespace"
    )
