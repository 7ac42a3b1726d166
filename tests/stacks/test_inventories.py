"""The plan of every stack in every inference mode has the resources of its inventory.

After an intended change: `python -m tests.stacks.inventories` writes the counts anew.
"""

import pytest

from tests.stacks.inventories import FOLDER, inventory, load, missing, path
from tests.support.plans import CASES, plan


@pytest.mark.parametrize(("stack", "mode"), CASES)
def test_a_plan_has_the_counts_and_the_chosen_values_of_its_inventory(
    stack: str, mode: str
) -> None:
    actual = inventory(plan(stack, mode))
    expected = load(stack, mode)

    assert expected["counts"] == actual["counts"]
    assert missing(expected, actual) == []


def test_every_inventory_belongs_to_a_stack_and_a_mode() -> None:
    assert set(FOLDER.glob("*.yaml")) <= {path(*case) for case in CASES}


def test_an_inventory_that_lacks_a_resource_or_has_another_value_is_not_met() -> None:
    actual = inventory(plan("local"))

    assert missing({"resources": {"database-server": {"protect": True}}}, actual) == [
        ".resources.database-server.protect: expected True, is False"
    ]
    assert missing({"resources": {"moon": {"protect": True}}}, actual) == [
        ".resources.moon: expected {'protect': True}, is None"
    ]
