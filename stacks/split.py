"""split: the application at AWS, with an inference provider elsewhere."""

from collections.abc import Sequence

import pulumi

from components.aws.cluster import GPU_PLATFORM, Cluster
from components.aws.database import Database
from components.aws.functions import Functions
from components.aws.network import CIDR, Network
from components.aws.provider import in_region
from components.aws.regions import DEFAULT, REGIONS
from components.aws.store import Store
from components.aws.subnets import free, is_range, overlapped, unusable
from components.aws.watching import Watching
from components.bundle import bundle
from components.contracts import Inference
from components.kubernetes.inference import ClusterInference, follow
from components.providers import PROVIDERS
from stacks.outputs import Outputs
from stacks.settings import Settings, SettingsError

FREE = False
"""Its parts cost money from the first hour, so `./seamless up` asks before it goes ahead."""

STATEFUL = frozenset({"aws:s3/bucket:Bucket", "aws:kms/key:Key", "aws:rds/instance:Instance"})
"""Types of the resources that hold what a person cannot make again."""

PREFLIGHT = ("components.aws.preflight", "components.model_list")
"""Modules whose `ask` is asked before anything is created; loaded only for that."""


def deploy(settings: Settings) -> Outputs:
    """Run the summarizer at AWS."""
    region, cidr = _region(settings), _cidr(settings)
    protect = settings.protect
    aws = in_region(region, stack=settings.stack, environment=settings.environment)
    network = Network("network", region=region, cidr=cidr, flow_logs=protect, opts=aws)
    inference = _inference(settings, region, network, aws)
    store = Store("store", region=region, bucket=settings.bucket_name, protect=protect, opts=aws)
    database = Database("database", network=network, protect=protect, opts=aws)
    functions = Functions(
        "functions",
        code=bundle("aws"),
        network=network,
        store=store,
        database=database,
        inference=inference,
        rung=settings.inference,
        protect=protect,
        opts=aws,
    )
    follow(inference, functions)
    Watching(
        "watching",
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


def _region(settings: Settings) -> str:
    region = settings.region or DEFAULT
    if region not in REGIONS:
        raise SettingsError(
            "region", repr(region), f"split runs in {', '.join(sorted(REGIONS))}", DEFAULT
        )
    return region


def _cidr(settings: Settings) -> str:
    """The network's range, which overlaps none that it is to be joined with."""
    cidr, peers = settings.network_cidr or CIDR, settings.network_peers
    for peer in peers:
        if not is_range(peer):
            rule = "each must be a range of IPv4 addresses that begins where its length says"
            raise SettingsError("network_peers", repr(peer), rule, "10.0.0.0/16,172.31.0.0/16")
    if rule := unusable(cidr):
        raise SettingsError("network_cidr", repr(cidr), rule, free(peers) or CIDR)
    if peer := overlapped(cidr, peers):
        rule = f"it must not overlap {peer} of network_peers"
        raise SettingsError("network_cidr", repr(cidr), rule, free(peers) or "CIDR")
    return cidr


def _inference(
    settings: Settings, region: str, network: Network, aws: pulumi.ResourceOptions
) -> Sequence[Inference]:
    """The provider's endpoint on the rungs that it has, ours on the third, and the others."""
    if settings.inference == "cluster":
        own: Inference | None = _cluster(settings, region, network, aws)
        return settings.endpoints(own, fallback=settings.external_inference)
    if settings.inference == "dedicated" and settings.inference_provider:
        _refuse_what_everybody_shares(settings)
    return settings.endpoints(settings.own_inference)


def _cluster(
    settings: Settings, region: str, network: Network, aws: pulumi.ResourceOptions
) -> Inference:
    """A model on GPU nodes of our own, in a cluster beside the functions."""
    gpu = settings.gpu
    fit = gpu.fit("aws")
    sharing = gpu.shared(GPU_PLATFORM, fit)
    cluster = Cluster(
        "cluster",
        region=region,
        network=network,
        machine=fit.machine,
        sharing=sharing,
        minimum=gpu.nodes(fit, gpu.minimum),
        maximum=gpu.nodes(fit, gpu.maximum),
        version=gpu.kubernetes_version,
        api_cidrs=gpu.api_cidrs,
        protect=settings.protect,
        opts=aws,
    )
    return ClusterInference(
        "model",
        cluster=cluster,
        sharing=sharing,
        serving=gpu.serving(fit, sharing),
        sizing=fit.text,
        extras=gpu.extras,
        hugging_face_token=gpu.hugging_face_token,
    )


def _refuse_what_everybody_shares(settings: Settings) -> None:
    """A deployment of one's own is another model at the provider's URL, or has its own URL."""
    name, model = settings.inference_provider, settings.inference_model
    provider = PROVIDERS[name]
    if not provider.deployment:
        rule = f"a dedicated deployment at {name} is reached by a URL of its own"
        raise SettingsError("inference_url", "not set", rule, "https://HOST/v1")
    if model in ("", provider.model):
        rule = f"dedicated needs a deployment of yours, and {provider.model} is everybody's"
        raise SettingsError(
            "inference_model", repr(model) if model else "not set", rule, provider.deployment
        )
