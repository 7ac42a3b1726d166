"""The plan shows which resources a config value touches: a row of `CHANGES` for every key.

Whether a resource that changes is updated or replaced, only an engine says:
tests/engine/test_clouds.py.
"""

import json
from collections.abc import Mapping
from functools import cache

import pytest

from analysis.plan import Plan, make
from policies.resource import Resource
from tests.support.engine.changes import CHANGES, EGRESS_RULE, EVERYTHING, ON_THE_PLAN
from tests.support.plans import by_urn

BASE = {"inference_url": "http://127.0.0.1:8/v1", "inference_model": "a/model"}
"""Config of the stacks before the change."""


@cache
def before(stack: str) -> Plan:
    return make(stack, BASE)


def overrides(stack: str, key: str) -> dict[str, str]:
    """Config with the change, as `--config` takes it."""
    row = CHANGES[key]
    value = row.to[stack] if isinstance(row.to, Mapping) else row.to
    return {**BASE, **row.needs, key: value if isinstance(value, str) else json.dumps(value)}


@pytest.mark.parametrize("stack", ["split", "integrated"])
@pytest.mark.parametrize("key", ON_THE_PLAN)
def test_a_config_value_touches_the_resources_of_its_row(stack: str, key: str) -> None:
    old = by_urn(before(stack))
    new = by_urn(make(stack, overrides(stack, key)))

    row = getattr(CHANGES[key], stack)
    gone = {r.name for r in old.values() if not r.type.startswith("pulumi:")}
    groups = {EVERYTHING: gone, EGRESS_RULE: {"functions-inference-127-0-0-1-8"}}
    expected = {
        step: {name for word in words for name in groups.get(word, {word})}
        for step, words in row.items()
    }
    assert _names(new, new.keys() - old.keys()) == expected.get("created", set())
    assert _names(old, old.keys() - new.keys()) == expected.get("deleted", set())
    changed = {urn for urn in old.keys() & new.keys() if old[urn] != new[urn]}
    assert _names(new, changed) == expected.get("updated", set()) | expected.get("replaced", set())


def _names(resources: Mapping[str, Resource], urns: set[str]) -> set[str]:
    """Logical names, but of providers, which no command prints."""
    return {resources[urn].name for urn in urns if not resources[urn].type.startswith("pulumi:")}
