"""The functions on AWS Lambda: `api` for HTTP, `summarize` for the queue, `sweep` on schedule.

A Lambda process serves one invocation after another and is frozen in between. It keeps one event
loop and one open application.
"""

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Protocol, TypedDict, TypeVar
from urllib.parse import unquote_plus
from uuid import UUID

from starlette.applications import Starlette

from functions.api.routes import create_api
from functions.application import Application
from functions.handlers import asgi
from functions.handlers.aws_http import HttpEvent, HttpResult, to_request, to_result
from functions.handlers.aws_queue import DOCUMENTS_AT_ONCE, QueueError, Send, sender
from functions.handlers.aws_secrets import Read, resolve, secrets_manager
from functions.handlers.ca_bundle import trust
from functions.opening import OnDemand
from functions.settings import Settings
from functions.storage.ledger import DATABASE_ERRORS, Ledger

log = logging.getLogger(__name__)
logging.getLogger("httpx").setLevel(logging.WARNING)

SLACK_SECONDS = 15.0
"""Time before Lambda stops the function at which running documents are released."""

MIN_SECONDS = 120.0
"""Least remaining time to start a document: model calls of a cut one are paid for twice."""

IDLE_SECONDS = 60
"""The database closes a connection after this time without a statement, such as one of the many
processes that Lambda keeps frozen after a burst."""

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
    """The event loop and the application of this process (see `functions.opening.Opening`).

    A frozen process loses its connections, and the password may have changed: then the application
    is opened again with fresh secrets.
    """

    def __init__(self, environment: Mapping[str, str], read: Callable[[], Read]) -> None:
        self._environment = environment
        self._read = read
        self._runner = asyncio.Runner()
        self._current: OnDemand | None = None

    def run(self, work: Callable[[Application], Awaitable[T]]) -> T:
        """Run a coroutine function with the open application."""

        async def opened() -> T:
            return await work(await self.application())

        return self._runner.run(opened())

    def answer(self, request: asgi.Request) -> asgi.Answer:
        """Answer one HTTP request; only one with the token opens the application."""
        return self._runner.run(asgi.answer(self._api, request))

    @cached_property
    def send(self) -> Send:
        """Sends a message to the queue of `summarize`."""
        return sender(self._environment["ARRIVALS_URL"])

    @cached_property
    def _api(self) -> Starlette:
        return create_api(self, start, store_events=True)

    def close(self) -> None:
        """Close the application and the event loop."""
        if self._current:
            self._runner.run(self._current.close())
        self._runner.close()

    @property
    def settings(self) -> Settings:
        """The settings, with secrets as they were when the application was last opened."""
        return self._on_demand.settings

    @property
    def uploads(self) -> str | None:
        """See `functions.opening.Opening`."""
        return self._on_demand.uploads

    async def application(self) -> Application:
        """See `functions.opening.Opening`."""
        current = self._on_demand
        if current.open is None:
            with self._fresh_after_failure():
                return await current.application()
        if await current.open.ledger.ping():
            return current.open
        fresh = self._with_fresh_secrets()
        try:
            application = await fresh.application()
        except DATABASE_ERRORS:
            return current.open  # its API answers with DATABASE_UNAVAILABLE
        await current.close()
        self._current = fresh
        return application

    @asynccontextmanager
    async def ledger(self) -> AsyncIterator[Ledger]:
        """See `functions.opening.Opening`."""
        if self._on_demand.open is not None:
            yield (await self.application()).ledger
            return
        with self._fresh_after_failure():
            async with self._on_demand.ledger() as ledger:
                yield ledger

    @property
    def _on_demand(self) -> OnDemand:
        if self._current is None:
            self._current = self._with_fresh_secrets()
        return self._current

    def _with_fresh_secrets(self) -> OnDemand:
        settings = Settings.read(
            {**resolve(self._environment, self._read()), **_credentials(self._environment)}
        )
        return OnDemand(settings, idle_seconds=IDLE_SECONDS)

    @contextmanager
    def _fresh_after_failure(self) -> Iterator[None]:
        """Read the secrets again after a failure to connect."""
        try:
            yield
        except DATABASE_ERRORS:
            self._current = None
            raise


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
    return to_result(process().answer(to_request(event)))


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
