"""An access key of a Functions namespace, as a resource."""

from typing import Any

import pulumi
from pulumi import dynamic

from components.digitalocean.functions_api.client import FunctionsApi
from components.dynamic_provider import DynamicProvider


class _Provider(DynamicProvider):
    inputs = ("namespace", "name")
    replacing = ("namespace",)

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        with FunctionsApi.open() as api:
            key = api.create_key(props["namespace"], props["name"])
        return dynamic.CreateResult(
            key.id,
            {**{name: props[name] for name in self.inputs}, "value": f"{key.id}:{key.secret}"},
        )

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        with FunctionsApi.open() as api:
            key = api.key(props["namespace"], id_)
        if key is None:
            return dynamic.ReadResult("", {})
        return dynamic.ReadResult(id_, {**props, "name": key.name})

    def update(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        with FunctionsApi.open() as api:
            api.rename_key(news["namespace"], id_, news["name"])
        return dynamic.UpdateResult({**olds, "name": news["name"]})

    def delete(self, id_: str, props: dict[str, Any]) -> None:
        with FunctionsApi.open() as api:
            api.delete_key(props["namespace"], id_)


class InvocationKey(dynamic.Resource, module="digitalocean", name="InvocationKey"):
    """An access key that does not expire, by which one function calls another.

    Replacing it rotates the key.
    """

    value: pulumi.Output[str]
    """Secret. `USER:PASSWORD` for basic authentication."""

    def __init__(
        self,
        name: str,
        *,
        namespace: pulumi.Input[str],
        key: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args: key: Its name in the control panel."""
        super().__init__(
            _Provider(),
            name,
            {"namespace": namespace, "name": key, "value": None},
            pulumi.ResourceOptions.merge(
                opts, pulumi.ResourceOptions(additional_secret_outputs=["value"])
            ),
        )
