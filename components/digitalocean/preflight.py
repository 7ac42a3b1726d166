"""What a DigitalOcean account says before anything is created: whose it is, and what it may."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from components.digitalocean.functions_api import API
from components.digitalocean.http import Bearer
from components.preflight import SECONDS, Finding, StackContext, bucket_name, on_path

_TOKENS = "cloud.digitalocean.com/account/api/tokens"
_SPACES_KEYS = {
    "SPACES_ACCESS_KEY_ID": "digitalocean:spacesAccessId",
    "SPACES_SECRET_ACCESS_KEY": "digitalocean:spacesSecretKey",
}
"""Variables that the provider reads, and the config that may stand for them."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of resource whose names are unique in an account, or whose token has a scope.

    Attributes:
        path: Where the API lists them.
        scope: What the token needs for that; it reads all that it has made.
        rows: Under which key they are in the answer.
        key: Of a row, the one that holds a name no two may have; empty where any may.
        input: Of the resource, the one that becomes it.
    """

    path: str
    scope: str
    rows: str
    key: str = ""
    input: str = ""


KINDS = {
    "pulumi-python:dynamic/digitalocean:Namespace": Kind(
        path="/v2/functions/namespaces",
        scope="function:read",
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
"""By type in the plan. Source: digitalocean/openapi, read 2026-11-22."""


def ask(intent: StackContext) -> Iterator[Finding]:
    """Ask whether keys are there and taken, what the token may read, and whether names are free."""
    yield from _client(intent)
    yield from _spaces_keys(intent)
    yield from _bucket(intent)
    token = os.environ.get("DIGITALOCEAN_TOKEN", "")
    if not token:
        yield Finding(
            name="DIGITALOCEAN_TOKEN",
            ok=False,
            found="DIGITALOCEAN_TOKEN is not set, but everything is made with it",
            remedy=f"Make one at {_TOKENS}, then: export DIGITALOCEAN_TOKEN=…",
        )
        return
    base_url = os.environ.get("DIGITALOCEAN_API_URL") or API
    with httpx.Client(base_url=base_url, auth=Bearer(token), timeout=SECONDS) as api:
        whose = _account(api)
        yield whose
        if whose.ok is not False:
            for type_, kind in KINDS.items():
                if any(resource.type == type_ for resource in intent.resources):
                    yield from _kind(api, kind, intent.named(type_, kind.input))


def _client(intent: StackContext) -> Iterator[Finding]:
    """What a cluster's kubeconfig calls for a token."""
    if any(r.type.endswith(":KubernetesCluster") for r in intent.resources):
        guide = "docs.digitalocean.com/reference/doctl/how-to/install"
        yield on_path("doctl", "doctl", "gives out the cluster's tokens", guide)


def _spaces_keys(intent: StackContext) -> Iterator[Finding]:
    missing = [
        variable
        for variable, key in _SPACES_KEYS.items()
        if not os.environ.get(variable) and not intent.config.get(key)
    ]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        yield Finding(
            name="Spaces key",
            ok=False,
            found=f"{' and '.join(missing)} {verb} not set, but buckets are made with a key, "
            "not with the token",
            remedy="Make one with full access at cloud.digitalocean.com/spaces/access_keys, then: "
            f"export {' '.join(f'{variable}=…' for variable in missing)}",
        )
    else:
        yield Finding(name="Spaces key", ok=True, found="set")


def _bucket(intent: StackContext) -> Iterator[Finding]:
    type_ = "digitalocean:index/spacesBucket:SpacesBucket"
    regions = {r.name: r.inputs["region"] for r in intent.resources if r.type == type_}
    for logical, name in intent.named(type_, "name"):
        endpoint = f"https://{regions[logical]}.digitaloceanspaces.com"
        yield bucket_name(intent, os.environ.get("SPACES_ENDPOINT_URL") or endpoint, name)


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
            remedy=f"Make another at {_TOKENS}, then: export DIGITALOCEAN_TOKEN=…",
        )
    account = _body(answer).get("account")
    if isinstance(account, dict) and account.get("status") == "locked":
        return Finding(
            name=name,
            ok=False,
            found="The account of DIGITALOCEAN_TOKEN is locked, so it can make nothing: "
            f"{account.get('status_message')}",
            remedy="Write to cloudsupport.digitalocean.com",
        )
    if answer.is_success:
        return Finding(name=name, ok=True, found="DigitalOcean takes it")
    found = f"unknown whether it is valid: GET /v2/account answered {answer.status_code}"
    return Finding(name=name, ok=None, found=found)


def _kind(api: httpx.Client, kind: Kind, chosen: list[tuple[str, str]]) -> Iterator[Finding]:
    answer = _get(api, f"{kind.path}?per_page=200")
    if isinstance(answer, httpx.Response) and answer.status_code == httpx.codes.FORBIDDEN:
        yield Finding(
            name="DIGITALOCEAN_TOKEN",
            ok=False,
            found=f"DIGITALOCEAN_TOKEN has not the scope {kind.scope}, which GET {kind.path} needs",
            remedy=f"Make one with the scopes of docs/integrated.md at {_TOKENS}, then: "
            "export DIGITALOCEAN_TOKEN=…",
        )
    elif isinstance(answer, str) or not answer.is_success:
        said = answer if isinstance(answer, str) else f"answered {answer.status_code}"
        yield Finding(name=kind.scope, ok=None, found=f"unknown: GET {kind.path} {said}")
    else:
        yield Finding(name=kind.scope, ok=True, found=f"the token reads {kind.path}")
        taken = {row.get(kind.key) for row in _body(answer).get(kind.rows) or []}
        for logical, name in chosen:
            if kind.key and name in taken:
                yield Finding(
                    name=logical,
                    ok=False,
                    found=f"{logical} would have the {kind.key} {name!r}, but the account has one "
                    "already, and no two may have the same",
                    remedy="Remove it where it was made, or rename the stack: "
                    "pulumi stack rename NAME, and stacks/Pulumi.NAME.yaml with it",
                )


def _get(api: httpx.Client, path: str) -> httpx.Response | str:
    try:
        return api.get(path)
    except httpx.HTTPError as error:
        return f"was not answered ({type(error).__name__})"


def _body(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
