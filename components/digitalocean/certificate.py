"""The certificate that a managed database's own is signed with, as a resource."""

import base64
from typing import Any

import pulumi
from pulumi import dynamic

from components.digitalocean.functions_api import FunctionsApi


class _Provider(dynamic.ResourceProvider):
    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        return dynamic.CreateResult(props["cluster"], _outputs(props["cluster"]))

    def read(self, id_: str, _props: dict[str, Any]) -> dynamic.ReadResult:
        return dynamic.ReadResult(id_, _outputs(id_))

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        changed = olds["cluster"] != news["cluster"]
        return dynamic.DiffResult(changes=changed, replaces=["cluster"] if changed else [])


class Certificate(dynamic.Resource, module="digitalocean", name="Certificate"):
    """What a client must trust to see that the database is the database: nothing is created.

    A resource and no invoke, so that a plan needs no account.
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
