"""The interfaces between the parts of the application, with the fewest attributes that it needs.

A component satisfies a contract by having the attributes; it inherits nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import msgspec
import pulumi

from functions.inference.endpoint import Endpoint, InferenceMode


class Store(Protocol):
    """The object store for documents and summaries."""

    @property
    def url(self) -> pulumi.Output[str]:
        """`file:///folder` or `s3://bucket`."""

    @property
    def bucket(self) -> pulumi.Output[str]:
        """Name of the bucket, or path of the folder."""

    @property
    def endpoint(self) -> pulumi.Output[str]:
        """URL of the S3 API; empty for AWS itself and for a folder."""

    @property
    def region(self) -> pulumi.Output[str]:
        """Region of the S3 API; empty for a folder."""

    @property
    def access_key_id(self) -> pulumi.Output[str]:
        """Key of the S3 API; empty if the functions have an IAM role instead."""

    @property
    def secret_access_key(self) -> pulumi.Output[str]:
        """Secret of `access_key_id`."""


class Database(Protocol):
    """The PostgreSQL database of the ledger, with the role of the application."""

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
        """`disable` only on the same machine."""


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
class ServiceExposure:
    """How a Kubernetes Service is exposed to callers outside the cluster.

    Attributes:
        service_type: `LoadBalancer` if the cloud creates the balancer of the Service; `NodePort`
            if a balancer of the stack forwards to the nodes.
        annotations: Annotations of the Service, for the cloud.
        node_port: Node port of the Service, if a balancer of the stack forwards to it.
        address: Host name or IP of the balancer; None if the status of the Service has it.
        sources: CIDRs that may connect; empty allows all.
    """

    service_type: Literal["LoadBalancer", "NodePort"]
    annotations: Mapping[str, str]
    node_port: int | None
    address: pulumi.Output[str] | None
    sources: Sequence[pulumi.Input[str]]


class Cluster(Protocol):
    """A Kubernetes cluster with a pool of GPU nodes."""

    @property
    def provider(self) -> pulumi.ProviderResource:
        """The Pulumi provider for its objects."""

    @property
    def gpu_labels(self) -> Mapping[str, str]:
        """Labels of every GPU node and of no other node."""

    @property
    def gpu_taint(self) -> str:
        """Key of the taint on every GPU node."""

    @property
    def gpu_resource(self) -> str:
        """Resource of one GPU, such as `nvidia.com/gpu`; empty with a device class."""

    @property
    def gpu_device_class(self) -> str | None:
        """DeviceClass of Dynamic Resource Allocation; None with a resource."""

    @property
    def weights_volume(self) -> Mapping[str, Any]:
        """Source of a PersistentVolume that many nodes can mount at once: `{"nfs": {…}}`."""

    @property
    def exposure(self) -> ServiceExposure: ...

    @property
    def add_ons(self) -> Mapping[str, Mapping[str, Any]]:
        """Helm charts that this platform does not manage itself, by name, with its own values."""


class Functions(Protocol):
    """The deployed application."""

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
    shared_page_url: pulumi.Input[str],
    store: Store,
    database: Database,
    inference: Sequence[Inference],
) -> Mapping[str, pulumi.Input[str]]:
    """The application's environment, derived from the parts that it uses.

    The names are those that `functions.settings` reads; secrets stay secret.

    Args:
        shared_page_url: URL of the page where the platform serves pages of other customers at the
            same origin; empty where the origin is the application's own.
    """
    return {
        "VARIANT": variant,
        "INFERENCE_MODE": inference_mode,
        "API_TOKEN": api_token,
        "SHARED_PAGE_URL": shared_page_url,
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
        "INFERENCE_ENDPOINTS": pulumi.Output.json_dumps([endpoint_settings(e) for e in inference]),
        "INFERENCE_API_KEYS": pulumi.Output.secret(
            pulumi.Output.json_dumps({e.name: e.api_key for e in inference})
        ),
    }


def endpoint_settings(inference: Inference) -> Mapping[str, Any]:
    """The fields of the endpoint that have a value."""
    values = {
        field.name: getattr(inference, field.name, field.default)
        for field in msgspec.structs.fields(Endpoint)
    }
    return {name: value for name, value in values.items() if value is not None}
