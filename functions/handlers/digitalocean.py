"""The three functions on DigitalOcean Functions: `main` dispatches by the function's name.

A process serves one call after another and is frozen in between, so the application is opened once
and kept.
"""

import asyncio
import base64
import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NotRequired, Protocol, TypedDict
from uuid import UUID

import msgspec
from starlette.types import ASGIApp

from functions.api.routes import create_api
from functions.application import LEASE_SLACK
from functions.handlers import asgi
from functions.handlers.ca_bundle import trust
from functions.handlers.digitalocean_limits import MAX_PAYLOAD_BYTES, MAX_SECONDS
from functions.handlers.digitalocean_workers import (
    MAX_WORKERS,
    StartRefusedError,
    Workers,
)
from functions.opening import OnDemand
from functions.settings import Settings

log = logging.getLogger(__name__)


class HttpRequest(TypedDict):
    """The fields of a web call that we read."""

    method: str
    path: NotRequired[str]
    queryString: NotRequired[str]
    headers: NotRequired[dict[str, str]]
    body: NotRequired[str]
    isBase64Encoded: NotRequired[bool]


class Event(TypedDict, total=False):
    """An event: `http` for a web call, `document_id` for a call of `summarize`."""

    http: HttpRequest
    document_id: str


class HttpResult(TypedDict):
    """A response to a web call."""

    statusCode: int
    headers: dict[str, str]
    body: str


Result = HttpResult | dict[str, str] | dict[str, int]
"""Of `api`, `summarize` and `sweep`."""


class Context(Protocol):
    """The platform's context of a call; we need one of its eight attributes."""

    @property
    def function_name(self) -> str:
        """`/NAMESPACE/PACKAGE/NAME`."""


@dataclass(frozen=True, kw_only=True)
class Platform:
    """Settings of this platform, beside the application's.

    Attributes:
        summarize_url: URL of the function `summarize`.
        summarize_key: User and password, with a colon between them.
        database_certificate: PEM of the authority that signs the database's certificate.
    """

    summarize_url: str = ""
    summarize_key: str = field(default="", repr=False)
    database_certificate: str = ""

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> "Platform":
        """Read the variables that our component sets."""
        return cls(
            summarize_url=environment.get("SUMMARIZE_URL", ""),
            summarize_key=environment.get("SUMMARIZE_KEY", ""),
            database_certificate=environment.get("DATABASE_CERTIFICATE", ""),
        )


class Functions:
    """The three functions, on one event loop and one application."""

    def __init__(self, settings: Settings, platform: Platform) -> None:
        if platform.database_certificate:
            trust(platform.database_certificate.encode())
        self._runner = asyncio.Runner()
        self._opening = OnDemand(settings)
        self._workers = Workers(platform.summarize_url, platform.summarize_key)
        self._api: ASGIApp = create_api(self._opening, self.start)

    def call(self, function: str, event: Event) -> Result:
        """Run the function of this name.

        Raises:
            ValueError: for an unknown name.
            psycopg.OperationalError: when the database is unreachable; `api` answers 503 instead.
            StartRefusedError: from `sweep`, when the platform refuses to start a worker.
        """
        if function == "api":
            return self._runner.run(self._serve(event))
        if function == "summarize":
            return self._runner.run(self._summarize(UUID(event["document_id"])))
        if function == "sweep":
            return self._runner.run(self._sweep())
        raise ValueError(
            f"Unknown function {function!r}; the functions are api, summarize and sweep."
        )

    def close(self) -> None:
        """Close the application and the event loop; the platform never does, tests do."""
        self._runner.run(self._opening.close())
        self._runner.close()

    async def _serve(self, event: Event) -> HttpResult:
        if "http" not in event:
            raise ValueError("The event of a call to api has no http.")
        return _result(await asgi.answer(self._api, _request(event["http"])))

    async def _summarize(self, id_: UUID) -> dict[str, str]:
        """Summarize a document, and then others that are due while there is time for a whole one.

        So a queue above the limit of workers needs neither further calls nor the next sweep.
        """
        deadline = self._opening.settings.document_deadline_seconds
        end = time.monotonic() + MAX_SECONDS - deadline - LEASE_SLACK.total_seconds()
        application = await self._opening.application()
        starts, documents = application.ledger.worker_starts, [id_]
        while documents:
            await application.summarize(documents.pop())
            if time.monotonic() < end:
                documents = await starts.reserve(workers=MAX_WORKERS, most=1)
        return {"document_id": str(id_)}

    async def _sweep(self) -> dict[str, int]:
        application = await self._opening.application()
        due = await application.sweep()
        started = await self._workers.start_due(application.ledger.worker_starts)
        return {"due": len(due), "started": started}

    async def start(self, id_: UUID) -> None:
        """Start a worker for a document; if that fails, it stays queued for the next one."""
        application = await self._opening.application()
        try:
            await self._workers.start_due(application.ledger.worker_starts, document=id_)
        except StartRefusedError as error:  # the document is queued, and /healthz shows the reason
            log.error("document %s: %s", id_, error)  # noqa: TRY400  # a traceback adds nothing


class EventLine(logging.Formatter):
    """Ends the line of an event with `event=NAME`, for alerts at a log destination."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        line, event = super().format(record), getattr(record, "event", None)
        return f"{line} event={event}" if event else line


LINES = EventLine("%(levelname)s %(name)s: %(message)s")

_functions: Functions | None = None


def main(event: Event, context: Context) -> Result:
    """The entry point of every function."""
    global _functions
    if _functions is None:
        output = logging.StreamHandler()
        output.setFormatter(LINES)
        logging.basicConfig(level=logging.INFO, handlers=[output])
        logging.getLogger("httpx").setLevel(logging.WARNING)
        _functions = Functions(Settings.read(), Platform.read())
    return _functions.call(context.function_name.rsplit("/", 1)[-1], event)


def _request(http: HttpRequest) -> asgi.Request:
    body = http.get("body") or ""
    return asgi.Request(
        method=http["method"],
        path=http.get("path") or "/",
        query=http.get("queryString") or "",
        headers=http.get("headers") or {},
        body=base64.b64decode(body) if http.get("isBase64Encoded") else body.encode(),
    )


def _result(answer: asgi.Answer) -> HttpResult:
    headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
    result: HttpResult = {"statusCode": answer.status, "headers": headers, "body": answer.body_text}
    size = len(msgspec.json.encode(result))
    if size <= MAX_PAYLOAD_BYTES:
        return result
    return _result(asgi.too_large(size, limit=MAX_PAYLOAD_BYTES))
