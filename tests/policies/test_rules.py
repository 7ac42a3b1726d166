"""Every rule with its table of cases: pass, fail, unknown and absent."""

import re
from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from policies.catalogue import RULES
from policies.resource import SECRET, UNKNOWN
from policies.rule import Rule
from tests.support.policy_cases import Case, cases

CASES = list(cases())
BY_ID = {rule.id: rule for rule in RULES}
ODD: list[Any] = [UNKNOWN, SECRET, None, True, 3, "x", "[]", [], {}, [None]]
PROJECT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "case", CASES, ids=lambda case: f"{case.rule}: {case.kind} {case.why}".strip()
)
def test_a_rule_finds_the_violations_of_its_table(case: Case) -> None:
    found = [(b.resource.name, b.message) for b in BY_ID[case.rule].violations(case.resources)]

    assert found == list(case.violations.items())


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule} {case.kind} {case.why}")
def test_no_value_raises_an_error_in_a_rule_and_unknown_is_no_violation(case: Case) -> None:
    for index, resource in enumerate(case.resources):
        for value in ODD:
            for inputs in _variants(resource.inputs, value):
                changed = [*case.resources]
                changed[index] = replace(resource, inputs=inputs)

                found = list(BY_ID[case.rule].violations(changed))

                if value is UNKNOWN:
                    assert {violation.resource.name for violation in found} <= set(case.violations)


@pytest.mark.parametrize("rule", BY_ID)
def test_every_rule_has_a_case_of_each_kind(rule: str) -> None:
    table = [case for case in CASES if case.rule == rule]

    assert {case.kind for case in table} == {"pass", "fail", "unknown", "absent"}
    assert all(case.violations for case in table if case.kind == "fail")
    assert not any(case.violations for case in table if case.kind in ("pass", "unknown"))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_has_a_remedy_of_one_line_and_a_source(rule: Rule) -> None:
    assert rule.remedy.endswith(".")
    assert "\n" not in rule.remedy
    assert "https://" in rule.source


def _variants(container: Any, value: Any) -> Iterator[Any]:
    """A container with one of its values, at any depth, replaced by another."""
    if not isinstance(container, dict | list):
        return
    for key, item in list(
        container.items() if isinstance(container, dict) else enumerate(container)
    ):
        for inner in (value, *_variants(item, value)):
            changed = copy(container)
            changed[key] = inner
            yield changed


@pytest.mark.parametrize("cloud", ["aws", "digitalocean"])
def test_every_type_in_a_rule_exists_in_the_provider(cloud: str) -> None:
    """A rule with a misspelt token would find nothing."""
    package = find_spec(f"pulumi_{cloud}")
    assert package
    known = Path(str(package.origin)).read_text()
    named = {
        token
        for file in (PROJECT / "policies").rglob("*.py")
        for token in re.findall(rf'"({cloud}:\w+/\w+:\w+)"', file.read_text())
    }

    assert named
    assert {token for token in named if f'"{token}"' not in known} == set()
