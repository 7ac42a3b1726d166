"""An access key of a Functions namespace that expires and is rotated, as a resource."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import pulumi
from pulumi import dynamic
from pulumi.runtime.rpc import UNKNOWN

from components.digitalocean.functions_api.access_keys import KeyInfo
from components.digitalocean.functions_api.client import FunctionsApi
from components.digitalocean.functions_api.http import ApiError
from components.dynamic_provider import DynamicProvider

LIFETIME_DAYS = 90
ROTATION_DAYS = 30
"""Age at which the next `up` replaces the key; it has 60 more days for that."""


class _Provider(DynamicProvider):
    inputs = replacing = ("namespace", "name")

    def diff(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        found = super().diff(id_, olds, news)
        if not found.changes and news["namespace"] != UNKNOWN and _is_due(olds, id_):
            return dynamic.DiffResult(changes=True, replaces=["expires_at"])
        return found

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        # A replacement exists beside the old key until no function uses that one.
        name = f"{props['name']}-{secrets.token_hex(4)}"
        with FunctionsApi.open() as api:
            key = api.keys.create(props["namespace"], name, expires_in=f"{LIFETIME_DAYS}d")
        outputs = {name: props[name] for name in self.inputs}
        outputs |= {"expires_at": _text(key), "value": f"{key.id}:{key.secret}"}
        return dynamic.CreateResult(key.id, outputs)

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        with FunctionsApi.open() as api:
            key = api.keys.find(props["namespace"], id_)
        if key is None:
            return dynamic.ReadResult("", {})
        return dynamic.ReadResult(id_, {**props, "expires_at": _text(key)})

    def delete(self, id_: str, props: dict[str, Any]) -> None:
        with FunctionsApi.open() as api:
            api.keys.delete(props["namespace"], id_)


class InvocationKey(dynamic.Resource, module="digitalocean", name="InvocationKey"):
    """An access key by which one function calls another.

    It can do more than that, because DigitalOcean has no narrower key: with it one can deploy every
    function of the namespace and read their environment. It belongs to the person whose token
    created it, and is revoked when this person leaves the team.

    It expires 90 days after its creation. Each `up` that finds it older than 30 days, expired or
    gone replaces it: the new key is created, the functions get it, then the old key is deleted.
    """

    value: pulumi.Output[str]
    """Secret. `USER:PASSWORD` for basic authentication."""
    expires_at: pulumi.Output[str]
    """Time in ISO 8601."""

    def __init__(
        self,
        name: str,
        *,
        namespace: pulumi.Input[str],
        key: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args: key: Start of its name in the control panel."""
        super().__init__(
            _Provider(),
            name,
            {"namespace": namespace, "name": key, "value": None, "expires_at": None},
            pulumi.ResourceOptions.merge(
                opts, pulumi.ResourceOptions(additional_secret_outputs=["value"])
            ),
        )


def _is_due(state: dict[str, Any], id_: str) -> bool:
    """Whether the key must be replaced; the API has the last word on its expiry."""
    expires = state.get("expires_at") or ""
    try:
        with FunctionsApi.open() as api:
            key = api.keys.find(state["namespace"], id_)
    except ApiError:
        pass  # a change of the key or of a function reports it
    else:
        expires = _text(key) if key else ""
    if not expires:
        return True
    left = datetime.fromisoformat(expires) - datetime.now(UTC)
    return left < timedelta(days=LIFETIME_DAYS - ROTATION_DAYS)


def _text(key: KeyInfo) -> str:
    return key.expires_at.isoformat() if key.expires_at else ""
