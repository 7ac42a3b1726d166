"""Client of OpenWhisk's REST API at a namespace's host: packages and actions.

DigitalOcean's deployer makes the same calls: digitalocean/functions-deployer, src/deploy.ts.
"""

import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx

from components.digitalocean.functions_api.http import OF_ACCESS_KEY, Caller


class Actions:
    """The packages and actions of one namespace."""

    def __init__(
        self,
        api_host: str,
        key: str,
        secret: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Args:
        key: Id of an access key.
        secret: Its secret.
        """
        self._api = Caller(
            f"{api_host}/api/v1/namespaces/_",
            httpx.BasicAuth(key, secret),
            remedies=OF_ACCESS_KEY,
            again={HTTPStatus.UNAUTHORIZED},  # the host may learn of a new key a little later
            sleep=sleep,
        )

    def put_package(self, name: str) -> None:
        """Create a package; an existing one stays."""
        self._api.call(
            "PUT", f"/packages/{quote(name, safe='')}", body={}, query={"overwrite": "true"}
        )

    def package(self, name: str) -> Mapping[str, Any] | None:
        """One package, or None."""
        package: Mapping[str, Any] | None = self._api.find(f"/packages/{quote(name, safe='')}")
        return package

    def put_action(self, name: str, action: Mapping[str, Any]) -> None:
        """Create or replace an action, `package/name`."""
        self._api.call("PUT", f"/actions/{quote(name)}", body=action, query={"overwrite": "true"})

    def action(self, name: str) -> Mapping[str, Any] | None:
        """One action without its code, or None."""
        action: Mapping[str, Any] | None = self._api.find(
            f"/actions/{quote(name)}", query={"code": "false"}
        )
        return action

    def delete_action(self, name: str) -> None:
        """Delete an action."""
        self._api.remove(f"/actions/{quote(name)}")

    def close(self) -> None:
        """Close the connections."""
        self._api.close()
