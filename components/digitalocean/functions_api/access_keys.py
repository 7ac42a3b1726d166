"""Access keys of Functions namespaces.

DigitalOcean's own client deploys with short-lived keys, too: digitalocean-labs/mcp-digitalocean at
1ee5607, pkg/registry/functions/ow_resolver.go. The key of a namespace itself ended on 3 June 2026
(docs.digitalocean.com/products/functions, note of 13 March 2026).
"""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from components.digitalocean.functions_api.http import ApiError, Caller

PREFIX = "seamless-deploy-"
"""Start of the name of a key with which a command deploys."""


@dataclass(frozen=True, kw_only=True)
class KeyInfo:
    """An access key. `secret` is set only in the response that created it."""

    id: str
    name: str
    expires_at: datetime | None
    """None if it never expires."""
    secret: str = field(default="", repr=False)


class AccessKeys:
    """Creates, finds and deletes access keys. Each call needs the scope function:admin."""

    def __init__(self, api: Caller) -> None:
        self._api = api

    def create(self, namespace: str, name: str, *, expires_in: str) -> KeyInfo:
        """Create a key; only this response has its secret.

        Args:
            name: No other key of the namespace has it.
            expires_in: Hours or days, as in `1h` and `90d`.
        """
        body = {"name": name, "expires_in": expires_in}
        try:
            created = self._api.call("POST", _path(namespace), body=body)
        except ApiError as error:
            if error.unsure:  # the secret was in the lost response
                for key in self.of(namespace):
                    if key.name == name:
                        self.delete(namespace, key.id)
            raise
        return _key(created["access_key"])

    def of(self, namespace: str) -> list[KeyInfo]:
        """All keys of a namespace, without secrets; none if the namespace does not exist."""
        body = self._api.find(_path(namespace)) or {}
        return [_key(item) for item in body.get("access_keys") or []]

    def find(self, namespace: str, id_: str) -> KeyInfo | None:
        """One key without its secret, or None."""
        return next((key for key in self.of(namespace) if key.id == id_), None)

    def delete(self, namespace: str, id_: str) -> None:
        """Delete a key; calls with it are refused from now on."""
        self._api.remove(_path(namespace, id_))

    @contextmanager
    def temporary(self, namespace: str) -> Iterator[KeyInfo]:
        """A key for one operation, deleted at its end.

        A killed operation leaves a key that ends within the hour; the next operation deletes it.
        Other operations use their own keys at the same time, so only ended ones are deleted.
        """
        now = datetime.now(UTC)
        for left in self.of(namespace):
            if left.name.startswith(PREFIX) and left.expires_at and left.expires_at <= now:
                self.delete(namespace, left.id)
        key = self.create(namespace, f"{PREFIX}{secrets.token_hex(6)}", expires_in="1h")
        try:
            yield key
        finally:
            with suppress(ApiError):  # the operation is done, and the key ends within the hour
                self.delete(namespace, key.id)


def _path(namespace: str, *parts: str) -> str:
    quoted = (quote(part, safe="") for part in (namespace, "keys", *parts))
    return "/".join(["/v2/functions/namespaces", *quoted])


def _key(item: Mapping[str, Any]) -> KeyInfo:
    expires = item.get("expires_at")
    return KeyInfo(
        id=item["id"],
        name=item.get("name") or "",
        expires_at=datetime.fromisoformat(expires) if expires else None,
        secret=item.get("secret") or "",
    )
