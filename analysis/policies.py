"""The policies' verdicts on a plan: the rules of the engine's pack, in this process."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from analysis.resources import SECRET, UNKNOWN, PlannedResource
from policies.catalogue import RULES
from policies.rule import Resource
from policies.values import Hidden
from policies.verdict import Environment, Verdict, judge

_MARKS = {SECRET: Hidden.SECRET, UNKNOWN: Hidden.UNKNOWN}


def verdicts(
    planned: Iterable[PlannedResource], *, environment: Environment, today: date
) -> list[Verdict]:
    """What breaks a rule: first what `up` would refuse, the worst on top."""
    resources = [
        Resource(
            type=resource.type,
            name=resource.name,
            props=_hidden(resource.inputs),
            protect=resource.protect,
            uses={key: frozenset(names) for key, names in resource.uses.items()},
        )
        for resource in planned
    ]
    return judge(RULES, resources, environment=environment, today=today)


def _hidden(value: Any) -> Any:
    """A plan's marks as what a rule reads."""
    if isinstance(value, str):
        return _MARKS.get(value, value)
    if isinstance(value, dict):
        return {key: _hidden(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_hidden(item) for item in value]
    return value
