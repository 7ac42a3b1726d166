"""The IAM documents of the split variant, with all names known.

The cloud is a mock that gives each resource an ARN with its name.
"""

import asyncio
import json
from typing import Any

import pulumi
import pytest
from google.protobuf.json_format import MessageToDict
from pulumi.runtime import mocks
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.settings import configure
from pulumi.runtime.stack import run_in_stack

from build.bundle import bundle
from components.aws.database import Database
from components.aws.execution_roles import ExecutionRoles
from components.aws.functions import FUNCTIONS, Functions, environment
from components.aws.monitoring import Monitoring
from components.aws.network import Network
from components.aws.object_store import Store
from components.contracts import ExternalInference

ACCOUNT = "123456789012"

Json = dict[str, Any]


class Cloud(mocks.MockMonitor):
    """Creates every resource, and records its inputs."""

    def __init__(self) -> None:
        super().__init__(None)  # type: ignore[arg-type]  # mocks answer what is answered here
        self.inputs: dict[str, Json] = {}
        self.waits: dict[str, set[str]] = {}

    def Invoke(self, request: Any) -> Any:  # noqa: N802  # the protocol's name
        raise AssertionError(f"a call of {request.tok}")

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802  # the protocol's name
        inputs = MessageToDict(request.object)
        self.inputs[request.name] = inputs
        self.waits[request.name] = {urn.rsplit("::", 1)[-1] for urn in request.dependencies}
        answer = resource_pb2.RegisterResourceResponse(
            urn=self.make_urn(request.parent, request.type, request.name),
            id=f"{request.name}-id",
            object=request.object,
        )
        for key, value in inputs.items():
            if isinstance(value, dict) and "Statement" in value:
                answer.object[key] = json.dumps(value)  # as the provider answers a document
        if request.custom:
            answer.object.update(known(request.type, request.name))
        return answer


def known(type_: str, name: str) -> Json:
    """Outputs that AWS returns for a resource; a superset for all types."""
    service = type_.split(":")[1].split("/")[0]
    arn = f"arn:aws:{service}:us-east-1:{ACCOUNT}:{name}"
    return {
        "arn": f"arn:aws:s3:::{name}" if type_ == "aws:s3/bucket:Bucket" else arn,
        "name": name,
        "bucket": name,
        "owner": ACCOUNT,
        "url": f"https://sqs/{name}",
        "versionId": "v1",
        "value": "of-a-test",
        "executionArn": f"arn:aws:execute-api:us-east-1:{ACCOUNT}:abc",
        "apiEndpoint": "https://abc.execute-api.us-east-1.amazonaws.com",
        "identifier": name,
        "address": "database.example",
        "masterUserSecrets": [{"secretArn": f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:rds"}],
    }


@pytest.fixture(scope="module")
def cloud() -> Cloud:
    recorded = Cloud()

    async def run() -> None:
        features = set(recorded.GetDeploymentInfo(None).supportedFeatures)  # type: ignore[no-untyped-call]
        configure(
            mocks.MockSettings(  # type: ignore[no-untyped-call]
                monitor=recorded,
                monitor_features=features,
                engine=mocks.MockEngine(None),
                project="seamless",
                stack="split",
                dry_run=False,
            )
        )
        await run_in_stack(_program)

    asyncio.run(run())
    return recorded


def _program() -> None:
    roles = ExecutionRoles("functions", functions=FUNCTIONS)
    network = Network("network", region="us-east-1", flow_logs=True, interfaces=roles.ready)
    store = Store("store", region="us-east-1", production=False, protect=False)
    database = Database("database", network=network, production=False, protect=False)
    functions = Functions(
        "functions",
        code=bundle("aws", build=False),
        network=network,
        roles=roles,
        store=store,
        database=database,
        inference=[
            ExternalInference(
                name="serverless",
                url="https://inference.example:8443/v1",
                model="some-model",
                api_key=pulumi.Output.secret("key-51d0"),
                context_tokens=8192,
            )
        ],
        inference_mode="serverless",
        production=False,
        protect=False,
    )
    Monitoring(
        "monitoring",
        arrivals=store.arrivals,
        functions=functions,
        database=database,
        region="us-east-1",
        stack="a.b",
        monthly_budget_usd=200,
        alert_email="",
    )


def statements(cloud: Cloud, name: str, key: str = "policy") -> list[Json]:
    document = cloud.inputs[name][key]
    assert document["Version"] == "2012-10-17"
    found: list[Json] = document["Statement"]
    return found


def allowed(cloud: Cloud, function: str) -> dict[str, set[str]]:
    """Resources that a function's role may access, by action."""
    found: dict[str, set[str]] = {}
    interfaces, denied = statements(cloud, f"functions-{function}-interfaces")
    assert denied == {
        **interfaces,
        "Effect": "Deny",  # to the code of a function
        "Condition": {"ArnLike": {"lambda:SourceFunctionArn": "arn:aws:lambda:*:*:function:*"}},
    }
    for statement in (interfaces, *statements(cloud, f"functions-{function}-policy")):
        assert statement["Effect"] == "Allow"
        for action in statement["Action"]:
            found.setdefault(action, set()).update(statement["Resource"])
    return found


NETWORK = {
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
}
LOGS = {"logs:CreateLogStream", "logs:PutLogEvents"}
SECRETS = {"secretsmanager:GetSecretValue"}
BUCKET = {"s3:GetObject", "s3:PutObject", "s3:ListBucket"}
QUEUE = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}


@pytest.mark.parametrize(
    ("function", "actions"),
    [
        ("api", {"kms:GenerateDataKey", "sqs:SendMessage"}),
        ("summarize", {"kms:Decrypt", "kms:GenerateDataKey"} | QUEUE),
        ("sweep", {"kms:Decrypt", "kms:GenerateDataKey"}),
    ],
)
def test_a_function_has_the_actions_that_it_needs(
    cloud: Cloud, function: str, actions: set[str]
) -> None:
    assert set(allowed(cloud, function)) == NETWORK | LOGS | SECRETS | BUCKET | actions


@pytest.mark.parametrize("function", ["api", "summarize", "sweep"])
def test_a_function_reads_only_its_secrets_and_writes_only_its_log(
    cloud: Cloud, function: str
) -> None:
    actions = allowed(cloud, function)
    variables = cloud.inputs[f"functions-{function}"]["environment"]["variables"]
    references = {value for name, value in variables.items() if name.endswith("_SECRET_ARN")}
    prefix = f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}"
    secrets = {
        f"{prefix}:functions-api-token-secret",
        f"{prefix}:functions-inference-key-secret",
        f"{prefix}:database-role-secret",
    }

    assert {action for action, resources in actions.items() if "*" in resources} == NETWORK
    assert actions["secretsmanager:GetSecretValue"] == secrets
    assert references == {f"{secret}:::v1" for secret in secrets}
    assert not any("key-51d0" in value or "of-a-test" in value for value in variables.values())
    assert actions["logs:PutLogEvents"] == {
        f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:functions-{function}-logs:*"
    }


def test_the_api_writes_documents_and_the_workers_write_summaries(cloud: Cloud) -> None:
    documents = "arn:aws:s3:::store-bucket/incoming/*"
    summaries = "arn:aws:s3:::store-bucket/summaries/*"

    assert allowed(cloud, "api")["s3:PutObject"] == {documents}
    for worker in ("summarize", "sweep"):
        assert allowed(cloud, worker)["s3:GetObject"] == {documents}
        assert allowed(cloud, worker)["s3:PutObject"] == {summaries}


def test_the_api_sends_messages_to_the_queue_of_the_worker(cloud: Cloud) -> None:
    queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:store-arrivals-queue"
    variables = cloud.inputs["functions-api"]["environment"]["variables"]

    assert allowed(cloud, "api")["sqs:SendMessage"] == {queue}
    assert variables["ARRIVALS_URL"] == "https://sqs/store-arrivals-queue"


def test_only_the_database_owner_function_reads_the_master_password(cloud: Cloud) -> None:
    actions = allowed(cloud, "database-owner")

    assert set(actions) == NETWORK | LOGS | SECRETS
    assert actions["secretsmanager:GetSecretValue"] == {
        f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:rds",
        f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:database-role-secret",
    }
    variables = cloud.inputs["functions-database-owner"]["environment"]["variables"]
    assert (variables["MASTER_USER"], variables["DATABASE_USER"]) == ("dbmaster", "summarizer")
    triggers = cloud.inputs["functions-database-owner-run"]["triggers"]
    assert triggers["password"] == variables["DATABASE_PASSWORD_SECRET_ARN"]


def test_a_function_waits_for_the_rules_of_its_security_groups(cloud: Cloud) -> None:
    rules = {name for name, inputs in cloud.inputs.items() if "securityGroupId" in inputs}

    assert len(rules) == 4
    assert all(rules <= cloud.waits[f"functions-{name}"] for name in ("api", "summarize", "sweep"))


def test_every_role_trusts_one_service(cloud: Cloud) -> None:
    for name, inputs in cloud.inputs.items():
        if "assumeRolePolicy" in inputs:
            (statement,) = statements(cloud, name, "assumeRolePolicy")
            service = "vpc-flow-logs" if name == "network-flow-role" else "lambda"
            assert statement["Principal"] == {"Service": f"{service}.amazonaws.com"}
            if service == "vpc-flow-logs":
                assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


def test_only_the_bucket_of_the_stack_sends_to_the_queue(cloud: Cloud) -> None:
    queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:store-arrivals-queue"

    assert statements(cloud, "store-arrivals-policy") == [
        {
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Action": ["sqs:SendMessage"],
            "Resource": [queue],
            "Condition": {
                "ArnEquals": {"aws:SourceArn": "arn:aws:s3:::store-bucket"},
                "StringEquals": {"aws:SourceAccount": ACCOUNT},
            },
        }
    ]
    assert json.loads(cloud.inputs["store-arrivals-queue"]["redrivePolicy"]) == {
        "deadLetterTargetArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:store-arrivals-dead-letters",
        "maxReceiveCount": 5,
    }


def test_only_the_page_uploads_documents_from_a_browser(cloud: Cloud) -> None:
    (rule,) = cloud.inputs["store-cors"]["corsRules"]

    assert rule["allowedOrigins"] == ["https://abc.execute-api.us-east-1.amazonaws.com"]
    assert rule["allowedMethods"] == ["PUT"]


def test_a_secret_without_a_reference_is_refused() -> None:
    with pytest.raises(ValueError, match="must be"):
        environment({"API_TOKEN": "t"}, {"API_TOKEN": "arn"})
