"""Checks of zones, quotas and access find what would fail a cluster before it is created."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from preflight import aws_cluster, aws_zones
from preflight.checks import Command, Finding
from tests.support.accounts.aws_cluster import Account, signed_in
from tests.support.preflight_context import context

G, STANDARD = "L-DB2E81BA", "L-1216C47A"


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """An account in which everything is there, and its credentials."""
    with signed_in(monkeypatch) as account:
        yield account


def zones(**config: str) -> Finding:
    (finding,) = aws_zones.check(context("split", config))
    return finding


def cluster(command: Command = "up", **config: str) -> dict[str, Finding]:
    config = {"inference_mode": "cluster", "cluster_api_cidrs": "192.0.2.7/32", **config}
    stack = replace(context("split", config), command=command)
    return {finding.name: finding for finding in aws_cluster.check(stack)}


def test_zones_with_all_machines_are_right(account: Account) -> None:
    for mode in ("serverless", "cluster"):
        assert zones(inference_mode=mode) == Finding(
            name="network_zones", ok=True, found="a,b of us-east-1 have all machines"
        )


@pytest.mark.parametrize(
    ("sold", "named", "letters"),
    [
        ({"g7e.2xlarge": "b"}, "g7e.2xlarge is not sold in us-east-1a", "b,a"),
        ({"g7e.2xlarge": "c"}, "g7e.2xlarge is not sold in us-east-1a", "c,a"),
        ({"m5.large": "bc"}, "m5.large is not sold in us-east-1a", "b,c"),
    ],
)
def test_zones_with_the_machines_are_proposed(
    account: Account, sold: dict[str, str], named: str, letters: str
) -> None:
    account.sold = sold

    finding = zones(inference_mode="cluster")

    assert finding.ok is False
    assert named in finding.found
    assert finding.remedy == f"pulumi config set network_zones {letters} --stack split"
    assert zones(inference_mode="cluster", network_zones=letters).ok is True


def test_a_zone_in_which_eks_has_no_control_plane_is_refused_for_a_cluster(
    account: Account,
) -> None:
    account.zones["b"] = "use1-az3"

    assert zones().ok is True
    finding = zones(inference_mode="cluster")
    assert "us-east-1b is no zone for this stack" in finding.found
    assert finding.remedy == "pulumi config set network_zones a,c --stack split"


def test_a_zone_that_the_account_lacks_is_refused_in_every_mode(account: Account) -> None:
    del account.zones["a"]

    assert zones().remedy == "pulumi config set network_zones b,c --stack split"


def test_the_database_needs_a_zone_that_sells_its_class(account: Account) -> None:
    account.database = "c"

    finding = zones()

    assert "the database's class is sold in neither" in finding.found
    assert finding.remedy == "pulumi config set network_zones a,c --stack split"


@pytest.mark.parametrize("sold", [{"database": "ac", "standby": "ac"}, {"standby": "ac"}])
def test_a_database_with_a_standby_needs_its_class_in_both_zones(
    account: Account, sold: dict[str, str]
) -> None:
    for name, letters in sold.items():
        setattr(account, name, letters)

    assert zones().ok is True
    finding = zones(environment="prod")
    assert "db.t4g.small with a standby is not sold in us-east-1b" in finding.found
    assert finding.remedy == "pulumi config set network_zones a,c --stack split"
    assert zones(environment="prod", network_zones="a,c").ok is True


def test_a_region_without_the_gpu_names_the_families_that_it_sells(account: Account) -> None:
    account.sold = {"g7e.2xlarge": "", "g4dn.xlarge": "ab", "g5.xlarge": "c", "p4d.24xlarge": ""}

    finding = zones(inference_mode="cluster", region="af-south-1")

    assert (finding.name, finding.ok) == ("gpu_type", False)
    assert finding.found == (
        "af-south-1 sells g7e.2xlarge in no zone that the stack can use; the families of GPU "
        "machines that it sells there: g4dn, g5"
    )
    assert finding.remedy.endswith("pulumi config set region us-east-1 --stack split")


@pytest.mark.parametrize("command", ["preview", "drift"])
@pytest.mark.parametrize("sold", [{"g7e.2xlarge": "c"}, {"g7e.2xlarge": ""}])
def test_machines_that_only_up_needs_are_information_before_another_command(
    account: Account, command: Command, sold: dict[str, str]
) -> None:
    account.sold = sold
    stack = context("split", {"inference_mode": "cluster"})

    (needed,) = aws_zones.check(stack)
    (finding,) = aws_zones.check(replace(stack, command=command))

    assert needed.ok is False
    assert finding == replace(needed, ok=None)


DEPLOYED: dict[str, dict[str, Any]] = {
    **{
        f"network-private-{letter}": {
            "id": f"subnet-{letter}",
            "availabilityZone": f"us-east-1{letter}",
        }
        for letter in "ab"
    },
    "database-instance": {
        "instanceClass": "db.t4g.micro",
        "multiAz": False,
        "availabilityZone": "us-east-1a",
    },
    "cluster-gpu": {"instanceTypes": ["g7e.2xlarge"], "subnetIds": ["subnet-a"]},
    "cluster-system": {"instanceTypes": ["m5.large"], "subnetIds": ["subnet-a", "subnet-b"]},
}
"""Outputs of a deployed cluster with the zones a,b."""


def redeployed(**config: str) -> list[Finding]:
    config = {"inference_mode": "cluster", **config}
    return list(aws_zones.check(context("split", config, existing=DEPLOYED)))


def test_deployed_machines_are_not_checked_again(account: Account) -> None:
    account.sold = {"g7e.2xlarge": "", "m5.large": ""}
    account.database = account.standby = ""

    assert redeployed() == []


@pytest.mark.parametrize(
    ("config", "fault", "remedy"),
    [
        (
            {"gpu_type": "p5.48xlarge"},
            "p5.48xlarge is not sold in us-east-1a",
            "pulumi config set network_zones b,a --stack split",
        ),
        (
            {"network_zones": "b,a"},
            "g7e.2xlarge is not sold in us-east-1b",
            "pulumi config set network_zones a,b --stack split",
        ),
        (
            {"environment": "prod"},
            "db.t4g.small with a standby is not sold in us-east-1b",
            "The deployed network and its database cannot move: pulumi config set environment dev "
            "--stack split, or use another stack",
        ),
    ],
)
def test_changed_machines_of_a_deployed_stack_are_checked(
    account: Account, config: dict[str, str], fault: str, remedy: str
) -> None:
    account.sold = {"g7e.2xlarge": "a", "p5.48xlarge": "b"}
    account.standby = "a"

    (finding,) = redeployed(**config)

    assert finding.ok is False
    assert finding.found == f"In us-east-1 the zones a,b do not have the machines: {fault}"
    assert finding.remedy == remedy


def test_a_new_class_must_be_sold_in_the_zone_of_the_deployed_database(account: Account) -> None:
    account.database = account.standby = "b"
    deployed = DEPLOYED | {
        "database-instance": {**DEPLOYED["database-instance"], "instanceClass": "db.t3.micro"}
    }

    (finding,) = aws_zones.check(context("split", existing=deployed))

    assert finding.found.endswith("db.t4g.micro is not sold in us-east-1a")
    assert finding.remedy == (
        "The deployed network and its database cannot move: use another stack"
    )


def test_a_deployed_network_keeps_its_zones(account: Account) -> None:
    existing: dict[str, dict[str, Any]] = {
        f"network-{kind}-{letter}": {"availabilityZone": f"us-east-1{letter}"}
        for kind in ("public", "private")
        for letter in "ab"
    }
    existing["database-instance"] = {"instanceClass": "db.t4g.micro", "multiAz": False}
    stack = context("split", {"network_zones": "b,a"}, existing=existing)
    assert list(aws_zones.check(stack)) == []

    moved = context("split", {"network_zones": "a,c"}, existing=existing)
    moved.existing[  # type: ignore[index]  # the second subnet is not in the plan
        "urn:pulumi:split::seamless::seamless:aws:Network$aws:ec2/subnet:Subnet::network-private-b"
    ] = existing["network-private-b"]
    (finding,) = aws_zones.check(moved)
    assert finding.ok is False
    assert finding.remedy == "pulumi config set network_zones a,b --stack split"


def test_a_cluster_in_a_deployed_network_takes_the_zone_of_the_gpu(account: Account) -> None:
    existing = {
        f"network-private-{letter}": {"availabilityZone": f"us-east-1{letter}"} for letter in "ab"
    }
    account.sold = {"g7e.2xlarge": "bc"}

    (finding,) = aws_zones.check(context("split", {"inference_mode": "cluster"}, existing=existing))

    assert finding.remedy == "pulumi config set network_zones b,a --stack split"


def test_zones_that_the_account_does_not_answer_are_unknown(account: Account) -> None:
    account.refuses = {"DescribeInstanceTypeOfferings": "UnauthorizedOperation"}

    assert zones(inference_mode="cluster") == Finding(
        name="network_zones",
        ok=None,
        found="unknown what the zones have: DescribeInstanceTypeOfferings answered "
        "UnauthorizedOperation",
    )


def test_a_new_account_has_no_quota_for_gpus(account: Account) -> None:
    account.quotas = {G: 0.0, STANDARD: 5.0}

    findings = cluster()

    assert findings[f"quota {STANDARD}"].ok is True
    assert findings[f"quota {G}"] == Finding(
        name=f"quota {G}",
        ok=False,
        found="Running On-Demand G and VT instances: 0 vCPUs in us-east-1; 2 machines of type "
        "g7e.2xlarge need 16 vCPUs, and other instances of the account count, too",
        remedy="Ask AWS for it, which may take days, or lower gpu_maximum: aws service-quotas "
        "request-service-quota-increase --region us-east-1 --service-code ec2 --quota-code "
        f"{G} --desired-value 16",
    )
    account.quotas[G] = 16.0
    assert cluster()[f"quota {G}"].ok is True


@pytest.mark.parametrize("command", ["preview", "drift"])
def test_what_only_up_needs_is_information_before_another_command(
    account: Account, command: Command
) -> None:
    account.quotas = {G: 0.0}
    account.log_groups = ["/aws/eks/seamless-split/cluster"]
    creator = "arn:aws:iam::123456789012:role/creator"

    findings = cluster(command, cluster_admins=creator)

    assert {name for name, found in findings.items() if found.ok is None} == {
        f"quota {G}",
        "log group",
    }
    assert "request-service-quota-increase" in findings[f"quota {G}"].remedy
    # The identity of a preview is not the one that creates the cluster.
    assert "cluster_admins" not in findings


def test_p_machines_have_their_own_quota(account: Account) -> None:
    account.quotas = {"L-417A185B": 384.0}

    assert cluster(gpu_type="p5.48xlarge")["quota L-417A185B"].ok is True


def test_a_quota_that_the_account_does_not_answer_is_unknown(account: Account) -> None:
    account.refuses = {"GetServiceQuota": "AccessDeniedException"}

    found = cluster()[f"quota {G}"]

    assert (found.ok, found.found) == (
        None,
        "unknown: GetServiceQuota answered AccessDeniedException",
    )


@pytest.mark.parametrize(
    ("own", "config", "ok"),
    [
        ("203.0.113.9", {}, False),
        ("10.20.3.4", {}, True),
        ("10.30.3.4", {"network_peers": "10.30.0.0/16"}, True),
        ("10.30.3.4", {}, False),
        ("203.0.113.9", {"cluster_api_cidrs": "192.0.2.7/32"}, None),
    ],
)
def test_a_private_api_must_be_in_reach_of_this_machine(
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
    own: str,
    config: dict[str, str],
    ok: bool | None,
) -> None:
    found = reach(monkeypatch, own, config)

    assert (found.ok if found else None) is ok
    if found and not ok:
        assert f"this machine ({own}) has none there" in found.found
        assert "pulumi config set cluster_api_cidrs" in found.remedy


@pytest.mark.parametrize(
    ("command", "deployed", "outcome"),
    [
        ("up", False, "an error"),
        ("up", True, "an error"),
        ("drift", False, "not checked"),
        ("drift", True, "an error"),
        ("preview", False, "not checked"),
        ("preview", True, "information"),
    ],
)
def test_a_private_api_is_checked_where_the_command_calls_it(
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
    command: Command,
    deployed: bool,
    outcome: str,
) -> None:
    found = reach(monkeypatch, "203.0.113.9", {}, command, deployed=deployed)

    outcomes = {False: "an error", None: "information", True: "ok"}
    assert (outcomes[found.ok] if found else "not checked") == outcome


def reach(
    monkeypatch: pytest.MonkeyPatch,
    own: str,
    config: dict[str, str],
    command: Command = "up",
    *,
    deployed: bool = False,
) -> Finding | None:
    """The finding for a machine with this address."""
    monkeypatch.setattr("preflight.aws_cluster.address_towards", lambda _: own)
    stack = context(
        "split",
        {"inference_mode": "cluster", **config},
        config={f"seamless:{key}": value for key, value in config.items()},
        existing={"cluster": {"name": "seamless-split"}} if deployed else {},
    )
    findings = {f.name: f for f in aws_cluster.check(replace(stack, command=command))}
    return findings.get("cluster_api_cidrs")


def test_the_address_towards_a_network_is_one_of_this_machine() -> None:
    assert aws_cluster.address_towards("127.0.0.0/16") == "127.0.0.1"


def test_a_log_group_of_a_former_cluster_is_named_with_its_removal(account: Account) -> None:
    assert "log group" not in cluster()
    name = "/aws/eks/seamless-split/cluster"
    account.log_groups = [name, f"{name}-2"]

    finding = cluster()["log group"]

    assert finding.ok is False
    assert finding.remedy == (
        f"aws logs delete-log-group --region us-east-1 --log-group-name {name}"
    )


@pytest.mark.parametrize(
    "caller",
    [
        "arn:aws:sts::123456789012:assumed-role/creator/session",
        "arn:aws:iam::123456789012:role/creator",
    ],
)
def test_the_creator_of_a_cluster_is_no_further_administrator(
    account: Account, caller: str
) -> None:
    account.arn = caller
    creator, other = (f"arn:aws:iam::123456789012:role/ops/{name}" for name in ("creator", "ann"))

    finding = cluster(cluster_admins=f"{creator},{other}")["cluster_admins"]

    assert finding.ok is False
    assert finding.remedy == (f"Remove it: pulumi config set cluster_admins {other} --stack split")
    assert "cluster_admins" not in cluster(cluster_admins=other)


@pytest.mark.parametrize("kind", ["210987654321:role", "123456789012:user"])
def test_the_same_name_in_another_account_or_of_another_kind_is_another_administrator(
    account: Account, kind: str
) -> None:
    assert "cluster_admins" not in cluster(cluster_admins=f"arn:aws:iam::{kind}/ops/creator")


def test_a_caller_that_aws_does_not_name_leaves_the_administrators_unknown(
    account: Account,
) -> None:
    account.refuses = {"GetCallerIdentity": "AccessDenied"}

    finding = cluster(cluster_admins="arn:aws:iam::123456789012:role/ann")["cluster_admins"]

    assert (finding.ok, finding.found) == (None, "unknown: GetCallerIdentity answered AccessDenied")


def test_missing_credentials_are_left_to_the_other_check(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")

    assert list(aws_zones.check(context("split"))) == []
    assert cluster() == {}
