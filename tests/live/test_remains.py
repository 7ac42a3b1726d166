"""Resources that live stacks left are found: at AWS (moto) and at DigitalOcean (a local server)."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]  # it ships no types
import pytest

from tests.support.accounts import digitalocean as functions_api
from tests.support.accounts.digitalocean_lists import Account
from tests.support.clouds.world import World
from tests.support.live import aws, digitalocean, names, remains
from tests.support.live.remains import Remain
from tools.workspace import project_name

MINE, OTHER = "live-20261122t1200-abcdef", "live-20200101t0000-abcdef"


def tags(stack: str) -> dict[str, str]:
    """The tags that the provider of the split stack sets."""
    return {"project": project_name(), "stack": stack, "environment": "dev"}


@pytest.fixture
def client(s3: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Creates clients for an empty account at moto."""
    for name, value in {
        "AWS_ENDPOINT_URL": s3,
        "AWS_ACCESS_KEY_ID": "mock_access_key",
        "AWS_SECRET_ACCESS_KEY": "mock_secret_key",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    return lambda service: boto3.client(service, region_name="us-east-1")


@pytest.fixture
def bucket(client: Any) -> Iterator[str]:
    """A bucket of a live stack, removed at the end: the server is shared."""
    name = f"{MINE}-store-bucket-1234567"
    client("s3").create_bucket(Bucket=name)
    pairs = [{"Key": key, "Value": value} for key, value in tags(MINE).items()]
    client("s3").put_bucket_tagging(Bucket=name, Tagging={"TagSet": pairs})
    yield name
    client("s3").delete_bucket(Bucket=name)


def test_tagged_resources_at_aws_are_listed_with_a_command_that_deletes_them(
    client: Any, bucket: str
) -> None:
    url = client("sqs").create_queue(QueueName=f"{MINE}-queue", tags=tags(MINE))["QueueUrl"]
    found = remains.of(MINE, aws.look)
    client("sqs").delete_queue(QueueUrl=url)

    assert [remain.delete for remain in found] == [
        f"aws s3 rb --force s3://{bucket} --region us-east-1",
        f"aws sqs delete-queue --queue-url $(aws sqs get-queue-url --queue-name {MINE}-queue "
        "--query QueueUrl --output text) --region us-east-1",
    ]


def test_resources_without_tags_at_aws_are_found_by_name(client: Any) -> None:
    role, board = f"{MINE}-functions-api-role-1234567", f"{project_name()}-{MINE}"
    logs = f"/aws/rds/instance/{MINE}-database-instance-1234567/postgresql"
    client("iam").create_role(RoleName=role, AssumeRolePolicyDocument="{}")
    client("cloudwatch").put_dashboard(DashboardName=board, DashboardBody="{}")
    client("logs").create_log_group(logGroupName=logs)

    found = remains.of(MINE, aws.look)
    client("iam").delete_role(RoleName=role)
    client("cloudwatch").delete_dashboards(DashboardNames=[board])
    tidied = aws.tidy(MINE)

    assert [r.what for r in found] == [f"dashboard {board}", f"log group {logs}", f"role {role}"]
    assert tidied == [f"log group {logs}"]
    assert remains.of(MINE, aws.look) == []


def test_a_key_that_is_scheduled_for_deletion_is_not_listed(client: Any) -> None:
    pairs = [{"TagKey": key, "TagValue": value} for key, value in tags(MINE).items()]
    key = client("kms").create_key(Tags=pairs)["KeyMetadata"]

    before = remains.of(MINE, aws.look)
    client("kms").schedule_key_deletion(KeyId=key["KeyId"], PendingWindowInDays=7)

    assert [remain.what for remain in before] == [key["Arn"]]
    assert before[0].delete.startswith(f"aws kms schedule-key-deletion --key-id {key['KeyId']}")
    assert remains.of(MINE, aws.look) == []


def test_resources_of_other_stacks_and_projects_are_not_listed(client: Any) -> None:
    made = [
        client("sqs").create_queue(QueueName="a", tags=tags("split")),
        client("sqs").create_queue(QueueName="b", tags={**tags(MINE), "project": "another"}),
    ]

    found = list(aws.look())
    for queue in made:
        client("sqs").delete_queue(QueueUrl=queue["QueueUrl"])

    assert found == []


def test_an_arn_of_any_form_has_a_command_or_leads_to_the_console() -> None:
    for arn in ("arn:aws:rds:us-east-1:1:db:x", "arn:aws:ec2:us-east-1:1:vpc/x"):
        assert " x " in aws._command(arn)
    assert aws._command("arn:aws:braket:us-east-1:1:job/x") == (
        "No command is known for braket:: delete arn:aws:braket:us-east-1:1:job/x in the console."
    )


@pytest.fixture
def account(
    tmp_path: Path, s3: str, client: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Account]:
    """A local account at DigitalOcean with two live stacks and other resources."""
    world = World(folder=tmp_path, cloud="digitalocean")
    fresh = Account(world)
    kinds = {
        "databaseCluster:DatabaseCluster": "database-cluster",
        "uptimeCheck:UptimeCheck": "monitoring-check",
        "spacesKey:SpacesKey": "store-bucket",
        "project:Project": "",
    }
    with world.change() as resources:
        for owner in ("a", "b", "c", MINE, OTHER):
            for kind, suffix in kinds.items():
                name = f"{owner}-{suffix}" if suffix else f"{project_name()}-{owner}"
                resources[f"{kind} {name}"] = {
                    "type": f"digitalocean:index/{kind}",
                    "name": suffix,
                    "id": f"id-of-{name}",
                    "outputs": {"name": name, "accessKey": f"key-of-{name}"},
                }
    fresh.tags = {"app:seamless", "env:dev", "another", f"stack:{MINE}"}
    with functions_api.running(fresh):
        monkeypatch.setenv("DIGITALOCEAN_API_URL", fresh.url)
        monkeypatch.setenv("DIGITALOCEAN_TOKEN", fresh.token)
        monkeypatch.setenv("SPACES_ENDPOINT_URL", s3)
        monkeypatch.setenv("SPACES_ACCESS_KEY_ID", "mock_access_key")
        monkeypatch.setenv("SPACES_SECRET_ACCESS_KEY", "mock_secret_key")
        api = functions_api.Namespace(
            info={"namespace": "fn-1", "label": f"{project_name()}-{MINE}", "key": "secret"}
        )
        fresh.namespaces["fn-1"] = api
        yield fresh


def test_resources_at_digitalocean_are_found_on_every_page(account: Account, bucket: str) -> None:
    found = remains.of(MINE, digitalocean.look)

    own = f"{project_name()}-{MINE}"
    assert [(remain.what, remain.delete.removesuffix(" --force")) for remain in found] == [
        (f"Spaces key {MINE}-store-bucket", f"doctl spaces keys delete key-of-{MINE}-store-bucket"),
        (f"bucket {bucket}", found[1].delete),
        (
            f"database cluster {MINE}-database-cluster",
            f"doctl databases delete id-of-{MINE}-database-cluster",
        ),
        (f"functions namespace {own}", "doctl serverless namespaces delete fn-1"),
        (f"project {own}", f"doctl projects delete id-of-{own}"),
        (f"tag stack:{MINE}", f"doctl compute tag delete stack:{MINE}"),
        (
            f"uptime check {MINE}-monitoring-check",
            f"doctl monitoring uptime delete id-of-{MINE}-monitoring-check",
        ),
    ]
    assert found[1].delete.startswith(f"aws s3 rb --force s3://{bucket} --endpoint-url http")
    assert "secret" not in str(found)


def test_only_the_tag_of_the_stack_is_deleted(account: Account) -> None:
    tidied = digitalocean.tidy(MINE)

    assert tidied == [f"tag stack:{MINE}"]
    assert account.tags == {"app:seamless", "env:dev", "another"}


def test_abandoned_resources_are_old_and_have_no_stack_file() -> None:
    left = [
        Remain(stack=stack, what="thing", delete="rm thing")
        for stack in (OTHER, names.new(), "live-20200102t0000-abcdef")
    ]

    found = remains.abandoned(
        lambda: left, known=["live-20200102t0000-abcdef"], older=timedelta(hours=6)
    )

    assert [remain.stack for remain in found] == [OTHER]
    assert list(remains.lines(found)) == [f"{OTHER} left thing", "    rm thing"]


def test_remains_are_polled_until_there_are_none_or_the_time_is_over() -> None:
    """Clouds list deleted resources for a while."""
    thing = Remain(stack=MINE, what="thing", delete="rm thing")
    answers = iter([[thing], [thing], []])

    assert remains.settled(MINE, lambda: next(answers), seconds=60, pause=0) == []
    assert next(answers, None) is None
    assert remains.settled(MINE, lambda: [thing], seconds=0, pause=0) == [thing]
