"""The simulated clouds behave towards a real engine as a cloud does.

A rule of the real clouds that is not in their tables is not checked.
"""

import warnings
from collections.abc import Callable
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest
from pulumi.automation.errors import CommandError

from tests.support.clouds.aws import KINDS as AWS
from tests.support.clouds.digitalocean import KINDS as DIGITALOCEAN
from tests.support.clouds.schema import UnknownTypeError, schema
from tests.support.clouds.small import Small

with warnings.catch_warnings():
    # It warns of deprecated functions of its own as soon as it is imported.
    warnings.simplefilter("ignore", DeprecationWarning)
    import pulumi_digitalocean as digitalocean

pytestmark = [
    pytest.mark.nightly,  # the engine tests use the same simulation every day
    # The SDKs warn of parts of their own, which they import late.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    # The SDK leaves tasks behind when the engine ends a program that runs in this process.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def queue(**inputs: Any) -> Callable[[], None]:
    """A program with one queue."""

    def program() -> None:
        pulumi.export("url", aws.sqs.Queue("jobs", **inputs).url)

    return program


@pytest.mark.parametrize("token", [*AWS, *DIGITALOCEAN])
def test_a_row_names_only_properties_of_the_installed_sdk(token: str) -> None:
    """A misspelled property would have no effect."""
    kind, known = (AWS | DIGITALOCEAN)[token], schema(token)

    replace = {path.split(".")[0] for path in kind.replace}
    assert {*replace, *kind.choices, *kind.between, *kind.given} <= known.inputs
    assert kind.outputs.keys() <= known.always.keys()


def test_a_schema_is_read_from_the_sdk() -> None:
    with pytest.raises(UnknownTypeError, match="pulumi_aws has no resource type aws:sqs/nothing"):
        schema("aws:sqs/nothing:Nothing")
    known = schema("digitalocean:index/databaseCluster:DatabaseCluster")

    assert known.required == {"engine", "nodeCount", "region", "size"}
    assert "maintenanceWindows" in known.inputs
    assert "privateUri" in known.always
    assert "privateUri" not in known.inputs


def test_a_replacement_with_the_same_name_is_rejected(small: Small) -> None:
    small.up(queue(name="jobs"))
    assert "123456789012/jobs exists already" in small.refused(queue(name="jobs", fifo_queue=True))
    assert small.names() == {"jobs"}


def missing() -> None:
    """A policy without a queue; the SDK does not check for None in an Output."""
    nothing: Any = pulumi.Output.from_input(None)
    aws.sqs.QueuePolicy("policy", queue_url=nothing, policy="{}")


def wrong() -> None:
    """The valid value is `pg`."""
    digitalocean.DatabaseCluster(
        "database", engine="postgres", node_count=1, region="tor1", size="db-s-1vcpu-1gb"
    )


def no_spaces() -> None:
    """NYC1 has Functions, but no Spaces."""
    digitalocean.SpacesBucket("store", region="nyc1")


@pytest.mark.parametrize(
    ("program", "property_", "reason"),
    [
        (no_spaces, "region", "'nyc1' is none of ams3, atl1, blr1"),
        (missing, "queueUrl", "is required and missing"),
        (wrong, "engine", "'postgres' is none of pg, mysql"),
        (
            lambda: aws.s3.Bucket("store", bucket="papers"),
            "bucket",
            "'papers' is taken by another account",
        ),
        (
            queue(visibility_timeout_seconds=50_000),
            "visibilityTimeoutSeconds",
            "50000 is not between 0 and 43200",
        ),
    ],
)
def test_an_invalid_input_is_rejected_before_anything_is_created(
    small: Small, program: Callable[[], None], property_: str, reason: str
) -> None:
    small.world().take("papers")

    message = small.refused(program)

    assert f"property {property_}" in message
    assert reason in message
    assert small.names() | small.names("digitalocean") == set()


def test_a_type_without_a_row_is_an_error(small: Small) -> None:
    message = small.refused(lambda: aws.sfn.Activity("activity") and None)

    assert (
        "aws:sfn/activity:Activity is not simulated: add a row to tests/support/clouds/aws.py"
        in message
    )


def test_a_database_with_deletion_protection_is_not_deleted(small: Small) -> None:
    def program() -> None:
        aws.rds.Instance(
            "database",
            engine="postgres",
            instance_class="db.t4g.micro",
            allocated_storage=20,
            manage_master_user_password=True,
            deletion_protection=True,
        )

    small.up(program)

    with pytest.raises(CommandError, match="deletionProtection is on"):
        small.destroy()
    assert small.names() == {"database"}
    (secret,) = small.outputs("database")["masterUserSecrets"]
    assert secret["secretArn"].startswith("arn:aws:secretsmanager:us-east-1:")


def test_a_database_of_digitalocean_cannot_become_smaller(small: Small) -> None:
    def sized(size: str) -> Callable[[], None]:
        def program() -> None:
            digitalocean.DatabaseCluster(
                "database", engine="pg", version="18", size=size, node_count=1, region="tor1"
            )

        return program

    small.up(sized("db-s-1vcpu-1gb"))
    small.up(sized("db-s-2vcpu-4gb"))

    assert "db-s-2vcpu-4gb cannot become db-s-1vcpu-1gb" in small.refused(sized("db-s-1vcpu-1gb"))
    assert small.outputs("database", "digitalocean")["size"] == "db-s-2vcpu-4gb"
