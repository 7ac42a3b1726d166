"""The three stacks run the same application: equal outputs, equal variables, equal sources.

Read from the plans of all three and from bundles without wheels. That the application behaves the
same is shown in `tests/contract`.
"""

import zipfile
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from build import bundle as bundles
from build.bundle import NOT_SHIPPED, PROJECT, TARGETS, sources
from functions.settings import variable_names
from stacks.outputs import Outputs
from tests.support.plans import plan

STACKS = ("local", "integrated", "split")

ROLES = ("api", "summarize", "sweep")

HOSTS = {
    "local": dict.fromkeys(ROLES, "functions-host"),  # one process has all three roles
    "integrated": {role: f"functions-{role}" for role in ROLES},
    "split": {role: f"functions-{role}" for role in ROLES},
}
"""By stack and role: the resource that is told the environment."""

LACKING = {
    # A bucket of AWS is reached at AWS's own address, by the function's role.
    "split": {"STORE_ENDPOINT", "STORE_ACCESS_KEY_ID", "STORE_SECRET_ACCESS_KEY"},
}
"""What the others are told and this stack's functions are not, with the reason."""

REFERRED = {
    # Lambda shows variables to whoever may read its configuration, so secrets go by reference.
    "split": {"API_TOKEN", "DATABASE_PASSWORD", "INFERENCE_API_KEYS"},
}
"""What is told as `NAME_SECRET_ARN`, read from Secrets Manager."""

ADDED = {
    # The worker's deadline and the queue's visibility timeout are set from the same number.
    "split": {
        # A retry by hand is a message of the api's own.
        "api": {"DOCUMENT_DEADLINE_SECONDS", "ARRIVALS_URL"},
        "summarize": {"DOCUMENT_DEADLINE_SECONDS"},
        "sweep": {"DOCUMENT_DEADLINE_SECONDS"},
    },
    "integrated": {
        # The cluster signs its own certificate; whoever starts `summarize` calls it with a key.
        "api": {"DATABASE_CERTIFICATE", "SUMMARIZE_URL", "SUMMARIZE_KEY"},
        "summarize": {"DATABASE_CERTIFICATE"},
        "sweep": {"DATABASE_CERTIFICATE", "SUMMARIZE_URL", "SUMMARIZE_KEY"},
    },
}
"""What only this stack's functions are told, by role, with the reason."""


def told(stack: str, role: str) -> Mapping[str, Any]:
    """The environment of a function."""
    (host,) = (r for r in plan(stack).resources if r.name == HOSTS[stack][role])
    environment: Mapping[str, Any] = host.inputs["environment"]
    variables: Mapping[str, Any] = environment.get("variables", environment)  # Lambda nests them
    return variables


@pytest.mark.parametrize("stack", STACKS)
def test_every_stack_exports_the_same_names(stack: str) -> None:
    assert plan(stack).outputs.keys() == {field.name for field in fields(Outputs)}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("stack", STACKS)
def test_every_function_is_told_the_same_names_but_for_what_its_platform_needs(
    stack: str, role: str
) -> None:
    referred = REFERRED.get(stack, set())
    expected = set(told("local", role)) - LACKING.get(stack, set()) - referred
    expected |= {f"{name}_SECRET_ARN" for name in referred}
    expected |= ADDED.get(stack, {}).get(role, set())

    assert set(told(stack, role)) == expected


def test_the_names_are_those_that_the_application_reads() -> None:
    for role in ROLES:
        assert set(told("local", role)) <= variable_names()


@pytest.mark.parametrize("stack", STACKS)
def test_every_function_of_a_stack_is_told_the_same_values(stack: str) -> None:
    api, summarize, sweep = (told(stack, role) for role in ROLES)

    assert sweep.items() <= api.items()
    assert summarize.items() <= api.items()


def test_both_bundles_have_the_same_sources_byte_for_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written as for a deployment, only without the wheels and the bytecode."""
    monkeypatch.setattr(bundles, "_install", lambda _target, into: into.mkdir())

    written = {}
    for platform, target in TARGETS.items():
        bundles.write(target, tmp_path / platform, compiler=None)
        with zipfile.ZipFile(tmp_path / platform) as archive:
            written[platform] = {name: archive.read(name) for name in archive.namelist()}

    entry = written["digitalocean"].pop("__main__.py")
    assert entry.decode() == TARGETS["digitalocean"].entry
    assert written["aws"] == written["digitalocean"]
    assert written["aws"] == {name: (PROJECT / name).read_bytes() for name in sources()}


def test_nothing_of_the_application_is_left_out_but_the_host_on_this_machine() -> None:
    here = {
        path.relative_to(PROJECT).as_posix()
        for path in (PROJECT / "functions").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }

    assert here - set(sources()) == NOT_SHIPPED
