"""A model server of several replicas: local model servers that take turns, and an examiner who asks
each.

It answers as a cluster does: `X-Replica` says who answered, `GET /replicas` how each stands.
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
    """One stand-in; a corrupt one answers backwards."""

    name: str
    app: ASGIApp
    corrupt: bool = False
    state: str = "ok"
    good: int = 0
    wrong: int = 0
    good_at: float | None = None

    async def answer(self, body: bytes) -> httpx.Response:
        """What it says to the body of a chat completion."""
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app),
            base_url="http://replica",
            headers={"Authorization": f"Bearer {KEY}"},
        ) as client:
            answer = await client.post("/v1/chat/completions", content=body)
        if not self.corrupt:
            return answer
        said = answer.json()
        said["choices"][0]["message"]["content"] = _text(said)[::-1]
        return httpx.Response(answer.status_code, json=said, headers={"x-replica": self.name})

    def judge(self, *, right: bool) -> None:
        """Take one canary into account, by the rules of the application's own."""
        self.good, self.wrong = (self.good + 1, 0) if right else (0, self.wrong + 1)
        if self.wrong == WRONG_IN_A_ROW:
            self.state = "out"
        if self.good == GOOD_IN_A_ROW:
            self.state = "ok"
        if right and self.state == "ok":
            self.good_at = time.monotonic()


class Fleet:
    """An ASGI application; its replicas are healthy until somebody sets `corrupt`.

    While it is `blind`, the examiner repeats what it said before.
    """

    def __init__(self, *names: str) -> None:
        self.replicas = {name: _model_server(name) for name in names}
        self.blind = False
        self._turns = 0
        self._app = Starlette(
            routes=[
                Route("/v1/chat/completions", self._chat, methods=["POST"]),
                Route("/replicas", self._verdicts),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        await self._app(scope, receive, send)

    async def examine(self) -> None:
        """Ask everybody the canary."""
        canary = msgspec.json.encode(canary_prompt(local.EXTRACTIVE))
        for replica in self.replicas.values():
            answer = await replica.answer(canary)
            replica.judge(right=contains_code(_text(answer.json())))

    async def _chat(self, request: Request) -> Response:
        if _stranger(request):
            return Response(status_code=401)
        inside: Sequence[Replica] = [r for r in self.replicas.values() if r.state == "ok"]
        if not inside:
            return Response(status_code=503)
        self._turns += 1
        answer = await inside[self._turns % len(inside)].answer(await request.body())
        kept = {name: answer.headers[name] for name in ("x-replica", "content-type")}
        return Response(answer.content, answer.status_code, kept)

    async def _verdicts(self, request: Request) -> Response:
        if _stranger(request):
            return Response(status_code=401)
        if not self.blind:
            await self.examine()  # a local model server has no schedule of its own
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


def _stranger(request: Request) -> bool:
    return request.headers.get("authorization") != f"Bearer {KEY}"


def _text(said: dict[str, Any]) -> str:
    text: str = said["choices"][0]["message"]["content"]
    return text
