"""The permission table and the policies allow what the provider called in the recorded run."""

import json
import re
from fnmatch import fnmatchcase

import pytest

from preflight.aws_permissions import NEEDS, PHASES
from tests.permissions import table
from tests.permissions.actions import actions, resource
from tests.permissions.record import NOT_IN_MOTO
from tests.permissions.terraform import Call, read_log
from tools.docs import iam_policies
from tools.workspace import ROOT

RECORDED = table.load()


def allows(policies: list[iam_policies.Policy], action: str, arn: str) -> bool:
    """True when a statement allows the action on the resource."""
    return any(
        action in statement["Action"]
        and any(fnmatchcase(arn, pattern) for pattern in _list(statement["Resource"]))
        for policy in policies
        for statement in policy["Statement"]
    )


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def arn(action: str) -> str:
    """A resource of an action, as in an account."""
    at = resource(action)
    if at == "*":
        return "arn:aws:any:us-east-1:123456789012:thing"
    filled = at.format(region="us-east-1", account="123456789012", name="some-name-0000000")
    return "arn:aws:" + filled.replace("*", "some")


def test_the_deploy_policy_allows_every_recorded_call() -> None:
    deploy = iam_policies.policies()
    for each in RECORDED:
        for action in actions(each.call):
            assert allows(deploy, action, arn(action)), (each.type, action)


def test_the_preview_policy_allows_every_call_of_a_refresh() -> None:
    preview = iam_policies.policies(iam_policies.PREVIEW)
    for each in RECORDED:
        if each.phase == "read":
            for action in actions(each.call):
                assert allows(preview, action, arn(action)), (each.type, action)


def test_the_policies_allow_no_other_action_than_the_table() -> None:
    for phases in (PHASES, iam_policies.PREVIEW):
        listed = {
            action
            for row in NEEDS.values()
            for need in row.needs
            for action in need.actions(phases)
        }
        allowed = {
            action
            for policy in iam_policies.policies(phases)
            for statement in policy["Statement"]
            for action in statement["Action"]
        }
        assert allowed == listed


def test_the_preview_policy_only_reads() -> None:
    read = re.compile(r"(?i)(describe|get|list|simulate|view)")
    for policy in iam_policies.policies(iam_policies.PREVIEW):
        for statement in policy["Statement"]:
            for action in statement["Action"]:
                assert read.match(action.partition(":")[2]), action


@pytest.mark.parametrize("phases", [PHASES, iam_policies.PREVIEW])
def test_each_policy_is_json_within_the_limit_of_iam(phases: tuple[str, ...]) -> None:
    for policy in iam_policies.policies(phases):  # type: ignore[arg-type]
        written = iam_policies.text(policy)
        assert json.loads(written) == policy
        assert len(re.sub(r"\s", "", written)) <= iam_policies.LIMIT


def test_the_recorded_part_of_the_table_is_made_from_the_recorded_calls() -> None:
    written = NEEDS.path.read_text()
    facts = json.loads(table.RUN.read_text())
    made = table.text(RECORDED, table.source(facts), facts["seen"])
    assert table.replace(written, made) == written


def test_the_numbers_of_the_document_are_those_of_the_recorded_calls() -> None:
    facts = json.loads(table.RUN.read_text())
    numbers = table.numbers(RECORDED)
    assert {name: facts[name] for name in numbers} == numbers


def test_every_type_is_recorded_or_named_as_missing_in_moto() -> None:
    recorded = {each.type for each in RECORDED}
    missing = {row.type for row in NEEDS.values() if row.type.startswith("aws:")} - recorded
    assert missing == NOT_IN_MOTO.keys()


def test_the_document_names_the_command_that_records() -> None:
    assert "python -m tests.permissions.record" in (ROOT / "docs" / "permissions.md").read_text()


def test_an_entry_of_the_log_may_have_several_lines() -> None:
    start = "2026-11-29T07:08:03.448Z [DEBUG] provider: HTTP Request Sent:"
    entry = (
        f'{start}\n  http.request.body=\n  | {{"a": 1}}\n   http.method=POST rpc.method=GetPolicy '
        'tf_rpc=ReadResource rpc.service="CloudWatch Logs" tf_resource_type=aws_x\n'
        "2026-11-29T07:08:03.449Z [DEBUG] provider: HTTP Response Received: rpc.method=Other\n"
    )
    assert list(read_log(entry)) == [
        Call(kind="aws_x", reads=True, service="CloudWatch Logs", operation="GetPolicy")
    ]
