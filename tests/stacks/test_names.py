"""Names of stacks and buckets follow the rules of the clouds, and so do generated names."""

import re

import pulumi
import pytest

from analysis.plan import make
from stacks.errors import ConfigError, StackNameError
from stacks.names import broken_by_stack
from tests.support.plans import CASES, plan
from tools.workspace import project_name


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        *((name, "") for name in ("prod", "My_Stack", "2026-eu", "a" * 100)),
        ("a" * 101, "it may have 100 characters, and has 101"),
        ("my.stack", "it becomes a tag, a label and a title, so it may have letters, "),
        ("-x", "it becomes a tag"),
        ("größe", "it becomes a tag"),
    ],
)
def test_a_stack_name_follows_the_rules_of_the_clouds(name: str, rule: str) -> None:
    broken = broken_by_stack(name)
    assert broken.startswith(rule)
    assert bool(broken) is bool(rule)


@pytest.mark.parametrize("stack", ["integrated", "split", "local"])
def test_every_variant_refuses_an_invalid_stack_name(
    stack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulumi, "get_stack", lambda: "my.stack")

    with pytest.raises(StackNameError) as refused:
        make(stack)

    assert str(refused.value) == (
        "The stack's name is 'my.stack', but it becomes a tag, a label and a title, so it may have "
        "letters, digits, - and _, and must begin with a letter or a digit. Rename it: pulumi "
        "stack rename NAME, and stacks/Pulumi.NAME.yaml with it"
    )


def test_tags_and_titles_keep_capitals_and_underscores_of_a_stack_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pulumi, "get_stack", lambda: "My_Stack")

    integrated = {r.name: r.inputs for r in make("integrated").resources}
    split = {r.name: r.inputs for r in make("split").resources}

    assert "stack:My_Stack" in integrated["database-cluster"]["tags"]
    assert integrated["monitoring-project"]["name"] == f"{project_name()}-My_Stack"
    assert split["monitoring-dashboard"]["dashboardName"] == f"{project_name()}-My_Stack"


@pytest.mark.parametrize(("stack", "mode"), CASES)
def test_a_generated_name_is_within_the_limits_of_the_clouds(stack: str, mode: str) -> None:
    """A logical name with Pulumi's suffix of eight characters."""
    for resource in plan(stack, mode).resources:
        limit = 32 if resource.type.startswith("aws:lb/") else 63
        assert len(resource.name) + 8 <= limit
        assert re.fullmatch("[a-z][a-z0-9-]*", resource.name)


@pytest.mark.parametrize("name", ["abc", "our-documents-2026", "a" * 63])
def test_a_valid_bucket_name_is_the_name_of_the_bucket(name: str) -> None:
    (bucket,) = (
        r for r in make("split", {"bucket_name": name}).resources if r.name == "store-bucket"
    )

    assert bucket.inputs["bucket"] == name


@pytest.mark.parametrize(
    "name",
    ["ab", "a" * 64, "Documents", "a.b", "documents-", "xn--documents", "documents--x-s3"],
)
def test_an_invalid_bucket_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"bucket_name is '{name}', but it must be 3 to 63 of"):
        make("split", {"bucket_name": name})
