"""The Lambda handlers in this process, from an event of AWS to the answer that AWS expects.

That they are the same application as elsewhere, as processes of their own, is in `tests/contract`.

S3, SQS and Secrets Manager are moto's, with events and messages of their real shape; PostgreSQL and
the local model server for the inference are real. What only AWS shows is not shown here: roles, the
network, the gateway, and that moto does not check signatures.
"""

import asyncio
import base64
import json
import os
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest

from components.aws.provider import REGIONS
from functions.application import Application
from functions.handlers import aws
from functions.handlers.aws_http import HttpResult
from functions.handlers.aws_secrets import resolve, secrets_manager
from functions.handlers.ca_bundle import trust
from tests.support import local
from tests.support.hosts.event_source import record
from tests.support.hosts.gateway import event as proxy_event
from tests.support.hosts.lambda_host import IDENTITY, Cloud, cloud
from tests.support.hosts.notification import notification

TEXT = b"""The lighthouse on the rock of Skerryvore was lit on the first of February 1844.

Its tower of granite is 48 metres high. Since 1994 nobody lives there any more.
"""
TOKEN = "token-of-a-test"

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """Lambda's context: how much time is left."""

    seconds: float = 660.0

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


@dataclass(kw_only=True)
class Worker:
    """A process of Lambda and what it stands on."""

    cloud: Cloud

    def put(self, key: str, data: bytes) -> None:
        """Write an object, as an upload does."""
        self.cloud.s3.put_object(Bucket=self.cloud.bucket, Key=key, Body=data)

    def messages(self) -> Any:
        """What S3 has written into the queue, as the event that Lambda makes of it."""
        received = self.cloud.sqs.receive_message(
            QueueUrl=self.cloud.queue_url,
            MaxNumberOfMessages=10,
            VisibilityTimeout=0,
            MessageSystemAttributeNames=["All"],
        )
        return {"Records": [record(message) for message in received.get("Messages", [])]}

    def call(self, method: str, path: str, body: object = None) -> Any:
        """What a caller with the token gets from the API."""
        asked = request(method, path, body=None if body is None else json.dumps(body))
        return json.loads(content(aws.api(asked, Invocation())))

    def documents(self) -> dict[str, Json]:
        """Every document by its name, asked for through the API."""
        return {d["name"]: d for d in self.call("GET", "/api/documents")["documents"]}


def request(method: str, path: str, *, body: str | None = None, **changes: Any) -> Any:
    """What a caller with the token asks, as an event."""
    path, _, query = path.partition("?")
    data = None if body is None else body.encode()
    headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
    return proxy_event(method, path, query=query, headers=headers, body=data) | changes


def content(answer: HttpResult) -> bytes:
    """The body that the gateway sends on."""
    assert answer["isBase64Encoded"] is True
    return base64.b64decode(answer["body"])


@pytest.fixture
def worker(
    s3: str,
    postgres: local.Server,
    model_server: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Worker]:
    """Everything in its place, and a process without an application yet."""
    for name, value in {**IDENTITY, "AWS_ENDPOINT_URL": s3}.items():
        monkeypatch.setenv(name, value)
    made = cloud(s3, database=postgres.database(), inference=model_server, token=TOKEN)
    process = aws.Process(made.environment, secrets_manager)
    monkeypatch.setattr(aws, "process", lambda: process)
    try:
        yield Worker(cloud=made)
    finally:
        process.close()


# ---------------------------------------------------------------- the way of a document


def test_an_upload_is_signed_with_the_functions_own_identity(worker: Worker) -> None:
    upload = worker.call("POST", "/api/uploads", {"name": "a.txt", "size": 1})

    query = httpx.URL(upload["upload_url"]).params
    assert query["X-Amz-Credential"].startswith("AKIATEST/")
    assert query["X-Amz-Security-Token"] == "of-a-test"


@pytest.mark.parametrize("name", ["with space.txt", "a+b=c&d.txt", "50%25.txt", "Übergröße.txt"])
def test_a_key_is_decoded_as_s3_encodes_it(worker: Worker, name: str) -> None:
    worker.put(f"incoming/{name}", TEXT)
    aws.summarize(worker.messages(), Invocation())

    assert {n: d["status"] for n, d in worker.documents().items()} == {name: "done"}


def test_an_object_that_is_gone_again_is_no_failure(worker: Worker) -> None:
    worker.put("incoming/gone.txt", TEXT)
    event = worker.messages()
    worker.cloud.s3.delete_object(Bucket=worker.cloud.bucket, Key="incoming/gone.txt")

    assert aws.summarize(event, Invocation()) == {"batchItemFailures": []}
    assert worker.documents() == {}


def test_only_the_message_that_could_not_be_recorded_comes_back(worker: Worker) -> None:
    worker.put("incoming/good.txt", TEXT)
    event = worker.messages()
    event["Records"].append({"messageId": "broken-one", "body": "no JSON"})

    answer = aws.summarize(event, Invocation())

    assert answer == {"batchItemFailures": [{"itemIdentifier": "broken-one"}]}
    assert worker.documents()["good.txt"]["status"] == "done"


def _failed(worker: Worker) -> str:
    """A document that failed, and whose event is out of the queue."""
    worker.put("incoming/empty.txt", b"")
    aws.summarize(worker.messages(), Invocation())
    worker.cloud.sqs.purge_queue(QueueUrl=worker.cloud.queue_url)
    document = worker.documents()["empty.txt"]
    assert document["status"] == "failed"
    return str(document["id"])


def test_a_retry_by_hand_asks_the_worker_at_once(worker: Worker) -> None:
    id_ = _failed(worker)

    retried = worker.call("POST", f"/api/documents/{id_}/retry")
    answer = aws.summarize(worker.messages(), Invocation())

    assert retried["status"] == "queued"
    assert answer == {"batchItemFailures": []}
    assert worker.documents()["empty.txt"]["attempts"] == 2


def test_a_retry_that_the_queue_does_not_take_is_left_to_the_sweep(worker: Worker) -> None:
    id_ = _failed(worker)
    worker.cloud.sqs.delete_queue(QueueUrl=worker.cloud.queue_url)

    assert worker.call("POST", f"/api/documents/{id_}/retry")["status"] == "queued"
    assert aws.sweep({}, Invocation()) == {"due": 1}


def test_only_the_bucket_starts_the_work_on_new_objects(worker: Worker) -> None:
    upload = worker.call("POST", "/api/uploads", {"name": "once.txt", "size": len(TEXT)})
    httpx.put(upload["upload_url"], content=TEXT).raise_for_status()
    worker.call("POST", f"/api/documents/{upload['document_id']}/complete")

    bodies = [json.loads(message["body"]) for message in worker.messages()["Records"]]
    assert [key for body in bodies for key in aws.keys(body)]
    assert not any("document_id" in body for body in bodies)


def test_without_time_a_document_is_recorded_and_left_to_the_sweep(worker: Worker) -> None:
    worker.put("incoming/late.txt", TEXT)
    answer = aws.summarize(worker.messages(), Invocation(seconds=100))

    assert answer == {"batchItemFailures": []}
    assert worker.documents()["late.txt"]["status"] == "queued"
    aws.sweep({}, Invocation())
    assert worker.documents()["late.txt"]["status"] == "done"


# ---------------------------------------------------------------- the process


def test_a_new_password_of_the_database_is_taken_up(worker: Worker, postgres: local.Server) -> None:
    """RDS changes the password; a warm process that lost its connections reads it anew."""
    worker.put("incoming/before.txt", TEXT)
    aws.summarize(worker.messages(), Invocation())
    name = worker.cloud.environment["DATABASE_NAME"]
    postgres.postgres.create_database(
        port=postgres.port, admin_password=postgres.admin_password, name=name, password="new-one"
    )
    worker.cloud.secrets.put_secret_value(
        SecretId=worker.cloud.password_arn, SecretString=json.dumps({"password": "new-one"})
    )
    with psycopg.connect(
        host="127.0.0.1",
        port=postgres.port,
        user="postgres",
        password=postgres.admin_password,
        dbname="postgres",
        autocommit=True,
    ) as admin:
        admin.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name]
        )

    assert worker.call("GET", "/healthz")["database"] == "ok"
    assert worker.documents()["before.txt"]["status"] == "done"


@pytest.mark.parametrize("path", ["/healthz", "/", "/api/documents"])
def test_a_cold_start_without_a_database_is_a_503_with_an_error_body(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    def away(_settings: object) -> None:
        raise psycopg.OperationalError

    monkeypatch.setattr(aws, "open_application", away)

    answer = aws.api(request("GET", path), Invocation())

    assert answer["statusCode"] == 503
    assert answer["headers"] == {"content-type": "application/json"}
    assert json.loads(content(answer)) == {
        "error": {
            "code": "DATABASE_UNAVAILABLE",
            "message": "The database did not answer.",
            "remedy": "Try again in a moment; /healthz shows when it is back.",
        }
    }


def test_an_error_is_logged_even_when_another_document_runs_out_of_time(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("breaks.txt", "waits.txt"):
        worker.put(f"incoming/{name}", TEXT)
    started: list[UUID] = []

    async def summarize(_application: Application, id_: UUID) -> None:
        started.append(id_)
        if len(started) == 1:
            raise psycopg.OperationalError("the connection is lost")
        await asyncio.Event().wait()

    monkeypatch.setattr(Application, "summarize", summarize)
    monkeypatch.setattr(aws, "MIN_SECONDS", -60.0)

    aws.summarize(worker.messages(), Invocation(seconds=aws.SLACK_SECONDS + 0.05))

    assert f"document {started[0]}: left to the sweep (the connection is lost)" in caplog.text


def test_openssl_trusts_the_usual_authorities_and_those_of_rds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "")
    authorities = Path(aws.__file__).with_name("aws_rds.pem")

    trust(authorities.read_bytes())

    trusted = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
    names = {dict(pair for ((pair),) in c["subject"])["commonName"] for c in _named(trusted)}
    Path(os.environ["SSL_CERT_FILE"]).unlink()
    assert "Amazon Root CA 1" in names
    assert {f"Amazon RDS {region} Root CA RSA2048 G1" for region in REGIONS} <= names


def _named(context: ssl.SSLContext) -> list[Any]:
    """Authorities that have a common name; some old ones do not."""
    return [
        authority
        for authority in context.get_ca_certs()
        if any(pair[0][0] == "commonName" for pair in authority["subject"])
    ]


# ---------------------------------------------------------------- requests and answers


def test_head_has_the_headers_and_no_body(worker: Worker) -> None:
    got = aws.api(request("GET", "/page/style.css"), Invocation())
    answer = aws.api(request("HEAD", "/page/style.css"), Invocation())

    assert (answer["statusCode"], content(answer)) == (200, b"")
    assert answer["headers"]["content-length"] == str(len(content(got)))


def test_a_body_may_come_encoded(worker: Worker) -> None:
    body = base64.b64encode(b'{"name": "Gr\xc3\xb6\xc3\x9fe.txt", "size": 3}').decode()
    answer = aws.api(request("POST", "/api/uploads", body=body, isBase64Encoded=True), Invocation())

    assert answer["statusCode"] == 201
    assert list(worker.documents()) == ["Größe.txt"]


def test_a_query_reaches_the_application_as_it_was_sent(worker: Worker) -> None:
    answer = aws.api(request("GET", "/api/documents?cursor=a%26b%3D%C3%BC"), Invocation())

    assert answer["statusCode"] == 400
    assert json.loads(content(answer))["error"]["message"] == ("Invalid cursor 'a&b=ü'.")


# ---------------------------------------------------------------- events of S3


def test_keys_come_url_encoded_and_only_of_what_was_written() -> None:
    body = notification("b", "incoming/happy face+1 (ü).txt", "incoming/large.pdf")
    removed = notification("b", "incoming/gone.txt", event="ObjectRemoved:Delete")

    assert '"incoming%2Fhappy+face%2B1+%28%C3%BC%29.txt"' in body
    assert aws.keys(json.loads(body)) == ["incoming/happy face+1 (ü).txt", "incoming/large.pdf"]
    assert aws.keys(json.loads(removed)) == []


# ---------------------------------------------------------------- secrets by reference

ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:name-AbCdEf"


def test_a_reference_is_replaced_by_what_it_refers_to() -> None:
    asked = []

    def read(arn: str, version: str) -> str:
        asked.append((arn, version))
        return '{"username": "u", "password": "p"}' if not version else "text"

    environment = {
        "INFERENCE_MODE": "serverless",
        "API_TOKEN_SECRET_ARN": f"{ARN}:::v1",
        "DATABASE_PASSWORD_SECRET_ARN": f"{ARN}:password::",
    }

    assert resolve(environment, read) == {
        "INFERENCE_MODE": "serverless",
        "API_TOKEN": "text",
        "DATABASE_PASSWORD": "p",
    }
    assert asked == [(ARN, "v1"), (ARN, "")]


@pytest.mark.parametrize("reference", ["", ARN, f"{ARN}:key:AWSCURRENT:", "x:::::::::"])
def test_a_reference_of_another_form_is_refused(reference: str) -> None:
    with pytest.raises(ValueError, match=r"API_TOKEN_SECRET_ARN=.* must have the form"):
        resolve({"API_TOKEN_SECRET_ARN": reference}, lambda _arn, _version: "text")
