"""The Lambda handlers in this process, from an event of AWS to its response.

The facts of all hosts are in `tests/contract`. S3, SQS and Secrets Manager are moto's, with events
and messages of their real shape; PostgreSQL and the local model server are real. Roles, network,
gateway and signatures are not tested here.
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
from functions.storage.ledger import Ledger
from tests.support import local
from tests.support.functions.entries import TEXT
from tests.support.hosts.event_source import record
from tests.support.hosts.gateway import event as proxy_event
from tests.support.hosts.lambda_host import IDENTITY, Cloud, cloud
from tests.support.hosts.notification import notification

TOKEN = "token-of-a-test"

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """Lambda's context with the remaining time."""

    seconds: float = 660.0

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


@dataclass(kw_only=True)
class Worker:
    """A Lambda process and its cloud."""

    cloud: Cloud

    def put(self, key: str, data: bytes) -> None:
        """Write an object, as an upload does."""
        self.cloud.s3.put_object(Bucket=self.cloud.bucket, Key=key, Body=data)

    def messages(self) -> Any:
        """The messages of S3 in the queue, as an event of Lambda."""
        received = self.cloud.sqs.receive_message(
            QueueUrl=self.cloud.queue_url,
            MaxNumberOfMessages=10,
            VisibilityTimeout=0,
            MessageSystemAttributeNames=["All"],
        )
        return {"Records": [record(message) for message in received.get("Messages", [])]}

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Call the API with the token."""
        event = request(method, path, body=None if body is None else json.dumps(body))
        return json.loads(content(aws.api(event, Invocation())))

    def documents(self) -> dict[str, Json]:
        """All documents of the API by name."""
        return {d["name"]: d for d in self.call("GET", "/api/documents")["documents"]}


def request(method: str, path: str, *, body: str | None = None, **changes: Any) -> Any:
    """A request with the token, as an event."""
    path, _, query = path.partition("?")
    data = None if body is None else body.encode()
    headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
    return proxy_event(method, path, query=query, headers=headers, body=data) | changes


def content(answer: HttpResult) -> bytes:
    """The decoded body of a response."""
    assert answer["isBase64Encoded"] is True
    return base64.b64decode(answer["body"])


@pytest.fixture
def worker(
    s3: str,
    postgres: local.Server,
    model_server: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Worker]:
    """A cloud, and a process that has not opened its application."""
    for name, value in {**IDENTITY, "AWS_ENDPOINT_URL": s3}.items():
        monkeypatch.setenv(name, value)
    made = cloud(s3, store=s3, database=postgres.database(), inference=model_server, token=TOKEN)
    process = aws.Process({**made.environment, **IDENTITY}, secrets_manager)
    monkeypatch.setattr(aws, "process", lambda: process)
    try:
        yield Worker(cloud=made)
    finally:
        process.close()


# ---------------------------------------------------------------- documents


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


def test_a_message_of_a_deleted_object_does_not_fail(worker: Worker) -> None:
    worker.put("incoming/gone.txt", TEXT)
    event = worker.messages()
    worker.cloud.s3.delete_object(Bucket=worker.cloud.bucket, Key="incoming/gone.txt")

    assert aws.summarize(event, Invocation()) == {"batchItemFailures": []}
    assert worker.documents() == {}


def _failed(worker: Worker) -> str:
    """A failed document whose message is not in the queue."""
    worker.put("incoming/empty.txt", b"")
    aws.summarize(worker.messages(), Invocation())
    worker.cloud.sqs.purge_queue(QueueUrl=worker.cloud.queue_url)
    document = worker.documents()["empty.txt"]
    assert document["status"] == "failed"
    return str(document["id"])


def test_a_retry_sends_a_message_to_the_worker(worker: Worker) -> None:
    id_ = _failed(worker)

    retried = worker.call("POST", f"/api/documents/{id_}/retry")
    answer = aws.summarize(worker.messages(), Invocation())

    assert retried["status"] == "queued"
    assert answer == {"batchItemFailures": []}
    assert worker.documents()["empty.txt"]["attempts"] == 2


def test_the_sweep_finds_a_retry_that_the_queue_refused(worker: Worker) -> None:
    id_ = _failed(worker)
    worker.cloud.sqs.delete_queue(QueueUrl=worker.cloud.queue_url)

    assert worker.call("POST", f"/api/documents/{id_}/retry")["status"] == "queued"
    assert aws.sweep({}, Invocation()) == {"due": 1}


def test_only_the_message_of_the_bucket_starts_a_new_document(worker: Worker) -> None:
    upload = worker.call("POST", "/api/uploads", {"name": "once.txt", "size": len(TEXT)})
    put = httpx.put(upload["upload_url"], content=TEXT, headers=upload["headers"])
    put.raise_for_status()
    worker.call("POST", f"/api/documents/{upload['document_id']}/complete")

    bodies = [json.loads(message["body"]) for message in worker.messages()["Records"]]
    assert [key for body in bodies for key in aws.keys(body)]
    assert not any("document_id" in body for body in bodies)


def test_without_enough_time_a_document_is_left_to_the_sweep(worker: Worker) -> None:
    worker.put("incoming/late.txt", TEXT)
    answer = aws.summarize(worker.messages(), Invocation(seconds=100))

    assert answer == {"batchItemFailures": []}
    assert worker.documents()["late.txt"]["status"] == "queued"
    aws.sweep({}, Invocation())
    assert worker.documents()["late.txt"]["status"] == "done"


# ---------------------------------------------------------------- the process


def test_a_process_reads_a_new_password_of_the_database(
    worker: Worker, postgres: local.Server
) -> None:
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


def _is_away(*_: object, **__: object) -> None:
    raise psycopg.OperationalError


def test_a_cold_start_without_a_database_serves_the_page_and_a_health_of_503(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ledger, "open", _is_away)

    page = aws.api(request("GET", "/"), Invocation())
    health = aws.api(request("GET", "/healthz"), Invocation())

    assert (page["statusCode"], health["statusCode"]) == (200, 503)
    assert json.loads(content(health))["database"] == "unreachable"


def test_secrets_are_read_again_after_a_failed_connection(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as outage:
        outage.setattr(Ledger, "open", _is_away)
        before = aws.process().settings
        aws.api(request("GET", "/api/documents"), Invocation())

    assert worker.documents() == {}
    assert aws.process().settings is not before


def test_only_a_request_with_the_token_opens_the_database_and_it_takes_one_connection(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[int] = []
    pings: list[Ledger] = []
    original, ping = Ledger.open, Ledger.ping

    def counted(conninfo: str, *, connections: int, **settings: Any) -> Any:
        opened.append(connections)
        return original(conninfo, connections=connections, **settings)

    async def counted_ping(ledger: Ledger) -> bool:
        pings.append(ledger)
        return await ping(ledger)

    monkeypatch.setattr(Ledger, "open", counted)
    monkeypatch.setattr(Ledger, "ping", counted_ping)
    wrong = {"headers": {"authorization": "Bearer wrong"}}

    def statuses(**changes: Any) -> list[int]:
        paths = ("/", "/page/app.js", "/api/documents", "/metrics", "/nothing")
        return [aws.api(request("GET", p, **changes), Invocation())["statusCode"] for p in paths]

    assert statuses(**wrong) == [200, 200, 401, 401, 404]
    assert (opened, pings) == ([], [])
    assert statuses() == [200, 200, 200, 200, 404]
    assert (opened, len(pings)) == ([1], 1)
    assert statuses(**wrong) == [200, 200, 401, 401, 404]
    assert (opened, len(pings)) == ([1], 1)


def test_the_database_closes_idle_connections_of_a_frozen_process(worker: Worker) -> None:
    assert worker.documents() == {}

    async def timeout(application: Application) -> object:
        async with application.ledger._pool.connection() as connection:
            cursor = await connection.execute("show idle_session_timeout")
            return await cursor.fetchone()

    assert aws.process().run(timeout) == ("1min",)


@pytest.mark.parametrize("path", ["/api/documents", "/metrics"])
def test_without_a_database_a_cold_start_is_a_503_with_an_error_body(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(Ledger, "open", _is_away)

    answer = aws.api(request("GET", path), Invocation())

    assert answer["statusCode"] == 503
    assert answer["headers"]["content-type"] == "application/json"
    assert json.loads(content(answer)) == {
        "error": {
            "code": "DATABASE_UNAVAILABLE",
            "message": "The database did not answer.",
            "remedy": "Try again in a moment; /healthz shows when it is back.",
        }
    }


def test_an_error_is_logged_while_another_document_runs_out_of_time(
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


def test_openssl_trusts_public_authorities_and_those_of_rds(
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
    """Authorities with a common name."""
    return [
        authority
        for authority in context.get_ca_certs()
        if any(pair[0][0] == "commonName" for pair in authority["subject"])
    ]


# ---------------------------------------------------------------- requests and responses


def test_head_has_the_headers_and_no_body(worker: Worker) -> None:
    get = aws.api(request("GET", "/page/style.css"), Invocation())
    answer = aws.api(request("HEAD", "/page/style.css"), Invocation())

    assert (answer["statusCode"], content(answer)) == (200, b"")
    assert answer["headers"]["content-length"] == str(len(content(get)))


def test_a_body_may_be_base64(worker: Worker) -> None:
    body = base64.b64encode(b'{"name": "Gr\xc3\xb6\xc3\x9fe.txt", "size": 3}').decode()
    answer = aws.api(request("POST", "/api/uploads", body=body, isBase64Encoded=True), Invocation())

    assert answer["statusCode"] == 201
    assert list(worker.documents()) == ["Größe.txt"]


def test_a_query_reaches_the_application_unchanged(worker: Worker) -> None:
    answer = aws.api(request("GET", "/api/documents?cursor=a%26b%3D%C3%BC"), Invocation())

    assert answer["statusCode"] == 400
    assert json.loads(content(answer))["error"]["message"] == ("Invalid cursor 'a&b=ü'.")


# ---------------------------------------------------------------- events of S3


def test_only_events_of_created_objects_have_keys() -> None:
    created = notification("b", "incoming/happy face+1 (ü).txt", "incoming/large.pdf")
    removed = notification("b", "incoming/gone.txt", event="ObjectRemoved:Delete")

    assert aws.keys(json.loads(created)) == ["incoming/happy face+1 (ü).txt", "incoming/large.pdf"]
    assert aws.keys(json.loads(removed)) == []


# ---------------------------------------------------------------- secrets

ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:name-AbCdEf"


def test_a_reference_is_replaced_by_its_secret() -> None:
    requests = []

    def read(arn: str, version: str) -> str:
        requests.append((arn, version))
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
    assert requests == [(ARN, "v1"), (ARN, "")]


@pytest.mark.parametrize("reference", ["", ARN, f"{ARN}:key:AWSCURRENT:", "x:::::::::"])
def test_an_invalid_reference_is_refused(reference: str) -> None:
    with pytest.raises(ValueError, match=r"API_TOKEN_SECRET_ARN=.* must have the form"):
        resolve({"API_TOKEN_SECRET_ARN": reference}, lambda _arn, _version: "text")
