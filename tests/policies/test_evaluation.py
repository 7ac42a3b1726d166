"""The enforcement of a violation depends on rule, environment and waivers."""

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
def test_unprotected_data_is_refused_only_in_protected_prod(
    environment: Environment, level: str
) -> None:
    (violation,) = (
        v for v in evaluate(RULES, [BUCKET], environment=environment, today=TODAY) if v.id == "X-01"
    )

    assert (violation.enforcement, violation.severity) == (level, "high")
    assert violation.resource == BUCKET.urn


def test_violations_are_sorted_by_enforcement_severity_and_id() -> None:
    found = evaluate(RULES, [BUCKET, DATABASE], environment="dev", today=TODAY)

    assert [(v.id, v.severity, v.enforcement) for v in found] == [
        ("AWS-RDS-02", "critical", "mandatory"),
        ("AWS-S3-01", "critical", "mandatory"),
        ("AWS-S3-02", "high", "mandatory"),
        ("X-01", "high", "advisory"),
    ]


def _waiver(expires: date, resource: str = "data*") -> Waiver:
    return Waiver(policy="AWS-RDS-02", resource=resource, reason="It is empty.", expires=expires)


def test_a_waived_violation_is_advisory_and_has_the_reason() -> None:
    waiver = _waiver(date(2026, 11, 23))

    (violation,) = evaluate(RULES, [DATABASE], environment="prod", today=TODAY, waivers=[waiver])

    assert violation.enforcement == "advisory"
    assert violation.message == (
        "storageEncrypted is not set, and the default of AWS is false. "
        "Waived until 2026-11-23: It is empty."
    )


@pytest.mark.parametrize("waiver", [_waiver(TODAY), _waiver(date(2030, 1, 1), "documents")])
def test_an_expired_waiver_or_one_of_another_resource_has_no_effect(waiver: Waiver) -> None:
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
def test_the_config_determines_the_environment_of_the_rules(
    config: dict[str, object], environment: Environment
) -> None:
    assert environment_of(config, "p") == environment


@pytest.mark.parametrize("waiver", WAIVERS, ids=lambda w: f"{w.policy} {w.resource}")
def test_a_waiver_has_a_rule_a_reason_and_a_resource(waiver: Waiver) -> None:
    assert waiver.policy in {rule.id for rule in RULES}
    assert waiver.reason.endswith(".")
    assert waiver.resource.strip("*")
