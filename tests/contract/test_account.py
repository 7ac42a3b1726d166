"""Facts that only a real account shows, about a deployed application.

`./seamless test live` runs them after the deployment; docs/live.md lists them.
"""

import os
from typing import Any

import boto3  # type: ignore[import-untyped]  # it ships no types
import httpx
import pytest

from components.digitalocean.functions_api.client import API
from components.digitalocean.functions_api.http import Bearer
from tests.support import local
from tests.support.contract.application import Caller
from tests.support.hosts.deployed import Deployed

HOSTS = ["deployed"]

PATIENCE_SECONDS = 300.0
"""How long a log line may take to arrive."""


def only(host: Deployed, variant: str) -> None:
    """Skip a fact of another variant."""
    if host.variant != variant:
        pytest.skip(f"a fact of variant {variant}")


def put(announced: dict[str, Any], data: bytes) -> int:
    """Status of an upload."""
    url, headers = announced["upload_url"], announced["headers"]
    return httpx.put(url, headers=headers, content=data, timeout=60).status_code


def namespace(host: Deployed) -> tuple[str, dict[str, Any]]:
    """The namespace in the page's address, as the API describes it."""
    id_ = next(part for part in httpx.URL(host.page_url).path.split("/") if part.startswith("fn-"))
    return id_, digitalocean(f"/v2/functions/namespaces/{id_}")["namespace"]


def digitalocean(path: str) -> dict[str, Any]:
    """A response of DigitalOcean's API."""
    token = Bearer(os.environ["DIGITALOCEAN_TOKEN"])
    answer = httpx.get(f"{API}{path}", auth=token, timeout=60)
    answer.raise_for_status()
    body: dict[str, Any] = answer.json()
    return body


def test_an_upload_url_takes_one_file_of_the_announced_size(caller: Caller) -> None:
    assert put(caller.announce("size.txt", 5), b"longer than five bytes") in (400, 403)
    announced = caller.announce("once.txt", 5)
    assert put(announced, b"hello") == 200
    assert put(announced, b"again") in (403, 409, 412)


def test_the_shared_key_of_the_namespace_is_refused(host: Deployed) -> None:
    only(host, "integrated")
    _, found = namespace(host)

    answer = httpx.get(
        f"{found['api_host']}/api/v1/namespaces/_/packages",
        auth=(found["uuid"], found.get("key") or "none"),
        timeout=60,
    )

    assert answer.status_code in (401, 403)


def test_the_page_is_at_the_host_that_needs_no_client_certificate(host: Deployed) -> None:
    only(host, "integrated")

    assert httpx.URL(host.page_url).host.endswith(".doserverless.co")


def test_the_trigger_of_the_sweep_is_enabled(host: Deployed) -> None:
    only(host, "integrated")
    id_, _ = namespace(host)

    triggers = digitalocean(f"/v2/functions/namespaces/{id_}/triggers")["triggers"]

    assert [trigger["is_enabled"] for trigger in triggers] == [True]


def test_a_request_arrives_in_the_access_log(host: Deployed, caller: Caller) -> None:
    only(host, "split")
    api, _, rest = httpx.URL(host.page_url).host.partition(".")
    region = rest.split(".")[1]
    stage = boto3.client("apigatewayv2", region_name=region).get_stage(
        ApiId=api, StageName="$default"
    )
    group = stage["AccessLogSettings"]["DestinationArn"].split(":log-group:")[1].removesuffix(":*")
    logs = boto3.client("logs", region_name=region)
    caller.anonymous.get("healthz")

    def lines() -> list[str] | None:
        events = logs.filter_log_events(logGroupName=group, filterPattern='"/healthz"')["events"]
        return [event["message"] for event in events] or None

    assert '"status":"200"' in "".join(local.until(lines, seconds=PATIENCE_SECONDS)).replace(
        " ", ""
    )
