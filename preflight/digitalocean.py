"""Checks of a DigitalOcean account: token, scopes, Spaces key and names."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import httpx

from components.digitalocean.functions_api.client import API
from components.digitalocean.functions_api.http import Bearer
from preflight import digitalocean_database, digitalocean_sizes
from preflight.checks import SECONDS, Finding, StackContext, bucket_name, on_path
from preflight.digitalocean_functions import ADMIN, TOKENS, check_functions, lacks_scope

_SPACES_KEYS = {
    "SPACES_ACCESS_KEY_ID": "digitalocean:spacesAccessId",
    "SPACES_SECRET_ACCESS_KEY": "digitalocean:spacesSecretKey",
}
"""Variables that the provider reads, and the config keys that can replace them."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of resource, with the API call that lists those of an account.

    Attributes:
        path: Path of the list.
        scope: Scope of the token that the call needs, in words.
        rows: Key of the list in the response.
        key: Key of a row with a name that is unique in the account; empty if none is.
        input: Input of the resource that becomes this name.
    """

    path: str
    scope: str
    rows: str
    key: str = ""
    input: str = ""


_NAMESPACE = "pulumi-python:dynamic/digitalocean:Namespace"

KINDS = {
    _NAMESPACE: Kind(
        path="/v2/functions/namespaces",
        scope=f"function:read or {ADMIN}",
        rows="namespaces",
        key="label",
        input="label",
    ),
    "digitalocean:index/databaseCluster:DatabaseCluster": Kind(
        path="/v2/databases", scope="database:read", rows="databases"
    ),
    "digitalocean:index/spacesKey:SpacesKey": Kind(
        path="/v2/spaces/keys", scope="spaces_key:read", rows="keys"
    ),
    "digitalocean:index/project:Project": Kind(
        path="/v2/projects", scope="project:read", rows="projects", key="name", input="name"
    ),
    "digitalocean:index/uptimeCheck:UptimeCheck": Kind(
        path="/v2/uptime/checks", scope="uptime:read", rows="checks"
    ),
    "digitalocean:index/monitorAlert:MonitorAlert": Kind(
        path="/v2/monitoring/alerts", scope="monitoring:read", rows="policies"
    ),
}
"""By type of the resource in the plan. Source: digitalocean/openapi, read 2026-11-22."""


def check(context: StackContext) -> Iterator[Finding]:
    """Check the Spaces key, the token with its scopes, and whether names are free."""
    yield from _client(context)
    yield from _spaces_keys(context)
    yield from _bucket(context)
    token = os.environ.get("DIGITALOCEAN_TOKEN", "")
    if not token:
        yield Finding(
            name="DIGITALOCEAN_TOKEN",
            ok=False,
            found="DIGITALOCEAN_TOKEN is not set",
            remedy=f"Create a token at {TOKENS}, then: export DIGITALOCEAN_TOKEN=…",
        )
        return
    base_url = os.environ.get("DIGITALOCEAN_API_URL") or API
    with httpx.Client(base_url=base_url, auth=Bearer(token), timeout=SECONDS) as api:
        account = _account(api)
        yield account
        if account.ok is not False:
            for type_, kind in KINDS.items():
                if any(resource.type == type_ for resource in context.resources):
                    yield from _kind(api, kind, context, context.named(type_, kind.input))
            for resource in context.resources:
                if resource.type == _NAMESPACE:
                    yield from check_functions(partial(_get, api), context, resource)
            yield from digitalocean_sizes.check(api, context)
            yield from digitalocean_database.check(api, context)


def _client(context: StackContext) -> Iterator[Finding]:
    """Check the program that a cluster's kubeconfig calls for tokens."""
    if any(r.type.endswith(":KubernetesCluster") for r in context.resources):
        guide = "docs.digitalocean.com/reference/doctl/how-to/install"
        yield on_path("doctl", "doctl", "issues the cluster's tokens", guide)


def _spaces_keys(context: StackContext) -> Iterator[Finding]:
    missing = [
        variable
        for variable, key in _SPACES_KEYS.items()
        if not os.environ.get(variable) and not context.config.get(key)
    ]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        yield Finding(
            name="Spaces key",
            ok=False,
            found=f"{' and '.join(missing)} {verb} not set, but a bucket needs a Spaces key",
            remedy="Make one with full access at cloud.digitalocean.com/spaces/access_keys, then: "
            f"export {' '.join(f'{variable}=…' for variable in missing)}",
        )
    else:
        yield Finding(name="Spaces key", ok=True, found="set")


def _bucket(context: StackContext) -> Iterator[Finding]:
    type_ = "digitalocean:index/spacesBucket:SpacesBucket"
    regions = {r.name: r.inputs["region"] for r in context.resources if r.type == type_}
    for logical, name in context.named(type_, "name"):
        endpoint = f"https://{regions[logical]}.digitaloceanspaces.com"
        yield bucket_name(context, os.environ.get("SPACES_ENDPOINT_URL") or endpoint, name)


def _account(api: httpx.Client) -> Finding:
    name = "DIGITALOCEAN_TOKEN"
    answer = _get(api, "/v2/account")
    if isinstance(answer, str):
        return Finding(name=name, ok=None, found=f"unknown whether it is valid: {answer}")
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        return Finding(
            name=name,
            ok=False,
            found="DIGITALOCEAN_TOKEN is [secret], but DigitalOcean refuses it (401): it is wrong, "
            "expired or revoked",
            remedy=f"Create a token at {TOKENS}, then: export DIGITALOCEAN_TOKEN=…",
        )
    account = _body(answer).get("account")
    if isinstance(account, dict) and account.get("status") == "locked":
        return Finding(
            name=name,
            ok=False,
            found=f"The account of DIGITALOCEAN_TOKEN is locked: {account.get('status_message')}",
            remedy="Contact the support: cloudsupport.digitalocean.com",
        )
    if answer.is_success:
        return Finding(name=name, ok=True, found="DigitalOcean accepts it")
    found = f"unknown whether it is valid: GET /v2/account answered {answer.status_code}"
    return Finding(name=name, ok=None, found=found)


def _kind(
    api: httpx.Client, kind: Kind, context: StackContext, chosen: list[tuple[str, str]]
) -> Iterator[Finding]:
    """Check that the token reads a kind of resource, and that chosen names are free.

    Args:
        chosen: Logical name and chosen name of each new resource.
    """
    rows: list[Mapping[str, Any]] = []
    query = "per_page=200"
    while query:
        answer = _get(api, f"{kind.path}?{query}")
        if isinstance(answer, httpx.Response) and answer.status_code == httpx.codes.FORBIDDEN:
            needed = context.command != "preview"  # only a refresh reads
            yield lacks_scope(context, kind.scope, f"GET {kind.path}", needed=needed)
            return
        if isinstance(answer, str) or not answer.is_success:
            problem = answer if isinstance(answer, str) else f"answered {answer.status_code}"
            yield Finding(name=kind.scope, ok=None, found=f"unknown: GET {kind.path} {problem}")
            return
        body = _body(answer)
        rows += body.get(kind.rows) or []
        query = _next_page(body)
    yield Finding(name=kind.scope, ok=True, found=f"the token reads {kind.path}")
    taken = {row.get(kind.key) for row in rows}
    for logical, name in chosen:
        if kind.key and name in taken:
            yield Finding(
                name=logical,
                ok=False,
                found=f"{logical} needs the {kind.key} {name!r}, but another resource of the "
                "account has it, and it is unique",
                remedy="Delete the other resource, or rename the stack: "
                "pulumi stack rename NAME, and stacks/Pulumi.NAME.yaml with it",
            )


def _next_page(body: Mapping[str, Any]) -> str:
    """Query of a list's next page; empty on the last one.

    The API gives the page's full URL in `links.pages.next` (DigitalOcean's API reference, Links).
    Its host is not used, so that the token goes to no other host.
    """
    pages = (body.get("links") or {}).get("pages") or {}
    return urlsplit(str(pages.get("next") or "")).query


def _get(api: httpx.Client, path: str) -> httpx.Response | str:
    try:
        return api.get(path)
    except httpx.HTTPError as error:
        return f"got no response ({type(error).__name__})"


def _body(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
