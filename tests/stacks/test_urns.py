"""The URNs of what holds data stay from release to release: `tests/stacks/urns.yaml` lists them.

A URN is made of the project, the stack, the types of all parents, the type and the name; the first
two are the user's. One that changes makes Pulumi delete a database and create an empty one.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from analysis.plan import Plan
from policies.everywhere.stateful import STATEFUL
from tests.stacks.plans import CASES, plan

FILE = Path(__file__).with_name("urns.yaml")

REMEDY = (
    "A stateful resource has another URN than in the last release, so an upgrade would delete it "
    "with its data. Give it aliases=[pulumi.Alias(...)] with what changed (name, type_ or parent), "
    "note the former URN in CHANGELOG.md, and then change tests/stacks/urns.yaml. A new resource "
    "is added there."
)


def urns(plan: Plan) -> Iterator[str]:
    """What the stateful resources of a plan add to a URN: types from the outermost, then name."""
    by_name = {resource.name: resource for resource in plan.resources}
    for resource in plan.resources:
        if resource.type in STATEFUL:
            types, parent = [resource.type], resource.parent
            while parent is not None:
                types.insert(0, by_name[parent].type)
                parent = by_name[parent].parent
            yield f"{'$'.join(types)}::{resource.name}"


@pytest.mark.parametrize(("stack", "mode"), CASES)
def test_a_resource_that_holds_data_keeps_its_urn(stack: str, mode: str) -> None:
    expected = yaml.safe_load(FILE.read_text())[stack][mode]

    assert sorted(urns(plan(stack, mode))) == expected, REMEDY
