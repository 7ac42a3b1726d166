"""The local model server behind a script of outcomes."""

import json
import secrets
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from components.local.model_server.app import Settings, create_app
from functions.inference.endpoint import Endpoint
from tests.support import local
from tests.support.inference_servers import hosting

SILENCE = None
"""No answer until the client disconnects."""

Outcome = int | tuple[int, str] | None
"""Status of an error, with its body if that matters, or silence."""


class Model:
    """A model server; the mark in a request identifies the document."""

    def __init__(self, model_server: ASGIApp, key: str) -> None:
        self._model_server = model_server
        self._key = key
        self._requests: list[bytes] = []
        self._script: dict[bytes, list[tuple[Outcome, int]]] = defaultdict(list)
        self.port = 0

    @property
    def environment(self) -> Mapping[str, str]:
        """The endpoint in an application's environment."""
        known = Endpoint(
            name="serverless",
            inference_mode="serverless",
            url=f"http://127.0.0.1:{self.port}/v1",
            model=local.EXTRACTIVE,
            context_tokens=8192,
            input_usd_per_million=0.5,
            output_usd_per_million=2.0,
        )
        return local.variables_of(known, keys={known.name: self._key})

    def calls(self, mark: str) -> int:
        """Number of requests about a document."""
        return sum(mark.encode() in request for request in list(self._requests))

    def script(self, mark: str, *outcomes: Outcome, retry_after: int = 0) -> None:
        """Set the outcomes of the next requests about a document."""
        self._script[mark.encode()] += [(outcome, retry_after) for outcome in outcomes]

    def answer(self, mark: str) -> None:
        """Delete the script of a document."""
        self._script.pop(mark.encode(), None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        request, message = b"", await receive()
        while message["type"] == "http.request":
            request += message.get("body", b"")
            if not message.get("more_body"):
                break
            message = await receive()
        self._requests.append(request)
        waiting = next((s for mark, s in list(self._script.items()) if s and mark in request), None)
        if waiting is None:
            await self._model_server(scope, _again(request, receive), send)
            return
        outcome, retry_after = waiting.pop(0)
        if outcome is SILENCE:
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        plain = json.dumps({"error": {"message": f"refused with {outcome}"}})
        status, body = outcome if isinstance(outcome, tuple) else (outcome, plain)
        headers = {"Retry-After": f"{retry_after}"}
        error = Response(body, status, headers, "application/json")
        await error(scope, receive, send)


def _again(body: bytes, receive: Receive) -> Receive:
    """A `receive` that repeats the body."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def read() -> Message:
        return waiting.pop() if waiting else await receive()

    return read


@contextmanager
def modelled() -> Iterator[Model]:
    """A running model server."""
    key = secrets.token_urlsafe(12)
    model = Model(create_app(Settings(api_key=key, model=local.EXTRACTIVE)), key)
    with hosting(model) as model.port:
        yield model
