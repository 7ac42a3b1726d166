"""What docs/tear-down.md says of protection is what the plans of prod protect."""

import re

import pytest

from analysis.plan import make
from tests.engine.clone import PROJECT

PAGE = (PROJECT / "docs" / "tear-down.md").read_text()


def _named(stack: str, column: int) -> set[str]:
    (row,) = re.findall(rf"^\| {stack} \| (.*) \| (.*)\|$", PAGE, re.MULTILINE)
    return set(re.findall(r"`([\w-]+)`", row[column]))


def _protected(stack: str, rung: str) -> set[str]:
    plan = make(stack, {"environment": "prod", "inference": rung})
    return {resource.name for resource in plan.resources if resource.protect}


@pytest.mark.parametrize("stack", ["local", "integrated", "split"])
def test_the_page_names_what_prod_protects(stack: str) -> None:
    assert _named(stack, 0) == _protected(stack, "serverless")


@pytest.mark.parametrize("stack", ["integrated", "split"])
def test_the_page_names_what_prod_protects_of_a_cluster(stack: str) -> None:
    assert _named(stack, 0) | _named(stack, 1) == _protected(stack, "cluster")
