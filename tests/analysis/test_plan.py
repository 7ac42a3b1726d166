"""A plan: its JSON, its tree, its URNs, and invalid arguments."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.text import Text
from rich.tree import Tree

from analysis import PlanError
from analysis.plan import make, parse_overrides
from analysis.render.terminal import tree
from policies.resource import SECRET, UNKNOWN, Resource
from tools.workspace import project_name


def test_the_json_of_a_plan_has_the_documented_keys() -> None:
    plan = json.loads(json.dumps(make("local").as_dict()))

    plan_keys = (
        "stack variant inference_mode sizing resources outputs policies seams cost retirements"
    )
    violation_keys = "id severity enforcement resource message remedy"
    resource_keys = (
        "urn type name parent inputs protect secret_inputs uses ignores replaced_by aliases"
    )
    assert plan.keys() == set(plan_keys.split())
    assert plan["seams"] == plan["cost"] == []
    assert {key for row in plan["policies"] for key in row} == set(violation_keys.split())
    assert {key for row in plan["resources"] for key in row} == set(resource_keys.split())


def test_a_plan_hides_secrets_and_marks_unknown_values() -> None:
    plan = make("local")

    assert plan.outputs["page_url"] == UNKNOWN
    assert plan.outputs["api_token"] == SECRET


def test_two_plans_of_a_stack_are_equal() -> None:
    assert make("local") == make("local")


@pytest.mark.parametrize("stack", ["integrated", "split"])
def test_a_plan_builds_no_bundle(
    stack: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    planned = make(stack)

    assert {r.name for r in planned.resources} >= {"functions-api", "functions-summarize"}
    assert list(tmp_path.rglob("*.zip")) == []


@pytest.mark.parametrize(
    ("stack", "config", "message"),
    [
        ("moon", {}, r"no stack 'moon': there is no stacks/Pulumi\.moon\.yaml"),
        ("local", {"mode": "a"}, r"--config mode: there is no such key\. There are variant, "),
    ],
)
def test_an_unknown_stack_or_key_is_refused(
    stack: str, config: dict[str, str], message: str
) -> None:
    with pytest.raises(PlanError, match=message):
        make(stack, config)


def test_an_overridden_secret_is_a_secret_of_the_plan() -> None:
    token = {"hugging_face_token": "token-of-a-test", "gpu_model": "llama-3.1-8b-instruct"}
    plan = make("integrated", {"inference_mode": "cluster", **token})

    assert plan.resources
    assert "token-of-a-test" not in str(plan)


def test_an_override_is_a_key_and_a_value() -> None:
    assert parse_overrides(["a=b=c", "d="]) == {"a": "b=c", "d": ""}
    with pytest.raises(PlanError, match="--config 'a' has no value"):
        parse_overrides(["a"])


@pytest.mark.parametrize(
    ("stack", "inference_mode"),
    [("local", "serverless"), ("split", "cluster"), ("integrated", "cluster")],
)
def test_the_tree_has_every_resource_below_its_parent(stack: str, inference_mode: str) -> None:
    plan = make(stack, {"inference_mode": inference_mode})
    by_urn = {resource.urn: resource for resource in plan.resources}
    expected = Counter(_path(resource, by_urn) for resource in plan.resources)

    shown = Counter(_paths(tree(plan)))

    assert len(by_urn) == len(plan.resources)
    assert {path: shown[path] for path in expected} == expected


def test_a_urn_has_the_types_of_all_ancestors() -> None:
    plan = make("split", {"inference_mode": "cluster"})

    (share,) = (r for r in plan.resources if r.type == "aws:efs/fileSystem:FileSystem")

    above = f"urn:pulumi:split::{project_name()}::seamless:aws:Cluster$seamless:aws:FileSystem"
    assert share.urn == f"{above}$aws:efs/fileSystem:FileSystem::cluster-weights"
    assert share.parent == f"{above}::cluster-weights"


def _path(resource: Resource, by_urn: dict[str, Resource]) -> tuple[str, ...]:
    above = _path(by_urn[resource.parent], by_urn) if resource.parent else ()
    return (*above, f"{resource.name} {resource.type}")


def _paths(node: Tree, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for child in node.children:
        # A resource's line begins with its name and its type.
        words = Text.from_markup(str(child.label)).plain.split()
        path = (*above, " ".join(words[:2]))
        yield path
        yield from _paths(child, path)
