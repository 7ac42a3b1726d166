"""What the parts of the application promise to one another: the fewest facts that it needs.

A component of any cloud satisfies a contract by having the attributes; it inherits nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import msgspec
import pulumi

from functions.inference.endpoint import Endpoint, InferenceMode


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
    """An OpenAI-compatible endpoint: the required fields of `functions.inference.endpoint`.

    A component that has another of its fields has an attribute of that name; else the field has
    its default.
    """

    @property
    def name(self) -> str: ...

    @property
    def inference_mode(self) -> InferenceMode: ...

    @property
    def url(self) -> pulumi.Input[str]: ...

    @property
    def model(self) -> pulumi.Input[str]: ...

    @property
    def api_key(self) -> pulumi.Output[str]:
        """Secret."""

    @property
    def context_tokens(self) -> int: ...

    @property
    def order(self) -> int: ...


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


class ExternalInference(Endpoint, frozen=True, kw_only=True):
    """An endpoint that exists already: no resource is created for it."""

    api_key: pulumi.Output[str]
    """Secret."""


def application_environment(
    *,
    variant: str,
    inference_mode: InferenceMode,
    api_token: pulumi.Input[str],
    store: Store,
    database: Database,
    inference: Sequence[Inference],
) -> Mapping[str, pulumi.Input[str]]:
    """The application's environment, derived from the parts that it uses.

    The names are those that `functions.settings` reads; secrets stay secret.
    """
    return {
        "VARIANT": variant,
        "INFERENCE_MODE": inference_mode,
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


def _endpoint(inference: Inference) -> Mapping[str, Any]:
    """The fields of the endpoint that have a value."""
    values = {
        field.name: getattr(inference, field.name, field.default)
        for field in msgspec.structs.fields(Endpoint)
    }
    return {name: value for name, value in values.items() if value is not None}
