"""Partial inventories: what each stack consists of in each inference mode.

`STACK-MODE.yaml` has `counts`, the number of resources of every type, and chosen values of
`resources` and `outputs`. `python -m tests.stacks.inventories` writes the counts anew.

A resource is named by its logical name, or by `TYPE::NAME` where several types share the name.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from analysis.plan import Plan
from tests.support.planned import parent_name
from tools.workspace import project_name

FOLDER = Path(__file__).parent


def path(stack: str, mode: str) -> Path:
    return FOLDER / f"{stack}-{mode}.yaml"


def load(stack: str, mode: str) -> dict[str, Any]:
    """The expected inventory; the word PROJECT stands for the name of the project."""
    text = path(stack, mode).read_text().replace("PROJECT", project_name())
    expected: dict[str, Any] = yaml.safe_load(text)
    return expected


def inventory(planned: Plan) -> dict[str, Any]:
    shared = Counter(resource.name for resource in planned.resources)
    return {
        "counts": counts(planned),
        "resources": {
            resource.name if shared[resource.name] == 1 else f"{resource.type}::{resource.name}": {
                "parent": parent_name(resource),
                "protect": resource.protect,
                "secret_inputs": resource.secret_inputs,
                "inputs": resource.inputs,
            }
            for resource in planned.resources
        },
        "outputs": planned.outputs,
    }


def counts(planned: Plan) -> dict[str, int]:
    """The number of resources of each type, by type."""
    return dict(sorted(Counter(resource.type for resource in planned.resources).items()))


def missing(expected: Any, actual: Any, path: str = "") -> list[str]:
    """Where a plan differs from the values that an inventory chose."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        return [
            problem
            for key, value in expected.items()
            for problem in missing(value, actual.get(key), f"{path}.{key}")
        ]
    return [] if expected == actual else [f"{path}: expected {expected!r}, is {actual!r}"]
