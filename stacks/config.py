"""The config keys of a stack; `stacks.config_schema` reads and checks them."""

import re
from collections.abc import Collection, Mapping
from ipaddress import IPv4Network
from typing import Annotated, Literal

import pulumi
from msgspec import Meta, Struct

from catalog.providers import PROVIDERS
from catalog.regions import offering
from functions.inference.endpoint import (
    BaseUrl,
    ContextTokens,
    Endpoint,
    HttpUrl,
    InferenceMode,
    Price,
)
from sizing.models import MODELS
from stacks import names
from stacks.errors import ConfigError

Variant = Literal["integrated", "split", "local"]

PROVIDER: Mapping[Variant, str] = {"integrated": "digitalocean", "split": "baseten"}
"""Default inference provider of each variant that uses one."""


def _one_of(allowed: Collection[str]) -> Meta:
    pattern = rf"^({'|'.join(map(re.escape, allowed))})\Z"
    return Meta(pattern=pattern, extra_json_schema={"errorMessage": f"one of {', '.join(allowed)}"})


_PAGE_URL = Meta(
    pattern=r"^https://[a-z0-9.-]+/([A-Za-z0-9._~-]+/)*\Z",
    extra_json_schema={"errorMessage": "an https URL with a slash at its end"},
)
_EMAIL = Meta(
    pattern=r"^[^@\s]+@[^@\s]+\Z", extra_json_schema={"errorMessage": "an e-mail address"}
)

_PRINCIPAL = Meta(
    pattern=r"^arn:aws:iam::[0-9]{12}:(user|role)/[A-Za-z0-9+=,.@_/-]+\Z",
    extra_json_schema={"errorMessage": "the ARN of an IAM user or role"},
)
"""EKS takes no group, and no session of a role (EKS user guide, creating-access-entries)."""

_ZONES = Meta(
    pattern=r"^(?!(.),\1)[a-z],[a-z]\Z",
    examples=["a,c"],
    extra_json_schema={"errorMessage": "two different letters, such as a,c"},
)

Secret = pulumi.Output[str] | None
"""A value that must be encrypted in the stack's file. None: not set."""


class StackConfig(Struct, frozen=True, kw_only=True):
    """Everything that can be set for a stack; the text below a key is its description.

    An empty text or None takes the variant's default.
    """

    variant: Variant = "local"
    """Where the parts run: integrated (DigitalOcean), split (AWS and an inference provider) or
    local (this machine)."""
    environment: Literal["dev", "prod"] = "dev"
    """Size and retention. prod has larger machines, standbys where the cloud has them, and longer
    retention of logs and backups."""
    protect: Annotated[bool | None, Meta(examples=["true"])] = None
    """true or false: refuse to delete documents, database and a cluster's weights. It changes no
    size. Empty: true in prod, false in dev."""
    inference_mode: InferenceMode = "serverless"
    """Where inference runs: at a provider, on GPUs that a provider runs for us, or on a cluster of
    our own (not offered by local)."""
    inference_provider: Annotated[str, _one_of(PROVIDERS)] = ""
    """Provider of serverless inference. Empty: digitalocean for integrated, baseten for split."""
    inference_url: BaseUrl = ""
    """Base URL of an OpenAI-compatible endpoint, ending in /v1, that replaces the variant's own.
    Empty: the variant's own."""
    inference_model: str = ""
    """Model name for requests. Empty: the provider's gpt-oss-120b."""
    inference_successor: str = ""
    """Model at the same URL that is requested when inference_model no longer exists. Empty: the
    provider's, if it names one."""
    inference_api_key: Secret = None
    """Key of inference_url or of the provider, set with --secret. For an endpoint without
    authentication, any text."""
    inference_context_tokens: ContextTokens | None = None
    """Limit of prompt and answer together, in tokens. Empty: the provider's, or 8192 at
    inference_url."""
    inference_input_usd_per_million: Price | None = None
    """US dollars per million prompt tokens. Empty: the provider's, or unknown at inference_url."""
    inference_output_usd_per_million: Price | None = None
    """US dollars per million answer tokens. Empty: the provider's, or unknown at inference_url."""
    inference_endpoints: tuple[Endpoint, ...] = ()
    """Further endpoints in order of preference:
    pulumi config set --path 'inference_endpoints[0].name' spare."""
    inference_endpoint_keys: Annotated[Secret, Meta(extra_json_schema={"type": "object"})] = None
    """Keys of the further endpoints by name:
    pulumi config set --secret --path 'inference_endpoint_keys.spare'."""
    fallback: Literal["none", "serverless"] = "none"
    """Endpoint that is called when a dedicated or cluster endpoint fails; serverless is the
    variant's own. With dedicated at split, and at local with inference_url, use
    inference_endpoints instead: there the configured URL is the primary endpoint."""
    gpu_model: Annotated[str, _one_of(MODELS)] = "gpt-oss-120b"
    """Model on your own GPUs (cluster, and dedicated at DigitalOcean)."""
    gpu_type: str = ""
    """GPU or machine for the model. Empty: the cheapest that fits."""
    gpu_context_tokens: ContextTokens = 32_768
    """Limit of prompt and answer together, in tokens."""
    gpu_concurrency: Annotated[int, Meta(ge=1, le=4096)] = 8
    """Requests of gpu_context_tokens that one replica holds at once; more wait."""
    gpu_minimum: Annotated[int, Meta(ge=0, le=64)] = 1
    """Replicas that always run. 0: scale to zero when idle."""
    gpu_maximum: Annotated[int, Meta(ge=1, le=64)] = 2
    """Replicas that run at most."""
    gpu_headroom: Annotated[int, Meta(ge=0, le=64)] = 0
    """Replicas for which a GPU is kept free, and paid, for a start without waiting for a node."""
    gpu_sharing: str = "exclusive"
    """How pods share a GPU of the cluster: exclusive, mig:PROFILE, mps:N, time-slicing:N, dra, or
    amd-partition:MODE."""
    gpu_device_group: Annotated[int, Meta(ge=0, le=65_535)] = 0
    """Group ID that may open the GPU devices on a node (docs/traps.md, AMD). 0: none."""
    gpu_model_revision: str = ""
    """Commit of the weights at Hugging Face. Empty: the one of the catalogue, if it has one."""
    hugging_face_token: Secret = None
    """Token of an account that accepted the licence of a gated model, set with --secret."""
    kubernetes_version: str = ""
    """Minor version of the cluster, such as 1.35. Empty: the tested version."""
    cluster_prometheus: HttpUrl = ""
    """URL of a Prometheus of the Prometheus operator that the cluster already has. Empty: one is
    installed."""
    notebook_people: Annotated[int, Meta(ge=0, le=1000)] = 0
    """Concurrent users of JupyterHub on the cluster. 0: not installed."""
    cluster_region: Annotated[str, _one_of(offering("digitalocean", "gpu-cluster"))] = ""
    """integrated: region of the cluster, which may be another than that of the functions. Empty:
    nyc2."""
    cluster_api_cidrs: Annotated[tuple[IPv4Network, ...], Meta(examples=["192.0.2.7/32"])] = ()
    """split: IPv4 CIDRs, separated by commas, that may reach the cluster's API over the internet.
    Empty: only from inside the network."""
    region: str = ""
    """Region of the cloud. Empty: tor1 for integrated, us-east-1 for split."""
    cluster_admins: Annotated[
        tuple[Annotated[str, _PRINCIPAL], ...],
        Meta(examples=["arn:aws:iam::123456789012:role/deploy"]),
    ] = ()
    """split: ARNs, separated by commas, of IAM users and roles that administer the cluster, beside
    the one that creates it, which must not be in the list."""
    bucket_name: Annotated[str, names.BUCKET] = ""
    """Globally unique name of the bucket in a cloud. Empty: a generated name."""
    network_cidr: str = ""
    """split: private IPv4 CIDR of the network, from /16 to /20. Empty: 10.20.0.0/16."""
    network_zones: Annotated[str, _ZONES] = ""
    """split: letters of two availability zones; GPU nodes run in the first one. Empty: a,b."""
    network_peers: Annotated[tuple[IPv4Network, ...], Meta(examples=["10.0.0.0/16"])] = ()
    """split: IPv4 CIDRs, separated by commas, of networks that will be peered with this one;
    network_cidr must not overlap them."""
    monthly_budget_usd: Annotated[int, Meta(ge=1, le=1_000_000)] = 200
    """split: monthly cost in US dollars above which a budget alarm is raised. integrated: no
    effect, since no API of DigitalOcean creates a billing alert."""
    alert_email: Annotated[str, _EMAIL] = ""
    """Receives alarms. Empty: no receiver."""
    page_url: Annotated[str, _PAGE_URL] = ""
    """integrated: URL, with a slash at its end, of a proxy of yours in front of the page, so that
    the page has an origin of its own. Empty: the host of Functions, which other customers share."""
    log_destinations: Secret = None
    """integrated: where the functions' logs are forwarded, as a JSON list, set with --secret:
    datadog, logtail or papertrail. Empty: not forwarded."""
    data_folder: str = ""
    """local: folder for documents, database and logs, relative to the project. Empty:
    .seamless/stacks/STACK."""
    page_port: Annotated[int, Meta(ge=0, le=65_535)] = 0
    """local: port of the page and the API on 127.0.0.1. 0: a free port, chosen at the first up and
    kept."""

    @property
    def production(self) -> bool:
        """True for the environment prod."""
        return self.environment == "prod"

    @property
    def protected(self) -> bool:
        """True when data must not be deleted by mistake."""
        return self.production if self.protect is None else self.protect

    @property
    def falls_back(self) -> bool:
        """True when a serverless endpoint is called after the primary one fails."""
        return self.fallback == "serverless" and self.inference_mode != "serverless"

    def region_among(self, offered: Collection[str], default: str, rule: str) -> str:
        """The region, or the variant's default.

        Args:
            rule: The beginning of a sentence that ends with the offered regions.

        Raises:
            ConfigError: the region is not offered.
        """
        region = self.region or default
        if region not in offered:
            raise ConfigError("region", repr(region), f"{rule} {', '.join(offered)}", default)
        return region
