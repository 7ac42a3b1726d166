"""Plans of every stack in every inference mode, made once for all tests of a process."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from analysis.plan import Plan, make
from policies.resource import Resource

MODES = {
    "integrated": ("serverless", "dedicated", "cluster"),
    "split": ("serverless", "dedicated", "cluster"),
    "local": ("serverless", "dedicated"),
}
"""The inference modes that each stack offers."""

CASES = [(stack, mode) for stack, modes in MODES.items() for mode in modes]

NEEDS: Mapping[tuple[str, str], Mapping[str, str]] = {
    ("split", "dedicated"): {
        "inference_provider": "fireworks",
        "inference_model": "accounts/mine/deployments/one",
    }
}
"""Required config values of a mode."""

SPARE = {
    "name": "spare",
    "url": "https://spare.example/v1",
    "model": "spare-model",
    "context_tokens": 32_768,
}


def endpoints(*changes: dict[str, Any]) -> dict[str, str]:
    """Config of endpoints that are like the spare one."""
    return {"inference_endpoints": json.dumps([SPARE | change for change in changes])}


@cache
def plan(stack: str, mode: str = "serverless") -> Plan:
    """The plan of a stack in an inference mode; do not change it."""
    return make(stack, {**NEEDS.get((stack, mode), {}), "inference_mode": mode})


def names(planned: Plan) -> set[str]:
    """The logical names of a plan."""
    return {resource.name for resource in planned.resources}


def by_urn(planned: Plan) -> dict[str, Resource]:
    """The resources by the end of their URN: `TYPE$TYPE::NAME`, the types from the outermost."""
    return {resource.urn.split("::", 2)[2]: resource for resource in planned.resources}
