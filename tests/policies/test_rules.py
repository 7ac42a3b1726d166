"""Each rule by its table: what passes, what fails, what is unknown, what is absent."""

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
def test_a_rule_finds_what_its_table_says(case: Case) -> None:
    """Every violation with its message, and nothing else."""
    found = [(b.resource.name, b.message) for b in BY_ID[case.rule].violations(case.resources)]

    assert found == list(case.violations.items())


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule} {case.kind} {case.why}")
def test_no_value_whatever_it_is_makes_a_rule_fail_and_no_unknown_breaks_it(case: Case) -> None:
    """Each value of each resource in turn, containers included."""
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
    """What is unknown is never a violation by itself; what fails says so."""
    own = [case for case in CASES if case.rule == rule]

    assert {case.kind for case in own} == {"pass", "fail", "unknown", "absent"}
    assert all(case.violations for case in own if case.kind == "fail")
    assert not any(case.violations for case in own if case.kind in ("pass", "unknown"))


def test_the_rules_are_those_whose_breach_hurts_most() -> None:
    """Those that were chosen of the table, and the one that has a waiver."""
    assert {(rule.id, rule.severity, rule.enforcement) for rule in RULES} == {
        ("AWS-S3-01", "critical", "mandatory"),
        ("AWS-S3-02", "high", "mandatory"),
        ("AWS-SQS-02", "high", "mandatory"),
        ("AWS-SQS-03", "high", "mandatory"),
        ("AWS-LAM-01", "high", "mandatory"),
        ("AWS-LAM-06", "critical", "mandatory"),
        ("AWS-RDS-01", "critical", "mandatory"),
        ("AWS-RDS-02", "critical", "mandatory"),
        ("AWS-NET-01", "critical", "mandatory"),
        ("AWS-IAM-01", "critical", "mandatory"),
        ("DO-SP-01", "critical", "mandatory"),
        ("DO-SP-05", "critical", "mandatory"),
        ("DO-DB-02", "critical", "mandatory"),
        ("DO-DB-07", "high", "mandatory"),
        ("DO-K8-04", "high", "mandatory in prod"),
        ("K8S-02", "high", "mandatory"),
        ("K8S-06", "critical", "mandatory"),
        ("K8S-10", "high", "mandatory"),
        ("K8S-13", "high", "mandatory"),
        ("K8S-16", "critical", "mandatory"),
        ("K8S-18", "high", "mandatory"),
        ("K8S-21", "high", "mandatory"),
        ("X-01", "high", "mandatory in protected prod"),
        ("X-02", "critical", "mandatory"),
    }


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_rule_says_what_to_do_and_where_it_comes_from(rule: Rule) -> None:
    """The remedy is a sentence of one line, the source has an address."""
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
def test_every_type_that_a_rule_names_exists_in_the_provider(cloud: str) -> None:
    """A misspelt token would make a rule that never fires."""
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
