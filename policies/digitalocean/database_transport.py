"""DO-DB-07: functions verify the certificate of the database server."""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from policies.resource import Resource
from policies.rule import ResourceRule
from policies.values import leaves, readable

_URLS = ("DATABASE_URL", "DATABASE_DSN")
_MODE = "DATABASE_SSLMODE"
_AUTHORITIES = ("DATABASE_CERTIFICATE", "DATABASE_SSLROOTCERT", "PGSSLROOTCERT")


def _check(resource: Resource) -> Iterator[str]:
    for variables in _environments(resource.inputs):
        authority = any(variables.get(name) for name in _AUTHORITIES)
        for name in _URLS:
            if url := readable(variables.get(name)):
                query = parse_qs(urlsplit(url).query)
                mode = query.get("sslmode", [None])[0]
                yield from _violation(
                    f"sslmode of {name}", mode, authority or "sslrootcert" in query
                )
        if "DATABASE_HOST" in variables or _MODE in variables:
            yield from _violation(_MODE, variables.get(_MODE), authority)


def _violation(what: str, mode: Any, authority: bool) -> Iterator[str]:
    if mode is None:
        yield f"{what} is not set, so the server is not verified."
    elif readable(mode) and mode != "verify-full" and not (mode == "require" and authority):
        yield f"{what} is {mode}, which does not verify the server."


def _environments(props: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each set of environment variables in a resource."""
    found: dict[str, dict[str, Any]] = {}
    for path, name, value in leaves(props):
        # An entry of a list of variables belongs to the list.
        where = re.sub(r"(\[\d+\])?\.$", "", path.removesuffix(name))
        found.setdefault(where, {})[name] = value
    return list(found.values())


def _is_digitalocean(token: str) -> bool:
    """True also for this project's dynamic provider."""
    return token.startswith(("digitalocean:", "pulumi-python:dynamic/digitalocean"))


RULE = ResourceRule(
    id="DO-DB-07",
    title="Functions and apps verify the certificate of their database server.",
    severity="high",
    enforcement="mandatory",
    remedy=f"Set {_MODE} to verify-full (and sslmode=verify-full in a URL), with the cluster's CA "
    "certificate if the system does not trust it.",
    source="https://www.postgresql.org/docs/current/libpq-ssl.html; https://docs.digitalocean.com/products/databases/postgresql/how-to/connect/",
    applies=_is_digitalocean,
    check=_check,
)
