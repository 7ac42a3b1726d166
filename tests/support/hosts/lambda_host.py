"""The application on AWS: a gateway, a bucket that notifies a queue, three functions.

S3, SQS and Secrets Manager are moto's, which checks no roles; `bucket` checks the signatures of S3.
"""

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]

from components.aws.queue import MAX_RECEIVES, VISIBILITY_SECONDS, WORKER_SECONDS
from tests.support import local
from tests.support.contract.application import sql
from tests.support.contract.model import Model
from tests.support.hosts.bucket import Key, checked_bucket
from tests.support.hosts.event_source import EventSourceMapping
from tests.support.hosts.execution import Execution
from tests.support.hosts.gateway import TIMEOUT_SECONDS, gateway
from tests.support.hosts.notification import notification
from tests.support.hosts.web import serving

REGION = "us-east-1"

IDENTITY = {
    "AWS_ACCESS_KEY_ID": "AKIATEST",
    "AWS_SECRET_ACCESS_KEY": "of-a-test",
    "AWS_SESSION_TOKEN": "of-a-test",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""The credentials of a function's role."""


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """The resources of the functions; the environment has references to secrets."""

    s3: Any
    sqs: Any
    secrets: Any
    bucket: str
    queue_url: str
    dead_letters_url: str
    password_arn: str
    environment: Mapping[str, str]

    def waiting(self, url: str) -> tuple[int, int]:
        """Numbers of visible and of received messages in a queue."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return int(found[names[0]]), int(found[names[1]])


ROLE = Key(
    id=IDENTITY["AWS_ACCESS_KEY_ID"],
    secret=IDENTITY["AWS_SECRET_ACCESS_KEY"],
    session_token=IDENTITY["AWS_SESSION_TOKEN"],
)


def cloud(
    endpoint: str,
    *,
    store: str,
    database: Mapping[str, str],
    inference: Mapping[str, str],
    token: str,
) -> Cloud:
    """Create a bucket that notifies a queue, and the secrets; functions see the store's URL."""
    s3, sqs, vault = (
        boto3.client(
            name,
            endpoint_url=endpoint,
            region_name=REGION,
            aws_access_key_id=IDENTITY["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=IDENTITY["AWS_SECRET_ACCESS_KEY"],
        )
        for name in ("s3", "sqs", "secretsmanager")
    )
    bucket = f"documents-{secrets.token_hex(4)}"
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})

    def queue(name: str, attributes: Mapping[str, str]) -> tuple[str, str]:
        url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return url, found["Attributes"]["QueueArn"]

    dead_letters_url, dead_letters = queue(f"{bucket}-dead-letters", {})
    redrive = {"deadLetterTargetArn": dead_letters, "maxReceiveCount": MAX_RECEIVES}
    queue_url, arrivals = queue(
        bucket, {"VisibilityTimeout": f"{VISIBILITY_SECONDS}", "RedrivePolicy": json.dumps(redrive)}
    )
    incoming = {"Key": {"FilterRules": [{"Name": "prefix", "Value": "incoming/"}]}}
    events = {"QueueArn": arrivals, "Events": ["s3:ObjectCreated:*"], "Filter": incoming}
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [events]}
    )

    def secret(name: str, text: str) -> tuple[str, str]:
        made = vault.create_secret(Name=f"{name}-{bucket}", SecretString=text)
        return made["ARN"], f"{made['ARN']}:::{made['VersionId']}"

    plain, endpoints = dict(database), dict(inference)
    password_arn, _ = secret("rds", json.dumps({"password": plain.pop("DATABASE_PASSWORD")}))
    return Cloud(
        s3=s3,
        sqs=sqs,
        secrets=vault,
        bucket=bucket,
        queue_url=queue_url,
        dead_letters_url=dead_letters_url,
        password_arn=password_arn,
        environment={
            "VARIANT": "split",
            "INFERENCE_MODE": "serverless",
            "STORE_URL": f"s3://{bucket}",
            "STORE_ENDPOINT": store,
            "STORE_REGION": REGION,
            "API_TOKEN_SECRET_ARN": secret("token", token)[1],
            "INFERENCE_API_KEYS_SECRET_ARN": secret("keys", endpoints.pop("INFERENCE_API_KEYS"))[1],
            "DATABASE_PASSWORD_SECRET_ARN": f"{password_arn}:password::",
            "ARRIVALS_URL": queue_url,
            **plain,
            **endpoints,
        },
    )


@dataclass(frozen=True, kw_only=True)
class LambdaHost:
    """See `tests.support.contract.application.Host`."""

    page_url: str
    token: str
    cloud: Cloud
    mapping: EventSourceMapping
    executions: Mapping[str, Execution]
    model: Model
    environment: Mapping[str, str]
    patience_seconds: float = 60.0

    def put(self, key: str, data: bytes) -> None:
        self.cloud.s3.put_object(Bucket=self.cloud.bucket, Key=key, Body=data)

    def deliver(self, id_: str, *, times: int) -> None:
        """The event is a notification of S3."""
        ((key,),) = sql(self, "select object_key from documents where id = %s", id_)
        for _ in range(times):
            self.send(notification(self.cloud.bucket, key))

    def send(self, body: str) -> str:
        """Send a message to the queue, and return its id."""
        sent = self.cloud.sqs.send_message(QueueUrl=self.cloud.queue_url, MessageBody=body)
        return str(sent["MessageId"])

    def kill_worker(self) -> None:
        self.executions["summarize"].kill()

    def later(self) -> None:
        """Redeliver failed messages, and trigger the schedule."""
        self.mapping.time_out()
        self.executions["sweep"].call({"source": "aws.events", "detail-type": "Scheduled Event"})

    def settle(self) -> None:
        local.until(lambda: self.cloud.waiting(self.cloud.queue_url) == (0, 0) or None)


@contextmanager
def lambda_host(
    folder: Path, database: Mapping[str, str], model: Model, s3: str
) -> Iterator[LambdaHost]:
    """The application with its own bucket, queue and secrets."""
    token = secrets.token_urlsafe(12)
    limits = {"api": TIMEOUT_SECONDS, "summarize": WORKER_SECONDS, "sweep": WORKER_SECONDS}
    with ExitStack() as stack:
        checked = stack.enter_context(checked_bucket(s3, ROLE, region=REGION))
        made = cloud(
            s3, store=checked.url, database=database, inference=model.environment, token=token
        )
        environment = {**made.environment, **IDENTITY, "AWS_ENDPOINT_URL": s3}
        executions = {
            name: Execution(
                f"functions.handlers.aws:{name}",
                name=name,
                seconds=seconds,
                environment=environment,
                folder=folder / name,
            )
            for name, seconds in limits.items()
        }
        mapping = EventSourceMapping(made.sqs, made.queue_url, executions["summarize"].call)
        for execution in executions.values():
            stack.callback(execution.close)
        url = stack.enter_context(serving(gateway(executions["api"])))
        stack.callback(mapping.stop)
        mapping.start()
        yield LambdaHost(
            page_url=f"{url}/",
            token=token,
            cloud=made,
            mapping=mapping,
            executions=executions,
            model=model,
            environment={
                **environment,
                **database,
                "API_TOKEN": token,
                "INFERENCE_API_KEYS": model.environment["INFERENCE_API_KEYS"],
            },
        )
