"""Verdicts: what refuses, what advises, and what a waiver allows until its day."""

from datetime import date

import pytest

from policies.catalogue import RULES
from policies.evaluation import Environment, environment_of, evaluate
from policies.waivers import WAIVERS, Waiver
from tests.support.planned import planned

TODAY = date(2026, 11, 22)
BUCKET = planned("aws:s3/bucket:Bucket", "documents")
DATABASE = planned("aws:rds/instance:Instance", "database", protect=True)


@pytest.mark.parametrize(
    ("environment", "level"),
    [("dev", "advisory"), ("unprotected", "advisory"), ("prod", "mandatory")],
)
def test_unprotected_data_is_refused_in_prod_unless_it_gave_protection_up(
    environment: Environment, level: str
) -> None:
    """X-01: unprotected data."""
    (violation,) = (
        v for v in evaluate(RULES, [BUCKET], environment=environment, today=TODAY) if v.id == "X-01"
    )

    assert (violation.enforcement, violation.severity, violation.resource) == (
        level,
        "high",
        BUCKET.urn,
    )


def test_what_refuses_comes_first_and_the_worst_of_it_on_top() -> None:
    """Then by id."""
    found = evaluate(RULES, [BUCKET, DATABASE], environment="dev", today=TODAY)

    assert [(v.id, v.severity, v.enforcement) for v in found] == [
        ("AWS-RDS-02", "critical", "mandatory"),
        ("AWS-S3-01", "critical", "mandatory"),
        ("AWS-S3-02", "high", "mandatory"),
        ("X-01", "high", "advisory"),
    ]


def _waiver(expires: date, resource: str = "data*") -> Waiver:
    return Waiver(policy="AWS-RDS-02", resource=resource, reason="It is empty.", expires=expires)


def test_a_waived_breach_advises_with_its_reason() -> None:
    """Until the day before it expires."""
    waiver = _waiver(date(2026, 11, 23))

    (violation,) = evaluate(RULES, [DATABASE], environment="prod", today=TODAY, waivers=[waiver])

    assert violation.enforcement == "advisory"
    assert violation.message == (
        "storageEncrypted is not set, and the default of AWS is false. "
        "Waived until 2026-11-23: It is empty."
    )


@pytest.mark.parametrize("waiver", [_waiver(TODAY), _waiver(date(2030, 1, 1), "documents")])
def test_an_expired_waiver_and_one_of_something_else_allow_nothing(waiver: Waiver) -> None:
    """The violation is a violation again."""
    (violation,) = evaluate(RULES, [DATABASE], environment="prod", today=TODAY, waivers=[waiver])

    assert violation.enforcement == "mandatory"
    assert "Waived" not in violation.message


@pytest.mark.parametrize(
    ("config", "environment"),
    [
        ({}, "dev"),
        ({"p:environment": "dev", "p:protect": "false"}, "dev"),
        ({"p:environment": "prod"}, "prod"),
        ({"p:environment": "prod", "p:protect": ""}, "prod"),
        ({"p:environment": "prod", "p:protect": "true"}, "prod"),
        ({"p:environment": "prod", "p:protect": "false"}, "unprotected"),
        ({"p:environment": "prod", "p:protect": False}, "unprotected"),
    ],
)
def test_the_rules_see_the_environment_that_the_config_asks_for(
    config: dict[str, object], environment: Environment
) -> None:
    """As a file has it or as the engine hands it over."""
    assert environment_of(config, "p") == environment


@pytest.mark.parametrize("waiver", WAIVERS, ids=lambda w: f"{w.policy} {w.resource}")
def test_every_waiver_names_a_rule_and_a_reason(waiver: Waiver) -> None:
    """A waiver of a rule that does not exist would be forgotten."""
    assert waiver.policy in {rule.id for rule in RULES}
    assert waiver.reason.endswith(".")
    assert waiver.resource.strip("*")
