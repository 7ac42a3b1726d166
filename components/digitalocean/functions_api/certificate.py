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
        return dynamic.CreateResult(props["cluster"], _outputs(props["cluster"]))

    def read(self, id_: str, _props: dict[str, Any]) -> dynamic.ReadResult:
        return dynamic.ReadResult(id_, _outputs(id_))


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


def _outputs(cluster: str) -> dict[str, Any]:
    with FunctionsApi.open() as api:
        encoded = api.database_ca(cluster)
    return {"cluster": cluster, "pem": base64.b64decode(encoded).decode()}
