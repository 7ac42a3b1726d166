"""The local model server has OpenAI's chat completions API: answers, streams, errors and limits."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.local.model_server.__main__ import settings_from
from components.local.model_server.app import Settings, create_app
from components.local.model_server.openai_api import tokenize
from components.local.model_server.summarizer import NO_PROSE

pytestmark = pytest.mark.anyio

KEY = "sk-test-7f3a"
TEXT = "The tower was built of granite in 1841. The keeper lives on the island in summer."
TOKENS = len(tokenize(TEXT))
USAGE = {"prompt_tokens": TOKENS + 6, "completion_tokens": TOKENS, "total_tokens": 2 * TOKENS + 6}


def connect(
    *, key: str | None = KEY, clock: Callable[[], float] = time.monotonic, **settings: Any
) -> httpx.AsyncClient:
    """Return a client of a server with these settings."""
    app = create_app(Settings(api_key=KEY, **settings), clock=clock)
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False),
        base_url="http://model-server",
        headers={"Authorization": f"Bearer {key}"} if key else {},
    )


def chat(**fields: Any) -> dict[str, Any]:
    return {"model": "extractive", "messages": [{"role": "user", "content": TEXT}]} | fields


async def complete(body: Any, client: httpx.AsyncClient | None = None) -> httpx.Response:
    return await (client or connect()).post("/v1/chat/completions", json=body)


def refused(response: httpx.Response, status: int, code: Any, param: Any = None) -> str:
    """Check that the response is OpenAI's error object, and return its message."""
    message = response.json()["error"]["message"]
    kind = {429: "requests", 500: "server_error"}.get(status, "invalid_request_error")
    expected = {"message": message, "type": kind, "param": param, "code": code}
    assert (response.status_code, response.json()) == (status, {"error": expected})
    return str(message)


async def test_a_completion_has_the_fields_of_the_api_and_the_usage() -> None:
    response = await complete(chat())

    message = {"role": "assistant", "content": TEXT, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    assert response.json() == {
        "id": ANY,
        "object": "chat.completion",
        "created": ANY,
        "model": "extractive",
        "system_fingerprint": "fp_extractive",
        "choices": [choice],
        "usage": USAGE,
    }
    assert re.fullmatch(r"chatcmpl-[0-9a-f]{32}", response.json()["id"])
    assert isinstance(response.json()["created"], int)
    assert not [name for name in response.headers if name.startswith("x-ratelimit")]


MANY = [
    {"role": "system", "content": "You summarize a document."},
    {"role": "user", "content": "An earlier question was asked here."},
    {"role": "user", "content": f"Summarize.\n<document>\n{TEXT}\n</document>"},
]
IMAGE = [{"type": "image_url"}]
PARTS = [{"type": "text", "text": TEXT[:20]}, {"type": "text", "text": TEXT[20:]}]


@pytest.mark.parametrize(
    ("fields", "content", "reason"),
    [
        ({"messages": MANY}, TEXT, "stop"),
        ({"messages": [{"role": "user", "content": PARTS}]}, TEXT, "stop"),
        ({"messages": [{"role": "user", "content": "1;2;3\n4;5;6"}]}, NO_PROSE, "stop"),
        ({"max_tokens": 5}, "The tower was built of", "length"),
        ({"max_completion_tokens": 5}, "The tower was built of", "length"),
        ({"max_tokens": TOKENS}, TEXT, "stop"),
        ({"stop": "granite"}, "The tower was built of ", "stop"),
        ({"stop": ["lives", " granite"]}, "The tower was built of", "stop"),
        ({"temperature": 0.2, "n": 1, "seed": 7, "user": "u1"}, TEXT, "stop"),
    ],
)
async def test_an_answer_follows_the_request(fields: Any, content: str, reason: str) -> None:
    (choice,) = (await complete(chat(**fields))).json()["choices"]

    assert (choice["message"]["content"], choice["finish_reason"]) == (content, reason)


async def stream(**fields: Any) -> list[dict[str, Any]]:
    response = await complete(chat(stream=True, **fields))
    *events, end, rest = response.text.split("\n\n")
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert (end, rest) == ("data: [DONE]", "")
    return [json.loads(event.removeprefix("data: ")) for event in events]


async def test_a_stream_has_the_role_then_the_text_then_the_reason() -> None:
    chunks = await stream()

    deltas = [{"role": "assistant", "content": ""}, *({"content": t} for t in tokenize(TEXT)), {}]
    common = {"id": chunks[0]["id"], "created": chunks[0]["created"], "model": "extractive"}
    common |= {"object": "chat.completion.chunk", "system_fingerprint": "fp_extractive"}
    for chunk, delta in zip(chunks, deltas, strict=True):
        reason = None if delta else "stop"
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        assert chunk == {**common, "choices": [choice]}


async def test_a_stream_ends_with_the_usage_on_request() -> None:
    *chunks, last = await stream(stream_options={"include_usage": True})

    assert [chunk["usage"] for chunk in chunks] == [None] * (TOKENS + 2)
    assert (last["choices"], last["usage"]) == ([], USAGE)


async def test_the_one_model_is_listed_and_described() -> None:
    client = connect(model="acme/model")

    listed = (await client.get("/v1/models")).json()
    described = (await client.get("/v1/models/acme/model")).json()

    assert listed == {"object": "list", "data": [described]}
    card = {"id": "acme/model", "object": "model", "created": ANY, "owned_by": "seamless"}
    assert described == card


@pytest.mark.parametrize("replica", ["server-0", ""])
async def test_every_response_has_a_request_id_and_the_name_of_the_replica(replica: str) -> None:
    client = connect(replica=replica)

    responses = [await client.get(path) for path in ("/v1/models", "/nowhere")]
    responses += [await complete(chat(stream=stream), client) for stream in (False, True)]

    ids = {response.headers["x-request-id"] for response in responses}
    assert len(ids) == 4
    assert all(re.fullmatch(r"req_[0-9a-f]{32}", each) for each in ids)
    assert {response.headers.get("x-replica") for response in responses} == {replica or None}


@pytest.mark.parametrize(
    "header", [None, "Bearer wrong", f"Basic {KEY}", KEY, "Bearer", "Bearer é"]
)
async def test_a_missing_or_wrong_key_is_refused_except_for_health(header: str | None) -> None:
    headers = [(b"Authorization", header.encode())] if header else []
    client = connect(key=None)

    assert (await client.get("/healthz")).json() == {"status": "ok", "model": "extractive"}
    for method, path in [("POST", "/v1/chat/completions"), ("GET", "/v1/models")]:
        response = await client.request(method, path, headers=headers)

        assert "Authorization: Bearer KEY" in refused(response, 401, "invalid_api_key")
        assert response.headers["www-authenticate"] == "Bearer"
        assert KEY not in response.text


async def test_an_unknown_model_is_refused_with_the_name_of_the_known_one() -> None:
    for response in [await complete(chat(model="x")), await connect().get("/v1/models/x")]:
        message = refused(response, 404, "model_not_found", "model")
        assert message == "The model 'x' does not exist. This server has 'extractive'."


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ([], None),
        ({}, "model"),
        ({"model": "extractive"}, "messages"),
        (chat(messages=[]), "messages"),
        (chat(messages=[{"role": "user"}]), "messages[0].content"),
        (chat(messages=[{"role": "boss", "content": "x"}]), "messages[0].role"),
        (chat(messages=[{"role": "user", "content": IMAGE}]), "messages[0].content[0].type"),
        (chat(max_tokens=0), "max_tokens"),
        (chat(max_completion_tokens=0), "max_completion_tokens"),
        (chat(temperature=2.5), "temperature"),
        (chat(n=2), "n"),
        (chat(stop=["a", "b", "c", "d", "e"]), "stop"),
        (chat(stop=""), "stop"),
        (chat(stream="yes"), "stream"),
        (chat(stream_options={"include_usage": True}), "stream_options"),
    ],
)
async def test_an_invalid_field_is_named(body: Any, param: str | None) -> None:
    assert refused(await complete(body), 400, None, param)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff", b'{"model": "\xff"}', b'{"model": "\\ud800"}', b'{"x": ' + b"[" * 100_000],
)
async def test_a_body_that_is_not_json_is_refused(body: bytes) -> None:
    response = await connect().post("/v1/chat/completions", content=body)

    message = refused(response, 400, None)
    assert message.startswith("The body could not be parsed: ")
    assert message.endswith(" Send one JSON object in UTF-8.")


async def test_a_request_beyond_the_context_is_refused_with_the_numbers() -> None:
    body = chat(messages=[{"role": "user", "content": "word " * 60}], max_tokens=40)

    response = await complete(body, connect(context_tokens=100))

    assert refused(response, 400, "context_length_exceeded", "messages") == (
        "This model's maximum context length is 100 tokens. However, you requested 107 tokens"
        " (67 in the messages, 40 in the completion)."
        " Please reduce the length of the messages or completion."
    )


async def test_an_answer_ends_where_the_context_ends() -> None:
    response = await complete(chat(), connect(context_tokens=TOKENS + 6 + 3))

    (choice,) = response.json()["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("The tower was", "length")


async def test_requests_beyond_the_rate_limit_are_refused_with_a_time_to_retry() -> None:
    now = [0.0]
    client = connect(requests_per_minute=3, clock=lambda: now[0])

    *granted, last = [await complete(chat(), client) for _ in range(4)]
    now[0] += int(last.headers["retry-after"])
    later = await complete(chat(), client)

    assert refused(last, 429, "rate_limit_exceeded") == (
        "Rate limit reached: 3 requests per minute. Try again in 20 seconds."
    )
    assert last.headers["retry-after"] == "20"
    assert last.headers["x-ratelimit-limit-requests"] == "3"
    assert last.headers["x-ratelimit-reset-requests"] == "60s"
    remaining = [r.headers["x-ratelimit-remaining-requests"] for r in [*granted, last]]
    assert remaining == ["2", "1", "0", "0"]
    assert [response.status_code for response in [*granted, later]] == [200] * 4


async def test_requests_beyond_the_concurrency_limit_are_refused() -> None:
    client = connect(max_concurrency=2, delay_seconds=0.05)

    first, second, last = await asyncio.gather(*(complete(chat(), client) for _ in range(3)))
    later = await complete(chat(), client)

    assert refused(last, 429, "rate_limit_exceeded") == (
        "The limit of 2 concurrent requests is reached. Try again in 1 second."
    )
    assert last.headers["retry-after"] == "1"
    assert [response.status_code for response in (first, second, later)] == [200] * 3


async def test_an_unknown_path_or_method_gets_an_error_of_the_api() -> None:
    path = await connect().get("/v1/embeddings")
    method = await connect().get("/v1/chat/completions")

    assert refused(path, 404, "unknown_url") == "Invalid URL (GET /v1/embeddings)."
    message = refused(method, 405, "method_not_supported")
    assert message == "Not allowed to GET on /v1/chat/completions."
    assert method.headers["allow"] == "POST"


async def test_a_defect_is_answered_without_its_details(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(message: str) -> str:
        raise RuntimeError("a detail")

    monkeypatch.setattr("components.local.model_server.app.answer", broken)

    assert "a detail" not in refused(await complete(chat()), 500, None)


def test_settings_come_from_the_environment() -> None:
    environment = {
        "MODEL_SERVER_API_KEY": KEY,
        "MODEL_SERVER_MODEL": "other",
        "MODEL_SERVER_CONTEXT_TOKENS": "4096",
        "MODEL_SERVER_REQUESTS_PER_MINUTE": "30",
        "MODEL_SERVER_MAX_CONCURRENCY": "4",
        "MODEL_SERVER_DELAY_SECONDS": "2",
    }
    numbers: dict[str, Any] = {"context_tokens": 4096, "requests_per_minute": 30}
    numbers |= {"max_concurrency": 4, "delay_seconds": 2}

    settings = settings_from(environment)

    assert settings == Settings(api_key=KEY, model="other", **numbers)
    assert KEY not in repr(settings)
    assert settings_from({"MODEL_SERVER_API_KEY": KEY}) == Settings(api_key=KEY)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("API_KEY", "", "is not set: set it to the key that callers must send."),
        ("CONTEXT_TOKENS", "8k", "is '8k': set a whole number of at least 1, or unset it."),
        ("REQUESTS_PER_MINUTE", "0", "is '0': set a whole number of at least 1, or unset it."),
    ],
)
def test_an_invalid_setting_is_named_with_its_rule(name: str, value: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"MODEL_SERVER_{name} {message}")):
        settings_from({"MODEL_SERVER_API_KEY": KEY, f"MODEL_SERVER_{name}": value})


@given(st.text() | st.text(st.sampled_from("aZ0 .\n-!é中я")), st.integers(0, 40))
def test_a_prefix_of_the_tokens_has_exactly_these_tokens(text: str, limit: int) -> None:
    tokens = tokenize(text)

    assert 3.5 < len(TEXT) / TOKENS < 4.5
    assert "".join(tokens) == text
    assert tokenize("".join(tokens[:limit])) == tokens[:limit]


def test_the_server_starts_and_stops_on_sigterm_with_open_connections() -> None:
    body = json.dumps(chat())
    key = f"Authorization: Bearer {KEY}\r\n"
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n{key}"
    request = f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()
    command = [sys.executable, "-m", "components.local.model_server", "--port", "0"]
    with subprocess.Popen(
        command,
        cwd=Path(__file__).parents[3],
        env=os.environ | {"MODEL_SERVER_API_KEY": KEY, "MODEL_SERVER_DELAY_SECONDS": "60"},
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            assert server.stderr is not None
            started = next(line for line in server.stderr if "running on" in line)
            url = httpx.URL(re.findall(r"http://\S+", started)[0])
            with (
                httpx.Client(base_url=url) as idle,
                socket.create_connection((url.host, url.port or 0)) as waiting,
            ):
                health = idle.get("/healthz")
                waiting.sendall(request)
                models = idle.get("/v1/models", headers={"Authorization": f"Bearer {KEY}"})
                server.send_signal(signal.SIGTERM)
                status = server.wait(timeout=5)
            log = server.stderr.read()
        finally:
            server.kill()

    assert (health.status_code, models.status_code, status) == (200, 200, 0)
    assert KEY not in log
