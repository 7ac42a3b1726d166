"""Checks before a live deployment: its marker, its credentials, its name and its budget."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from analysis import plan
from policies.resource import Resource
from tests.live.conftest import asks_for_live
from tests.support.live import budget, names
from tests.support.live.accounts import ACCOUNTS, INFERENCE_KEY
from tests.support.live.budget import OverBudgetError
from tests.support.planned import planned

ROOT = Path(__file__).resolve().parents[2]
LIMITS = {
    "aws:cloudwatch/eventRule:EventRule": 64,
    "aws:iam/role:Role": 64,
    "aws:lambda/function:Function": 64,
    "aws:rds/instance:Instance": 63,
    "aws:s3/bucket:Bucket": 63,
    "aws:sqs/queue:Queue": 80,
    "digitalocean:index/databaseCluster:DatabaseCluster": 63,
    "digitalocean:index/spacesBucket:SpacesBucket": 63,
}
"""Characters that a name may have, where that is few."""

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def resource(type_: str, **inputs: Any) -> Resource:
    """A planned resource."""
    return planned(type_, "x", **inputs)


AWS = resource("pulumi:providers:aws", region="us-east-1")


def collected(*arguments: str) -> str:
    """What pytest would run, without any credentials."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return done.stdout


def test_no_live_test_is_selected_without_its_marker() -> None:
    printed = collected("--collect-only", "-m", "not engine", "tests/live")

    assert "test_process.py" in printed
    assert "test_live.py" not in printed


@pytest.mark.parametrize(
    ("expression", "asks"),
    [
        ("", False),
        ("engine", False),
        ("not live", False),
        ("not engine and not live", False),
        ("alive or lively", False),
        ("live", True),
        ("engine or live", True),
    ],
)
def test_only_a_marker_expression_that_names_live_selects_live_tests(
    expression: str, asks: bool
) -> None:
    assert asks_for_live(expression) is asks


def test_without_credentials_each_variant_is_skipped_with_the_variables_that_it_needs() -> None:
    printed = collected("tests/live", "-m", "live")

    assert "3 skipped" in printed
    assert (
        "split needs AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; "
        f"{INFERENCE_KEY}" in printed
    )
    assert (
        "integrated needs DIGITALOCEAN_TOKEN and SPACES_ACCESS_KEY_ID and "
        f"SPACES_SECRET_ACCESS_KEY; {INFERENCE_KEY}" in printed
    )


def test_one_complete_set_of_credentials_is_enough() -> None:
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", INFERENCE_KEY: "c"}
    part = {"DIGITALOCEAN_TOKEN": "a", "SPACES_ACCESS_KEY_ID": "", INFERENCE_KEY: "c"}

    assert ACCOUNTS["split"].missing(keys) == []
    assert ACCOUNTS["split"].missing({"AWS_PROFILE": "a", INFERENCE_KEY: "b"}) == []
    assert ACCOUNTS["split"].missing({"AWS_PROFILE": "a"}, inference=False) == []
    assert ACCOUNTS["integrated"].missing(part) == [
        "SPACES_ACCESS_KEY_ID and SPACES_SECRET_ACCESS_KEY"
    ]


def test_a_stack_name_holds_its_time_and_is_found_in_any_text() -> None:
    name = names.new(NOON)

    assert name.startswith("live-20261122t1200-")
    assert names.find(f"arn:aws:s3:::{name}-store-bucket-1234567") == name
    assert names.find("live-music") is None
    assert names.age(name, NOON + timedelta(hours=7)) == timedelta(hours=7)
    assert names.new() != names.new()
    with pytest.raises(ValueError, match="'split' is no live stack"):
        names.age("split")


@pytest.mark.parametrize("variant", sorted(ACCOUNTS))
def test_names_with_a_live_stack_in_them_keep_to_the_shortest_limit(variant: str) -> None:
    limited = [found for found in plan.make(variant).resources if found.type in LIMITS]
    lengths = [(found, len(f"{names.new()}-{found.name}-1234567")) for found in limited]

    assert len(limited) >= 2
    assert [found.name for found, length in lengths if length > LIMITS[found.type]] == []


def test_the_estimate_counts_hours_and_whole_months() -> None:
    found = budget.estimate(
        [
            AWS,
            resource("aws:ec2/natGateway:NatGateway"),
            resource("aws:kms/key:Key"),
            resource("aws:kms/key:Key"),
            resource("aws:sqs/queue:Queue"),
        ],
        limit_hours=3,
    )

    assert found.usd == pytest.approx(0.045 * 4 + 2.00)
    assert found.unknown == []
    assert list(found.lines())[-2:] == [
        "by use, not counted: aws:sqs/queue:Queue",
        "at most $0.0450 per hour x 4 h + $2.00 of whole months = $2.18, and 0 unknown",
    ]


def test_every_node_of_a_database_is_counted() -> None:
    cluster = "digitalocean:index/databaseCluster:DatabaseCluster"
    one = budget.estimate([resource(cluster, size="db-s-1vcpu-1gb", nodeCount=1)], limit_hours=0)
    two = budget.estimate([resource(cluster, size="db-s-1vcpu-1gb", nodeCount=2)], limit_hours=0)

    assert one.usd == pytest.approx(15 / 730)
    assert two.usd == pytest.approx(30 / 730)


@pytest.mark.parametrize(
    "unpriced",
    [
        resource("aws:ec2/instance:Instance", instanceType="p5.48xlarge"),
        resource("aws:cloudwatch/dashboard:Dashboard"),
        resource("aws:rds/instance:Instance", instanceClass="db.r8g.48xlarge"),
        resource("aws:rds/instance:Instance", instanceClass="db.t4g.micro", multiAz=True),
        resource("aws:ec2/vpcEndpoint:VpcEndpoint", vpcEndpointType="Interface"),
        resource("digitalocean:index/databaseCluster:DatabaseCluster", size="gd-40vcpu-160gb"),
    ],
    ids=lambda unpriced: f"{unpriced.type}{unpriced.inputs}",
)
def test_a_type_or_size_without_a_price_is_unknown(unpriced: Resource) -> None:
    found = budget.estimate([AWS, unpriced], limit_hours=1)

    assert [charge.type for charge in found.unknown] == [unpriced.type]


def test_a_price_of_one_region_is_not_used_for_another() -> None:
    elsewhere = resource("pulumi:providers:aws", region="eu-central-1")

    found = budget.estimate([elsewhere, resource("aws:ec2/natGateway:NatGateway")], limit_hours=1)

    assert len(found.unknown) == 1


def test_a_run_above_its_budget_is_refused_with_the_arithmetic() -> None:
    found = budget.estimate([AWS, resource("aws:ec2/natGateway:NatGateway")], limit_hours=99)

    with pytest.raises(OverBudgetError) as refused:
        budget.refuse(found, budget=4.49, accept_unknown=True)
    budget.refuse(found, budget=4.51, accept_unknown=False)

    assert "1 x $0.0450 per hour: aws:ec2/natGateway:NatGateway, gateway" in str(refused.value)
    assert "at most $0.0450 per hour x 100 h + $0.00 of whole months = $4.50" in str(refused.value)
    assert "The budget is $4.49. Give more: --budget 4.51" in str(refused.value)


def test_an_unknown_price_is_refused_until_it_is_accepted() -> None:
    found = budget.estimate([resource("aws:cloudwatch/dashboard:Dashboard")], limit_hours=1)

    with pytest.raises(OverBudgetError, match=r"accept it: --accept-unknown-prices") as refused:
        budget.refuse(found, budget=100, accept_unknown=False)
    budget.refuse(found, budget=0, accept_unknown=True)

    assert "unknown: x, aws:cloudwatch/dashboard:Dashboard" in str(refused.value)


def test_both_variants_fit_the_default_budget_and_only_a_dashboard_has_no_price() -> None:
    estimates = {
        name: budget.estimate(plan.make(name).resources, limit_hours=1.5) for name in ACCOUNTS
    }

    assert {name: found.usd < 6 for name, found in estimates.items()} == dict.fromkeys(
        ACCOUNTS, True
    )
    assert [c.type for c in estimates["integrated"].unknown] == []
    assert [c.type for c in estimates["split"].unknown] == ["aws:cloudwatch/dashboard:Dashboard"]
