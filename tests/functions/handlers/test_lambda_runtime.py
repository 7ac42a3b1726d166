"""The bundle in AWS Lambda's own runtime: its emulator and its Python client.

PostgreSQL and the local model server are real; S3, SQS and Secrets Manager are moto's. The
processor is this machine's, and the memory limit and the role are not tested.
"""

import base64
import json
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from functions.handlers.aws_http import MAX_PAYLOAD_BYTES
from tests.support import local
from tests.support.contract.model import SILENCE, Model, modelled
from tests.support.functions.entries import TEXT
from tests.support.hosts.event_source import record
from tests.support.hosts.gateway import event as proxy_event
from tests.support.hosts.lambda_emulator import Function, Image, function, image
from tests.support.hosts.lambda_host import IDENTITY, Cloud, cloud
from tests.support.hosts.notification import notification

TOKEN = "token-of-a-test"

SCHEDULED = {"version": "0", "source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}


@dataclass(frozen=True, kw_only=True)
class Place:
    """The cloud of the functions, and the model that they call."""

    cloud: Cloud
    database: Mapping[str, str]
    model: Model
    environment: Mapping[str, str]

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(
            host=self.database["DATABASE_HOST"],
            port=self.database["DATABASE_PORT"],
            user=self.database["DATABASE_USER"],
            password=self.database["DATABASE_PASSWORD"],
            dbname=self.database["DATABASE_NAME"],
        )

    def sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run SQL on the ledger."""
        with self._connect() as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def locked(self, table: str) -> Iterator[None]:
        """Let every statement on a table of the ledger wait until the end of the block."""
        with self._connect() as connection:
            connection.execute(f"lock table {table}".encode())
            yield

    def upload(self, name: str, text: bytes = TEXT) -> dict[str, Any]:
        """Put an object; return the event of SQS about it."""
        key = f"incoming/{name}"
        self.cloud.s3.put_object(Bucket=self.cloud.bucket, Key=key, Body=text)
        message = {
            "MessageId": str(uuid.uuid4()),
            "ReceiptHandle": "of-a-test",
            "Body": notification(self.cloud.bucket, key),
            "MD5OfBody": "of-a-test",
            "Attributes": {"ApproximateReceiveCount": "1"},
        }
        return {"Records": [record(message)]}

    def status(self, name: str) -> str:
        """Status of the document with this name."""
        ((status,),) = self.sql("select status from documents where name = %s", name)
        return str(status)


@pytest.fixture(scope="module")
def lambda_image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The bundle beside Lambda's packages."""
    return image(tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="module")
def place(s3: str, postgres: local.Server) -> Iterator[Place]:
    """A cloud with a model server."""
    database = postgres.database()
    with modelled() as model:
        made = cloud(s3, store=s3, database=database, inference=model.environment, token=TOKEN)
        yield Place(
            cloud=made,
            database=database,
            model=model,
            environment={**made.environment, **IDENTITY, "AWS_ENDPOINT_URL": s3},
        )


@pytest.fixture(scope="module")
def api(
    lambda_image: Image, place: Place, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Function]:
    """The function behind the HTTP API."""
    log = tmp_path_factory.mktemp("api") / "log"
    handler = "functions.handlers.aws.api"
    with function(lambda_image, handler, place.environment, seconds=29, log=log) as started:
        yield started


@pytest.fixture
def summarize(lambda_image: Image, place: Place, tmp_path: Path) -> Iterator[Function]:
    """The function behind the queue."""
    handler, log = "functions.handlers.aws.summarize", tmp_path / "log"
    with function(lambda_image, handler, place.environment, seconds=660, log=log) as started:
        yield started


def request(method: str, path: str, body: object = None) -> dict[str, Any]:
    """An event of the HTTP API, with the token."""
    headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    return proxy_event(method, path, headers=headers, body=data)


def content(payload: Mapping[str, Any]) -> bytes:
    return base64.b64decode(payload["body"])


def test_the_http_api_gets_an_answer_in_payload_format_two(api: Function) -> None:
    answer = api.invoke(request("POST", "/api/uploads", {"name": "a.txt", "size": 3}))

    assert answer.status == 200
    assert answer.payload["statusCode"] == 201
    assert answer.payload["isBase64Encoded"] is True
    assert json.loads(content(answer.payload))["method"] == "PUT"


def test_one_process_serves_every_call(api: Function) -> None:
    api.invoke(request("GET", "/healthz"))
    process = api.pid()
    answers = [api.invoke(request("GET", path)) for path in ("/", "/api/documents", "/nowhere")]

    assert [answer.payload["statusCode"] for answer in answers] == [200, 200, 404]
    assert api.pid() == process
    assert len(api.init_milliseconds()) == 1


@pytest.fixture
def pages(api: Function, place: Place) -> Iterator[Callable[[int], None]]:
    """Fills the newest page of documents with summaries of so many two-byte characters."""
    api.invoke(request("GET", "/api/documents"))  # which creates the tables

    def fill(characters: int) -> None:
        place.sql(
            """insert into documents (id, name, object_key, prompt_version, status, summary)
            select gen_random_uuid(), repeat('n', 200), 'long-' || i, 'test', 'done',
                repeat('é', %s)
            from generate_series(1, 50) as i""",
            characters,
        )

    yield fill
    place.sql("delete from documents where prompt_version = 'test'")


def test_the_longest_page_of_documents_is_below_lambdas_limit(
    api: Function, pages: Callable[[int], None]
) -> None:
    pages(8 * 1024)

    answer = api.invoke(request("GET", "/api/documents"))

    page = json.loads(content(answer.payload))
    assert [len(document["summary"]) for document in page["documents"]] == [8 * 1024] * 50
    assert len(json.dumps(answer.payload)) < MAX_PAYLOAD_BYTES


def test_a_response_above_lambdas_limit_is_an_error_of_the_api(
    api: Function, pages: Callable[[int], None]
) -> None:
    pages(64 * 1024)

    answer = api.invoke(request("GET", "/api/documents"))

    assert (answer.status, answer.payload["statusCode"]) == (200, 500)
    error = json.loads(content(answer.payload))["error"]
    assert error["code"] == "INTERNAL"
    assert error["message"].endswith("bytes; the platform's limit is 6,291,456.")


def test_a_message_of_the_queue_is_summarized(summarize: Function, place: Place) -> None:
    answer = summarize.invoke(place.upload("queue.txt"))

    assert (answer.status, answer.payload) == (200, {"batchItemFailures": []})
    assert place.status("queue.txt") == "done"


def test_the_schedule_starts_the_sweep(lambda_image: Image, place: Place, tmp_path: Path) -> None:
    place.cloud.s3.put_object(Bucket=place.cloud.bucket, Key="incoming/lost.txt", Body=TEXT)
    handler, log = "functions.handlers.aws.sweep", tmp_path / "log"
    with function(lambda_image, handler, place.environment, seconds=660, log=log) as sweep:
        answer = sweep.invoke(SCHEDULED)

    assert answer.payload["due"] >= 1
    assert place.status("lost.txt") == "done"


def test_a_process_serves_the_next_call_after_an_error(summarize: Function, place: Place) -> None:
    failed = summarize.invoke({"no": "records"})
    process = summarize.pid()

    assert failed.payload["errorType"] == "KeyError"
    assert summarize.invoke(place.upload("next.txt")).payload == {"batchItemFailures": []}
    assert summarize.pid() == process


def test_a_killed_process_is_replaced_and_the_document_is_summarized(
    summarize: Function, place: Place
) -> None:
    mark = f"mark-{uuid.uuid4().hex}"
    place.model.script(mark, SILENCE)
    event = place.upload("killed.txt", TEXT + mark.encode())
    answers = list[Any]()
    call = threading.Thread(target=lambda: answers.append(summarize.invoke(event)))
    call.start()
    local.until(lambda: place.model.calls(mark) or None)
    summarize.kill()
    call.join()
    place.sql("update documents set lease_until = now() - interval '1 s' where name = 'killed.txt'")

    again = summarize.invoke(event)

    assert answers[0].payload["errorType"] == "Runtime.ExitError"
    assert again.payload == {"batchItemFailures": []}
    assert place.status("killed.txt") == "done"


def test_a_call_over_its_time_is_ended_and_the_next_one_is_served(
    lambda_image: Image, place: Place, tmp_path: Path
) -> None:
    handler, log = "functions.handlers.aws.sweep", tmp_path / "log"
    with function(lambda_image, handler, place.environment, seconds=30, log=log) as sweep:
        sweep.invoke(SCHEDULED)  # which creates the tables
        with place.locked("documents"):  # no call can end
            ended = sweep.invoke(SCHEDULED)
        served = sweep.invoke(SCHEDULED)

    assert ended.payload == "Task timed out after 30.00 seconds"
    assert served.payload == {"due": 0}


def test_a_document_that_needs_more_time_than_is_left_stays_queued(
    lambda_image: Image, place: Place, tmp_path: Path
) -> None:
    handler, log = "functions.handlers.aws.summarize", tmp_path / "log"
    with function(lambda_image, handler, place.environment, seconds=60, log=log) as summarize:
        answer = summarize.invoke(place.upload("late.txt"))

    assert answer.payload == {"batchItemFailures": []}
    assert place.status("late.txt") == "queued"
