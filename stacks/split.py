"""split: the application at AWS, with inference from an external provider."""

import json
from collections.abc import Sequence

import pulumi

from build.bundle import bundle
from components.aws.database import Database
from components.aws.execution_roles import ExecutionRoles
from components.aws.functions import ENDPOINTS_BYTES, FUNCTIONS, Functions
from components.aws.monitoring import Monitoring
from components.aws.network import Network
from components.aws.object_store import Store
from components.aws.provider import DEFAULT_REGION, REGIONS, in_region
from components.contracts import ExternalInference, Inference, endpoint_settings
from stacks.config import StackConfig
from stacks.errors import ConfigError
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
    "preflight.aws_concurrency",
    "preflight.model_list",
)
"""Modules whose `check` runs before a deployment; loaded only then."""

TEAR_DOWN = (
    "This takes up to an hour: Lambda deletes the network interfaces of its functions late, and "
    "subnets and security groups wait for that. Do not interrupt it."
)
"""What `./seamless down` says before it destroys the stack."""


def deploy(config: StackConfig) -> Outputs:
    """Run the summarizer at AWS."""
    region = config.region_among(sorted(REGIONS), DEFAULT_REGION, "split runs in")
    production, protect = config.production, config.protected
    aws = in_region(region, stack=pulumi.get_stack(), environment=config.environment)
    roles = ExecutionRoles("functions", functions=FUNCTIONS, opts=aws)
    network = Network(
        "network",
        region=region,
        cidr=network_cidr(config),
        zones=network_zones(config),
        flow_logs=production,
        interfaces=roles.ready,
        opts=aws,
    )
    inference = endpoints(config, region, network, aws)
    _require_fitting(inference)
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
        roles=roles,
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


def _require_fitting(inference: Sequence[Inference]) -> None:
    """Refuse more endpoints than the environment of a Lambda function takes.

    An endpoint of a cluster has fields that a plan does not know; it counts as 1,000 bytes.

    Raises:
        ConfigError: the endpoints are too many, or their fields too long.
    """
    known = [e for e in inference if isinstance(e, ExternalInference)]
    text = json.dumps([endpoint_settings(e) for e in known])
    size = len(json.dumps(text)) + 1_000 * (len(inference) - len(known))
    if size > ENDPOINTS_BYTES:
        raise ConfigError(
            "inference_endpoints",
            f"{len(inference)} endpoints in {size} bytes",
            f"Lambda takes 4 KB of environment, which leaves {ENDPOINTS_BYTES} bytes for them: "
            "name fewer endpoints, or shorter names, URLs and models",
            "[]",
        )
