"""The three functions on AWS Lambda: an HTTP API, the queue of a bucket's events, a schedule.

A process of Lambda serves one invocation after another, and sleeps in between. It keeps one event
loop and one open application.
"""

import asyncio
import json
import logging
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from functools import cache, cached_property, lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import unquote_plus
from uuid import UUID

from psycopg import OperationalError
from starlette.applications import Starlette

from functions.api import create_api
from functions.application import Application, open_application
from functions.handlers.authorities import trust
from functions.handlers.aws_http import respond
from functions.queue_aws import QueueError, Send, sender
from functions.secrets_aws import Read, resolve, secrets_manager
from functions.settings import Settings

log = logging.getLogger(__name__)
logging.getLogger("httpx").setLevel(logging.WARNING)

SLACK_SECONDS = 15.0
"""So long before Lambda would stop the function, work under way is given back to the ledger."""

FEWEST_SECONDS = 120.0
"""A document is not begun with less: what is cut has been paid for, and is begun anew."""

DOCUMENTS_AT_ONCE = 2
"""Each may take 1 GiB of the function's memory while it is read."""

DOCUMENT = "document_id"
"""What our own messages say, beside those of S3."""

Event = dict[str, Any]
T = TypeVar("T")


class Context(Protocol):
    """What Lambda says about an invocation."""

    def get_remaining_time_in_millis(self) -> int: ...


class Process:
    """The event loop and the application of this process; opened at the first invocation."""

    def __init__(self, environment: Mapping[str, str], read: Callable[[], Read]) -> None:
        self._environment = environment
        self._read = read
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self._application: Application | None = None

    def run(self, work: Callable[[Application], Awaitable[T]]) -> T:
        """Do some work with the application."""
        return self._runner.run(self._run(work))

    @cached_property
    def ask_worker(self) -> Send:
        """Puts a message into the worker's queue."""
        return sender(self._environment["ARRIVALS_URL"])

    def close(self) -> None:
        """Let go of everything."""
        self._runner.run(self._stack.aclose())
        self._runner.close()

    async def _run(self, work: Callable[[Application], Awaitable[T]]) -> T:
        return await work(await self._open())

    async def _open(self) -> Application:
        """The application; opened anew, with secrets read anew, if it lost the database.

        A sleeping process loses its connections, and the password may be another one by now.
        """
        old = self._application
        if old and await old.ledger.ping():
            return old
        settings = Settings.read(resolve(self._environment, self._read()))
        stack = AsyncExitStack()
        try:
            self._application = await stack.enter_async_context(open_application(settings))
        except OperationalError:
            if old is None:
                raise
            return old  # it knows how to say that the database is away
        await self._stack.aclose()
        self._stack = stack
        return self._application


@cache
def process() -> Process:
    """The one of this process."""
    trust(Path(__file__).with_name("aws_rds.pem").read_bytes())
    return Process(os.environ, secrets_manager)


# ---------------------------------------------------------------- api


def api(event: Event, _context: Context) -> dict[str, Any]:
    """Answer one HTTP request."""
    try:
        return process().run(lambda application: respond(_asgi(application), event))
    except OperationalError as error:
        log.warning("the database is away: %s", type(error).__name__)
        return {"statusCode": HTTPStatus.SERVICE_UNAVAILABLE, "headers": {"retry-after": "10"}}


@lru_cache(maxsize=1)
def _asgi(application: Application) -> Starlette:
    return create_api(application, start, store_tells=True)


async def start(id_: UUID) -> None:
    """Ask the worker for a document that no event of the bucket tells of: one that is retried."""
    try:
        await asyncio.to_thread(process().ask_worker, json.dumps({DOCUMENT: str(id_)}))
    except QueueError as error:
        log.warning("document %s: left to the sweep (%s)", id_, error)


# ---------------------------------------------------------------- summarize


def summarize(event: Event, context: Context) -> dict[str, list[dict[str, str]]]:
    """Work on what the queue says has arrived; name the messages that could not be recorded.

    What is recorded is the ledger's to try again. The queue would wait for an hour.
    """

    async def work(application: Application) -> list[dict[str, str]]:
        failures, documents = [], dict[UUID, None]()
        for message in event["Records"]:
            try:
                body = json.loads(message["body"])
                if DOCUMENT in body:
                    documents[UUID(body[DOCUMENT])] = None
                for key in keys(body):
                    if id_ := await application.arrived(key):
                        documents[id_] = None
            except Exception as error:  # whatever it is, the message must not be lost
                log.warning("message %s: %s", message["messageId"], error)
                failures.append({"itemIdentifier": message["messageId"]})
        await _summarize(application, documents, context)
        return failures

    return {"batchItemFailures": process().run(work)}


def keys(body: Event) -> list[str]:
    """Keys of the objects that a message of S3 tells of; none for the test that S3 begins with."""
    return [
        unquote_plus(record["s3"]["object"]["key"])
        for record in body.get("Records", [])
        if record["eventName"].startswith("ObjectCreated:")
    ]


# ---------------------------------------------------------------- sweep


def sweep(_event: Event, context: Context) -> dict[str, int]:
    """Find what events missed, and work on what is due as far as there is time."""

    async def work(application: Application) -> int:
        due = await application.sweep()
        await _summarize(application, due, context)
        return len(due)

    return {"due": process().run(work)}


async def _summarize(application: Application, documents: Iterable[UUID], context: Context) -> None:
    """Work on documents until the time is over; the next sweep takes up those that are left."""
    loop, slots = asyncio.get_running_loop(), asyncio.Semaphore(DOCUMENTS_AT_ONCE)
    end = loop.time() + context.get_remaining_time_in_millis() / 1000 - SLACK_SECONDS

    async def one(id_: UUID) -> None:
        async with slots:
            if end - loop.time() >= FEWEST_SECONDS:
                await application.summarize(id_)

    try:
        async with asyncio.timeout_at(end):
            results = await asyncio.gather(*map(one, documents), return_exceptions=True)
    except TimeoutError:
        log.warning("the time is over; the sweep goes on with what is left")
        return
    for problem in filter(None, results):
        log.warning("a document is left to the sweep: %s", problem)
