"""A key with which a function calls another at DigitalOcean, as a resource."""

from typing import Any

import pulumi
from pulumi import dynamic

from components.digitalocean.functions_api import FunctionsApi

_INPUTS = ("namespace", "name")


class _Provider(dynamic.ResourceProvider):
    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        with FunctionsApi.open() as api:
            made = api.create_key(props["namespace"], props["name"])
        return dynamic.CreateResult(
            made.id,
            {**{name: props[name] for name in _INPUTS}, "value": f"{made.id}:{made.secret}"},
        )

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        with FunctionsApi.open() as api:
            found = api.key(props["namespace"], id_)
        if found is None:
            return dynamic.ReadResult("", {})
        return dynamic.ReadResult(id_, {**props, "name": found.name})

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        moved = olds.get("namespace") != news.get("namespace")
        return dynamic.DiffResult(
            changes=moved or olds.get("name") != news.get("name"),
            replaces=["namespace"] if moved else [],
        )

    def update(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        with FunctionsApi.open() as api:
            api.rename_key(news["namespace"], id_, news["name"])
        return dynamic.UpdateResult({**olds, "name": news["name"]})

    def delete(self, id_: str, props: dict[str, Any]) -> None:
        with FunctionsApi.open() as api:
            api.delete_key(props["namespace"], id_)


class InvocationKey(dynamic.Resource, module="digitalocean", name="InvocationKey"):
    """A key of a namespace that does not expire; replace it to rotate it."""

    value: pulumi.Output[str]
    """Secret. User and password of basic authentication, with a colon between them."""

    def __init__(
        self,
        name: str,
        *,
        namespace: pulumi.Input[str],
        key: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args: key: What the control panel shows it as."""
        super().__init__(
            _Provider(),
            name,
            {"namespace": namespace, "name": key, "value": None},
            pulumi.ResourceOptions.merge(
                opts, pulumi.ResourceOptions(additional_secret_outputs=["value"])
            ),
        )
