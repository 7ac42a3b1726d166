"""The CA certificate of a managed database, as a resource."""

import base64
from typing import Any

import pulumi
from pulumi import dynamic

from components.digitalocean.functions_api.client import FunctionsApi
from components.dynamic_provider import DynamicProvider


class _Provider(DynamicProvider):
    inputs = replacing = ("cluster",)

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        cluster = props["cluster"]
        if (pem := _pem(cluster)) is None:
            raise LookupError(
                f"DigitalOcean has no database cluster with the id {cluster!r}. Run "
                "./seamless pulumi refresh, then the command again."
            )
        return dynamic.CreateResult(cluster, {"cluster": cluster, "pem": pem})

    def read(self, id_: str, _props: dict[str, Any]) -> dynamic.ReadResult:
        if (pem := _pem(id_)) is None:
            return dynamic.ReadResult("", {})  # an empty id: the resource does not exist
        return dynamic.ReadResult(id_, {"cluster": id_, "pem": pem})


class Certificate(dynamic.Resource, module="digitalocean", name="Certificate"):
    """Reads the CA certificate by which a client verifies the database; creates nothing.

    It is a resource and no invoke, so that a plan needs no account.
    """

    pem: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        cluster: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args: cluster: Id of the database cluster."""
        super().__init__(_Provider(), name, {"cluster": cluster, "pem": None}, opts)


def _pem(cluster: str) -> str | None:
    with FunctionsApi.open() as api:
        encoded = api.database_ca(cluster)
    return base64.b64decode(encoded).decode() if encoded is not None else None
