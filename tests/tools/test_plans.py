"""Plans of all stacks and inference modes, and their comparison with a file or a commit."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from analysis import PlanError
from analysis.plan import Plan
from analysis.render.markdown import RefusedMode
from policies.evaluation import Violation
from policies.resource import UNKNOWN, Resource
from stacks.errors import ConfigError
from tests.support.history import commit
from tests.support.planned import planned
from tools.ci import plans
from tools.workspace import CommandError, stack_names

FOLDER = planned("pulumi-python:dynamic/local:Folder", "store-folder", path="/data")


def plan(stack: str = "local", *resources: Resource) -> Plan:
    """A plan in the first inference mode."""
    return Plan(
        stack=stack, variant=stack, inference_mode="serverless", resources=[*resources], outputs={}
    )


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., str]:
    """Writes an earlier output of `plan --all --json`."""

    def write(*former: Plan) -> str:
        path = tmp_path / "former.json"
        path.write_text(json.dumps([each.as_dict() for each in former]))
        return str(path)

    return write


def test_every_stack_has_a_plan_or_a_reason_in_every_inference_mode() -> None:
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


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("region=us-wset-2", r"Config region is 'us-wset-2'"),
        ("inference_mode=x", r"--config inference_mode=x: --all plans every inference mode"),
    ],
)
def test_an_invalid_config_value_is_no_refused_mode(config: str, message: str) -> None:
    with pytest.raises((ConfigError, CommandError), match=message):
        plans.make_all([config])


def test_a_stack_is_compared_with_its_plan_in_a_file(file: Callable[..., str]) -> None:
    moved = replace(FOLDER, inputs={"path": "/elsewhere"})
    former = file(plan("local", FOLDER), plan("other", FOLDER))

    text = plans.as_markdown([plan("local", moved)], [], [], against=former)

    assert (
        "- **local serverless: `store-folder` (`pulumi-python:dynamic/local:Folder`) would be "
        "replaced: `path` `/data` → `/elsewhere` (replaces).**"
    ) in text
    assert "### other" not in text


def test_equal_plans_have_no_difference_in_known_inputs(file: Callable[..., str]) -> None:
    variables = {"HOST": UNKNOWN, "PORT": 1, "KEYS": [UNKNOWN, "a"]}
    function = planned("aws:lambda/function:Function", "api", environment=variables)
    component = planned("seamless:aws:Functions", "functions", host=UNKNOWN)
    former = file(plan("local", function, component))

    text = plans.as_markdown([plan("local", function, component)], [], [], against=former)

    assert "no difference in known inputs; 2 inputs are known only after deployment.\n" in text


def test_a_deleted_stack_is_shown_with_the_data_that_is_lost(file: Callable[..., str]) -> None:
    former = file(plan("local", FOLDER), plan("other", FOLDER))

    text = plans.as_markdown([plan("local", FOLDER)], [], [], against=former, every=True)

    assert "- **other serverless: `store-folder`" in text
    assert "would be deleted.**" in text


def test_a_mode_that_is_not_offered_any_more_deletes_nothing(file: Callable[..., str]) -> None:
    former = file(plan("local", FOLDER), plan("other", FOLDER))
    refusal = RefusedMode(stack="other", inference_mode="serverless", reason="no endpoint")

    text = plans.as_markdown([plan("local", FOLDER)], [refusal], [], against=former, every=True)

    assert "would be deleted" not in text
    assert "| `other` | `serverless` | no endpoint |" in text


def text_of(resource: dict[str, object], **charge: object) -> bytes:
    """The JSON of a plan with one resource and one charge."""
    row = {"urn": FOLDER.urn, "inputs": {}} | resource
    cost = [{"resource": FOLDER.urn, "type": FOLDER.type} | charge] if charge else []
    name = {"stack": "local", "inference_mode": "serverless"}
    return json.dumps({**name, "resources": [row], "cost": cost}).encode()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'["notes"]', r"not a plan\. Make one: \./seamless plan"),
        (b"\x7fELF\xff\x00", "not a plan"),
        (text_of({}).decode().encode("utf-16"), "not a plan"),
        (text_of({"urn": 5}), r"Expected `str`, got `int` - at `\$\.resources\[0\]\.urn`"),
        (text_of({"urn": ""}), "no URN: ''"),
        (text_of({}, usd="x"), r"Expected `float \| null`, got `str`"),
        (text_of({}, count=None), r"Expected `int`, got `null`"),
        (text_of({}, count=10**400, usd=1.0, per="month"), "too large|out of range"),
        (b"[" * 100_000, "not a plan"),
        (
            b'{"stack": "local", "inference_mode": "serverless", "resources": [{"type": "a"}]}',
            r"has no URNs.*older version.*\./seamless plan STACK --json > FILE",
        ),
    ],
    ids=range(10),
)
def test_a_file_without_a_plan_is_an_error_with_a_remedy(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "notes.json"
    path.write_bytes(content)

    with pytest.raises(PlanError, match=message):
        plans.as_markdown([plan("local", FOLDER)], [], [], against=str(path))


def test_a_file_without_the_plan_is_an_error_that_has_its_plans(file: Callable[..., str]) -> None:
    with pytest.raises(CommandError, match=r"no plan of local serverless; it has split serverless"):
        plans.as_markdown([plan()], [], [], against=file(plan("split", FOLDER)))
    with pytest.raises(CommandError, match=r"no plan of \w+ serverless; it has none"):
        plans.as_markdown([plan()], [], [], against=file(), every=True)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            "Config inference_mode is set, but there is no such key",
            "`HEAD` cannot be planned by this version: Config inference_mode is set, "
            "but there is no such key\n",
        ),
        ("Inference mode not offered: no GPU", "Against `HEAD`: 1 added, 0 changed"),
    ],
)
def test_an_inference_mode_is_new_only_if_the_commit_does_not_offer_it(
    message: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "seamless").write_text(
        f"#!/bin/sh\necho 'seamless: ready' >&2\necho 'seamless: {message}' >&2\nexit 1"
    )
    (tmp_path / "seamless").chmod(0o755)
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "Pulumi.local.yaml").touch()
    commit(tmp_path, "Stack")
    monkeypatch.setattr(plans, "ROOT", tmp_path)

    text = plans.as_markdown([plan("local", FOLDER)], [], [], against="HEAD")

    assert expected in text


@pytest.mark.parametrize("name", ["no-such-branch", "--help", "a" * 5000])
def test_an_unknown_commit_is_an_error(name: str) -> None:
    """A shallow clone may lack the branch."""
    with pytest.raises(CommandError, match=r"git knows no such commit\. In a shallow clone"):
        plans.as_markdown([plan()], [], [], against=name)


def test_a_commit_without_the_program_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notes.md").write_text("Notes\n")
    commit(tmp_path, "Notes")
    monkeypatch.setattr(plans, "ROOT", tmp_path)

    with pytest.raises(CommandError, match=r"that commit has no \./seamless to plan with"):
        plans.as_markdown([plan()], [], [], against="HEAD")


def test_only_a_mandatory_violation_fails_the_build() -> None:
    violation = Violation(
        id="X-01",
        severity="high",
        enforcement="advisory",
        resource=FOLDER.urn,
        message="message",
        remedy="remedy",
    )
    advisory, mandatory = plan(), plan()
    advisory.policies.append(violation)
    mandatory.policies.append(Violation(**{**vars(violation), "enforcement": "mandatory"}))

    assert not plans.breaks_a_mandatory_rule([advisory])
    assert plans.breaks_a_mandatory_rule([advisory, mandatory])
