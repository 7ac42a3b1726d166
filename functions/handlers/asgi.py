"""One HTTP request through an ASGI application, for platforms that hand over a whole request."""

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from starlette.types import ASGIApp, Message, Scope

_TEXT = ("text/", "application/json", "application/javascript")


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a caller asked.

    Attributes:
        path: As the caller wrote it, percent signs included.
        query: Without the question mark.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the application answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_text(self) -> bool:
        """True when the body goes as text, False when it goes as base64."""
        kind = self.headers.get("content-type", "")
        return not self.body or kind.startswith(_TEXT)

    @property
    def body_text(self) -> str:
        """The body as JSON can carry it."""
        return self.body.decode() if self.is_text else base64.b64encode(self.body).decode()


async def answer(app: ASGIApp, request: Request) -> Answer:
    """Let an application answer one request."""
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
    waiting: list[Message] = [
        {"type": "http.request", "body": request.body, "more_body": False},
    ]
    status, headers, body = 0, dict[str, str](), bytearray()

    async def receive() -> Message:
        if not waiting:  # the caller stays until it has its answer
            await asyncio.Event().wait()
        return waiting.pop(0)

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
