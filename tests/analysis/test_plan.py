"""The plan itself: what it shows of a program, and what it refuses."""

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


def test_a_plan_is_json_with_every_key_that_it_promises() -> None:
    """Seams are not filled yet, and the local stack costs nothing."""
    plan = json.loads(json.dumps(make("local").as_dict()))

    assert plan.keys() == {
        "stack",
        "variant",
        "inference_mode",
        "sizing",
        "resources",
        "outputs",
        "policies",
        "seams",
        "cost",
    }
    assert plan["seams"] == plan["cost"] == []
    assert {key for violation in plan["policies"] for key in violation} == {
        "id",
        "severity",
        "enforcement",
        "resource",
        "message",
        "remedy",
    }
    assert {key for resource in plan["resources"] for key in resource} == {
        "urn",
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
        PlanError, match=r"--config mode: there is no such key\. There are variant, "
    ):
        make("local", {"mode": "dedicated"})


def test_an_override_is_a_key_and_a_value() -> None:
    """A value may hold an equals sign."""
    assert parse_overrides(["a=b=c", "d="]) == {"a": "b=c", "d": ""}
    with pytest.raises(PlanError, match="--config 'a' has no value"):
        parse_overrides(["a"])


@pytest.mark.parametrize(
    ("stack", "inference_mode"),
    [("local", "serverless"), ("split", "cluster"), ("integrated", "cluster")],
)
def test_the_tree_shows_every_resource_below_its_parent(stack: str, inference_mode: str) -> None:
    """Also where a component and its children have one name."""
    plan = make(stack, {"inference_mode": inference_mode})
    by_urn = {resource.urn: resource for resource in plan.resources}
    expected = Counter(_path(resource, by_urn) for resource in plan.resources)

    shown = Counter(_paths(tree(plan)))

    assert len(by_urn) == len(plan.resources)
    assert {path: shown[path] for path in expected} == expected


def test_the_urn_names_the_types_of_all_ancestors() -> None:
    """As the engine makes it, from the stack's first component down."""
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
