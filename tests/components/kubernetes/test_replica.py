"""The middleware names the replica in every response: plain, streamed and failed."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from components.kubernetes.programs.replica import ReplicaHeader


async def _stream() -> AsyncIterator[str]:
    yield "one, "
    yield "two"


async def _answer(_: Request) -> Response:
    return PlainTextResponse("summary", headers={"X-Own": "kept"})


async def _tokens(_: Request) -> Response:
    return StreamingResponse(_stream())


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [("/answer", 200, "summary"), ("/tokens", 200, "one, two"), ("/absent", 404, "Not Found")],
)
def test_every_response_names_the_pod_and_is_otherwise_unchanged(
    monkeypatch: pytest.MonkeyPatch, path: str, status: int, text: str
) -> None:
    monkeypatch.setenv("POD_NAME", "model-server-7f9c-x2x4z")
    server = ReplicaHeader(Starlette(routes=[Route("/answer", _answer), Route("/tokens", _tokens)]))

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=server)
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            return await client.get(path)

    answer = asyncio.run(ask())
    assert (answer.status_code, answer.text) == (status, text)
    assert answer.headers["x-replica"] == "model-server-7f9c-x2x4z"
    assert answer.headers.get("x-own") == ("kept" if path == "/answer" else None)
