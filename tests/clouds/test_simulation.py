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


def vpc_function(*, delete: str, roles_last: bool) -> Callable[[], None]:
    """A program with a function in a subnet that may be deleted within `delete`."""

    def program() -> None:
        role = aws.iam.Role("role", assume_role_policy="{}")
        interfaces = aws.iam.RolePolicy(
            "interfaces", role=role.id, policy='{"Action": "ec2:DeleteNetworkInterface"}'
        )
        held = pulumi.ResourceOptions(
            depends_on=[interfaces] if roles_last else [],
            custom_timeouts=pulumi.CustomTimeouts(delete=delete),
        )
        subnet = aws.ec2.Subnet("subnet", vpc_id="vpc-1", cidr_block="10.0.0.0/24", opts=held)
        group = aws.ec2.SecurityGroup("group", vpc_id="vpc-1", opts=held)
        aws.lambda_.Function(
            "function",
            role=role.arn,
            vpc_config={"subnet_ids": [subnet.id], "security_group_ids": [group.id]},
            opts=pulumi.ResourceOptions(depends_on=[interfaces]),
        )

    return program


@pytest.mark.parametrize(
    ("delete", "roles_last", "message"),
    [
        ("20m", True, "still has an interface of Lambda after 1200 s"),
        ("90m", False, "has an interface that Lambda cannot delete"),
        ("90m", True, ""),
    ],
)
def test_the_network_of_a_function_is_deleted_late_and_by_its_role(
    small: Small, delete: str, roles_last: bool, message: str
) -> None:
    small.up(vpc_function(delete=delete, roles_last=roles_last))

    if message:
        with pytest.raises(CommandError, match=message):
            small.destroy()
        assert small.names() & {"subnet", "group"}
    else:
        small.destroy()
        assert small.names() == set()


def test_a_final_snapshot_needs_a_new_name(small: Small) -> None:
    def program(name: str) -> Callable[[], None]:
        def create() -> None:
            aws.rds.Instance(
                "database",
                engine="postgres",
                instance_class="db.t4g.micro",
                db_name=name,
                final_snapshot_identifier="last",
            )

        return create

    small.up(program("one"))
    small.up(program("two"))

    with pytest.raises(CommandError, match="DBSnapshotAlreadyExists: last"):
        small.destroy()


@pytest.mark.parametrize(("method", "changes"), [("immediate", 1), ("pending-reboot", None)])
def test_a_default_parameter_with_another_method_is_a_difference_for_ever(
    small: Small, method: str, changes: int | None
) -> None:
    def program() -> None:
        aws.rds.ParameterGroup(
            "parameters",
            family="postgres17",
            parameters=[{"name": "rds.force_ssl", "value": "1", "apply_method": method}],
        )

    small.up(program)
    small.up(program)

    assert small.changes.get("update") == changes


@pytest.mark.parametrize(("hour", "changes"), [("04:00", 1), ("04:00:00", None)])
def test_an_hour_without_seconds_is_a_difference_for_ever(
    small: Small, hour: str, changes: int | None
) -> None:
    def program() -> None:
        digitalocean.DatabaseCluster(
            "database",
            engine="pg",
            version="18",
            size="db-s-1vcpu-1gb",
            node_count=1,
            region="tor1",
            maintenance_windows=[{"day": "sunday", "hour": hour}],
        )

    small.up(program)
    small.up(program)

    assert small.changes.get("update") == changes


def test_a_larger_database_waits_for_the_window_unless_it_is_applied_at_once(
    small: Small,
) -> None:
    def program(size: str, *, at_once: bool) -> Callable[[], None]:
        def create() -> None:
            aws.rds.Instance(
                "database",
                engine="postgres",
                instance_class=size,
                apply_immediately=at_once,
                skip_final_snapshot=True,
            )

        return create

    small.up(program("db.t4g.micro", at_once=False))
    small.up(program("db.t4g.small", at_once=False))
    waiting = small.outputs("database")["instanceClass"]
    small.up(program("db.t4g.small", at_once=True))

    assert waiting == "db.t4g.micro"
    assert small.outputs("database")["instanceClass"] == "db.t4g.small"


def test_a_function_is_within_the_quotas_of_lambda(small: Small) -> None:
    def program() -> None:
        aws.lambda_.Function(
            "function",
            role="arn:aws:iam::1:role/r",
            environment={"variables": {"TEXT": "x" * 4086}},
            vpc_config={
                "subnet_ids": ["subnet-1"],
                "security_group_ids": [f"sg-{number}" for number in range(6)],
            },
        )

    message = small.refused(program)

    assert "4097 bytes of variables exceed the 4 KB limit" in message
    assert "6 securityGroupIds are more than 5" in message


def stage(group: str, *, waits: bool) -> Callable[[], None]:
    """A program with an access log in a group, and settings of a route."""

    def program() -> None:
        api = aws.apigatewayv2.Api("api", protocol_type="HTTP")
        logs = aws.cloudwatch.LogGroup("requests", name_prefix=group)
        late = pulumi.ResourceOptions(depends_on=[logs])
        route = aws.apigatewayv2.Route("route", api_id=api.id, route_key="ANY /a", opts=late)
        aws.apigatewayv2.Stage(
            "stage",
            api_id=route.api_id if waits else api.id,
            access_log_settings={"destination_arn": logs.arn, "format": "$context.status"},
            route_settings=[{"route_key": "ANY /a" if waits else "GET /a"}],
        )

    return program


@pytest.mark.parametrize(
    ("group", "waits", "message"),
    [
        ("requests-", True, "Policy document length breaking Cloudwatch Logs Constraints"),
        ("/aws/vendedlogs/requests-", False, "Unable to find Route by key GET /a within"),
        ("/aws/vendedlogs/requests-", True, ""),
    ],
)
def test_a_stage_needs_its_routes_and_room_for_its_access_log(
    small: Small, group: str, waits: bool, message: str
) -> None:
    if message:
        assert message in small.refused(stage(group, waits=waits))
    else:
        small.up(stage(group, waits=waits))
        assert small.outputs("requests")["name"].startswith(group)


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


@pytest.mark.parametrize(
    ("sold", "refused", "region", "message"),
    [
        (
            "gpu-h200x1-141gb",
            "gpu-4000adax1-20gb",
            "nyc2",
            "422 Size is not available in this region: gpu-4000adax1-20gb, nyc2",
        ),
        ("gpu-h200x1-141gb", "gpu-h9000", "atl1", "422 invalid droplet size: gpu-h9000"),
    ],
)
def test_a_node_pool_of_a_size_that_the_region_does_not_sell_is_refused(
    small: Small, sold: str, refused: str, region: str, message: str
) -> None:
    def program(size: str) -> Callable[[], None]:
        def made() -> None:
            cluster = digitalocean.KubernetesCluster(
                "cluster",
                region=region,
                version="1.35",
                node_pool={"name": "system", "size": "s-2vcpu-4gb", "node_count": 1},
            )
            digitalocean.KubernetesNodePool(
                "gpu", cluster_id=cluster.id, name="gpu", size=size, node_count=0
            )

        return made

    assert message in small.refused(program(refused))
    small.up(program(sold))
    assert small.outputs("gpu", "digitalocean")["size"] == sold


def test_dedicated_inference_refuses_a_size_that_the_region_does_not_sell(small: Small) -> None:
    def program(slug: str) -> Callable[[], None]:
        def made() -> None:
            deployment = {
                "model_slug": "a/model",
                "model_provider": "hugging_face",
                "provider_model_id": "a/model",
                "accelerators": [{"scale": 1, "type": "prefill", "accelerator_slug": slug}],
            }
            digitalocean.DedicatedInference(
                "dedicated",
                name="dedicated",
                region="tor1",
                vpc_uuid="a-network",
                model_deployments=[deployment],
            )

        return made

    wanted = "422 Size is not available in this region: gpu-h200x1-141gb, tor1"
    assert wanted in small.refused(program("gpu-h200x1-141gb"))
    small.up(program("gpu-mi325x1-256gb"))
    assert wanted in small.refused(program("gpu-h200x1-141gb"))  # in place
