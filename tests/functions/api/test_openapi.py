"""The OpenAPI document describes every route, and a fuzzer finds no response that violates it.

The fuzzer is Schemathesis, on the running application: single requests with valid and invalid data,
and sequences of requests. It prints its seed and a `curl` line for each failure.
"""

import os
import subprocess
import sys
from pathlib import Path
from string import Template
from uuid import UUID

import httpx
import pytest
from starlette.routing import Route

from functions.api.routes import create_api
from functions.application import Application
from functions.opening import Opened
from tests.support import local

NOT_OPERATIONS = {"/", "/page", "/openapi.json"}
"""Routes that the document leaves out."""

FUZZER = """
[auth.openapi.token]
bearer = "$${TOKEN}"

[phases.fuzzing.generation]
max-examples = $examples

[phases.stateful.generation]
max-examples = $sequences

# A schema cannot describe which cursors are valid, and the API refuses 1.0, which JSON Schema
# accepts as an integer.
[checks.positive_data_acceptance]
enabled = false
"""


@pytest.mark.anyio
async def test_the_document_describes_every_route_and_no_other(
    core: Application, application: local.Application
) -> None:
    async def start(_id: UUID) -> None:
        raise AssertionError("this test sends no request")

    routed = {
        (method, route.path)
        for route in create_api(Opened(core), start).routes
        if isinstance(route, Route) and route.path not in NOT_OPERATIONS
        for method in (route.methods or set()) - {"HEAD"}
    }

    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{application.url}/openapi.json")
    assert answer.headers["Content-Type"] == "application/json"
    paths = answer.json()["paths"]
    assert routed == {(m.upper(), path) for path, methods in paths.items() for m in methods}


def fuzzed(folder: Path, url: str, token: str, *, examples: int, sequences: int) -> str:
    """Run the fuzzer, assert that it found no failure, and return its output.

    Args:
        folder: For the fuzzer's settings.
        url: The API, without a slash at the end.
        token: The API's token.
        examples: Requests per operation, beside those that cover the schemas.
        sequences: Sequences of requests.
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
def test_a_fuzzer_finds_no_response_that_violates_the_document(
    application: local.Application, tmp_path: Path
) -> None:
    output = fuzzed(tmp_path, application.url, application.token, examples=70, sequences=20)

    for phase in ("Coverage", "Fuzzing", "Stateful"):
        assert f"✅ {phase}" in output
