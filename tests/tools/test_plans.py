"""Plans of all stacks and inference_modes, and what they are compared with: a file or a commit."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.plan import Plan
from policies.evaluation import Violation
from policies.resource import Resource
from tests.support.history import commit
from tests.support.planned import planned
from tools.ci import plans
from tools.workspace import CommandError, stack_names

FOLDER = planned("pulumi-python:dynamic/local:Folder", "store-folder", path="/data")


def plan(stack: str = "local", *resources: Resource) -> Plan:
    """A plan on the first inference mode."""
    return Plan(
        stack=stack, variant=stack, inference_mode="serverless", resources=[*resources], outputs={}
    )


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., str]:
    """Writes what `plan --all --json` printed earlier."""

    def write(*former: Plan) -> str:
        path = tmp_path / "former.json"
        path.write_text(json.dumps([each.as_dict() for each in former]))
        return str(path)

    return write


def test_every_stack_is_planned_on_every_inference_mode_or_refused_with_a_reason() -> None:
    """None is passed over; each inference mode that is not offered says what to set instead."""
    made, refused = plans.make_all([])

    combinations = {(plan.stack, plan.inference_mode) for plan in made} | {
        (r.stack, r.inference_mode) for r in refused
    }
    assert combinations == {
        (stack, inference_mode)
        for stack in stack_names()
        for inference_mode in ("serverless", "dedicated", "cluster")
    }
    assert {plan.stack for plan in made} == set(stack_names())
    assert ("local", "cluster") in {(refusal.stack, refusal.inference_mode) for refusal in refused}
    assert all("pulumi config set " in refusal.reason for refusal in refused)


def test_a_stack_is_compared_with_its_plan_in_a_file(file: Callable[..., str]) -> None:
    """Another stack in that file is nothing to a plan of one."""
    moved = replace(FOLDER, inputs={"path": "/elsewhere"})
    former = file(plan("local", FOLDER), plan("other", FOLDER))

    text = plans.as_markdown([plan("local", moved)], [], [], against=former)

    assert (
        "- **local serverless: `store-folder` (`pulumi-python:dynamic/local:Folder`) would be "
        "replaced: `path` `/data` → `/elsewhere` (replaces).**"
    ) in text
    assert "### other" not in text


def test_a_stack_that_is_gone_is_shown_with_the_data_that_goes_with_it(
    file: Callable[..., str],
) -> None:
    """Whoever deletes the file of a stack that is up loses what it held."""
    former = file(plan("local", FOLDER), plan("other", FOLDER))

    text = plans.as_markdown([plan("local", FOLDER)], [], [], against=former, every=True)

    assert "- **other serverless: `store-folder`" in text
    assert "would be deleted.**" in text


def test_a_file_that_is_no_plan_is_refused(tmp_path: Path) -> None:
    """With the command that makes one."""
    path = tmp_path / "notes.json"
    path.write_text('["notes"]')

    with pytest.raises(CommandError, match=r"not a plan\. Make one: \./seamless plan"):
        plans.as_markdown([plan()], [], [], against=str(path))


def test_a_plan_of_an_older_version_is_refused_with_a_remedy(tmp_path: Path) -> None:
    """Its resources have no URN, so they cannot be matched."""
    path = tmp_path / "old.json"
    row = {"type": "a:b:C", "name": "c", "parent": None}
    path.write_text(
        json.dumps({"stack": "local", "inference_mode": "serverless", "resources": [row]})
    )

    with pytest.raises(CommandError, match=r"has no URNs.*\./seamless plan STACK --json > FILE"):
        plans.as_markdown([plan()], [], [], against=str(path))


@pytest.mark.parametrize("name", ["no-such-branch", "--help", "HEAD^1000000"])
def test_a_commit_that_does_not_exist_is_named(name: str) -> None:
    """It may be a branch that a shallow clone has not fetched."""
    with pytest.raises(CommandError, match=r"git knows no such commit\. In a shallow clone"):
        plans.as_markdown([plan()], [], [], against=name)


def test_a_commit_without_our_program_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the first commit of a repository that took this project in later."""
    (tmp_path / "notes.md").write_text("Notes\n")
    commit(tmp_path, "Notes")
    monkeypatch.setattr(plans, "ROOT", tmp_path)

    with pytest.raises(CommandError, match=r"that commit has no \./seamless to plan with"):
        plans.as_markdown([plan()], [], [], against="HEAD")


def test_only_a_mandatory_verdict_breaks_the_build() -> None:
    """Advice does not."""
    violation = Violation(
        id="X-01",
        severity="high",
        enforcement="advisory",
        resource=FOLDER.urn,
        message="It is so.",
        remedy="Do otherwise.",
    )
    advised, refused = plan(), plan()
    advised.policies.append(violation)
    refused.policies.append(Violation(**{**vars(violation), "enforcement": "mandatory"}))

    assert not plans.breaks_a_mandatory_rule([advised])
    assert plans.breaks_a_mandatory_rule([advised, refused])
