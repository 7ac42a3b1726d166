"""The functions on AWS Lambda: `api` for HTTP, `summarize` for the queue, `sweep` on schedule.

A Lambda process serves one invocation after another and is frozen in between. It keeps one event
loop and one open application.
"""

import asyncio
import json
import logging
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any, Protocol, TypedDict, TypeVar
from urllib.parse import unquote_plus
from uuid import UUID

from starlette.applications import Starlette

from functions.api.errors import DATABASE_UNAVAILABLE
from functions.api.routes import create_api
from functions.application import Application, open_application
from functions.handlers import asgi
from functions.handlers.aws_http import HttpEvent, HttpResult, to_request, to_result
from functions.handlers.aws_queue import QueueError, Send, sender
from functions.handlers.aws_secrets import Read, resolve, secrets_manager
from functions.handlers.ca_bundle import trust
from functions.settings import Settings
from functions.storage.ledger import DATABASE_ERRORS

log = logging.getLogger(__name__)
logging.getLogger("httpx").setLevel(logging.WARNING)

SLACK_SECONDS = 15.0
"""Time before Lambda stops the function at which running documents are released."""

MIN_SECONDS = 120.0
"""Least remaining time to start a document: model calls of a cut one are paid for twice."""

DOCUMENTS_AT_ONCE = 2
"""Reading one may take 1 GiB of the function's memory."""

T = TypeVar("T")


class QueueMessage(TypedDict):
    """A message of SQS; its body is a `MessageBody` as JSON."""

    messageId: str
    body: str


class QueueEvent(TypedDict):
    """A batch of messages of SQS."""

    Records: list[QueueMessage]


class S3Record(TypedDict):
    """One event of S3."""

    eventName: str
    s3: Mapping[str, Mapping[str, Any]]


class MessageBody(TypedDict, total=False):
    """Events of S3, whose test message has none, or the document of a message of `start`."""

    Records: list[S3Record]
    document_id: str


class BatchItemFailure(TypedDict):
    """A message that SQS delivers again."""

    itemIdentifier: str


class Context(Protocol):
    """Lambda's context of an invocation."""

    def get_remaining_time_in_millis(self) -> int: ...


class Process:
    """The event loop and the application of this process, opened at the first invocation."""

    def __init__(self, environment: Mapping[str, str], read: Callable[[], Read]) -> None:
        self._environment = environment
        self._read = read
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self._application: Application | None = None

    def run(self, work: Callable[[Application], Awaitable[T]]) -> T:
        """Run a coroutine function with the open application."""
        return self._runner.run(self._run(work))

    @cached_property
    def send(self) -> Send:
        """Sends a message to the queue of `summarize`."""
        return sender(self._environment["ARRIVALS_URL"])

    def close(self) -> None:
        """Close the application and the event loop."""
        self._runner.run(self._stack.aclose())
        self._runner.close()

    async def _run(self, work: Callable[[Application], Awaitable[T]]) -> T:
        return await work(await self._open())

    async def _open(self) -> Application:
        """The application; after a lost database it is opened again with fresh secrets.

        A frozen process loses its connections, and the password may have changed.
        """
        old = self._application
        if old and await old.ledger.ping():
            return old
        settings = Settings.read(
            {**resolve(self._environment, self._read()), **_credentials(self._environment)}
        )
        stack = AsyncExitStack()
        try:
            self._application = await stack.enter_async_context(open_application(settings))
        except DATABASE_ERRORS:
            if old is None:
                raise
            return old  # its API answers with DATABASE_UNAVAILABLE
        await self._stack.aclose()
        self._stack = stack
        return self._application


def _credentials(environment: Mapping[str, str]) -> dict[str, str]:
    """The credentials of the function's role, which sign uploads; Lambda sets them."""
    names = ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN")
    return {f"STORE_{name}": environment.get(f"AWS_{name}", "") for name in names}


@cache
def process() -> Process:
    """The single instance of this process."""
    trust(Path(__file__).with_name("aws_rds.pem").read_bytes())
    return Process(os.environ, secrets_manager)


# ---------------------------------------------------------------- api


def api(event: HttpEvent, _context: Context) -> HttpResult:
    """Answer one HTTP request."""
    request = to_request(event)
    try:
        answer = process().run(lambda application: asgi.answer(_asgi(application), request))
    except DATABASE_ERRORS as error:
        log.warning("the database is unreachable: %s", type(error).__name__)
        answer = asgi.error(DATABASE_UNAVAILABLE)
    return to_result(answer)


@lru_cache(maxsize=1)
def _asgi(application: Application) -> Starlette:
    return create_api(application, start, store_events=True)


async def start(id_: UUID) -> None:
    """Queue a document without an event of the bucket, such as a retried one."""
    try:
        await asyncio.to_thread(process().send, json.dumps({"document_id": str(id_)}))
    except QueueError as error:
        log.warning("document %s: left to the sweep (%s)", id_, error)


# ---------------------------------------------------------------- summarize


def summarize(event: QueueEvent, context: Context) -> dict[str, list[BatchItemFailure]]:
    """Record the documents of the queue's messages and summarize them.

    Returns the messages that could not be recorded, for SQS to deliver again. The ledger retries
    recorded documents: the queue would wait for an hour.
    """

    async def work(application: Application) -> list[BatchItemFailure]:
        failures, documents = list[BatchItemFailure](), dict[UUID, None]()
        for message in event["Records"]:
            try:
                body: MessageBody = json.loads(message["body"])
                if "document_id" in body:
                    documents[UUID(body["document_id"])] = None
                for key in keys(body):
                    if id_ := await application.arrived(key):
                        documents[id_] = None
            except Exception as error:  # no error may lose a message
                log.warning("message %s: %s", message["messageId"], error)
                failures.append({"itemIdentifier": message["messageId"]})
        await _summarize(application, documents, context)
        return failures

    return {"batchItemFailures": process().run(work)}


def keys(body: MessageBody) -> list[str]:
    """Keys of the created objects; none for the test message that S3 sends first."""
    return [
        unquote_plus(record["s3"]["object"]["key"])
        for record in body.get("Records", [])
        if record["eventName"].startswith("ObjectCreated:")
    ]


# ---------------------------------------------------------------- sweep


def sweep(_event: Mapping[str, object], context: Context) -> dict[str, int]:
    """Find missed documents, and summarize due ones in the remaining time."""

    async def work(application: Application) -> int:
        due = await application.sweep()
        await _summarize(application, due, context)
        return len(due)

    return {"due": process().run(work)}


async def _summarize(application: Application, documents: Iterable[UUID], context: Context) -> None:
    """Summarize documents until the time is over; the next sweep starts the others."""
    loop, slots = asyncio.get_running_loop(), asyncio.Semaphore(DOCUMENTS_AT_ONCE)
    end = loop.time() + context.get_remaining_time_in_millis() / 1000 - SLACK_SECONDS

    async def one(id_: UUID) -> None:
        async with slots:
            if end - loop.time() < MIN_SECONDS:
                return
            try:
                await application.summarize(id_)
            except Exception as error:
                log.warning("document %s: left to the sweep (%s)", id_, error)

    try:
        async with asyncio.timeout_at(end):
            await asyncio.gather(*map(one, documents))
    except TimeoutError:
        log.warning("the time is over; the next sweep starts the remaining documents")
