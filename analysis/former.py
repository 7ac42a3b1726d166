"""Earlier plans, read from the output of `plan --json`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from analysis import PlanError
from analysis.cost import Charge
from policies.resource import Resource

_REMEDY = "Make one: ./seamless plan STACK --json > FILE"


@dataclass(frozen=True, kw_only=True)
class FormerPlan:
    """What a comparison needs of an earlier plan.

    Attributes:
        problem: Why the commit has no plan that this version can read; empty if it has one.
    """

    resources: Sequence[Resource] = ()
    cost: Sequence[Charge] = ()
    problem: str = ""


Former = Mapping[tuple[str, str], FormerPlan]
"""Earlier plans by stack and inference mode."""


class _Plan(msgspec.Struct, frozen=True):
    """The part of a plan in JSON that a comparison reads."""

    stack: str
    inference_mode: str
    resources: list[Resource]
    cost: list[Charge]


def read(text: bytes, name: str) -> Former:
    """Read one plan of `plan --json`, or the list of `plan --all --json`.

    Args:
        name: The commit or file, for the error.

    Raises:
        PlanError: the text is not a plan of this version.
    """
    try:
        found = msgspec.json.decode(text, type=_Plan | list[_Plan])
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        if "missing required field `urn`" in str(error):
            raise PlanError(
                f"--against {name}: its plan has no URNs: an older version of Seamless made it. "
                f"Compare with a commit or a plan file of this version. {_REMEDY}"
            ) from error
        raise PlanError(f"--against {name}: not a plan. {_REMEDY} ({error})") from error
    plans = found if isinstance(found, list) else [found]
    for plan in plans:
        urns = [row.urn for row in plan.resources] + [row.resource for row in plan.cost]
        if wrong := [urn for urn in urns if urn.count("::") < 3]:
            raise PlanError(f"--against {name}: not a plan. {_REMEDY} (no URN: {wrong[0]!r:.60})")
    return {
        (plan.stack, plan.inference_mode): FormerPlan(resources=plan.resources, cost=plan.cost)
        for plan in plans
    }
