"""The URNs of what holds data stay from release to release: `tests/stacks/urns.yaml` lists them.

A URN is made of the project, the stack, the types of all parents, the type and the name; the first
two are the user's. One that changes makes Pulumi delete a database and create an empty one.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
import yaml

from analysis.plan import Plan, make
from functions.endpoint import Rung
from policies.everywhere.stateful import STATEFUL
from stacks.errors import ConfigError

FILE = Path(__file__).with_name("urns.yaml")
STACKS = ("integrated", "local", "split")
NEEDS = {("split", "dedicated"): {"inference_model": "accounts/mine/deployments/one"}}

REMEDY = (
    "A stateful resource has another URN than in the last release, so an upgrade would delete it "
    "with its data. Give it aliases=[pulumi.Alias(...)] with what changed (name, type_ or parent), "
    "note the former URN in CHANGELOG.md, and then change tests/stacks/urns.yaml. A new resource "
    "is added there."
)


def urns(plan: Plan) -> Iterator[str]:
    """What the stateful resources of a plan add to a URN: types from the outermost, then name."""
    for resource in plan.resources:
        if resource.type in STATEFUL:
            yield resource.urn.split("::", 2)[2]


@pytest.mark.parametrize("rung", get_args(Rung))
@pytest.mark.parametrize("stack", STACKS)
def test_what_holds_data_keeps_its_urn(stack: str, rung: str) -> None:
    expected = yaml.safe_load(FILE.read_text())[stack].get(rung)
    try:
        planned = make(stack, {**NEEDS.get((stack, rung), {}), "inference_mode": rung})
    except ConfigError:
        assert expected is None, f"{stack} offers no {rung} any more. {REMEDY}"
        return

    assert sorted(urns(planned)) == expected, REMEDY
