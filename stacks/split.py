"""split: the application at AWS, with inference from an external provider."""

import pulumi

from build.bundle import bundle
from components.aws.database import Database
from components.aws.functions import Functions
from components.aws.monitoring import Monitoring
from components.aws.network import Network
from components.aws.object_store import Store
from components.aws.provider import DEFAULT_REGION, REGIONS, in_region
from stacks.config import StackConfig
from stacks.inference import enable_autoscaling
from stacks.inference.split import endpoints
from stacks.network import network_cidr, network_zones
from stacks.outputs import Outputs

FREE = False
"""The resources are billed, so `./seamless up` asks for confirmation."""

PREFLIGHT = (
    "preflight.aws",
    "preflight.aws_zones",
    "preflight.aws_cluster",
    "preflight.model_list",
)
"""Modules whose `check` runs before a deployment; loaded only then."""


def deploy(config: StackConfig) -> Outputs:
    """Run the summarizer at AWS."""
    region = config.region_among(sorted(REGIONS), DEFAULT_REGION, "split runs in")
    production, protect = config.production, config.protected
    aws = in_region(region, stack=pulumi.get_stack(), environment=config.environment)
    network = Network(
        "network",
        region=region,
        cidr=network_cidr(config),
        zones=network_zones(config),
        flow_logs=production,
        opts=aws,
    )
    inference = endpoints(config, region, network, aws)
    store = Store(
        "store",
        region=region,
        bucket=config.bucket_name,
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
        inference_mode=config.inference_mode,
        production=production,
        protect=protect,
        opts=aws,
    )
    enable_autoscaling(config.inference_mode, inference, functions)
    Monitoring(
        "monitoring",
        arrivals=store.arrivals,
        functions=functions,
        database=database,
        region=region,
        stack=pulumi.get_stack(),
        monthly_budget_usd=config.monthly_budget_usd,
        alert_email=config.alert_email,
        opts=aws,
    )
    return Outputs.of(
        config, store=store, database=database, inference=inference, functions=functions
    )
