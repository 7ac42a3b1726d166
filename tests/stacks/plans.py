"""Plans of every stack in every inference mode, made once for all tests of a process."""

from collections.abc import Mapping
from functools import cache

from analysis.plan import Plan, PlannedResource, make

MODES = {
    "integrated": ("serverless", "dedicated", "cluster"),
    "split": ("serverless", "dedicated", "cluster"),
    "local": ("serverless", "dedicated"),
}
"""The inference modes that each stack offers."""

CASES = [(stack, mode) for stack, modes in MODES.items() for mode in modes]

NEEDS: Mapping[tuple[str, str], Mapping[str, str]] = {
    ("split", "dedicated"): {"inference_model": "accounts/mine/deployments/one"}
}
"""Config values without which a mode is refused."""


@cache
def plan(stack: str, mode: str = "serverless") -> Plan:
    """The plan of a stack in an inference mode; no caller may change it."""
    return make(stack, {**NEEDS.get((stack, mode), {}), "inference": mode})


def names(planned: Plan) -> set[str]:
    """The logical names of a plan."""
    return {resource.name for resource in planned.resources}


def by_urn(planned: Plan) -> dict[str, PlannedResource]:
    """The resources by the end of their URN: `TYPE$TYPE::NAME`, the types from the outermost.

    Of two components of one name, one inside the other as in the cluster mode, it has the outer.
    """
    components = {
        r.name: r
        for r in planned.resources
        if r.type.startswith("seamless:") and r.parent != r.name
    }
    found = {}
    for resource in planned.resources:
        types, parent = [resource.type], resource.parent
        while parent is not None:
            types.insert(0, components[parent].type)
            parent = components[parent].parent
        found[f"{'$'.join(types)}::{resource.name}"] = resource
    return found
