"""The API is what its OpenAPI document says: the document is complete, and a fuzzer finds no lie.

The fuzzer is Schemathesis, on the running application: single calls with good and bad data, and
calls that follow one another. It prints its seed and a `curl` line for each failure.
"""

import os
import subprocess
import sys
from pathlib import Path
from string import Template
from typing import Any
from uuid import UUID

import httpx
import pytest
from starlette.routing import Route

from functions import __version__
from functions.api.routes import create_api
from functions.application import Application
from functions.errors import Code
from tests.support import local

STATUSES = {
    ("POST", "/api/uploads"): {"201", "400", "401", "413", "503"},
    ("POST", "/api/documents/{id}/complete"): {"202", "401", "404", "409", "503"},
    ("GET", "/api/documents"): {"200", "400", "401", "503"},
    ("GET", "/api/documents/{id}"): {"200", "401", "404", "503"},
    ("POST", "/api/documents/{id}/retry"): {"202", "401", "404", "409", "503"},
    ("GET", "/healthz"): {"200"},
    ("GET", "/metrics"): {"200", "401", "503"},
}
"""Every status that an operation can give (see `test_api`); a defect's 500 is none of them."""

NOT_OPERATIONS = {"/", "/page", "/openapi.json"}

FUZZER = """
[auth.openapi.token]
bearer = "$${TOKEN}"

[phases.fuzzing.generation]
max-examples = $examples

[phases.stateful.generation]
max-examples = $sequences

# A cursor is opaque: a string that we did not make is refused, as no pattern can tell.
# And 1.0, an integer for JSON Schema, is none for us.
[checks.positive_data_acceptance]
enabled = false
"""


@pytest.fixture(scope="module")
def document(application: local.Application) -> dict[str, Any]:
    """The document as it is served, to anybody."""
    answer = httpx.get(f"{application.url}/openapi.json")
    assert answer.headers["Content-Type"] == "application/json"
    served: dict[str, Any] = answer.json()
    return served


def test_the_document_says_what_it_describes(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    assert document["info"]["version"] == __version__
    assert document["components"]["securitySchemes"] == {
        "token": {"type": "http", "scheme": "bearer"}
    }


@pytest.mark.anyio
async def test_every_route_is_described_and_every_description_is_routed(
    core: Application, document: dict[str, Any]
) -> None:
    async def start(_id: UUID) -> None:
        raise AssertionError("nothing is called here")

    routed = {
        (method, route.path)
        for route in create_api(core, start).routes
        if isinstance(route, Route) and route.path not in NOT_OPERATIONS
        for method in (route.methods or set()) - {"HEAD"}
    }

    assert routed == _operations(document).keys() == STATUSES.keys()


def test_every_operation_has_every_status_that_it_can_give(document: dict[str, Any]) -> None:
    described = {name: set(o["responses"]) for name, o in _operations(document).items()}

    assert described == STATUSES


def test_every_operation_is_named_once_and_described(document: dict[str, Any]) -> None:
    operations = _operations(document).values()

    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert all(operation["summary"] for operation in operations)


def test_only_health_asks_for_no_token(document: dict[str, Any]) -> None:
    public = {name for name, o in _operations(document).items() if o["security"] == []}

    assert public == {("GET", "/healthz")}
    assert all(
        operation["security"] == [{"token": []}]
        for name, operation in _operations(document).items()
        if name not in public
    )


def test_every_error_has_the_same_body_and_a_code_from_the_closed_list(
    document: dict[str, Any],
) -> None:
    bodies = {
        answer["content"]["application/json"]["schema"]["$ref"]
        for operation in _operations(document).values()
        for status, answer in operation["responses"].items()
        if status >= "400"
    }

    assert bodies == {"#/components/schemas/ErrorBody"}
    error = document["components"]["schemas"]["Error"]
    assert error["required"] == ["code", "message", "remedy"]
    assert error["properties"]["code"]["enum"] == [code.value for code in Code]


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    names = document["components"]["schemas"].keys()

    assert {reference.rpartition("/")[2] for reference in _references(document)} == names


def fuzzed(folder: Path, url: str, token: str, *, examples: int, sequences: int) -> str:
    """Run the fuzzer; return what it printed of an API in which it found nothing.

    Args:
        folder: For its settings.
        url: Where the API is, without a slash at the end.
        token: What it asks for.
        examples: How many calls it makes of each operation, beside those that cover the schemas.
        sequences: How many times it makes calls that follow one another.
    """
    settings = Template(FUZZER).substitute(examples=examples, sequences=sequences)
    (folder / "schemathesis.toml").write_text(settings)
    run = subprocess.run(
        [*(sys.executable, "-m", "schemathesis.cli", "run"), f"{url}/openapi.json", "--url", url],
        cwd=folder,
        env={**os.environ, "TOKEN": token, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Tested: 7" in run.stdout
    return run.stdout


@pytest.mark.timeout(300)
def test_a_fuzzer_finds_no_answer_that_the_document_does_not_describe(
    application: local.Application, tmp_path: Path
) -> None:
    printed = fuzzed(tmp_path, application.url, application.token, examples=70, sequences=20)

    for phase in ("Coverage", "Fuzzing", "Stateful"):
        assert f"✅ {phase}" in printed


def _operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def _references(part: Any) -> set[str]:
    if isinstance(part, dict):
        own = {part["$ref"]} if "$ref" in part else set()
        return own.union(*map(_references, part.values()))
    if isinstance(part, list):
        return set().union(*map(_references, part))
    return set()
