"""Checks of an AWS account find a missing prerequisite before a deployment.

The account is a local server with the Query API, or moto. How AWS evaluates policies is not shown
here.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import botocore.session  # type: ignore[import-untyped]  # has no types
import pytest

from analysis.plan import make
from preflight.aws import check
from preflight.aws_permissions import NEEDS
from preflight.checks import Finding
from tests.support.accounts import aws as accounts
from tests.support.accounts.aws import Account
from tests.support.planned import planned
from tests.support.preflight_context import context

PROVIDER = "pulumi:providers:aws"
DEPLOYER = "arn:aws:iam::123456789012:user/deployer"


@pytest.fixture(autouse=True)
def _no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """An account that allows everything, and its credentials."""
    with accounts.running() as running:
        _sign_in(monkeypatch, running.url)
        yield running


def _sign_in(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-a-test")


def found(**overrides: str) -> dict[str, Finding]:
    return {finding.name: finding for finding in check(context("split", overrides))}


def test_permissions_are_simulated_for_the_region_and_for_global_resources(
    account: Account,
) -> None:
    findings = found(region="eu-central-1")

    assert {name: finding.ok for name, finding in findings.items()} == {
        "AWS credentials": True,
        "region": True,
        "AWS permissions": True,
    }
    assert findings["AWS credentials"].found == DEPLOYER
    assert findings["region"].found == "eu-central-1 is enabled in the account"
    assert account.simulations == 2


def test_a_cluster_needs_the_aws_cli(
    account: Account, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stack = context("split", {})
    cluster = planned("aws:eks/cluster:Cluster", "cluster")
    stack = replace(stack, resources=[*stack.resources, cluster])
    monkeypatch.setenv("PATH", str(tmp_path))

    missing = {f.name: f for f in check(stack)}["AWS CLI"]
    (tmp_path / "aws").touch(mode=0o755)
    found = {f.name: f for f in check(stack)}["AWS CLI"]

    assert missing.ok is False
    assert missing.found == "aws is not on PATH, which issues the cluster's tokens"
    assert missing.remedy.startswith("Install it: ")
    assert (found.ok, found.found) == (True, str(tmp_path / "aws"))


def test_another_range_for_a_deployed_network_is_refused(account: Account) -> None:
    existing = {"network-vpc": {"cidrBlock": "10.20.0.0/16"}}
    changed = context("split", {"network_cidr": "10.30.0.0/16"}, existing=existing)
    (finding,) = [f for f in check(changed) if f.name == "network_cidr"]
    assert finding.ok is False
    assert "network_cidr is '10.30.0.0/16', but the deployed network" in finding.found
    assert finding.remedy == "pulumi config set network_cidr 10.20.0.0/16 --stack split"
    assert not [f for f in check(context("split", existing=existing)) if f.name == "network_cidr"]


def test_a_missing_permission_is_named_with_its_principal_and_resource(account: Account) -> None:
    denied = {"lambda:CreateFunction", "budgets:ModifyBudget"}
    account.decides = lambda action, *_: (
        ("implicitDeny", "") if action in denied else ("allowed", "")
    )

    assert found()["AWS permissions"] == Finding(
        name="AWS permissions",
        ok=False,
        found=f"{DEPLOYER} lacks permissions that the stack needs: "
        "budgets:ModifyBudget on arn:aws:budgets::123456789012:budget/monitoring-budget-0000000, "
        "lambda:CreateFunction on "
        "arn:aws:lambda:us-east-1:123456789012:function:functions-api-0000000",
        remedy="Allow them in a policy of that identity (docs/permissions.md), or use another one: "
        "export AWS_PROFILE=…",
    )


def test_a_policy_for_the_resources_of_the_stack_is_sufficient(account: Account) -> None:
    """An action without a type of resource needs a statement for every resource."""
    everywhere = {
        action
        for row in NEEDS.values()
        for need in row.needs
        for action in need.actions()
        if need.resource == "*"
    }
    account.decides = lambda action, resource, _: (
        ("implicitDeny", "") if resource == "*" and action not in everywhere else ("allowed", "")
    )

    assert found()["AWS permissions"].ok is True


def test_a_permission_that_depends_on_a_condition_is_unknown(account: Account) -> None:
    account.decides = lambda action, *_: (
        ("implicitDeny", "aws:RequestTag/team") if action == "s3:CreateBucket" else ("allowed", "")
    )

    assert found()["AWS permissions"] == Finding(
        name="AWS permissions",
        ok=None,
        found="unknown whether conditions allow s3:CreateBucket (aws:RequestTag/team)",
    )


def test_a_simulation_has_the_region_of_each_service(account: Account) -> None:
    seen: dict[str, set[str]] = {}

    def decide(action: str, _: str, region: str) -> tuple[str, str]:
        seen.setdefault(region, set()).add(action.partition(":")[0])
        return "allowed", ""

    account.decides = decide
    found(region="eu-central-1")

    assert seen["us-east-1"] == {"iam", "budgets"}
    assert {"lambda", "s3", "rds"} <= seen["eu-central-1"]
    assert not seen["us-east-1"] & seen["eu-central-1"]


@pytest.mark.parametrize(
    ("refused", "principal"),
    [
        ({}, "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/Admin"),
        ({"GetRole": "AccessDenied"}, "arn:aws:iam::123456789012:role/Admin"),
    ],
)
def test_an_assumed_role_has_the_policies_of_the_role(
    account: Account, refused: dict[str, str], principal: str
) -> None:
    account.arn = "arn:aws:sts::123456789012:assumed-role/Admin/me@example.com"
    account.role_path, account.refuses = "/aws-reserved/sso.amazonaws.com/", refused

    found()

    assert account.principals == {principal}


def test_root_is_not_simulated(account: Account) -> None:
    account.arn = "arn:aws:iam::123456789012:root"

    assert found()["AWS permissions"].found == "the root user has all permissions"
    assert account.simulations == 0


def test_denied_read_access_makes_the_results_unknown(account: Account) -> None:
    account.refuses = {
        "SimulatePrincipalPolicy": "AccessDenied",
        "DescribeRegions": "UnauthorizedOperation",
    }

    findings = found()

    assert (findings["AWS permissions"].ok, findings["region"].ok) == (None, None)
    assert findings["AWS permissions"].found == (
        "unknown: SimulatePrincipalPolicy answered AccessDenied"
    )
    assert findings["region"].found == (
        "unknown whether us-east-1 is enabled: DescribeRegions answered UnauthorizedOperation"
    )


def test_a_region_that_is_not_enabled_is_an_error(account: Account) -> None:
    account.opted_in = "not-opted-in"

    assert found(region="af-south-1")["region"] == Finding(
        name="region",
        ok=False,
        found="Config region is 'af-south-1', but this region is not enabled in the account",
        remedy="aws account enable-region --region-name af-south-1, and wait until it is enabled",
    )


def test_invalid_credentials_are_an_error(account: Account) -> None:
    account.refuses = {"GetCallerIdentity": "InvalidClientTokenId"}

    assert found() == {
        "AWS credentials": Finding(
            name="AWS credentials",
            ok=False,
            found="There are no valid AWS credentials: InvalidClientTokenId",
            remedy="Configure credentials: export AWS_PROFILE=…, or aws sso login; test them with: "
            "aws sts get-caller-identity",
        )
    }


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({}, "There are no valid AWS credentials: Unable to locate credentials"),
        ({"AWS_PROFILE": "unknown"}, "(unknown) could not be found"),
    ],
)
def test_missing_credentials_or_an_unknown_profile_are_an_error(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], message: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    (finding,) = found().values()

    assert finding.ok is False
    assert finding.found.endswith(message)


def test_credentials_are_unknown_without_a_connection_to_aws(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _sign_in(monkeypatch, "http://127.0.0.1:9")

    assert found() == {
        "AWS credentials": Finding(
            name="AWS credentials",
            ok=None,
            found="unknown: AWS did not respond (EndpointConnectionError)",
        )
    }


def test_the_table_has_the_permissions_of_every_type_of_the_stack() -> None:
    config = {"environment": "prod", "alert_email": "you@example.com"}
    config["cluster_admins"] = "arn:aws:iam::123456789012:role/deploy"
    types = {
        resource.type
        for mode in ("serverless", "cluster")
        for resource in make("split", {**config, "inference_mode": mode}).resources
    }

    listed = {row.type for row in NEEDS.values()}
    assert {type_ for type_ in types if type_.startswith("aws:")} | {PROVIDER} == listed


def test_every_action_exists_in_its_service() -> None:
    models = {
        "elasticfilesystem": "efs",
        "elasticloadbalancing": "elbv2",
        "servicequotas": "service-quotas",
    }
    session = botocore.session.Session()
    actions = {a for row in NEEDS.values() for need in row.needs for a in need.actions()}
    others = {"iam:PassRole", "lambda:InvokeFunction"}  # their calls have other names or none
    others |= {"logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:GetLogDelivery"}
    others |= {"logs:ListLogDeliveries", "logs:UpdateLogDelivery"}
    for action in sorted(actions - others):
        service, _, call = action.partition(":")
        if service in {
            "apigateway",
            "budgets",
            "s3",
        }:  # their actions have other names than their calls
            continue
        model = session.get_service_model(models.get(service, service))
        assert call in model.operation_names, action


def test_the_permissions_of_a_type_without_a_row_are_unknown(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {key: row for key, row in NEEDS.items() if row.type != "aws:kms/key:Key"}
    monkeypatch.setattr("preflight.aws.NEEDS", known)

    *_, finding = check(context("split"))

    assert (finding.ok, finding.found) == (None, "unknown which permissions aws:kms/key:Key need")


def test_moto_confirms_the_credentials_and_the_bucket_name(
    s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """moto has no simulation of policies."""
    _sign_in(monkeypatch, s3)

    findings = found(bucket_name="a-free-name", region="eu-central-1")

    assert {name: finding.ok for name, finding in findings.items()} == {
        "bucket_name": True,
        "AWS credentials": True,
        "region": True,
        "AWS permissions": None,
    }
