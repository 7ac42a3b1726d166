"""The permission table against AWS' Service Authorization Reference and the plans."""

import re
from fnmatch import fnmatchcase

import pytest

from analysis.plan import make
from preflight.aws_permissions import NEEDS, Permission
from tests.permissions import reference, requirements
from tests.permissions.requirements import RULES, WITHOUT, Arguments, short
from tools.workspace import ROOT

REFERENCE = reference.load()

CHECKS = "checks before a deployment"
"""Reason of the rows that the preflight needs, which no resource does."""

TYPES = sorted({short(row.type) for row in NEEDS.values() if row.type.startswith("aws:")})

BY_HAND = [
    row
    for row in NEEDS.values()
    if not (row.source or "").startswith("recorded by ") and row.reason != CHECKS
]


@pytest.fixture(scope="module")
def present() -> Arguments:
    """The arguments of the plans in every environment, with and without a cluster."""
    config = {"alert_email": "you@example.com"}
    config["cluster_admins"] = "arn:aws:iam::123456789012:role/deploy"
    return requirements.arguments(
        resource
        for mode in ("serverless", "cluster")
        for environment in ("dev", "prod")
        for resource in make(
            "split", {**config, "inference_mode": mode, "environment": environment}
        ).resources
    )


def test_every_row_has_a_source_and_a_date() -> None:
    assert [key for key, row in NEEDS.items() if not (row.source and row.seen)] == []


def test_every_action_is_in_the_service_authorization_reference() -> None:
    """Otherwise see `reference.py` for the command that extends the extract."""
    assert reference.table_actions() == REFERENCE.actions.keys() | reference.ABSENT


def test_rows_cite_the_version_of_the_reference_that_the_tests_read() -> None:
    cited = {
        row.source for row in NEEDS.values() if "Authorization Reference" in (row.source or "")
    }
    assert cited == {f"Service Authorization Reference in {REFERENCE.source}"}


def test_an_action_without_a_type_of_resource_is_allowed_on_every_resource() -> None:
    """IAM matches such an action with no ARN."""
    for action, facts in REFERENCE.actions.items():
        if facts.anywhere:
            assert patterns(action) == {"*"}, action


def test_the_resources_of_the_table_have_the_form_of_the_reference() -> None:
    for action, facts in REFERENCE.actions.items():
        for required in facts.resources:
            assert any(alike(required, pattern) for pattern in patterns(action)), (action, required)


def patterns(action: str) -> set[str]:
    """The resources on which the table allows an action."""
    return {
        need.pattern
        for row in NEEDS.values()
        for need in row.needs
        if action in set(need.actions())
    }


def alike(one: str, other: str) -> bool:
    """True when one of two patterns includes the other."""
    return fnmatchcase(one.replace("*", "x"), other) or fnmatchcase(other.replace("*", "x"), one)


@pytest.mark.parametrize("type_", TYPES)
def test_a_type_has_the_actions_that_its_arguments_require(type_: str, present: Arguments) -> None:
    required = requirements.by_rules(type_, present)
    required |= requirements.dependent(type_, present, REFERENCE)
    assert required - requirements.allowed(type_) == set()


@pytest.mark.parametrize("type_", sorted({*TYPES} - {"efs/mountTarget"}))  # its interface has none
def test_a_type_that_is_created_with_tags_may_be_tagged(type_: str) -> None:
    for actions in requirements.tagging(type_, REFERENCE).values():
        assert actions & requirements.allowed(type_)


@pytest.mark.parametrize("row", BY_HAND, ids=lambda row: f"{short(row.type)} {row.reason}".strip())
def test_each_action_that_was_not_recorded_is_required(row: Permission, present: Arguments) -> None:
    type_ = short(row.type)
    required = requirements.by_rules(type_, present)
    required |= requirements.dependent(type_, present, REFERENCE)
    required = required.union(*requirements.tagging(type_, REFERENCE).values())
    assert {a for need in row.needs for a in need.actions()} - required == set()


def test_each_rule_is_used_by_a_plan(present: Arguments) -> None:
    unused = [
        rule
        for rule in RULES
        if not any(requirements.applies(rule, type_, present) for type_ in TYPES)
    ]
    assert unused == []


def test_each_dependent_action_that_is_left_out_is_in_the_reference() -> None:
    for type_, actions in WITHOUT:
        known = {
            depends
            for name in TYPES
            if re.fullmatch(type_, name)
            for action in requirements.allowed(name) & REFERENCE.actions.keys()
            for depends in REFERENCE.actions[action].depends
        }
        assert any(re.fullmatch(actions, action) for action in known), (type_, actions)


def test_the_preflight_calls_exactly_what_its_rows_allow() -> None:
    """In its source: `client.get_role(…)` or `get_paginator("get_role")`."""
    source = "".join(path.read_text() for path in sorted((ROOT / "preflight").glob("aws*.py")))
    called = set(re.findall(r"\b((?:describe|get|list|simulate)_\w+)(?:\(|\"\))", source))
    called -= {"get_paginator", "get_caller_identity"}  # which needs no permission
    listed = {
        re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=DB)(?=[A-Z])", "_", action.partition(":")[2]).lower()
        for row in NEEDS.values()
        if row.reason == CHECKS
        for need in row.needs
        for action in need.actions()
    }
    assert called == listed
