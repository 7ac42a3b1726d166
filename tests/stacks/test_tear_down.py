"""docs/tear-down.md names the protected resources of prod, and one value ends the protection."""

import re
from typing import Any

import pytest

from analysis.plan import make
from policies.resource import Resource
from tests.support.engine.clone import PROJECT

PAGE = (PROJECT / "docs" / "tear-down.md").read_text()
ON = [("local", "serverless"), ("integrated", "cluster"), ("split", "cluster")]

UNPROTECTED: dict[str, dict[tuple[str, str], tuple[Any, Any]]] = {
    "local": {},
    "integrated": {
        ("store-bucket", "forceDestroy"): (False, True),
        ("cluster", "destroyAllAssociatedResources"): (False, True),
    },
    "split": {
        ("store-bucket", "forceDestroy"): (False, True),
        ("database-instance", "deletionProtection"): (True, False),
        ("cluster", "deletionProtection"): (True, False),
        ("database-role-secret", "recoveryWindowInDays"): (30, 0),
        ("functions-api-token-secret", "recoveryWindowInDays"): (30, 0),
        ("functions-inference-key-secret", "recoveryWindowInDays"): (30, 0),
    },
}
"""Inputs of prod with and without protection."""


def _named(stack: str, column: int) -> set[str]:
    (row,) = re.findall(rf"^\| {stack} \| (.*) \| (.*)\|$", PAGE, re.MULTILINE)
    return set(re.findall(r"`([\w-]+)`", row[column]))


def _plan(stack: str, inference_mode: str, **config: str) -> dict[tuple[str, str], Resource]:
    planned = make(stack, {"inference_mode": inference_mode, **config}).resources
    return {(resource.type, resource.name): resource for resource in planned}


def _protected(stack: str, inference_mode: str, **config: str) -> set[str]:
    return {r.name for r in _plan(stack, inference_mode, **config).values() if r.protect}


@pytest.mark.parametrize(
    ("stack", "mode"), [*((stack, "serverless") for stack in UNPROTECTED), *ON[1:]]
)
def test_the_page_names_the_protected_resources_of_prod(stack: str, mode: str) -> None:
    expected = _named(stack, 0) | (_named(stack, 1) if mode == "cluster" else set())

    assert _protected(stack, mode, environment="prod") == expected
    assert _protected(stack, mode, environment="dev", protect="true") == expected


@pytest.mark.parametrize(("stack", "inference_mode"), ON)
def test_protect_changes_no_size_and_no_retention(stack: str, inference_mode: str) -> None:
    before = _plan(stack, inference_mode, environment="prod")
    after = _plan(stack, inference_mode, environment="prod", protect="false")

    assert before.keys() == after.keys()
    assert [name for (_, name), resource in after.items() if resource.protect] == []
    assert UNPROTECTED[stack] == {
        (key[1], name): (before[key].inputs[name], value)
        for key, resource in after.items()
        for name, value in resource.inputs.items()
        if value != before[key].inputs[name]
    }


def test_a_deleted_database_at_aws_leaves_a_snapshot_only_in_prod() -> None:
    def snapshot(**config: str) -> tuple[bool, bool]:
        planned = _plan("split", "serverless", **config)
        database = planned["aws:rds/instance:Instance", "database-instance"].inputs
        return not database["skipFinalSnapshot"], "finalSnapshotIdentifier" in database

    assert snapshot(environment="prod", protect="false") == (True, True)
    assert snapshot(environment="dev", protect="true") == (False, False)
