"""The plan itself: what it shows of a program, and what it refuses."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.tree import Tree

from analysis.plan import SECRET, UNKNOWN, PlanError, make, parse_overrides, tree


def test_a_plan_is_json_with_every_key_that_it_promises() -> None:
    """Seams are empty until their analysis exists; nothing on this machine costs anything."""
    plan = json.loads(json.dumps(make("local").as_dict()))

    assert plan.keys() == {
        "stack",
        "arrangement",
        "rung",
        "sizing",
        "resources",
        "outputs",
        "policies",
        "seams",
        "cost",
    }
    assert plan["seams"] == plan["cost"] == []
    assert {key for verdict in plan["policies"] for key in verdict} == {
        "id",
        "severity",
        "enforcement",
        "resource",
        "message",
        "remedy",
    }
    assert {key for resource in plan["resources"] for key in resource} == {
        "type",
        "name",
        "parent",
        "inputs",
        "protect",
        "secret_inputs",
        "uses",
        "ignores",
        "replaced_by",
    }


def test_what_only_a_deployment_knows_is_shown_as_unknown_and_a_secret_as_secret() -> None:
    """A port that is chosen at the start, a token that is made."""
    plan = make("local")

    assert plan.outputs["page_url"] == UNKNOWN
    assert plan.outputs["api_token"] == SECRET


def test_a_plan_of_the_same_program_is_the_same() -> None:
    """One plan leaves nothing behind for the next."""
    assert make("local") == make("local")


@pytest.mark.parametrize("stack", ["integrated", "split"])
def test_a_plan_never_builds_a_bundle(
    stack: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes a second on a machine that has none, and needs no network."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    planned = make(stack)

    assert {r.name for r in planned.resources} >= {"functions-api", "functions-summarize"}
    assert list(tmp_path.rglob("*.zip")) == []


def test_a_stack_that_does_not_exist_is_refused() -> None:
    """By the name of the file that would be it."""
    with pytest.raises(PlanError, match=r"no stack 'moon': there is no stacks/Pulumi\.moon\.yaml"):
        make("moon")


def test_a_key_that_the_project_does_not_have_is_refused() -> None:
    """The message lists those that there are."""
    with pytest.raises(
        PlanError, match=r"--config rung: there is no such key\. There are variant, "
    ):
        make("local", {"rung": "dedicated"})


def test_an_override_is_a_key_and_a_value() -> None:
    """A value may hold an equals sign."""
    assert parse_overrides(["a=b=c", "d="]) == {"a": "b=c", "d": ""}
    with pytest.raises(PlanError, match="--config 'a' has no value"):
        parse_overrides(["a"])


def test_the_tree_names_every_resource_below_its_parent() -> None:
    """What a person reads holds what a script reads."""
    plan = make("local")

    lines = {str(node.label) for node in _nodes(tree(plan))}

    for resource in plan.resources:
        assert any(line.startswith(f"{resource.name} ") for line in lines)


def _nodes(node: Tree) -> Iterator[Tree]:
    yield node
    for child in node.children:
        yield from _nodes(child)
