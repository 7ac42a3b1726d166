"""An endpoint with several replicas: local model servers in turn, and a replica monitor.

As in a cluster, `X-Replica` names the replica and `GET /replicas` reports their states.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from components.local.model_server.app import Settings, create_app
from functions.inference.canary_prompt import (
    GOOD_IN_A_ROW,
    WRONG_IN_A_ROW,
    canary_prompt,
    contains_code,
)
from tests.support import local

KEY = "key-of-a-fleet"


@dataclass(kw_only=True)
class Replica:
    """A local model server; a corrupt one reverses its answers."""

    name: str
    app: ASGIApp
    corrupt: bool = False
    state: str = "ok"
    good: int = 0
    wrong: int = 0
    good_at: float | None = None

    async def answer(self, body: bytes) -> httpx.Response:
        """Answer the body of a chat completion."""
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app),
            base_url="http://replica",
            headers={"Authorization": f"Bearer {KEY}"},
        ) as client:
            answer = await client.post("/v1/chat/completions", content=body)
        if not self.corrupt:
            return answer
        completion = answer.json()
        completion["choices"][0]["message"]["content"] = _text(completion)[::-1]
        return httpx.Response(answer.status_code, json=completion, headers={"x-replica": self.name})

    def judge(self, *, right: bool) -> None:
        """Count one canary, by the rules of the application."""
        self.good, self.wrong = (self.good + 1, 0) if right else (0, self.wrong + 1)
        if self.wrong == WRONG_IN_A_ROW:
            self.state = "out"
        if self.good == GOOD_IN_A_ROW:
            self.state = "ok"
        if right and self.state == "ok":
            self.good_at = time.monotonic()


class Fleet:
    """An ASGI application; its replicas are healthy until a test sets `corrupt`.

    While it is `frozen`, the monitor repeats its last report.
    """

    def __init__(self, *names: str) -> None:
        self.replicas = {name: _model_server(name) for name in names}
        self.frozen = False
        self._turns = 0
        self._app = Starlette(
            routes=[
                Route("/v1/chat/completions", self._chat, methods=["POST"]),
                Route("/replicas", self._report),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        await self._app(scope, receive, send)

    async def run_canaries(self) -> None:
        """Send the canary to every replica."""
        canary = msgspec.json.encode(canary_prompt(local.EXTRACTIVE))
        for replica in self.replicas.values():
            answer = await replica.answer(canary)
            replica.judge(right=contains_code(_text(answer.json())))

    async def _chat(self, request: Request) -> Response:
        if _unauthorized(request):
            return Response(status_code=401)
        healthy: Sequence[Replica] = [r for r in self.replicas.values() if r.state == "ok"]
        if not healthy:
            return Response(status_code=503)
        self._turns += 1
        answer = await healthy[self._turns % len(healthy)].answer(await request.body())
        headers = {name: answer.headers[name] for name in ("x-replica", "content-type")}
        return Response(answer.content, answer.status_code, headers)

    async def _report(self, request: Request) -> Response:
        if _unauthorized(request):
            return Response(status_code=401)
        if not self.frozen:
            await self.run_canaries()  # it has no schedule
        now = time.monotonic()
        return JSONResponse(
            {
                "replicas": [
                    {
                        "name": r.name,
                        "state": r.state,
                        "good_seconds_ago": None if r.good_at is None else now - r.good_at,
                    }
                    for r in self.replicas.values()
                ]
            }
        )


def _model_server(name: str) -> Replica:
    settings = Settings(api_key=KEY, model=local.EXTRACTIVE, replica=name)
    return Replica(name=name, app=create_app(settings))


def _unauthorized(request: Request) -> bool:
    return request.headers.get("authorization") != f"Bearer {KEY}"


def _text(completion: dict[str, Any]) -> str:
    text: str = completion["choices"][0]["message"]["content"]
    return text
