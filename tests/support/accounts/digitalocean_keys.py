"""Scopes of the simulated API, and access keys of its Functions.

- Scopes: `security` of each operation in digitalocean/openapi at 7c1300c (2026-08-07),
  `specification/resources`. Where it lists two, both are required here, which is the
  stricter reading.
- Keys: `models/access_key*.yml` and `functions_*_key.yml` there; `expires_in` also
  digitalocean/doctl at 168188d (2026-08-06), commands/keys.go; the form `dof_v1_ID:SECRET` is
  commands/serverless.go of doctl. 409 is documented for a creation without its reason; here it is a
  second key with the same name.
- The key of a namespace itself (`uuid:key`) is refused since 3 June 2026:
  docs.digitalocean.com/products/functions, note of 13 March 2026.
"""

import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

Json = dict[str, Any]

_READS: Mapping[str, set[str]] = {
    "account": {"account:read"},
    "databases": {"database:read"},
    "dedicated-inferences": {"dedicated_inference:read"},
    "monitoring": {"monitoring:read"},
    "projects": {"project:read"},
    "sizes": {"sizes:read", "regions:read"},
    "spaces": {"spaces_key:read"},
    "tags": {"tag:read"},
    "uptime": {"uptime:read"},
}
"""By the first part of a GET's path."""

READ_ONLY = frozenset({"function:read"}.union(*_READS.values()))
"""Scopes of a token that only reads."""

SCOPES = frozenset(f"function:{verb}" for verb in ("create", "read", "update", "delete", "admin"))
"""All scopes for Functions."""

_NEEDED: Mapping[tuple[str, str], set[str]] = {
    ("GET", "namespaces"): {"function:read", "function:admin"},
    ("POST", "namespaces"): {"function:create", "function:admin"},
    ("GET", "namespace"): {"function:admin"},
    ("DELETE", "namespace"): {"function:delete", "function:admin"},
    ("GET", "triggers"): {"function:read", "function:admin"},
    ("POST", "triggers"): {"function:create", "function:admin"},
    ("PUT", "triggers"): {"function:update", "function:admin"},
    ("DELETE", "triggers"): {"function:delete", "function:admin"},
    ("GET", "keys"): {"function:admin"},
    ("POST", "keys"): {"function:admin"},
    ("PUT", "keys"): {"function:admin"},
    ("DELETE", "keys"): {"function:admin"},
}


def needed(method: str, parts: list[str]) -> set[str]:
    """The scopes of a call; parts are those of the path after `/v2`."""
    if parts[:2] != ["functions", "namespaces"]:
        return _READS.get(parts[0], set()) if method == "GET" else set()
    kind = parts[3] if len(parts) > 3 else "namespace" if len(parts) > 2 else "namespaces"
    return _NEEDED[method, kind]


def problem(body: Json, taken: set[str]) -> tuple[int, str] | None:
    """Status and message with which the API refuses a new key."""
    if not body.get("name"):
        return 400, "Invalid request payload: missing name field"
    if "expires_in" in body and _duration(body["expires_in"]) < timedelta(hours=1):
        return 400, "Invalid request payload: expires_in must be <int>h or <int>d, at least 1h"
    if body["name"] in taken:
        return 409, "access key name is not unique"
    return None


def made(body: Json) -> Json:
    """A new key, with its secret."""
    now = datetime.now(UTC)
    ends = now + _duration(body["expires_in"]) if "expires_in" in body else None
    return {
        "id": f"dof_v1_{secrets.token_hex(16)}",
        "name": body["name"],
        "secret": secrets.token_urlsafe(32),
        "expires_at": text(ends) if ends else None,
        "created_at": text(now),
        "updated_at": text(now),
    }


def shown(key: Json) -> Json:
    """A key as lists show it."""
    return {name: value for name, value in key.items() if name != "secret"}


def is_live(key: Json) -> bool:
    """Whether the key has not expired."""
    ends = key["expires_at"]
    return ends is None or datetime.fromisoformat(ends) > datetime.now(UTC)


def text(time: datetime) -> str:
    """A time as the API writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def _duration(given: object) -> timedelta:
    """The duration; zero for a wrong form."""
    found = re.fullmatch(r"(\d+)([hd])", given) if isinstance(given, str) else None
    if not found:
        return timedelta()
    amount = int(found[1])
    return timedelta(hours=amount) if found[2] == "h" else timedelta(days=amount)
