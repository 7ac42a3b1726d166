"""Resources of live stacks at DigitalOcean, found by tag or by name.

Paths and fields: digitalocean/openapi at 7c1300c (2026-08-07).
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any, NamedTuple

import boto3  # type: ignore[import-untyped]  # it ships no types

from components.digitalocean.functions_api.client import API
from components.digitalocean.functions_api.http import Bearer, Caller
from components.digitalocean.regions import DEFAULT
from tests.support.live import names
from tests.support.live.remains import Remain

PAGE = 200
"""The maximum length of a page."""


class Kind(NamedTuple):
    """A list of the API: path, key of the answer, fields with the stack's name, doctl command."""

    path: str
    key: str
    words: tuple[str, ...]
    delete: str


KINDS = {
    "database cluster": Kind(
        "/v2/databases", "databases", ("name", "tags"), "doctl databases delete {id} --force"
    ),
    "functions namespace": Kind(
        "/v2/functions/namespaces",
        "namespaces",
        ("label",),
        "doctl serverless namespaces delete {namespace} --force",
    ),
    "uptime check": Kind(
        "/v2/uptime/checks", "checks", ("name",), "doctl monitoring uptime delete {id}"
    ),
    "Spaces key": Kind(
        "/v2/spaces/keys", "keys", ("name",), "doctl spaces keys delete {access_key} --force"
    ),
    "project": Kind("/v2/projects", "projects", ("name",), "doctl projects delete {id} --force"),
    "tag": Kind("/v2/tags", "tags", ("name",), "doctl compute tag delete {name} --force"),
}


def look() -> Iterator[Remain]:
    """Every resource of a live stack in the account."""
    with closing(_api()) as api:
        for noun, kind in KINDS.items():
            for item in _items(api, kind):
                stack = names.find(" ".join(str(item.get(word, "")) for word in kind.words))
                if stack:
                    label = item.get("name") or item.get("label")
                    yield Remain(
                        stack=stack, what=f"{noun} {label}", delete=kind.delete.format_map(item)
                    )
    endpoint = os.environ.get("SPACES_ENDPOINT_URL") or f"https://{DEFAULT}.digitaloceanspaces.com"
    spaces = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",  # Spaces signs with it in every region
        aws_access_key_id=os.environ["SPACES_ACCESS_KEY_ID"],
        aws_secret_access_key=os.environ["SPACES_SECRET_ACCESS_KEY"],
    )
    for bucket in spaces.list_buckets()["Buckets"]:
        if stack := names.find(bucket["Name"]):
            command = f"aws s3 rb --force s3://{bucket['Name']} --endpoint-url {endpoint}"
            yield Remain(stack=stack, what=f"bucket {bucket['Name']}", delete=command)


def tidy(stack: str) -> list[str]:
    """Delete the tag of the stack, which DigitalOcean keeps; return the deleted resources."""
    with closing(_api()) as api:
        tags = [item["name"] for item in _items(api, KINDS["tag"]) if stack in item["name"]]
        for tag in tags:
            api.remove(f"/v2/tags/{tag}")
    return [f"tag {tag}" for tag in tags]


def _items(api: Caller, kind: Kind) -> Iterator[Mapping[str, Any]]:
    page = 1
    while True:
        answer = api.call("GET", kind.path, query={"per_page": f"{PAGE}", "page": f"{page}"})
        yield from answer.get(kind.key) or []
        if not (answer.get("links") or {}).get("pages", {}).get("next"):
            return
        page += 1


def _api() -> Caller:
    url = os.environ.get("DIGITALOCEAN_API_URL") or API
    return Caller(url, Bearer(os.environ["DIGITALOCEAN_TOKEN"]))
