"""Client of DigitalOcean's API: Functions namespaces, triggers and keys, and a database's CA.

`/v2/functions/namespaces` of the public API: digitalocean/openapi at 7c1300c, 2026-08-07.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from components.digitalocean.functions_api.actions import Actions
from components.digitalocean.functions_api.http import ApiError, Bearer, Caller

API = "https://api.digitalocean.com"


@dataclass(frozen=True, kw_only=True)
class NamespaceInfo:
    """A namespace with the host and the key of its functions."""

    id: str
    label: str
    region: str
    api_host: str
    uuid: str
    key: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class KeyInfo:
    """An access key of a namespace. `secret` is set only in the response that created it."""

    id: str
    name: str
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True)
class TriggerInfo:
    """A scheduled trigger of a function."""

    name: str
    function: str
    cron: str
    enabled: bool


class MissingTokenError(RuntimeError):
    """The environment has no token."""

    def __init__(self) -> None:
        super().__init__(
            "DIGITALOCEAN_TOKEN is not set. Create a token with the function scopes at "
            "cloud.digitalocean.com/account/api/tokens, then: export DIGITALOCEAN_TOKEN=…"
        )


def token() -> str:
    """The API token in DIGITALOCEAN_TOKEN.

    Raises:
        MissingTokenError: It is not set.
    """
    value = os.environ.get("DIGITALOCEAN_TOKEN", "")
    if not value:
        raise MissingTokenError
    return value


class FunctionsApi:
    """Namespaces with their triggers and keys."""

    def __init__(
        self, token: str, *, base_url: str = API, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._api = Caller(base_url, Bearer(token), sleep=sleep)
        self._sleep = sleep

    @classmethod
    @contextmanager
    def open(cls, *, sleep: Callable[[float], None] = time.sleep) -> Iterator["FunctionsApi"]:
        """A client with the token in DIGITALOCEAN_TOKEN, of DIGITALOCEAN_API_URL if that is set.

        Raises:
            MissingTokenError: DIGITALOCEAN_TOKEN is not set.
        """
        api = cls(token(), base_url=os.environ.get("DIGITALOCEAN_API_URL") or API, sleep=sleep)
        try:
            yield api
        finally:
            api.close()

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    # ------------------------------------------------------------ namespaces

    def create_namespace(self, *, label: str, region: str) -> NamespaceInfo:
        """Create a namespace. A label is unique in its account.

        Raises:
            ApiError: The label is taken, or the account has its limit of ten namespaces.
        """
        if self.find_namespace(label) is not None:
            raise ApiError(
                f"A namespace with the label {label!r}",
                status=409,
                message="it exists already",
                unsure=False,
            )
        try:
            created = self._api.call(
                "POST", "/v2/functions/namespaces", body={"region": region, "label": label}
            )
        except ApiError as error:
            # A call whose response was lost may have created it: the label was free just before.
            namespace = self.find_namespace(label) if error.unsure else None
            if namespace is None:
                raise
            return namespace
        return _namespace(created["namespace"])

    def namespace(self, id_: str) -> NamespaceInfo | None:
        """One namespace with its key, or None."""
        body = self._api.find(_path(id_))
        return _namespace(body["namespace"]) if body else None

    def find_namespace(self, label: str) -> NamespaceInfo | None:
        """The namespace with this label, or None."""
        listed = self._api.call("GET", "/v2/functions/namespaces").get("namespaces") or []
        return next((_namespace(item) for item in listed if item["label"] == label), None)

    def delete_namespace(self, id_: str) -> None:
        """Delete a namespace with its functions, triggers and keys."""
        self._api.remove(_path(id_))

    # ------------------------------------------------------------ triggers

    def create_trigger(self, namespace: str, *, name: str, function: str, cron: str) -> None:
        """Call a function, `package/name`, on a schedule."""
        self._api.call(
            "POST",
            _path(namespace, "triggers"),
            body={
                "name": name,
                "function": function,
                "type": "SCHEDULED",
                "is_enabled": True,
                "scheduled_details": {"cron": cron},
            },
        )

    def trigger(self, namespace: str, name: str) -> TriggerInfo | None:
        """One trigger, or None."""
        body = self._api.find(_path(namespace, "triggers", name))
        if not body:
            return None
        item = body["trigger"]
        return TriggerInfo(
            name=item["name"],
            function=item["function"],
            cron=item["scheduled_details"]["cron"],
            enabled=item["is_enabled"],
        )

    def update_trigger(self, namespace: str, name: str, *, cron: str) -> None:
        """Change the schedule and enable the trigger."""
        self._api.call(
            "PUT",
            _path(namespace, "triggers", name),
            body={"is_enabled": True, "scheduled_details": {"cron": cron}},
        )

    def delete_trigger(self, namespace: str, name: str) -> None:
        """Delete a trigger."""
        self._api.remove(_path(namespace, "triggers", name))

    # ------------------------------------------------------------ keys

    def create_key(self, namespace: str, name: str) -> KeyInfo:
        """Create a key that does not expire; only this response has its secret."""
        try:
            created = self._api.call("POST", _path(namespace, "keys"), body={"name": name})
        except ApiError as error:
            if error.unsure:  # the secret was in the lost response
                self._delete_keys(namespace, name)
            raise
        return _key(created["access_key"])

    def key(self, namespace: str, id_: str) -> KeyInfo | None:
        """One key without its secret, or None."""
        return next((key for key in self._keys(namespace) if key.id == id_), None)

    def rename_key(self, namespace: str, id_: str, name: str) -> None:
        """Give a key another name."""
        self._api.call("PUT", _path(namespace, "keys", id_), body={"name": name})

    def delete_key(self, namespace: str, id_: str) -> None:
        """Delete a key; calls with it are refused from now on."""
        self._api.remove(_path(namespace, "keys", id_))

    def _keys(self, namespace: str) -> list[KeyInfo]:
        body = self._api.find(_path(namespace, "keys")) or {}
        return [_key(item) for item in body.get("access_keys") or []]

    def _delete_keys(self, namespace: str, name: str) -> None:
        for key in self._keys(namespace):
            if key.name == name:
                self.delete_key(namespace, key.id)

    # ------------------------------------------------------------ databases

    def database_ca(self, cluster: str) -> str:
        """The CA certificate of a database cluster, in base64."""
        body = self._api.call("GET", f"/v2/databases/{quote(cluster, safe='')}/ca")
        return str(body["ca"]["certificate"])

    # ------------------------------------------------------------ actions

    @contextmanager
    def actions(self, namespace: str) -> Iterator["Actions"]:
        """A client for the packages and actions of a namespace.

        Raises:
            ApiError: The namespace does not exist.
        """
        info = _namespace(self._api.call("GET", _path(namespace))["namespace"])
        actions = Actions(info.api_host, info.uuid, info.key, sleep=self._sleep)
        try:
            yield actions
        finally:
            actions.close()


def _path(namespace: str, *parts: str) -> str:
    return "/".join(
        ["/v2/functions/namespaces", *(quote(part, safe="") for part in (namespace, *parts))]
    )


def _namespace(item: Mapping[str, Any]) -> NamespaceInfo:
    return NamespaceInfo(
        id=item["namespace"],
        label=item["label"],
        region=item["region"],
        api_host=item["api_host"],
        uuid=item["uuid"],
        key=item.get("key") or "",
    )


def _key(item: Mapping[str, Any]) -> KeyInfo:
    return KeyInfo(id=item["id"], name=item["name"], secret=item.get("secret") or "")
