"""The functions of the split variant: Lambda functions from one bundle."""

import json
from collections.abc import Mapping, Sequence

import pulumi
from pulumi_aws import apigatewayv2, cloudwatch, iam, lambda_

from build.bundle import Bundle
from components.aws.database import Database
from components.aws.execution_roles import ExecutionRoles
from components.aws.iam import Statement, allow, policy
from components.aws.network import Network
from components.aws.object_store import Store
from components.aws.queue import WORKER_SECONDS
from components.aws.secrets import Secret
from components.contracts import ExternalInference, Inference, application_environment
from components.generated_secret import GeneratedSecret
from functions.documents.memory import worker_mebibytes
from functions.handlers.aws_queue import DOCUMENTS_AT_ONCE
from functions.inference.endpoint import InferenceMode

API_SECONDS = 29
"""API Gateway times out after 30 seconds (docs.aws.amazon.com/apigateway, HTTP API quotas)."""

HEALTH_ROUTE = "ANY /healthz"
"""The only request that opens a database connection without the token; HEAD is one, too.

Its throttle is its own, since each new process that it reaches opens one connection.
"""

SWEEP_EVERY = "rate(5 minutes)"

FUNCTIONS = ("api", "summarize", "sweep", "database-owner")

DOCUMENT_SECONDS = WORKER_SECONDS - 60

WORKER_MEGABYTES = worker_mebibytes(documents=DOCUMENTS_AT_ONCE)
"""Memory of the functions that read documents.

New accounts have smaller quotas (docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html,
read 2026-11-29); reports of refused functions name 3,008 MB as their most.
"""

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
"""Format of the access log: no header and no query string, so no token.

Variables: docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html
"""

ENDPOINTS_BYTES = 2400
"""Most bytes of `INFERENCE_ENDPOINTS` as JSON in JSON.

Lambda takes 4 KB of variables, measured as JSON (docs.aws.amazon.com/lambda/latest/dg,
gettingstarted-limits, read 2026-11-29). The others need up to 1,600 with the longest names.
"""

_SECRETS = frozenset({"API_TOKEN", "DATABASE_PASSWORD", "INFERENCE_API_KEYS"})
_UNUSED = frozenset({"STORE_ENDPOINT", "STORE_ACCESS_KEY_ID", "STORE_SECRET_ACCESS_KEY"})
"""Variables of an S3 bucket that functions access by their roles."""


def environment(
    application: Mapping[str, pulumi.Input[str]], references: Mapping[str, pulumi.Input[str]]
) -> dict[str, pulumi.Input[str]]:
    """The application's environment with each secret replaced by a reference to it.

    Raises:
        ValueError: `references` has other names than the secrets.
    """
    if set(references) != _SECRETS:
        raise ValueError(f"References {sorted(references)} must be {sorted(_SECRETS)}.")
    plain = {name: value for name, value in application.items() if name not in _SECRETS | _UNUSED}
    return plain | {f"{name}_SECRET_ARN": value for name, value in references.items()}


class Functions(pulumi.ComponentResource):
    """The application on Lambda (see `components.contracts.Functions`).

    Creates:
    - the functions `api`, `summarize` and `sweep`, each with its own log group
    - a function that makes the application's role the owner of the database, and its invocation
    - an HTTP API with an access log in front of `api`
    - an event source mapping from the queue of arrivals to `summarize`
    - a rule that runs `sweep` every five minutes
    - the API token and the inference keys as secrets
    - a security group for inference endpoints on another port than 443, if there are any

    Each function's role gets only the rights that the function's own parts need.
    """

    page_url: pulumi.Output[str]
    api_token: pulumi.Output[str]
    names: dict[str, pulumi.Output[str]]
    """Lambda's names of `api`, `summarize` and `sweep`."""
    log_groups: dict[str, pulumi.Output[str]]
    """Names of the log groups of all functions."""
    http_api_id: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        code: Bundle,
        network: Network,
        roles: ExecutionRoles,
        store: Store,
        database: Database,
        inference: Sequence[Inference],
        inference_mode: InferenceMode,
        production: bool,
        protect: bool,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        code: The bundle for Lambda.
        roles: The roles of `FUNCTIONS`.
        production: True keeps logs for 90 days instead of 14, and processes 16 documents at the
            same time instead of 4.
        protect: True keeps deleted secrets for 30 days; False deletes them at once.
        """
        super().__init__("seamless:aws:Functions", name, None, opts)
        self._name, self._code, self._network, self._roles = name, code, network, roles.roles
        self._child = pulumi.ResourceOptions(parent=self)
        self.log_groups = {}
        self._log_days = 90 if production else 14
        self.api_token = GeneratedSecret(f"{name}-token", opts=self._child).value
        variables = application_environment(
            variant="split",
            inference_mode=inference_mode,
            api_token=self.api_token,
            shared_page_url="",
            store=store,
            database=database,
            inference=inference,
        )
        recovery_days = 30 if protect else 0
        token = self._secret("api-token", "Token of the API", self.api_token, recovery_days)
        keys = self._secret(
            "inference-key",
            "Keys of the inference endpoints",
            variables["INFERENCE_API_KEYS"],
            recovery_days,
        )
        references = {
            "API_TOKEN": token.reference,
            "DATABASE_PASSWORD": database.password_reference,
            "INFERENCE_API_KEYS": keys.reference,
        }
        settings = {
            **environment(variables, references),
            "DOCUMENT_DEADLINE_SECONDS": str(DOCUMENT_SECONDS),
        }
        read_secrets = [token.grant_read(), keys.grant_read(), database.grant_password()]
        database_ready = self._bootstrap(database)
        # Only a configured endpoint can have another port: one that the stack creates serves HTTPS.
        egress = network.egress_group_for(
            f"{name}-inference", [e.url for e in inference if isinstance(e, ExternalInference)]
        )
        api = self._function(
            "api",
            seconds=API_SECONDS,
            megabytes=1024,
            grants=[*store.grant_uploads(), store.arrivals.grant_send(), *read_secrets],
            variables={**settings, "ARRIVALS_URL": store.arrivals.url},
            after=[database_ready],
        )
        summarize = self._function(
            "summarize",
            seconds=WORKER_SECONDS,
            megabytes=WORKER_MEGABYTES,
            grants=[*store.grant_work(), store.arrivals.grant_receive(), *read_secrets],
            variables=settings,
            security_groups=egress,
            after=[database_ready],
        )
        sweep = self._function(
            "sweep",
            seconds=WORKER_SECONDS,
            megabytes=WORKER_MEGABYTES,
            grants=[*store.grant_work(), *read_secrets],
            variables=settings,
            security_groups=egress,
            after=[database_ready],
        )
        self._consume(store, summarize, concurrency=16 if production else 4)
        self._schedule(sweep)
        origin = self._http(api)
        store.allow_uploads_from(origin)
        self.page_url = pulumi.Output.concat(origin, "/")
        self.names = {"api": api.name, "summarize": summarize.name, "sweep": sweep.name}
        self.register_outputs({"page_url": self.page_url, "api_token": self.api_token})

    def _secret(
        self, name: str, description: str, value: pulumi.Input[str], recovery_days: int
    ) -> Secret:
        return Secret(
            f"{self._name}-{name}",
            value=value,
            description=description,
            recovery_days=recovery_days,
            opts=self._child,
        )

    def _function(
        self,
        name: str,
        *,
        seconds: int,
        megabytes: int,
        grants: Sequence[Statement],
        variables: Mapping[str, pulumi.Input[str]],
        security_groups: Sequence[pulumi.Input[str]] = (),
        after: Sequence[pulumi.Resource] = (),
        handler: str = "",
    ) -> lambda_.Function:
        """A function with its log group and the rights of its role.

        Args:
            grants: Statements of its role, beside those for its log and its network interfaces.
            variables: Its environment.
            security_groups: Groups beside the one that all functions share.
            after: Resources that a call of the function needs.
            handler: Dotted name; by default the one of this name in `functions.handlers.aws`.
        """
        full_name = f"{self._name}-{name}"
        logs = cloudwatch.LogGroup(
            f"{full_name}-logs", retention_in_days=self._log_days, opts=self._child
        )
        self.log_groups[name] = logs.name
        role = self._roles[name]
        write_log = allow(
            "logs:CreateLogStream",
            "logs:PutLogEvents",
            on=[pulumi.Output.concat(logs.arn, ":*")],
        )
        permissions = iam.RolePolicy(
            f"{full_name}-policy",
            role=role.id,
            policy=policy([write_log, *grants]),
            opts=self._child,
        )
        return lambda_.Function(
            full_name,
            role=role.arn,
            runtime=self._code.runtime,
            architectures=["arm64"],
            handler=handler or f"functions.handlers.aws.{name}",
            code=_archive(self._code),
            source_code_hash=self._code.key,
            timeout=seconds,
            memory_size=megabytes,
            environment=lambda_.FunctionEnvironmentArgs(variables=dict(variables)),
            vpc_config=lambda_.FunctionVpcConfigArgs(
                subnet_ids=self._network.private_subnet_ids,
                security_group_ids=[self._network.functions_group_id, *security_groups],
            ),
            logging_config=lambda_.FunctionLoggingConfigArgs(
                log_format="JSON",
                application_log_level="INFO",
                # Lambda's default; without it some versions of the provider find a difference.
                system_log_level="INFO",
                log_group=logs.name,
            ),
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[permissions, *self._network.egress_ready, *after]
            ),
        )

    def _bootstrap(self, database: Database) -> lambda_.Invocation:
        """Make the application's role the owner of the database, after each new password."""
        function = self._function(
            "database-owner",
            handler="functions.handlers.aws_database_owner.handler",
            seconds=60,
            megabytes=256,
            grants=[database.grant_password(), database.grant_master_password()],
            variables={
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
            f"{self._name}-database-owner-run",
            function_name=function.name,
            input="{}",
            triggers={"host": database.host, "password": database.password_reference},
            opts=self._child,
        )

    def _consume(self, store: Store, summarize: lambda_.Function, *, concurrency: int) -> None:
        """Call `summarize` for each message in the queue of arrivals."""
        lambda_.EventSourceMapping(
            f"{self._name}-arrivals",
            event_source_arn=store.arrivals.arn,
            function_name=summarize.arn,
            batch_size=1,  # each document gets the memory and the timeout of a whole invocation
            function_response_types=["ReportBatchItemFailures"],
            scaling_config=lambda_.EventSourceMappingScalingConfigArgs(
                maximum_concurrency=concurrency
            ),
            opts=self._child,
        )

    def _schedule(self, sweep: lambda_.Function) -> None:
        """Run `sweep` on a schedule; it finds documents whose events were lost."""
        name, child = f"{self._name}-schedule", self._child
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
        """Put an HTTP API in front of a function; return its origin, `https://HOST`."""
        name, child = f"{self._name}-http", self._child
        gateway = apigatewayv2.Api(name, protocol_type="HTTP", opts=child)
        # API Gateway adds every other group to the account's policy for log delivery, which may
        # have 5,120 characters and never shrinks: anomalyco/sst#125, serverless/serverless#10469.
        access_log = cloudwatch.LogGroup(
            f"{name}-requests",
            name_prefix=f"/aws/vendedlogs/{pulumi.get_project()}-{pulumi.get_stack()}-requests-",
            retention_in_days=self._log_days,
            opts=child,
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
        routes = [
            apigatewayv2.Route(
                f"{name}-{label}",
                api_id=gateway.id,
                route_key=key,
                target=pulumi.Output.concat("integrations/", integration.id),
                opts=child,
            )
            for label, key in {"route": "$default", "health-route": HEALTH_ROUTE}.items()
        ]
        apigatewayv2.Stage(
            f"{name}-stage",
            api_id=gateway.id,
            name="$default",
            auto_deploy=True,
            access_log_settings=apigatewayv2.StageAccessLogSettingsArgs(
                destination_arn=access_log.arn, format=REQUEST_LOG
            ),
            default_route_settings=apigatewayv2.StageDefaultRouteSettingsArgs(
                throttling_rate_limit=20, throttling_burst_limit=40
            ),
            route_settings=[
                apigatewayv2.StageRouteSettingArgs(
                    route_key=HEALTH_ROUTE, throttling_rate_limit=2, throttling_burst_limit=5
                )
            ],
            # API Gateway refuses settings of a route that does not exist yet.
            opts=pulumi.ResourceOptions(parent=self, depends_on=routes),
        )
        lambda_.Permission(
            f"{name}-permission",
            action="lambda:InvokeFunction",
            function=api.name,
            principal="apigateway.amazonaws.com",
            source_arn=pulumi.Output.concat(gateway.execution_arn, "/*/*"),
            opts=child,
        )
        self.http_api_id = gateway.id
        origin: pulumi.Output[str] = gateway.api_endpoint
        return origin


def _archive(code: Bundle) -> pulumi.Archive:
    """The bundle; in a plan, which builds none, an archive with only its key."""
    if code.path:
        return pulumi.FileArchive(str(code.path))
    return pulumi.AssetArchive({"key": pulumi.StringAsset(code.key)})
