"""split: the application at AWS, with inference from an external provider."""

from components.aws.database import Database
from components.aws.functions import Functions
from components.aws.network import Network
from components.aws.provider import in_region
from components.aws.regions import DEFAULT, REGIONS
from components.aws.store import Store
from components.aws.watching import Watching
from components.bundle import bundle
from stacks.ladder import enable_autoscaling
from stacks.ladder.split import endpoints
from stacks.network import network_range
from stacks.outputs import Outputs
from stacks.settings import Settings

FREE = False
"""The resources are billed, so `./seamless up` asks for confirmation."""

STATEFUL = frozenset({"aws:s3/bucket:Bucket", "aws:kms/key:Key", "aws:rds/instance:Instance"})
"""Types of the resources that hold data which cannot be recreated."""

PREFLIGHT = ("components.aws.preflight", "components.model_list")
"""Modules whose `check` runs before a deployment; loaded only then."""


def deploy(settings: Settings) -> Outputs:
    """Run the summarizer at AWS."""
    region = settings.region_among(sorted(REGIONS), DEFAULT, "split runs in")
    production, protect = settings.production, settings.protect
    aws = in_region(region, stack=settings.stack, environment=settings.environment)
    network = Network(
        "network", region=region, cidr=network_range(settings), flow_logs=production, opts=aws
    )
    inference = endpoints(settings, region, network, aws)
    store = Store(
        "store",
        region=region,
        bucket=settings.bucket_name,
        production=production,
        protect=protect,
        opts=aws,
    )
    database = Database(
        "database", network=network, production=production, protect=protect, opts=aws
    )
    functions = Functions(
        "functions",
        code=bundle("aws"),
        network=network,
        store=store,
        database=database,
        inference=inference,
        rung=settings.inference,
        production=production,
        protect=protect,
        opts=aws,
    )
    enable_autoscaling(settings.inference, inference, functions)
    Watching(
        "monitoring",
        arrivals=store.arrivals,
        functions=functions,
        database=database,
        region=region,
        stack=settings.stack,
        monthly_budget_usd=settings.monthly_budget_usd,
        alert_email=settings.alert_email,
        opts=aws,
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
