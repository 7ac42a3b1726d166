"""What live stacks have at DigitalOcean: by tag where there are tags, else by name.

Paths and fields: digitalocean/openapi at 7c1300c (2026-08-07).
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import boto3  # type: ignore[import-untyped]  # it ships no types

from components.digitalocean.functions_api.client import API
from components.digitalocean.functions_api.http import Bearer, Caller
from components.digitalocean.regions import DEFAULT
from tests.support.live import names
from tests.support.live.remains import Remain

PAGE = 200
"""The most that a page may have."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A list that the API gives.

    Attributes:
        path: Where it is.
        key: Of the list in the answer.
        words: The fields in which a live stack's name is looked for.
        delete: The command of doctl, with the fields of an item.
    """

    path: str
    key: str
    words: tuple[str, ...]
    delete: str


KINDS = {
    "database cluster": Kind(
        path="/v2/databases",
        key="databases",
        words=("name", "tags"),
        delete="doctl databases delete {id} --force",
    ),
    "functions namespace": Kind(
        path="/v2/functions/namespaces",
        key="namespaces",
        words=("label",),
        delete="doctl serverless namespaces delete {namespace} --force",
    ),
    "uptime check": Kind(
        path="/v2/uptime/checks",
        key="checks",
        words=("name",),
        delete="doctl monitoring uptime delete {id}",
    ),
    "Spaces key": Kind(
        path="/v2/spaces/keys",
        key="keys",
        words=("name",),
        delete="doctl spaces keys delete {access_key} --force",
    ),
    "project": Kind(
        path="/v2/projects",
        key="projects",
        words=("name",),
        delete="doctl projects delete {id} --force",
    ),
    "tag": Kind(
        path="/v2/tags",
        key="tags",
        words=("name",),
        delete="doctl compute tag delete {name} --force",
    ),
}


def look() -> Iterator[Remain]:
    """Everything that any live stack has in the account."""
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
        region_name="us-east-1",  # what Spaces signs with, whatever the region is
        aws_access_key_id=os.environ["SPACES_ACCESS_KEY_ID"],
        aws_secret_access_key=os.environ["SPACES_SECRET_ACCESS_KEY"],
    )
    for bucket in spaces.list_buckets()["Buckets"]:
        if stack := names.find(bucket["Name"]):
            command = f"aws s3 rb --force s3://{bucket['Name']} --endpoint-url {endpoint}"
            yield Remain(stack=stack, what=f"bucket {bucket['Name']}", delete=command)


def tidy(stack: str) -> list[str]:
    """Delete the stack's own tag, which stays when nothing carries it; return what was deleted."""
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
