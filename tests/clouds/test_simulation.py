"""The simulated clouds behave towards a real engine as a cloud does.

Small programs show each trait: what is refused, replaced, kept, forgotten or made to fail. It
proves nothing of the real clouds: what these refuse and we do not know of passes here.
"""

import json
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
    pytest.mark.nightly,  # deployments of the stacks use the same simulation every day
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


def bucket(name: str) -> None:
    """A bucket with a name."""
    aws.s3.Bucket("store", bucket=name)


def test_a_policy_document_given_as_data_is_text_at_the_cloud(small: Small) -> None:
    """As the bridged provider makes it, also where an ARN is unknown at first."""

    def program() -> None:
        jobs = aws.sqs.Queue("jobs", name="jobs")
        statement = {"Effect": "Allow", "Action": ["sqs:SendMessage"], "Resource": [jobs.arn]}
        document = {"Version": "2012-10-17", "Statement": [statement]}
        told = aws.sqs.QueuePolicy("told", queue_url=jobs.url, policy=document)
        pulumi.export("policy", told.policy)

    (statement,) = json.loads(small.up(program)["policy"])["Statement"]
    small.up(program)

    assert statement["Resource"] == [small.outputs("jobs")["arn"]]
    assert small.changes == {"same": 3}


@pytest.mark.parametrize("token", [*AWS, *DIGITALOCEAN])
def test_a_row_of_a_table_names_only_what_the_installed_sdk_has(token: str) -> None:
    """A property that is misspelled would never replace, refuse or answer anything."""
    kind, known = (AWS | DIGITALOCEAN)[token], schema(token)

    replace = {path.split(".")[0] for path in kind.replace}
    assert {*replace, *kind.choices, *kind.between, *kind.given} <= known.inputs
    assert kind.outputs.keys() <= known.always.keys()


def test_a_type_that_the_sdk_lacks_has_no_schema() -> None:
    """Rather than an empty one."""
    with pytest.raises(UnknownTypeError, match="pulumi_aws has no resource type aws:sqs/nothing"):
        schema("aws:sqs/nothing:Nothing")


def test_a_schema_is_that_of_the_sdk() -> None:
    """Names are those of the wire, required ones those that the SDK checks."""
    known = schema("digitalocean:index/databaseCluster:DatabaseCluster")

    assert known.required == {"engine", "nodeCount", "region", "size"}
    assert "maintenanceWindows" in known.inputs
    assert "privateUri" in known.always
    assert "privateUri" not in known.inputs


def test_what_is_deployed_exists_until_it_is_destroyed(small: Small) -> None:
    """Outputs have the forms that the clouds give them, and a second `up` changes nothing."""

    def program() -> None:
        dead = aws.sqs.Queue("dead")
        jobs = aws.sqs.Queue(
            "jobs",
            name="jobs",
            redrive_policy=dead.arn.apply(lambda arn: json.dumps({"deadLetterTargetArn": arn})),
        )
        bucket = digitalocean.SpacesBucket("store", name="papers", region="tor1")
        pulumi.export("url", jobs.url)
        pulumi.export("domain", bucket.bucket_domain_name)

    outputs = small.up(program)
    created = small.changes
    small.up(program)

    assert created == {"create": 4}
    assert outputs == {
        "url": "https://sqs.us-east-1.amazonaws.com/123456789012/jobs",
        "domain": "papers.tor1.digitaloceanspaces.com",
    }
    assert small.changes == {"same": 4}
    assert small.names() == {"dead", "jobs"}
    assert small.outputs("dead")["arn"] in small.outputs("jobs")["redrivePolicy"]
    small.destroy()
    assert small.names() | small.names("digitalocean") == set()


def test_a_change_updates_and_a_change_of_what_is_fixed_replaces(small: Small) -> None:
    """A queue takes another timeout, but not another name."""
    first = small.up(queue(visibility_timeout_seconds=30))
    second = small.up(queue(visibility_timeout_seconds=60))
    updated = small.changes
    third = small.up(queue(visibility_timeout_seconds=60, fifo_queue=True))

    assert updated == {"update": 1, "same": 1}
    assert second == first
    assert small.changes == {"replace": 1, "same": 1}
    assert third != first
    assert small.names() == {"jobs"}
    assert small.outputs("jobs")["visibilityTimeoutSeconds"] == 60


def test_a_name_that_exists_already_is_refused(small: Small) -> None:
    """As when a replacement is made before the old one is deleted."""
    small.up(queue(name="jobs"))

    said = small.refused(queue(name="jobs", fifo_queue=True))

    assert "123456789012/jobs exists already" in said
    assert small.names() == {"jobs"}


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({"visibility_timeout_seconds": 50_000}, "50000 is not between 0 and 43200"),
        ({"message_retention_seconds": 5}, "5 is not between 60 and 1209600"),
    ],
)
def test_a_number_out_of_bounds_is_refused_before_anything_is_made(
    small: Small, inputs: dict[str, int], reason: str
) -> None:
    """The property is named."""
    said = small.refused(queue(**inputs))

    assert reason in said
    assert small.names() == set()


def missing() -> None:
    """A policy of no queue: the SDK checks what is missing itself, but not inside an Output."""
    nothing: Any = pulumi.Output.from_input(None)
    aws.sqs.QueuePolicy("policy", queue_url=nothing, policy="{}")


def wrong() -> None:
    """An engine that DigitalOcean calls `pg`."""
    digitalocean.DatabaseCluster(
        "database", engine="postgres", node_count=1, region="tor1", size="db-s-1vcpu-1gb"
    )


@pytest.mark.parametrize(
    ("program", "property_", "reason"),
    [
        (missing, "queueUrl", "is required and missing"),
        (wrong, "engine", "'postgres' is none of pg, mysql"),
        (lambda: bucket("papers"), "bucket", "'papers' is taken by another account"),
        (lambda: bucket("My_Papers"), "bucket", "'My_Papers' is no bucket name"),
    ],
)
def test_what_the_cloud_would_refuse_is_refused_before_anything_is_made(
    small: Small, program: Callable[[], None], property_: str, reason: str
) -> None:
    """By its property."""
    small.world().take("papers")

    said = small.refused(program)

    assert f"property {property_}" in said
    assert reason in said
    assert small.names() | small.names("digitalocean") == set()


def test_a_type_without_a_row_is_named(small: Small) -> None:
    """Nothing is simulated by guessing."""

    def program() -> None:
        aws.sfn.Activity("activity")

    said = small.refused(program)

    assert (
        "aws:sfn/activity:Activity is not simulated: add a row to tests/support/clouds/aws.py"
        in said
    )


@pytest.mark.parametrize("what", ["jobs", "aws:sqs/queue:Queue"])
def test_a_planned_failure_happens_once_and_leaves_nothing(small: Small, what: str) -> None:
    """By logical name or by type, with its message."""
    small.world().fail(what, "create", "the cloud is tired")

    said = small.refused(queue())
    small.up(queue())

    assert "the cloud is tired" in said
    assert small.changes == {"create": 1, "same": 1}
    assert small.names() == {"jobs"}


def test_refresh_sees_what_somebody_changed_or_deleted(small: Small) -> None:
    """And the next `up` puts it right."""

    def program() -> None:
        aws.sqs.Queue("changed", visibility_timeout_seconds=30)
        aws.sqs.Queue("deleted")

    small.up(program)
    with small.world().change() as resources:
        for key, resource in list(resources.items()):
            if resource["name"] == "deleted":
                del resources[key]
            else:
                resource["outputs"]["visibilityTimeoutSeconds"] = 5

    small.refresh()
    seen = small.changes
    small.up(program)

    assert (seen["update"], seen["delete"]) == (1, 1)
    assert small.changes == {"create": 1, "update": 1, "same": 1}
    assert small.names() == {"changed", "deleted"}
    assert small.outputs("changed")["visibilityTimeoutSeconds"] == 30


def test_a_database_with_deletion_protection_is_not_deleted(small: Small) -> None:
    """The cloud refuses, whatever the engine thinks."""

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


def test_a_database_of_digitalocean_grows_and_never_shrinks(small: Small) -> None:
    """An update to a smaller size fails, and changes nothing."""

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


def test_a_secret_output_is_encrypted_in_the_state(small: Small) -> None:
    """The cloud knows it, the stack's state does not show it."""

    def program() -> None:
        digitalocean.SpacesKey("key")

    small.up(program)

    secret = small.outputs("key", "digitalocean")["secretKey"]
    state = [file for file in (small.folder / "state").rglob("*.json*") if file.is_file()]
    assert state
    assert [file for file in state if secret in file.read_text()] == []
