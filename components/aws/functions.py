"""The functions of the split arrangement: Lambdas from one bundle."""

import json
from collections.abc import Mapping, Sequence

import pulumi
from pulumi_aws import apigatewayv2, cloudwatch, iam, lambda_

from components.aws.database import Database
from components.aws.iam import Statement, allow, policy, trust
from components.aws.network import Network
from components.aws.queue import WORKER_SECONDS
from components.aws.secrets import Secret
from components.aws.store import Store
from components.bundle import Bundle
from components.contracts import Inference, application_environment
from components.generated import GeneratedSecret
from functions.endpoint import Rung

API_SECONDS = 29
"""API Gateway gives up after 30 (docs.aws.amazon.com/apigateway, HTTP API quotas)."""

SWEEP_EVERY = "rate(5 minutes)"

DOCUMENT_SECONDS = WORKER_SECONDS - 60

REQUEST_LOG = json.dumps(
    {
        name: f"$context.{variable}"
        for name, variable in {
            "time": "requestTime",
            "request": "requestId",
            "caller": "identity.sourceIp",
            "method": "httpMethod",
            "path": "path",
            "status": "status",
            "bytes": "responseLength",
            "milliseconds": "responseLatency",
            "error": "error.message",
            "function_error": "integrationErrorMessage",
        }.items()
    }
)
"""A line per request: no header and no query, so no token.

Variables: docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html
"""

_REFERRED = frozenset({"API_TOKEN", "DATABASE_PASSWORD", "INFERENCE_API_KEYS"})
_UNUSED = frozenset({"STORE_ENDPOINT", "STORE_ACCESS_KEY_ID", "STORE_SECRET_ACCESS_KEY"})
"""Of a bucket of AWS, that the functions reach by their roles."""


def environment(
    told: Mapping[str, pulumi.Input[str]], references: Mapping[str, pulumi.Input[str]]
) -> dict[str, pulumi.Input[str]]:
    """What the application is told, with a reference in the place of every secret.

    Raises:
        ValueError: when a secret has no reference, or something else has one.
    """
    if set(references) != _REFERRED:
        raise ValueError(f"{sorted(references)} are referred to; it must be {sorted(_REFERRED)}.")
    plain = {name: value for name, value in told.items() if name not in _REFERRED | _UNUSED}
    return plain | {f"{name}_SECRET_ARN": value for name, value in references.items()}


class Functions(pulumi.ComponentResource):
    """The application on Lambda (see `components.contracts.Functions`).

    Each function has a role of its own that may do what its relations need and no more. Beside
    the three there is `own`, which hands the database to the application's role.
    """

    page_url: pulumi.Output[str]
    api_token: pulumi.Output[str]
    names: dict[str, pulumi.Output[str]]
    """Of the three functions at AWS, by what they do."""

    def __init__(
        self,
        name: str,
        *,
        code: Bundle,
        network: Network,
        store: Store,
        database: Database,
        inference: Sequence[Inference],
        rung: Rung,
        production: bool,
        protect: bool,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        code: The bundle for Lambda.
        production: True keeps logs for 90 days instead of 14, and lets four times as many
            documents be worked on at once.
        protect: True keeps deleted secrets for 30 days instead of not at all.
        """
        super().__init__("seamless:aws:Functions", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.api_token = GeneratedSecret(f"{name}-token", opts=child).value
        recovery_days = 30 if protect else 0
        token = Secret(
            f"{name}-api-token",
            value=self.api_token,
            description="What callers of the API present",
            recovery_days=recovery_days,
            opts=child,
        )
        told = application_environment(
            arrangement="split",
            rung=rung,
            api_token=self.api_token,
            store=store,
            database=database,
            inference=inference,
        )
        keys = Secret(
            f"{name}-inference-key",
            value=told["INFERENCE_API_KEYS"],
            description="Keys of the inference endpoints",
            recovery_days=recovery_days,
            opts=child,
        )
        self._name, self._code, self._network = name, code, network
        to_inference = [
            # The rung's own comes first, and keeps its way whatever stands beside it.
            network.way_to(
                f"{name}-inference{f'-{each.name}' if place else ''}",
                pulumi.Output.from_input(each.url),
            )
            for place, each in enumerate(inference)
        ]
        self._log_days = 90 if production else 14
        self._environment = {
            **environment(
                told,
                {
                    "API_TOKEN": token.reference,
                    "DATABASE_PASSWORD": database.password_reference,
                    "INFERENCE_API_KEYS": keys.reference,
                },
            ),
            "DOCUMENT_DEADLINE_SECONDS": str(DOCUMENT_SECONDS),
        }
        handed_over = self._hand_over(database)
        secrets = [token.grant_read(), keys.grant_read(), database.grant_password()]
        api = self._function(
            "api",
            seconds=API_SECONDS,
            megabytes=1024,
            may=[*store.grant_uploads(), store.arrivals.grant_send(), *secrets],
            told={**self._environment, "ARRIVALS_URL": store.arrivals.url},
            after=[handed_over],
        )
        summarize = self._function(
            "summarize",
            seconds=WORKER_SECONDS,
            megabytes=2048,
            may=[*store.grant_work(), store.arrivals.grant_receive(), *secrets],
            told=self._environment,
            reaches=to_inference,
            after=[handed_over],
        )
        sweep = self._function(
            "sweep",
            seconds=WORKER_SECONDS,
            megabytes=2048,
            may=[*store.grant_work(), *secrets],
            told=self._environment,
            reaches=to_inference,
            after=[handed_over],
        )
        lambda_.EventSourceMapping(
            f"{name}-arrivals",
            event_source_arn=store.arrivals.arn,
            function_name=summarize.arn,
            batch_size=1,  # one document has the function's memory and time for itself
            function_response_types=["ReportBatchItemFailures"],
            scaling_config=lambda_.EventSourceMappingScalingConfigArgs(
                maximum_concurrency=16 if production else 4
            ),
            opts=child,
        )
        self._schedule(sweep)
        origin = self._http(api)
        store.allow_uploads_from(origin)
        self.page_url = pulumi.Output.concat(origin, "/")
        self.names = {"api": api.name, "summarize": summarize.name, "sweep": sweep.name}
        self.register_outputs({"page_url": self.page_url, "api_token": self.api_token})

    def _function(
        self,
        what: str,
        *,
        seconds: int,
        megabytes: int,
        may: Sequence[Statement],
        told: Mapping[str, pulumi.Input[str]],
        reaches: Sequence[pulumi.Input[str]] = (),
        after: Sequence[pulumi.Resource] = (),
        handler: str = "",
    ) -> lambda_.Function:
        """A function with its log and its role.

        Args:
            told: Its environment.
            reaches: Security groups beside the one of all functions.
            after: What must be there before it is called.
            handler: Module and function in `functions.handlers`; the default is `aws` and its name.
        """
        name, child = f"{self._name}-{what}", pulumi.ResourceOptions(parent=self)
        logs = cloudwatch.LogGroup(f"{name}-logs", retention_in_days=self._log_days, opts=child)
        role = iam.Role(
            f"{name}-role", assume_role_policy=trust("lambda.amazonaws.com"), opts=child
        )
        write = allow(
            "logs:CreateLogStream",
            "logs:PutLogEvents",
            on=[pulumi.Output.concat(logs.arn, ":*")],
        )
        allowed = iam.RolePolicy(
            f"{name}-policy", role=role.id, policy=policy([write, _in_vpc(), *may]), opts=child
        )
        return lambda_.Function(
            name,
            role=role.arn,
            runtime=self._code.runtime,
            architectures=["arm64"],
            handler=f"functions.handlers.{handler or f'aws.{what}'}",
            code=_archive(self._code),
            source_code_hash=self._code.key,
            timeout=seconds,
            memory_size=megabytes,
            environment=lambda_.FunctionEnvironmentArgs(variables=dict(told)),
            vpc_config=lambda_.FunctionVpcConfigArgs(
                subnet_ids=self._network.private_subnet_ids,
                security_group_ids=[self._network.functions_group_id, *reaches],
            ),
            logging_config=lambda_.FunctionLoggingConfigArgs(
                log_format="JSON", application_log_level="INFO", log_group=logs.name
            ),
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[allowed, *self._network.way_out, *after]
            ),
        )

    def _hand_over(self, database: Database) -> lambda_.Invocation:
        """Have the database belong to the application's role, whenever its password is new."""
        own = self._function(
            "own",
            handler="aws_database.handler",
            seconds=60,
            megabytes=256,
            may=[database.grant_password(), database.grant_master_password()],
            told={
                "DATABASE_HOST": database.host,
                "DATABASE_PORT": database.port.apply(lambda port: f"{int(port)}"),
                "DATABASE_NAME": database.name,
                "DATABASE_USER": database.user,
                "DATABASE_PASSWORD_SECRET_ARN": database.password_reference,
                "DATABASE_SSLMODE": database.sslmode,
                "MASTER_USER": database.master,
                "MASTER_PASSWORD_SECRET_ARN": database.master_password_reference,
            },
        )
        return lambda_.Invocation(
            f"{self._name}-hand-over",
            function_name=own.name,
            input="{}",
            triggers={"host": database.host, "password": database.password_reference},
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _schedule(self, sweep: lambda_.Function) -> None:
        """Have the sweep run, whatever events were missed."""
        name, child = f"{self._name}-schedule", pulumi.ResourceOptions(parent=self)
        rule = cloudwatch.EventRule(name, schedule_expression=SWEEP_EVERY, opts=child)
        lambda_.Permission(
            f"{name}-permission",
            action="lambda:InvokeFunction",
            function=sweep.name,
            principal="events.amazonaws.com",
            source_arn=rule.arn,
            opts=child,
        )
        cloudwatch.EventTarget(f"{name}-target", rule=rule.name, arn=sweep.arn, opts=child)

    def _http(self, api: lambda_.Function) -> pulumi.Output[str]:
        """Put an HTTP API in front of a function; return its scheme and host."""
        name, child = f"{self._name}-http", pulumi.ResourceOptions(parent=self)
        gateway = apigatewayv2.Api(name, protocol_type="HTTP", opts=child)
        requests = cloudwatch.LogGroup(
            f"{name}-requests", retention_in_days=self._log_days, opts=child
        )
        integration = apigatewayv2.Integration(
            f"{name}-integration",
            api_id=gateway.id,
            integration_type="AWS_PROXY",
            integration_uri=api.arn,
            payload_format_version="2.0",
            timeout_milliseconds=API_SECONDS * 1000,
            opts=child,
        )
        apigatewayv2.Route(
            f"{name}-route",
            api_id=gateway.id,
            route_key="$default",
            target=pulumi.Output.concat("integrations/", integration.id),
            opts=child,
        )
        apigatewayv2.Stage(
            f"{name}-stage",
            api_id=gateway.id,
            name="$default",
            auto_deploy=True,
            access_log_settings=apigatewayv2.StageAccessLogSettingsArgs(
                destination_arn=requests.arn, format=REQUEST_LOG
            ),
            default_route_settings=apigatewayv2.StageDefaultRouteSettingsArgs(
                throttling_rate_limit=20, throttling_burst_limit=40
            ),
            opts=child,
        )
        lambda_.Permission(
            f"{name}-permission",
            action="lambda:InvokeFunction",
            function=api.name,
            principal="apigateway.amazonaws.com",
            source_arn=pulumi.Output.concat(gateway.execution_arn, "/*/*"),
            opts=child,
        )
        origin: pulumi.Output[str] = gateway.api_endpoint
        return origin


def _in_vpc() -> Statement:
    """May have a network interface, which IAM cannot narrow to one VPC at creation."""
    return allow(
        "ec2:CreateNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:DeleteNetworkInterface",
        "ec2:AssignPrivateIpAddresses",
        "ec2:UnassignPrivateIpAddresses",
        on=["*"],
    )


def _archive(code: Bundle) -> pulumi.Archive:
    """The bundle, or its key where a plan has not built it: an engine reads what it is given."""
    if code.path:
        return pulumi.FileArchive(str(code.path))
    return pulumi.AssetArchive({"key": pulumi.StringAsset(code.key)})
