"""The Lambda handlers, from an event of AWS to the answer that AWS expects.

S3, SQS and Secrets Manager are moto's, with events and messages of their real shape; PostgreSQL and
the stand-in for the inference are real. What only AWS shows is not shown here: roles, the network,
the gateway, and that moto does not check signatures.
"""

import base64
import json
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
import httpx
import psycopg
import pytest

from components.aws.regions import REGIONS
from functions.handlers import aws
from functions.handlers.authorities import trust
from functions.secrets_aws import resolve, secrets_manager
from tests import local

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
class Cloud:
    """A bucket that tells a queue, the secrets, and the handlers of one process."""

    s3: Any
    sqs: Any
    bucket: str
    queue: str
    password_arn: str
    secrets: Any
    environment: dict[str, str]

    def put(self, key: str, data: bytes) -> None:
        """Write an object, as an upload does."""
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=data)

    def messages(self) -> Json:
        """What is in the queue, as the event that Lambda makes of it."""
        received = self.sqs.receive_message(
            QueueUrl=self.queue, MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        return {
            "Records": [
                {
                    "messageId": message["MessageId"],
                    "receiptHandle": message["ReceiptHandle"],
                    "body": message["Body"],
                    "eventSource": "aws:sqs",
                }
                for message in received.get("Messages", [])
            ]
        }

    def documents(self) -> dict[str, Json]:
        """Every document by its name, asked for through the API."""
        return {d["name"]: d for d in self.call("GET", "/api/documents")["documents"]}

    def call(self, method: str, path: str, body: object = None) -> Any:
        """What a caller with the token gets from the API."""
        event = request(method, path, body=None if body is None else json.dumps(body))
        return json.loads(content(aws.api(event, Invocation())))


def request(method: str, path: str, *, body: str | None = None, **changes: Any) -> Json:
    """An event of payload format 2.0, as AWS documents it."""
    raw_path, _, query = path.partition("?")
    event: Json = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": raw_path,
        "rawQueryString": query,
        "headers": {
            "authorization": f"Bearer {TOKEN}",
            "content-type": "application/json",
            "host": "abc123.execute-api.us-east-1.amazonaws.com",
            "x-forwarded-proto": "https",
        },
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abc123",
            "domainName": "abc123.execute-api.us-east-1.amazonaws.com",
            "domainPrefix": "abc123",
            "http": {
                "method": method,
                "path": raw_path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "agent",
            },
            "requestId": "id",
            "routeKey": "$default",
            "stage": "$default",
            "time": "12/Mar/2020:19:03:58 +0000",
            "timeEpoch": 1583348638390,
        },
        "isBase64Encoded": False,
    }
    return event | ({} if body is None else {"body": body}) | changes


def content(answer: Json) -> bytes:
    """The body that the gateway sends on."""
    assert answer["isBase64Encoded"] is True
    return base64.b64decode(answer["body"])


@contextmanager
def running(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The handlers in a process of Lambda with this environment."""
    process = aws.Process(environment, secrets_manager)
    monkeypatch.setattr(aws, "process", lambda: process)
    try:
        yield
    finally:
        process.close()


@pytest.fixture
def cloud(
    s3: str,
    postgres: local.Server,
    standin: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Cloud]:
    """Everything in its place, and a process without an application yet."""
    for name, value in {
        "AWS_ENDPOINT_URL": s3,
        "AWS_ACCESS_KEY_ID": "AKIATEST",
        "AWS_SECRET_ACCESS_KEY": "of-a-test",
        "AWS_SESSION_TOKEN": "of-a-test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    bucket = f"documents-{os.urandom(4).hex()}"
    client, sqs, secrets = (boto3.client(name) for name in ("s3", "sqs", "secretsmanager"))
    client.create_bucket(Bucket=bucket)
    queue = sqs.create_queue(QueueName=bucket)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    client.put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={
            "QueueConfigurations": [
                {
                    "QueueArn": arn["QueueArn"],
                    "Events": ["s3:ObjectCreated:*"],
                    "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "incoming/"}]}},
                }
            ]
        },
    )
    database = postgres.database()
    password = secrets.create_secret(
        Name=f"rds!{bucket}",
        SecretString=json.dumps({"password": database.pop("DATABASE_PASSWORD")}),
    )
    token = secrets.create_secret(Name=f"token-{bucket}", SecretString=TOKEN)
    inference = dict(standin)
    key = secrets.create_secret(
        Name=f"key-{bucket}", SecretString=inference.pop("INFERENCE_API_KEYS")
    )
    environment = {
        "ARRANGEMENT": "split",
        "RUNG": "serverless",
        "STORE_URL": f"s3://{bucket}",
        "STORE_ENDPOINT": s3,
        "STORE_REGION": "us-east-1",
        **database,
        **inference,
        "API_TOKEN_SECRET_ARN": f"{token['ARN']}:::{token['VersionId']}",
        "INFERENCE_API_KEYS_SECRET_ARN": f"{key['ARN']}:::{key['VersionId']}",
        "DATABASE_PASSWORD_SECRET_ARN": f"{password['ARN']}:password::",
        "ARRIVALS_URL": queue,
    }
    with running(environment, monkeypatch):
        yield Cloud(
            s3=client,
            sqs=sqs,
            bucket=bucket,
            queue=queue,
            password_arn=password["ARN"],
            secrets=secrets,
            environment=environment,
        )


# ---------------------------------------------------------------- the way of a document


def test_a_document_goes_from_upload_to_summary(cloud: Cloud) -> None:
    upload = cloud.call("POST", "/api/uploads", {"name": "Skerry vöre+1.txt", "size": len(TEXT)})
    httpx.put(upload["upload_url"], content=TEXT, headers=upload["headers"]).raise_for_status()
    answer = aws.summarize(cloud.messages(), Invocation())

    assert answer == {"batchItemFailures": []}
    done = cloud.call("GET", f"/api/documents/{upload['document_id']}")
    assert (done["status"], done["error"], done["rung"]) == ("done", None, "serverless")
    assert done["summary"]
    written = cloud.s3.list_objects_v2(Bucket=cloud.bucket, Prefix="summaries/")["Contents"]
    assert [o["Key"] for o in written] == [f"summaries/{upload['document_id']}.json"]


def test_an_upload_is_signed_with_the_functions_own_identity(cloud: Cloud) -> None:
    upload = cloud.call("POST", "/api/uploads", {"name": "a.txt", "size": 1})

    query = httpx.URL(upload["upload_url"]).params
    assert query["X-Amz-Credential"].startswith("AKIATEST/")
    assert query["X-Amz-Security-Token"] == "of-a-test"


def test_the_upload_complete_call_may_be_faster_than_the_event(cloud: Cloud) -> None:
    upload = cloud.call("POST", "/api/uploads", {"name": "fast.txt", "size": len(TEXT)})
    httpx.put(upload["upload_url"], content=TEXT).raise_for_status()
    completed = cloud.call("POST", f"/api/documents/{upload['document_id']}/complete")
    aws.summarize(cloud.messages(), Invocation())

    assert completed["status"] == "queued"
    assert cloud.call("GET", f"/api/documents/{upload['document_id']}")["status"] == "done"


def test_a_repeated_event_is_paid_for_once(cloud: Cloud) -> None:
    cloud.put("incoming/twice.txt", TEXT)
    event = cloud.messages()
    aws.summarize(event, Invocation())
    again = aws.summarize(event, Invocation())

    assert again == {"batchItemFailures": []}
    assert cloud.documents()["twice.txt"]["attempts"] == 1


@pytest.mark.parametrize("name", ["with space.txt", "a+b=c&d.txt", "50%25.txt", "Übergröße.txt"])
def test_a_key_is_decoded_as_s3_encodes_it(cloud: Cloud, name: str) -> None:
    cloud.put(f"incoming/{name}", TEXT)
    aws.summarize(cloud.messages(), Invocation())

    assert {n: d["status"] for n, d in cloud.documents().items()} == {name: "done"}


def test_an_object_that_is_gone_again_is_no_failure(cloud: Cloud) -> None:
    cloud.put("incoming/gone.txt", TEXT)
    event = cloud.messages()
    cloud.s3.delete_object(Bucket=cloud.bucket, Key="incoming/gone.txt")

    assert aws.summarize(event, Invocation()) == {"batchItemFailures": []}
    assert cloud.documents() == {}


def test_only_the_message_that_could_not_be_recorded_comes_back(cloud: Cloud) -> None:
    cloud.put("incoming/good.txt", TEXT)
    event = cloud.messages()
    event["Records"].append({"messageId": "broken-one", "body": "no JSON"})

    answer = aws.summarize(event, Invocation())

    assert answer == {"batchItemFailures": [{"itemIdentifier": "broken-one"}]}
    assert cloud.documents()["good.txt"]["status"] == "done"


def test_the_message_that_s3_tests_a_queue_with_is_taken_and_forgotten() -> None:
    body = {
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": "2014-10-13T15:57:02.089Z",
        "Bucket": "bucketname",
        "RequestId": "5582815E1AEA5ADF",
        "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR+YstdA6Knx4Ip8EXAMPLE",
    }

    assert aws.keys(body) == []


def test_what_no_event_told_of_is_found_by_the_sweep(cloud: Cloud) -> None:
    cloud.put("incoming/missed.txt", TEXT)

    assert aws.sweep({}, Invocation()) == {"due": 1}
    assert cloud.documents()["missed.txt"]["status"] == "done"
    assert aws.sweep({}, Invocation()) == {"due": 0}


def _failed(cloud: Cloud) -> str:
    """A document that failed, and whose event is out of the queue."""
    cloud.put("incoming/empty.txt", b"")
    aws.summarize(cloud.messages(), Invocation())
    cloud.sqs.purge_queue(QueueUrl=cloud.queue)
    document = cloud.documents()["empty.txt"]
    assert document["status"] == "failed"
    return str(document["id"])


def test_a_retry_by_hand_asks_the_worker_at_once(cloud: Cloud) -> None:
    id_ = _failed(cloud)

    retried = cloud.call("POST", f"/api/documents/{id_}/retry")
    answer = aws.summarize(cloud.messages(), Invocation())

    assert retried["status"] == "queued"
    assert answer == {"batchItemFailures": []}
    assert cloud.documents()["empty.txt"]["attempts"] == 2


def test_a_retry_that_the_queue_does_not_take_is_left_to_the_sweep(cloud: Cloud) -> None:
    id_ = _failed(cloud)
    cloud.sqs.delete_queue(QueueUrl=cloud.queue)

    assert cloud.call("POST", f"/api/documents/{id_}/retry")["status"] == "queued"
    assert aws.sweep({}, Invocation()) == {"due": 1}


def test_the_bucket_starts_the_work_on_what_arrives_and_nobody_else_does(cloud: Cloud) -> None:
    upload = cloud.call("POST", "/api/uploads", {"name": "once.txt", "size": len(TEXT)})
    httpx.put(upload["upload_url"], content=TEXT).raise_for_status()
    cloud.call("POST", f"/api/documents/{upload['document_id']}/complete")

    bodies = [json.loads(message["body"]) for message in cloud.messages()["Records"]]
    assert [key for body in bodies for key in aws.keys(body)]
    assert not any(aws.DOCUMENT in body for body in bodies)


def test_without_time_a_document_is_recorded_and_left_to_the_sweep(cloud: Cloud) -> None:
    cloud.put("incoming/late.txt", TEXT)
    answer = aws.summarize(cloud.messages(), Invocation(seconds=100))

    assert answer == {"batchItemFailures": []}
    assert cloud.documents()["late.txt"]["status"] == "queued"
    aws.sweep({}, Invocation())
    assert cloud.documents()["late.txt"]["status"] == "done"


# ---------------------------------------------------------------- the process


def test_a_new_password_of_the_database_is_taken_up(cloud: Cloud, postgres: local.Server) -> None:
    """RDS changes the password; a warm process that lost its connections reads it anew."""
    cloud.put("incoming/before.txt", TEXT)
    aws.summarize(cloud.messages(), Invocation())
    name = cloud.environment["DATABASE_NAME"]
    postgres.postgres.create_database(
        port=postgres.port, admin_password=postgres.admin_password, name=name, password="new-one"
    )
    cloud.secrets.put_secret_value(
        SecretId=cloud.password_arn, SecretString=json.dumps({"password": "new-one"})
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

    assert cloud.call("GET", "/healthz")["database"] == "ok"
    assert cloud.documents()["before.txt"]["status"] == "done"


def test_a_cold_start_without_a_database_says_so(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_settings: object) -> None:
        raise psycopg.OperationalError

    monkeypatch.setattr(aws, "open_application", away)

    answer = aws.api(request("GET", "/healthz"), Invocation())

    assert answer == {"statusCode": 503, "headers": {"retry-after": "10"}}


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


def test_the_page_comes_as_bytes_with_its_headers(cloud: Cloud) -> None:
    answer = aws.api(request("GET", "/"), Invocation())

    assert answer["statusCode"] == 200
    assert content(answer).startswith(b"<!doctype html>")
    assert answer["headers"]["content-type"] == "text/html; charset=utf-8"
    assert "connect-src 'self'" in answer["headers"]["content-security-policy"]


def test_head_has_the_headers_and_no_body(cloud: Cloud) -> None:
    got = aws.api(request("GET", "/page/style.css"), Invocation())
    answer = aws.api(request("HEAD", "/page/style.css"), Invocation())

    assert (answer["statusCode"], content(answer)) == (200, b"")
    assert answer["headers"]["content-length"] == str(len(content(got)))


def test_a_body_may_come_encoded(cloud: Cloud) -> None:
    body = base64.b64encode(b'{"name": "Gr\xc3\xb6\xc3\x9fe.txt", "size": 3}').decode()
    answer = aws.api(request("POST", "/api/uploads", body=body, isBase64Encoded=True), Invocation())

    assert answer["statusCode"] == 201
    assert list(cloud.documents()) == ["Größe.txt"]


def test_a_query_reaches_the_application_as_it_was_sent(cloud: Cloud) -> None:
    answer = aws.api(request("GET", "/api/documents?cursor=a%26b%3D%C3%BC"), Invocation())

    assert answer["statusCode"] == 400
    assert json.loads(content(answer))["error"]["message"] == (
        "The cursor 'a&b=ü' is none of ours."
    )


def test_without_the_token_nothing_is_told(cloud: Cloud) -> None:
    answer = aws.api(request("GET", "/api/documents", headers={"host": "h"}), Invocation())

    assert answer["statusCode"] == 401
    assert answer["headers"]["www-authenticate"] == "Bearer"


def test_a_path_that_is_not_there_is_not_found(cloud: Cloud) -> None:
    assert aws.api(request("GET", "/favicon.ico"), Invocation())["statusCode"] == 404


# ---------------------------------------------------------------- events of S3


def test_keys_come_url_encoded_and_only_of_what_was_written() -> None:
    """The shape of docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure."""
    body = {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "awsRegion": "us-west-2",
                "eventTime": "1970-01-01T00:00:00.000Z",
                "eventName": name,
                "s3": {
                    "s3SchemaVersion": "1.0",
                    "bucket": {"name": "mybucket", "arn": "arn:aws:s3:::mybucket"},
                    "object": {
                        "key": key,
                        "size": 1024,
                        "eTag": "d41d8cd98f00b204e9800998ecf8427e",
                        "versionId": "096fKKXTRTtl3on89fVO.nfljtsv6qko",
                        "sequencer": "0055AED6DCD90281E5",
                    },
                },
            }
            for name, key in [
                ("ObjectCreated:Put", "incoming/happy+face%2B1+%28%C3%BC%29.txt"),
                ("ObjectRemoved:Delete", "incoming/gone.txt"),
                ("ObjectCreated:CompleteMultipartUpload", "incoming/large.pdf"),
            ]
        ]
    }

    assert aws.keys(body) == ["incoming/happy face+1 (ü).txt", "incoming/large.pdf"]


# ---------------------------------------------------------------- secrets by reference

ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:name-AbCdEf"


def test_a_reference_is_replaced_by_what_it_refers_to() -> None:
    asked = []

    def read(arn: str, version: str) -> str:
        asked.append((arn, version))
        return '{"username": "u", "password": "p"}' if not version else "text"

    environment = {
        "RUNG": "serverless",
        "API_TOKEN_SECRET_ARN": f"{ARN}:::v1",
        "DATABASE_PASSWORD_SECRET_ARN": f"{ARN}:password::",
    }

    assert resolve(environment, read) == {
        "RUNG": "serverless",
        "API_TOKEN": "text",
        "DATABASE_PASSWORD": "p",
    }
    assert asked == [(ARN, "v1"), (ARN, "")]


@pytest.mark.parametrize("reference", ["", ARN, f"{ARN}:key:AWSCURRENT:", "x:::::::::"])
def test_a_reference_of_another_form_is_refused(reference: str) -> None:
    with pytest.raises(ValueError, match=r"API_TOKEN_SECRET_ARN=.* must have the form"):
        resolve({"API_TOKEN_SECRET_ARN": reference}, lambda _arn, _version: "text")
