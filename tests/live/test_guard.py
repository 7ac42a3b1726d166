"""Checks before a live deployment: marker, credentials, stack name and budget."""

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from analysis import plan
from tests.live import conftest
from tests.live.conftest import asks_for_live
from tests.support.live import budget, names
from tests.support.live.accounts import ACCOUNTS, INFERENCE_KEY
from tests.support.live.budget import OverBudgetError
from tests.support.live.stack import LiveError, LiveStack
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
"""Maximum lengths of names, where they are short."""

LIVE_OPTIONS = {
    *re.findall(r'"(--[\w-]+)"', Path(conftest.__file__).read_text()),
} - {"--variant", "--clean"}
"""Options with a row in the document; it shows the two others as commands."""

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


AWS = planned("pulumi:providers:aws", "x", region="us-east-1")
NAT = planned("aws:ec2/natGateway:NatGateway", "x")
KEY = planned("aws:kms/key:Key", "x")


def run_pytest(*arguments: str) -> str:
    """Run pytest without credentials and return its output."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    environment = {"PATH": "/usr/bin:/bin"}
    return subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False
    ).stdout


def test_no_live_test_is_selected_without_its_marker() -> None:
    printed = run_pytest("--collect-only", "-m", "not engine", "tests/live")

    assert "test_process.py" in printed
    assert "test_live.py" not in printed


def test_only_a_marker_expression_that_names_live_selects_live_tests() -> None:
    for expression in ("", "engine", "not engine and not live", "alive or lively"):
        assert not asks_for_live(expression)
    assert asks_for_live("live")
    assert asks_for_live("engine or live")


def test_without_credentials_a_variant_is_skipped_and_its_variables_are_named() -> None:
    printed = run_pytest("tests/live", "-m", "live")

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


def test_a_stack_name_has_its_time_and_is_found_in_any_text() -> None:
    name = names.new(NOON)

    assert name.startswith("live-20261122t1200-")
    assert names.find(f"arn:aws:s3:::{name}-store-bucket-1234567") == name
    assert names.find("live-music") is None
    assert names.age(name, NOON + timedelta(hours=7)) == timedelta(hours=7)
    assert names.new() != names.new()
    with pytest.raises(ValueError, match="'split' is not a live stack"):
        names.age("split")


@pytest.mark.parametrize("variant", sorted(ACCOUNTS))
def test_names_with_the_name_of_a_live_stack_are_within_the_limits(variant: str) -> None:
    limited = [found for found in plan.make(variant).resources if found.type in LIMITS]
    lengths = [(found, len(f"{names.new()}-{found.name}-1234567")) for found in limited]

    assert len(limited) >= 2
    assert [found.name for found, length in lengths if length > LIMITS[found.type]] == []


def test_the_estimate_counts_hours_and_whole_months_and_names_the_rest() -> None:
    found = budget.estimate(
        [AWS, NAT, KEY, KEY, planned("aws:sqs/queue:Queue", "x")], limit_hours=3
    )

    assert found.usd == pytest.approx(0.045 * 4 + 2.00)
    assert list(found.lines())[-2:] == [
        "by use, not counted: aws:sqs/queue:Queue",
        "at most $0.0450 per hour x 4 h + $2.00 of whole months = $2.18, and 0 unknown",
    ]


@pytest.mark.parametrize("nodes", [1, 2])
def test_every_node_of_a_database_is_counted(nodes: int) -> None:
    type_ = "digitalocean:index/databaseCluster:DatabaseCluster"
    cluster = planned(type_, "x", size="db-s-1vcpu-1gb", nodeCount=nodes)

    assert budget.estimate([cluster], limit_hours=0).usd == pytest.approx(nodes * 15.15 / 730)


@pytest.mark.parametrize(
    ("type_", "inputs"),
    [
        ("aws:ec2/instance:Instance", {"instanceType": "p5.48xlarge"}),
        ("aws:rds/instance:Instance", {"instanceClass": "db.t4g.micro", "multiAz": True}),
        ("aws:ec2/vpcEndpoint:VpcEndpoint", {"vpcEndpointType": "Interface"}),
        ("digitalocean:index/databaseCluster:DatabaseCluster", {"size": "gd-40vcpu-160gb"}),
    ],
)
def test_a_type_or_size_without_a_price_is_unknown(type_: str, inputs: dict[str, Any]) -> None:
    found = budget.estimate([AWS, planned(type_, "x", **inputs)], limit_hours=1)

    assert [charge.type for charge in found.unknown] == [type_]


def test_a_price_of_one_region_is_not_used_for_another() -> None:
    elsewhere = planned("pulumi:providers:aws", "x", region="eu-central-1")

    assert len(budget.estimate([elsewhere, NAT], limit_hours=1).unknown) == 1


def test_a_run_above_its_budget_is_an_error_with_the_calculation() -> None:
    found = budget.estimate([AWS, NAT], limit_hours=99)

    with pytest.raises(OverBudgetError) as error:
        budget.refuse(found, budget=4.49, accept_unknown=True)
    budget.refuse(found, budget=4.51, accept_unknown=False)

    assert "1 x $0.0450 per hour: aws:ec2/natGateway:NatGateway, gateway" in str(error.value)
    assert "at most $0.0450 per hour x 100 h + $0.00 of whole months = $4.50" in str(error.value)
    assert "The budget is $4.49. Give more: --budget 4.51" in str(error.value)


def test_an_unknown_price_is_an_error_until_it_is_accepted() -> None:
    found = budget.estimate(
        [AWS, planned("aws:ec2/instance:Instance", "x", instanceType="p5.48xlarge")], limit_hours=1
    )

    with pytest.raises(OverBudgetError, match=r"accept it: --accept-unknown-prices") as error:
        budget.refuse(found, budget=100, accept_unknown=False)
    budget.refuse(found, budget=0, accept_unknown=True)

    assert "unknown: x, aws:ec2/instance:Instance" in str(error.value)


@pytest.mark.parametrize("variant", ["integrated", "split"])
def test_a_variant_fits_the_default_budget_and_every_price_is_known(variant: str) -> None:
    found = budget.estimate(plan.make(variant).resources, limit_hours=1.5)

    assert found.usd < 8
    assert found.unknown == []


def test_a_live_stack_has_the_config_of_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.support.live.stack.ROOT", tmp_path)
    (tmp_path / "stacks").mkdir()
    fresh = LiveStack(name=names.new())

    fresh.write("split", {"inference_mode": "cluster", "aws:region": "eu-west-1"})

    written = yaml.safe_load(fresh.file.read_text())["config"]
    assert written["inference_mode"] == "cluster"
    assert written["aws:region"] == "eu-west-1"
    assert (written["variant"], written["environment"]) == ("split", "dev")


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("environment", "a live run sets environment itself"),
        ("seamless:protect", "a live run sets protect itself"),
        ("inference_api_key", "inference_api_key is secret"),
    ],
)
def test_a_live_run_refuses_config_that_is_its_own_or_secret(key: str, problem: str) -> None:
    fresh = LiveStack(name=names.new())

    with pytest.raises(LiveError, match=problem):
        fresh.write("split", {key: "x"})

    assert not fresh.file.exists()


def test_the_help_of_a_live_run_names_its_variables_options_and_cost() -> None:
    command = [sys.executable, "-P", "-m", "tools", "test", "live", "--help"]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    printed = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True
    ).stdout

    variables = {n for found in ACCOUNTS.values() for each in found.credentials for n in each}
    for word in [*variables, INFERENCE_KEY, *LIVE_OPTIONS, "upper bound"]:
        assert word in printed, word


def test_the_document_has_every_option_of_a_live_run() -> None:
    documented = re.findall(r"^\| `(--[\w-]+)", (ROOT / "docs/live.md").read_text(), re.M)

    assert sorted(documented) == sorted(LIVE_OPTIONS)


def test_the_checklist_in_the_documentation_names_every_account_test() -> None:
    contract = ROOT / "tests/contract/test_account.py"
    documented = re.findall(r"`(test_\w+)`", (ROOT / "docs/live.md").read_text())
    tests = re.findall(r"^def (test_\w+)", contract.read_text(), re.M)

    assert documented == tests
