"""Passes one whole HTTP request through an ASGI application, for functions platforms."""

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from starlette.types import ASGIApp, Message, Scope

from functions.api.errors import error_body, status_of
from functions.errors import Code, Failure

_TEXT = ("text/", "application/json", "application/javascript")


@dataclass(frozen=True, kw_only=True)
class Request:
    """An HTTP request.

    Attributes:
        path: Percent-encoded, as received.
        query: Without the question mark.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An HTTP response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_text(self) -> bool:
        """True when the body is sent as text, False when it is sent as base64."""
        kind = self.headers.get("content-type", "")
        return not self.body or kind.startswith(_TEXT)

    @property
    def body_text(self) -> str:
        """The body for JSON: as text or base64."""
        return self.body.decode() if self.is_text else base64.b64encode(self.body).decode()


def error(failure: Failure) -> Answer:
    """The response of the API to a failure."""
    return Answer(
        status=status_of(failure),
        headers={"content-type": "application/json"},
        body=error_body(failure),
    )


def too_large(size: int, *, limit: int) -> Answer:
    """The response in place of one that the platform does not pass on."""
    return error(
        Failure(
            Code.INTERNAL,
            f"The response has {size:,} bytes; the platform's limit is {limit:,}.",
            "Request less data at once.",
        )
    )


async def answer(app: ASGIApp, request: Request) -> Answer:
    """Return the application's response to one request."""
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": request.method.upper(),
        "scheme": "https",
        "path": unquote(request.path),
        "raw_path": request.path.encode(),
        "query_string": request.query.encode(),
        "root_path": "",
        "headers": [
            (name.lower().encode("latin-1"), value.encode("latin-1", "replace"))
            for name, value in request.headers.items()
        ],
        "server": None,
        "client": None,
    }
    messages: list[Message] = [
        {"type": "http.request", "body": request.body, "more_body": False},
    ]
    status, headers, body = 0, dict[str, str](), bytearray()

    async def receive() -> Message:
        if not messages:  # the caller never disconnects
            await asyncio.Event().wait()
        return messages.pop(0)

    async def send(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            for raw_name, raw_value in message["headers"]:
                name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
                headers[name] = f"{headers[name]}, {value}" if name in headers else value
        elif message["type"] == "http.response.body":
            body.extend(message.get("body", b""))

    await app(scope, receive, send)
    return Answer(status=status, headers=headers, body=bytes(body))
