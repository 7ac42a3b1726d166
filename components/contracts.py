"""What the parts of the application promise to one another: the fewest facts that it needs.

A component of any cloud satisfies a contract by having the attributes; it inherits nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import pulumi

Rung = Literal["serverless", "dedicated", "cluster"]
"""A step of the inference ladder."""


class Store(Protocol):
    """Where documents and summaries lie."""

    @property
    def url(self) -> pulumi.Output[str]:
        """`file:///folder` or `s3://bucket`."""

    @property
    def bucket(self) -> pulumi.Output[str]:
        """The name that a person knows it by: a bucket's name, a folder's path."""

    @property
    def endpoint(self) -> pulumi.Output[str]:
        """URL of the S3 API; empty for AWS itself and for a folder."""

    @property
    def region(self) -> pulumi.Output[str]:
        """Region of the S3 API; empty for a folder."""

    @property
    def access_key_id(self) -> pulumi.Output[str]:
        """Key of the S3 API; empty where the platform gives the functions an identity."""

    @property
    def secret_access_key(self) -> pulumi.Output[str]:
        """Secret. Belongs to `access_key_id`."""


class Database(Protocol):
    """Where the ledger is: a PostgreSQL database with a role of its own."""

    @property
    def host(self) -> pulumi.Output[str]: ...

    @property
    def port(self) -> pulumi.Output[int]: ...

    @property
    def name(self) -> pulumi.Output[str]: ...

    @property
    def user(self) -> pulumi.Output[str]: ...

    @property
    def password(self) -> pulumi.Output[str]:
        """Secret."""

    @property
    def sslmode(self) -> Literal["disable", "require", "verify-full"]:
        """`disable` only where no network is crossed."""


class Inference(Protocol):
    """What answers: any endpoint that speaks OpenAI's chat completions dialect."""

    @property
    def name(self) -> str:
        """Unique among the endpoints of a stack; what the ledger and the page call it."""

    @property
    def rung(self) -> Rung: ...

    @property
    def base_url(self) -> pulumi.Output[str]:
        """Ends in `/v1`."""

    @property
    def model(self) -> pulumi.Output[str]: ...

    @property
    def api_key(self) -> pulumi.Output[str]:
        """Secret."""

    @property
    def context_tokens(self) -> int:
        """Prompt and answer together fit in so many tokens."""

    @property
    def input_usd_per_million(self) -> float | None:
        """Price of a million prompt tokens in US dollars; None is unknown."""

    @property
    def output_usd_per_million(self) -> float | None:
        """Price of a million answer tokens in US dollars; None is unknown."""

    @property
    def certificate_authority(self) -> pulumi.Output[str]:
        """PEM of who signs its certificate; empty are the public authorities."""

    @property
    def replicas_url(self) -> pulumi.Output[str] | None:
        """Where an examiner tells how each replica stands, with the same key and authorities.

        None where nobody asks replicas one by one.
        """

    @property
    def weight(self) -> int:
        """Its share of the documents among the endpoints of the same order, 0 to 100."""

    @property
    def order(self) -> int:
        """Endpoints of a lower order are asked first."""


@dataclass(frozen=True, kw_only=True)
class Entrance:
    """How a cluster lets callers in from outside, in the terms of a Kubernetes Service.

    Attributes:
        service_type: `LoadBalancer` where the cloud makes the balancer of a Service; `NodePort`
            where a balancer of ours forwards to the nodes.
        annotations: Of the Service; the cloud reads them.
        node_port: Of the Service, where a balancer of ours forwards to it.
        address: Host name or IP of the balancer; None where the Service will tell.
        sources: CIDRs that may come in; empty lets everybody try.
    """

    service_type: Literal["LoadBalancer", "NodePort"]
    annotations: Mapping[str, str]
    node_port: int | None
    address: pulumi.Output[str] | None
    sources: Sequence[pulumi.Input[str]]


class Cluster(Protocol):
    """Kubernetes with a pool of GPU nodes: what a model server needs to know of it."""

    @property
    def provider(self) -> pulumi.ProviderResource:
        """Through which its objects are made."""

    @property
    def gpu_labels(self) -> Mapping[str, str]:
        """On every GPU node, and on no other."""

    @property
    def gpu_taint(self) -> str:
        """Key of the taint on every GPU node."""

    @property
    def gpu_resource(self) -> str:
        """What a container asks for to get a GPU: `nvidia.com/gpu`; empty where it claims one."""

    @property
    def gpu_device_class(self) -> str | None:
        """What a container claims instead, by Dynamic Resource Allocation; None where it asks."""

    @property
    def weights_volume(self) -> Mapping[str, Any]:
        """Source of a PersistentVolume that many nodes can mount at once: `{"nfs": {…}}`."""

    @property
    def entrance(self) -> Entrance: ...

    @property
    def add_ons(self) -> Mapping[str, Mapping[str, Any]]:
        """Charts that this platform needs and others manage, with values that only it knows."""


class Functions(Protocol):
    """The application, running."""

    @property
    def page_url(self) -> pulumi.Output[str]: ...

    @property
    def api_token(self) -> pulumi.Output[str]:
        """Secret."""


@dataclass(frozen=True, kw_only=True)
class ExternalInference:
    """An existing endpoint that is reached with a key: nothing is created."""

    name: str
    rung: Rung
    url: str
    """Ends in `/v1`. Plain text, so that a program can decide by it what it creates."""
    model: pulumi.Output[str]
    api_key: pulumi.Output[str]
    context_tokens: int
    input_usd_per_million: float | None
    output_usd_per_million: float | None
    certificate_authority: pulumi.Output[str] = field(
        default_factory=lambda: pulumi.Output.from_input("")
    )
    replicas_url: pulumi.Output[str] | None = None
    weight: int = 1
    order: int = 0

    @property
    def base_url(self) -> pulumi.Output[str]:
        """`url` as an output, as every endpoint has it."""
        return pulumi.Output.from_input(self.url)


def application_environment(
    *,
    arrangement: str,
    rung: Rung,
    api_token: pulumi.Input[str],
    store: Store,
    database: Database,
    inference: Sequence[Inference],
) -> Mapping[str, pulumi.Input[str]]:
    """What the application is told, derived from what it is related to.

    The names are those that `functions.settings` reads; secrets stay secret. A variable without a
    value is left out.
    """
    return {
        "ARRANGEMENT": arrangement,
        "RUNG": rung,
        "API_TOKEN": api_token,
        "STORE_URL": store.url,
        "STORE_ENDPOINT": store.endpoint,
        "STORE_REGION": store.region,
        "STORE_ACCESS_KEY_ID": store.access_key_id,
        "STORE_SECRET_ACCESS_KEY": store.secret_access_key,
        "DATABASE_HOST": database.host,
        "DATABASE_PORT": database.port.apply(lambda port: f"{int(port)}"),
        "DATABASE_NAME": database.name,
        "DATABASE_USER": database.user,
        "DATABASE_PASSWORD": database.password,
        "DATABASE_SSLMODE": database.sslmode,
        "INFERENCE_ENDPOINTS": pulumi.Output.json_dumps([_endpoint(e) for e in inference]),
        "INFERENCE_API_KEYS": pulumi.Output.secret(
            pulumi.Output.json_dumps({e.name: e.api_key for e in inference})
        ),
    }


def _endpoint(inference: Inference) -> Mapping[str, pulumi.Input[str | int | float | None]]:
    """One endpoint as `functions.endpoint` reads it."""
    told: dict[str, pulumi.Input[str | int | float | None]] = {
        "name": inference.name,
        "rung": inference.rung,
        "url": inference.base_url,
        "model": inference.model,
        "context_tokens": inference.context_tokens,
        "input_usd_per_million": inference.input_usd_per_million,
        "output_usd_per_million": inference.output_usd_per_million,
        "weight": inference.weight,
        "order": inference.order,
        "ca": inference.certificate_authority,
    }
    return (
        told if inference.replicas_url is None else {**told, "replicas_url": inference.replicas_url}
    )
