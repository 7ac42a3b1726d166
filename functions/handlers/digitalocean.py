"""DigitalOcean Functions: `main` is called with an event, and its context says as which function.

A process serves one call at a time and many after one another, so the application is opened once
and kept. Between two calls the process is frozen.
"""

import asyncio
import base64
import logging
import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Protocol
from uuid import UUID

import httpx
import msgspec
from psycopg import OperationalError
from starlette.types import ASGIApp

from functions.api import create_api
from functions.application import Application, open_application
from functions.errors import Code
from functions.handlers import asgi
from functions.handlers.authorities import trust
from functions.schema import Error, ErrorBody
from functions.settings import Settings

log = logging.getLogger(__name__)

MAX_PAYLOAD_BYTES = 1_000_000
"""The platform takes 1 MB in and 1 MB out, and answers for itself above it.

docs.digitalocean.com/products/functions/details/limits, 17 January 2025
"""

Event = Mapping[str, Any]
Result = dict[str, Any]


class Context(Protocol):
    """What the platform says of a call; we need one of its eight facts."""

    @property
    def function_name(self) -> str:
        """`/NAMESPACE/PACKAGE/NAME`."""


@dataclass(frozen=True, kw_only=True)
class Platform:
    """What only this platform's functions are told, beside the application's settings.

    Attributes:
        summarize_url: Where `summarize` is called.
        summarize_key: User and password, with a colon between them.
        database_certificate: PEM of the authority that signs the database's certificate.
    """

    summarize_url: str = ""
    summarize_key: str = field(default="", repr=False)
    database_certificate: str = ""

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> "Platform":
        """The variables of our own component."""
        return cls(
            summarize_url=environment.get("SUMMARIZE_URL", ""),
            summarize_key=environment.get("SUMMARIZE_KEY", ""),
            database_certificate=environment.get("DATABASE_CERTIFICATE", ""),
        )


class Functions:
    """The three functions, on one event loop and one open application."""

    def __init__(self, settings: Settings, platform: Platform) -> None:
        self._settings = settings
        self._platform = platform
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self._application: Application | None = None
        self._api: ASGIApp | None = None
        if platform.database_certificate:
            trust(platform.database_certificate.encode())

    def call(self, function: str, event: Event) -> Result:
        """Do what the function of this name does.

        Raises:
            ValueError: for another name.
            OperationalError: when the database is away; the api says so in its answer instead.
        """
        if function == "api":
            return self._runner.run(self._serve(event))
        if function == "summarize":
            return self._runner.run(self._summarize(UUID(event["document_id"])))
        if function == "sweep":
            return self._runner.run(self._sweep())
        raise ValueError(f"There is no function {function!r}: there are api, summarize and sweep.")

    def close(self) -> None:
        """Let go of everything; the platform never asks for it, tests do."""
        self._runner.run(self._stack.aclose())
        self._runner.close()

    async def _open(self) -> Application:
        if self._application is None:
            self._application = await self._stack.enter_async_context(
                open_application(self._settings)
            )
        return self._application

    async def _serve(self, event: Event) -> Result:
        if "http" not in event:
            raise ValueError("api answers web calls only: its event has no http.")
        try:
            application = await self._open()
        except OperationalError as error:
            log.warning("the database is away: %s", type(error).__name__)
            return _refused(
                HTTPStatus.SERVICE_UNAVAILABLE,
                Code.DATABASE_UNAVAILABLE,
                "The database did not answer.",
                "Try again in a moment; /healthz shows when it is back.",
            )
        if self._api is None:
            self._api = create_api(application, self.start)
        return _result(await asgi.answer(self._api, _request(event["http"])))

    async def _summarize(self, id_: UUID) -> Result:
        await (await self._open()).summarize(id_)
        return {"document_id": str(id_)}

    async def _sweep(self) -> Result:
        due = await (await self._open()).sweep()
        for id_ in due:
            await self.start(id_)
        return {"due": len(due)}

    async def start(self, id_: UUID) -> None:
        """Call `summarize` without waiting for it; if that fails, the sweep calls it later."""
        user, _, password = self._platform.summarize_key.partition(":")
        try:
            async with httpx.AsyncClient(auth=(user, password), timeout=5) as client:
                answer = await client.post(
                    self._platform.summarize_url,
                    params={"blocking": "false"},
                    json={"document_id": str(id_)},
                )
                answer.raise_for_status()
        except httpx.HTTPStatusError as error:
            log.warning("document %s: left to the sweep (%s)", id_, error.response.status_code)
        except httpx.HTTPError as error:
            log.warning("document %s: left to the sweep (%s)", id_, type(error).__name__)


_functions: Functions | None = None


def main(event: Event, context: Context) -> Result:
    """What the platform calls."""
    global _functions
    if _functions is None:
        logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
        logging.getLogger("httpx").setLevel(logging.WARNING)
        _functions = Functions(Settings.read(), Platform.read())
    return _functions.call(context.function_name.rsplit("/", 1)[-1], event)


def _request(http: Mapping[str, Any]) -> asgi.Request:
    body = http.get("body") or ""
    return asgi.Request(
        method=http["method"],
        path=http.get("path") or "/",
        query=http.get("queryString") or "",
        headers=http.get("headers") or {},
        body=base64.b64decode(body) if http.get("isBase64Encoded") else body.encode(),
    )


def _result(answer: asgi.Answer) -> Result:
    headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
    result: Result = {"statusCode": answer.status, "headers": headers, "body": answer.body_text}
    size = len(msgspec.json.encode(result))
    if size > MAX_PAYLOAD_BYTES:
        return _refused(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            Code.INTERNAL,
            f"The answer has {size:,} bytes; the platform carries {MAX_PAYLOAD_BYTES:,}.",
            "Ask for less at once.",
        )
    return result


def _refused(status: HTTPStatus, code: Code, message: str, remedy: str) -> Result:
    body = msgspec.json.encode(ErrorBody(Error(code.value, message, remedy)))
    return {
        "statusCode": int(status),
        "headers": {"content-type": "application/json"},
        "body": body.decode(),
    }
