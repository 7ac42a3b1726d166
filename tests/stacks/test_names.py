"""A name that a cloud would refuse is refused by us; what we make of a good one fits everywhere."""

import re

import pulumi
import pytest

from analysis.plan import make
from stacks.errors import ConfigError, StackNameError
from stacks.names import broken_by_stack
from tools.workspace import project_name

BUCKET = "store-bucket"

RANDOM = len("-1234567")
"""What Pulumi adds to a logical name where a person chose none."""

SHORTEST_LIMIT = 63
"""Of a bucket and of a database's identifier; a role's, a function's and a queue's are longer."""


@pytest.mark.parametrize("name", ["prod", "My_Stack", "2026-eu", "a" * 100])
def test_a_good_name_of_a_stack_breaks_no_rule(name: str) -> None:
    assert broken_by_stack(name) == ""


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("a" * 101, "it may have 100 characters, and has 101"),
        ("my.stack", "it becomes a tag, a label and a title, so it may have letters, "),
        ("-x", "it becomes a tag"),
        ("größe", "it becomes a tag"),
    ],
)
def test_a_name_of_a_stack_that_a_cloud_would_refuse_breaks_a_rule(name: str, rule: str) -> None:
    assert broken_by_stack(name).startswith(rule)


@pytest.mark.parametrize("stack", ["integrated", "split", "local"])
def test_every_variant_refuses_it_before_anything_is_planned(
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


def test_capitals_and_underscores_of_a_stack_get_where_they_are_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pulumi, "get_stack", lambda: "My_Stack")

    integrated = {r.name: r.inputs for r in make("integrated").resources}
    split = {r.name: r.inputs for r in make("split").resources}

    assert "stack:My_Stack" in integrated["database-cluster"]["tags"]
    assert integrated["monitoring-project"]["name"] == f"{project_name()}-My_Stack"
    assert split["monitoring-dashboard"]["dashboardName"] == f"{project_name()}-My_Stack"


@pytest.mark.parametrize("stack", ["integrated", "split"])
def test_a_name_that_pulumi_makes_up_fits_wherever_it_may_be_used(stack: str) -> None:
    """A longer or a stranger logical name would fail only when it is created."""
    planned = make(stack, {"environment": "prod", "alert_email": "you@example.com"})

    names = {resource.name for resource in planned.resources}
    assert max(len(name) for name in names) + RANDOM <= SHORTEST_LIMIT
    assert [name for name in names if not re.fullmatch("[a-z][a-z0-9-]*", name)] == []


@pytest.mark.parametrize("name", ["abc", "our-documents-2026", "a" * 63])
def test_a_good_name_of_a_bucket_is_the_bucket_s(name: str) -> None:
    (bucket,) = (r for r in make("split", {"bucket_name": name}).resources if r.name == BUCKET)

    assert bucket.inputs["bucket"] == name


@pytest.mark.parametrize(
    "name",
    [
        "ab",
        "a" * 64,
        "Documents",
        "our.documents",
        "documents-",
        "xn--documents",
        "documents--x-s3",
    ],
)
def test_a_name_that_a_bucket_may_not_have_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"bucket_name is '{name}', but it must be 3 to 63 of"):
        make("split", {"bucket_name": name})
