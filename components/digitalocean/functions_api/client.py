"""Client of DigitalOcean's API: Functions namespaces and triggers, and a database's CA.

`/v2/functions/namespaces` of the public API: digitalocean/openapi at 7c1300c, 2026-08-07.
"""

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from components.digitalocean.functions_api.access_keys import AccessKeys
from components.digitalocean.functions_api.actions import Actions
from components.digitalocean.functions_api.http import ApiError, Bearer, Caller

API = "https://api.digitalocean.com"


@dataclass(frozen=True, kw_only=True)
class NamespaceInfo:
    """A namespace with the host of its functions."""

    id: str
    label: str
    region: str
    api_host: str


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
            "DIGITALOCEAN_TOKEN is not set. Create a token with the scopes of docs/integrated.md "
            "at cloud.digitalocean.com/account/api/tokens, then: export DIGITALOCEAN_TOKEN=…"
        )


class TriggersClosedError(RuntimeError):
    """The account may not use scheduled triggers."""

    def __init__(self, refusal: ApiError) -> None:
        super().__init__(
            f"Scheduled triggers of Functions are not open to this account: {refusal.answer}. They "
            "are a preview, and the sweep needs one. Ask for access at "
            "cloudsupport.digitalocean.com, then run the command again. Until then `./seamless "
            "down` deletes what the stack has created."
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
    """Namespaces with their packages, actions, triggers and keys.

    Attributes:
        keys: The access keys of namespaces.
    """

    def __init__(
        self, token: str, *, base_url: str = API, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._api = Caller(base_url, Bearer(token), sleep=sleep)
        self.keys = AccessKeys(self._api)
        self._sleep = sleep
        self._actions: dict[str, Actions] = {}
        self._opened = ExitStack()

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
        """Delete the keys of this client, and close the connections."""
        self._opened.close()
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
        """One namespace, or None."""
        body = self._api.find(_path(id_))
        return _namespace(body["namespace"]) if body else None

    def find_namespace(self, label: str) -> NamespaceInfo | None:
        """The namespace with this label, or None.

        The list also has the namespaces of App Platform, whose ids begin with `ap-`.
        """
        listed = self._api.call("GET", "/v2/functions/namespaces").get("namespaces") or []
        own = (item for item in listed if not item["namespace"].startswith("ap-"))
        return next((_namespace(item) for item in own if item.get("label") == label), None)

    def delete_namespace(self, id_: str) -> None:
        """Delete a namespace with its functions, triggers and keys."""
        self._api.remove(_path(id_))

    # ------------------------------------------------------------ triggers

    def require_triggers(self, namespace: str) -> None:
        """Check that scheduled triggers are open to the account.

        They are "behind a feature flag", and the list fails where the flag is off
        (digitalocean/doctl at 168188d, do/serverless.go, CleanNamespace).

        Raises:
            TriggersClosedError: The API refuses to list the triggers of this namespace.
        """
        try:
            self._api.call("GET", _path(namespace, "triggers"))
        except ApiError as error:
            if error.unsure or error.status in (0, HTTPStatus.TOO_MANY_REQUESTS):
                raise
            raise TriggersClosedError(error) from error

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

    # ------------------------------------------------------------ databases

    def database_ca(self, cluster: str) -> str | None:
        """The CA certificate of a database cluster in base64; None if there is no such cluster."""
        body = self._api.find(f"/v2/databases/{quote(cluster, safe='')}/ca")
        return str(body["ca"]["certificate"]) if body else None

    # ------------------------------------------------------------ actions

    def actions(self, namespace: str) -> Actions:
        """The packages and actions of a namespace, with one access key until this client closes.

        Raises:
            ApiError: The namespace does not exist, or the token may not create the key.
        """
        if namespace not in self._actions:
            info = _namespace(self._api.call("GET", _path(namespace))["namespace"])
            key = self._opened.enter_context(self.keys.temporary(namespace))
            actions = Actions(info.api_host, key.id, key.secret, sleep=self._sleep)
            self._opened.callback(actions.close)
            self._actions[namespace] = actions
        return self._actions[namespace]


def _path(namespace: str, *parts: str) -> str:
    return "/".join(
        ["/v2/functions/namespaces", *(quote(part, safe="") for part in (namespace, *parts))]
    )


def _namespace(item: Mapping[str, Any]) -> NamespaceInfo:
    return NamespaceInfo(
        id=item["namespace"],
        label=item.get("label") or "",
        region=item["region"],
        api_host=_public(item["api_host"]),
    )


def _public(api_host: str) -> str:
    """The host that serves everyone.

    The API returns a cluster's name that ends in `.io`, which will require client certificates;
    doctl uses the name in `.co` (digitalocean/doctl at 168188d, do/serverless.go, assignAPIHost).
    """
    return re.sub(r"\.doserverless\.io$", ".doserverless.co", api_host.rstrip("/"))
