"""The handlers of DigitalOcean Functions: the platform's calling convention, and a fuzzer.

The facts of all hosts are in `tests/contract`.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from functions import opening
from functions.handlers import asgi, digitalocean
from functions.handlers.digitalocean import Functions, Platform
from functions.handlers.digitalocean_limits import MAX_PAYLOAD_BYTES
from functions.settings import Settings
from functions.storage.ledger import Ledger
from tests.functions.api.test_openapi import fuzzed
from tests.support import local
from tests.support.contract.model import modelled
from tests.support.hosts.functions_host import NAMESPACE, FunctionsHost, functions_host


@dataclass(frozen=True, kw_only=True)
class Context:
    """The platform's context of a call."""

    function_name: str


@pytest.fixture(scope="module")
def host(
    s3: str, postgres: local.Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FunctionsHost]:
    """The application in a namespace, shared by the tests of this file."""
    folder = tmp_path_factory.mktemp("functions")
    with modelled() as model, functions_host(folder, postgres.database(), model, s3) as host:
        yield host


@pytest.fixture
def environment(host: FunctionsHost) -> dict[str, str]:
    """The environment that the component sets."""
    return host.environment


def web(functions: Functions, path: str, *, headers: dict[str, str]) -> Any:
    """The result of a GET."""
    return functions.call("api", {"http": {"method": "GET", "path": path, "headers": headers}})


# ---------------------------------------------------------------- the calling convention


def test_a_response_above_the_platforms_limit_is_an_error() -> None:
    large = asgi.Answer(
        status=200, headers={"content-type": "text/plain"}, body=b"a" * MAX_PAYLOAD_BYTES
    )

    result = digitalocean._result(large)

    assert result["statusCode"] == 500
    assert json.loads(result["body"])["error"] == {
        "code": "INTERNAL",
        "message": "The response has 1,000,068 bytes; the platform's limit is 1,000,000.",
        "remedy": "Request less data at once.",
    }


def test_a_binary_body_is_sent_as_base64() -> None:
    picture = asgi.Answer(
        status=200,
        headers={"content-type": "image/png", "content-length": "3"},
        body=b"\x89PN",
    )

    assert digitalocean._result(picture) == {
        "statusCode": 200,
        "headers": {"content-type": "image/png"},
        "body": "iVBO",
    }


def test_main_dispatches_by_the_name_of_the_function(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(digitalocean, "_functions", None)
    event: digitalocean.Event = {"http": {"method": "GET", "path": "/healthz", "headers": {}}}

    answer: Any = digitalocean.main(event, Context(function_name=f"/{NAMESPACE}/summarizer/api"))
    with pytest.raises(ValueError, match="Unknown function 'other'"):
        digitalocean.main(event, Context(function_name=f"/{NAMESPACE}/summarizer/other"))
    with pytest.raises(ValueError, match="The event of a call to api has no http"):
        digitalocean.main({}, Context(function_name=f"/{NAMESPACE}/summarizer/api"))

    functions: Functions | None = digitalocean._functions
    assert functions is not None
    functions.close()
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"])["status"] == "ok"


def test_without_a_database_the_api_answers_503(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "OPEN_PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(opening, "PROBE_PATIENCE_SECONDS", 0.2)
    away = Functions(Settings.read({**environment, "DATABASE_PORT": "9"}), Platform())
    headers = {"authorization": f"Bearer {environment['API_TOKEN']}"}

    health, documents = (
        web(away, path, headers=headers) for path in ("/healthz", "/api/documents")
    )

    away.close()
    assert (health["statusCode"], documents["statusCode"]) == (503, 503)
    assert json.loads(health["body"])["database"] == "unreachable"
    assert json.loads(documents["body"])["error"]["code"] == "DATABASE_UNAVAILABLE"


def test_only_a_request_with_the_token_opens_the_database_and_it_takes_one_connection(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[int] = []
    original = Ledger.open

    def counted(conninfo: str, *, connections: int, **settings: Any) -> Any:
        opened.append(connections)
        return original(conninfo, connections=connections, **settings)

    monkeypatch.setattr(Ledger, "open", counted)
    functions = Functions(Settings.read(environment), Platform())
    right = {"authorization": f"Bearer {environment['API_TOKEN']}"}

    def statuses(*, headers: dict[str, str]) -> list[int]:
        paths = ("/", "/page/app.js", "/api/documents", "/metrics", "/nothing")
        return [web(functions, path, headers=headers)["statusCode"] for path in paths]

    assert statuses(headers={"authorization": "Bearer wrong"}) == [200, 200, 401, 401, 404]
    assert opened == []
    assert statuses(headers=right) == [200, 200, 200, 200, 404]
    assert statuses(headers={}) == [200, 200, 401, 401, 404]
    functions.close()
    assert opened == [1]


def test_the_settings_of_the_platform_do_not_show_the_key() -> None:
    platform = Platform(summarize_url="https://host", summarize_key="user:secret-of-a-test")

    assert "secret-of-a-test" not in repr(platform)


@pytest.mark.nightly  # tests/functions/api/test_openapi.py fuzzes the same API every day
@pytest.mark.timeout(300)
def test_a_fuzzer_finds_no_response_that_violates_the_document(
    host: FunctionsHost, environment: dict[str, str], tmp_path: Path
) -> None:
    url, host.per_minute = host.page_url.removesuffix("/"), 1_000_000  # it is faster than a person
    fuzzed(tmp_path, url, environment["API_TOKEN"], examples=15, sequences=4)
