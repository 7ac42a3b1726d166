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


async def _plain(_: Request) -> Response:
    return PlainTextResponse("summary", headers={"X-Other": "kept"})


async def _streamed(_: Request) -> Response:
    return StreamingResponse(_stream())


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [("/plain", 200, "summary"), ("/streamed", 200, "one, two"), ("/absent", 404, "Not Found")],
)
def test_a_response_has_the_name_of_the_pod_and_no_other_change(
    monkeypatch: pytest.MonkeyPatch, path: str, status: int, text: str
) -> None:
    monkeypatch.setenv("POD_NAME", "model-server-7f9c-x2x4z")
    server = ReplicaHeader(
        Starlette(routes=[Route("/plain", _plain), Route("/streamed", _streamed)])
    )

    async def request() -> httpx.Response:
        transport = httpx.ASGITransport(app=server)
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            return await client.get(path)

    response = asyncio.run(request())
    assert (response.status_code, response.text) == (status, text)
    assert response.headers["x-replica"] == "model-server-7f9c-x2x4z"
    assert response.headers.get("x-other") == ("kept" if path == "/plain" else None)
