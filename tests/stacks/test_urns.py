"""Resources that hold data keep the URNs of `tests/stacks/urns.yaml` from release to release.

A URN is made of the project, the stack, the types of all parents, the type and the name; the first
two are the user's. One that changes makes Pulumi delete a database and create an empty one.
"""

from pathlib import Path

import pytest
import yaml

from policies.common.stateful import STATEFUL
from tests.support.plans import CASES, plan

FILE = Path(__file__).with_name("urns.yaml")

REMEDY = (
    "A stateful resource has another URN than in the last release, so an upgrade would delete it "
    "with its data. Give it aliases=[pulumi.Alias(...)] with what changed (name, type_ or parent), "
    "note the former URN in CHANGELOG.md, and then change tests/stacks/urns.yaml. A new resource "
    "is added there."
)


@pytest.mark.parametrize(("stack", "mode"), CASES)
def test_a_resource_that_holds_data_keeps_its_urn(stack: str, mode: str) -> None:
    expected = yaml.safe_load(FILE.read_text())[stack][mode]

    stateful = (r.urn.split("::", 2)[2] for r in plan(stack, mode).resources if r.type in STATEFUL)
    assert sorted(stateful) == expected, REMEDY
