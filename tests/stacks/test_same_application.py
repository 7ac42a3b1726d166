"""The three stacks run the same application: equal outputs, variables and sources.

`tests/contract` shows that the application behaves the same.
"""

import zipfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from build import bundle as bundles
from build.bundle import NOT_SHIPPED, PROJECT, TARGETS, sources
from functions.documents.extract import Limits
from functions.documents.memory import DOCUMENT_MEBIBYTES, PROGRAM_MEBIBYTES
from functions.handlers.aws_queue import DOCUMENTS_AT_ONCE
from stacks.outputs import Outputs
from tests.support.functions.variables import VARIABLES
from tests.support.plans import plan

STACKS = ("local", "integrated", "split")

ROLES = ("api", "summarize", "sweep")

HOSTS = {
    "local": dict.fromkeys(ROLES, "functions-host"),  # one process has all three roles
    "integrated": {role: f"functions-{role}" for role in ROLES},
    "split": {role: f"functions-{role}" for role in ROLES},
}
"""By stack and role: the resource that has the environment."""

MISSING = {
    # The SDK knows the URL of a bucket at AWS, and the function's role has access.
    "split": {"STORE_ENDPOINT", "STORE_ACCESS_KEY_ID", "STORE_SECRET_ACCESS_KEY"},
}
"""Variables that only the other stacks have, with the reason."""

REFERRED = {
    # Lambda shows variables to everyone with read access, so they have references to secrets.
    "split": {"API_TOKEN", "DATABASE_PASSWORD", "INFERENCE_API_KEYS"},
}
"""Variables that have a reference to Secrets Manager in `NAME_SECRET_ARN`."""

ADDED = {
    # The worker's deadline and the queue's visibility timeout are set from the same number.
    "split": {
        # The api sends a message for a manual retry.
        "api": {"DOCUMENT_DEADLINE_SECONDS", "ARRIVALS_URL"},
        "summarize": {"DOCUMENT_DEADLINE_SECONDS"},
        "sweep": {"DOCUMENT_DEADLINE_SECONDS"},
    },
    "integrated": {
        # The cluster signs its own certificate; api and sweep call `summarize` with a key, and the
        # platform's largest function has less memory than a reader may take elsewhere.
        "api": {
            "DATABASE_CERTIFICATE",
            "PARSER_MEMORY_MEBIBYTES",
            "SUMMARIZE_URL",
            "SUMMARIZE_KEY",
        },
        "summarize": {"DATABASE_CERTIFICATE", "PARSER_MEMORY_MEBIBYTES"},
        "sweep": {
            "DATABASE_CERTIFICATE",
            "PARSER_MEMORY_MEBIBYTES",
            "SUMMARIZE_URL",
            "SUMMARIZE_KEY",
        },
    },
}
"""Variables that only this stack has, by role, with the reason."""

READ_BY_HANDLERS = {"ARRIVALS_URL", "DATABASE_CERTIFICATE", "SUMMARIZE_KEY", "SUMMARIZE_URL"}
"""Variables that `functions.settings` does not read."""


def variables(stack: str, role: str) -> dict[str, Any]:
    """The environment of a function."""
    (host,) = (r for r in plan(stack).resources if r.name == HOSTS[stack][role])
    environment: dict[str, Any] = host.inputs["environment"]
    return dict(environment.get("variables", environment))  # Lambda nests them


@pytest.mark.parametrize("stack", STACKS)
def test_every_stack_exports_the_same_names(stack: str) -> None:
    assert plan(stack).outputs.keys() == {field.name for field in fields(Outputs)}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("stack", STACKS)
def test_a_function_has_the_variables_of_the_application_and_of_its_platform(
    stack: str, role: str
) -> None:
    referred = REFERRED.get(stack, set())
    expected = set(variables("local", role)) - MISSING.get(stack, set()) - referred
    expected |= {f"{name}_SECRET_ARN" for name in referred}
    expected |= ADDED.get(stack, {}).get(role, set())

    assert set(variables(stack, role)) == expected
    settings = {name.removesuffix("_SECRET_ARN") for name in expected} - READ_BY_HANDLERS
    assert settings <= VARIABLES


@pytest.mark.parametrize("stack", STACKS)
def test_the_functions_of_a_stack_have_the_same_values(stack: str) -> None:
    api, summarize, sweep = (variables(stack, role) for role in ROLES)

    assert sweep.items() <= api.items()
    assert summarize.items() <= api.items()


@pytest.mark.parametrize(
    ("stack", "roles", "attribute", "documents"),
    [
        ("integrated", ["summarize"], "memory_mb", 1),
        ("split", ["summarize", "sweep"], "memorySize", DOCUMENTS_AT_ONCE),
    ],
)
def test_a_worker_has_the_memory_of_its_documents_and_their_readers(
    stack: str, roles: list[str], attribute: str, documents: int
) -> None:
    for role in roles:
        (host,) = (r for r in plan(stack).resources if r.name == HOSTS[stack][role])
        text = variables(stack, role).get(
            "PARSER_MEMORY_MEBIBYTES", f"{Limits().memory_bytes >> 20}"
        )
        reader = int(text)

        needed = PROGRAM_MEBIBYTES + documents * (DOCUMENT_MEBIBYTES + reader)
        assert host.inputs[attribute] == needed
        assert reader >= 512


def test_a_new_aws_account_accepts_the_functions() -> None:
    functions = [r for r in plan("split").resources if r.type == "aws:lambda/function:Function"]

    # A quota of 10 concurrent calls leaves nothing to reserve: AWS keeps at least 10 unreserved.
    assert [f.inputs.get("reservedConcurrentExecutions") for f in functions] == [None] * 4
    assert all(f.inputs["memorySize"] <= 3008 for f in functions)


def test_both_bundles_have_the_same_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test writes them without wheels and bytecode."""
    monkeypatch.setattr(bundles, "install", lambda _target, into, _names: into.mkdir())

    written = {}
    for platform, target in TARGETS.items():
        bundles.write(target, tmp_path / platform, compiler=None)
        with zipfile.ZipFile(tmp_path / platform) as archive:
            written[platform] = {name: archive.read(name) for name in archive.namelist()}

    entry = written["digitalocean"].pop("__main__.py")
    assert entry.decode() == TARGETS["digitalocean"].entry
    assert written["aws"] == written["digitalocean"]
    assert written["aws"] == {name: (PROJECT / name).read_bytes() for name in sources()}


def test_a_bundle_has_all_sources_except_the_local_host() -> None:
    files = {
        path.relative_to(PROJECT).as_posix()
        for path in (PROJECT / "functions").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }

    assert files - set(sources()) == NOT_SHIPPED
