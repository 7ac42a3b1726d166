"""The local model server speaks the OpenAI dialect: answers, streams, refusals, limits, and a clean
stop.

Every answer is checked against the types and values that the API reference states; the official
client is not used. The routes run in-process, one test starts and stops the real server.
"""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Literal

import anyio
import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.local.model_server import tokens
from components.local.model_server.__main__ import settings_from
from components.local.model_server.app import Settings, create_app
from components.local.model_server.extractive import NO_PROSE

pytestmark = pytest.mark.anyio

KEY = "sk-test-7f3a"
TEXT = "The tower was built of granite in 1841. The keeper lives on the island in summer."

Dialect = Callable[..., httpx.AsyncClient]


class Strict(msgspec.Struct, forbid_unknown_fields=True):
    """An object of the dialect with exactly these fields."""


class Said(Strict):
    role: Literal["assistant"]
    content: str
    refusal: None


class Choice(Strict):
    index: Literal[0]
    message: Said
    logprobs: None
    finish_reason: Literal["stop", "length"]


class Usage(Strict):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Completion(Strict):
    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    system_fingerprint: str
    choices: list[Choice]
    usage: Usage


class Delta(Strict, omit_defaults=True):
    role: Literal["assistant"] | None = None
    content: str | None = None


class Step(Strict):
    index: Literal[0]
    delta: Delta
    logprobs: None
    finish_reason: Literal["stop", "length"] | None


class Chunk(Strict):
    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    system_fingerprint: str
    choices: list[Step]
    usage: Usage | msgspec.UnsetType | None = msgspec.UNSET


class Error(Strict):
    message: str
    type: str
    param: str | None
    code: str | None


class Refusal(Strict):
    error: Error


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def dialect() -> AsyncIterator[Dialect]:
    """Give a client of an application with the settings that a test needs."""
    async with AsyncExitStack() as open_clients:

        def client(
            *,
            key: str | None = KEY,
            clock: Callable[[], float] = lambda: 0.0,
            raises: bool = True,
            **options: Any,
        ) -> httpx.AsyncClient:
            app = create_app(Settings(api_key=KEY, **options), clock=clock)
            transport = httpx.ASGITransport(app, raise_app_exceptions=raises)
            made = httpx.AsyncClient(
                transport=transport,
                base_url="http://model-server",
                headers={"Authorization": f"Bearer {key}"} if key else {},
            )
            open_clients.push_async_callback(made.aclose)
            return made

        yield client


def chat(text: str = TEXT, **fields: Any) -> dict[str, Any]:
    """Return a request about `text`; a field of None is left out."""
    body = {"model": "extractive", "messages": [{"role": "user", "content": text}]} | fields
    return {name: value for name, value in body.items() if value is not None}


async def ask(client: httpx.AsyncClient, body: dict[str, Any]) -> Completion:
    response = await client.post("/v1/chat/completions", json=body)
    assert response.status_code == 200, response.text
    return msgspec.json.decode(response.content, type=Completion)


async def refusal(client: httpx.AsyncClient, body: Any) -> tuple[int, Error]:
    response = await client.post("/v1/chat/completions", json=body)
    return response.status_code, msgspec.json.decode(response.content, type=Refusal).error


async def test_a_completion_has_the_fields_of_the_dialect(dialect: Dialect) -> None:
    completion = await ask(dialect(), chat())

    assert re.fullmatch(r"chatcmpl-[0-9a-f]{32}", completion.id)
    assert completion.model == "extractive"
    assert completion.system_fingerprint == "fp_extractive"
    assert [(c.message.content, c.finish_reason) for c in completion.choices] == [(TEXT, "stop")]


async def test_usage_counts_the_prompt_and_the_answer(dialect: Dialect) -> None:
    usage = (await ask(dialect(), chat())).usage

    assert usage.completion_tokens == tokens.count(TEXT)
    assert usage.prompt_tokens == tokens.count(TEXT) + 6
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


async def test_the_last_user_message_is_what_is_summarized(dialect: Dialect) -> None:
    messages = [
        {"role": "system", "content": "You summarize a document."},
        {"role": "user", "content": "An earlier question was asked here."},
        {"role": "assistant", "content": "An earlier answer was given here."},
        {"role": "user", "content": f"Summarize.\n<document>\n{TEXT}\n</document>"},
    ]

    completion = await ask(dialect(), chat(messages=messages))

    assert completion.choices[0].message.content == TEXT


async def test_content_may_come_in_text_parts(dialect: Dialect) -> None:
    parts = [{"type": "text", "text": TEXT[:20]}, {"type": "text", "text": TEXT[20:]}]

    completion = await ask(dialect(), chat(messages=[{"role": "user", "content": parts}]))

    assert completion.choices[0].message.content == TEXT


async def test_a_text_without_prose_gets_an_honest_answer(dialect: Dialect) -> None:
    completion = await ask(dialect(), chat("1;2;3\n4;5;6"))

    assert completion.choices[0].message.content == NO_PROSE
    assert completion.choices[0].finish_reason == "stop"


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
async def test_an_answer_is_cut_at_exactly_the_tokens_allowed(dialect: Dialect, name: str) -> None:
    completion = await ask(dialect(), chat() | {name: 5})

    assert completion.choices[0].message.content == "The tower was built of"
    assert completion.choices[0].finish_reason == "length"
    assert completion.usage.completion_tokens == 5


async def test_an_answer_that_just_fits_is_not_cut(dialect: Dialect) -> None:
    completion = await ask(dialect(), chat(max_tokens=tokens.count(TEXT)))

    assert completion.choices[0].finish_reason == "stop"


@pytest.mark.parametrize("stop", ["granite", ["lives", " granite"]])
async def test_an_answer_ends_before_a_stop_sequence(
    dialect: Dialect, stop: str | list[str]
) -> None:
    choice = (await ask(dialect(), chat(stop=stop))).choices[0]

    assert choice.message.content.rstrip() == "The tower was built of"
    assert choice.finish_reason == "stop"


async def test_unknown_fields_are_ignored(dialect: Dialect) -> None:
    body = chat(temperature=0.2, n=1, seed=7, top_p=0.9, reasoning_effort="low", user="u1")

    assert (await ask(dialect(), body)).choices[0].message.content == TEXT


async def stream(client: httpx.AsyncClient, body: dict[str, Any]) -> list[Chunk]:
    response = await client.post("/v1/chat/completions", json=body | {"stream": True})
    *events, end, rest = response.text.split("\n\n")
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert (end, rest) == ("data: [DONE]", "")
    return [msgspec.json.decode(event.removeprefix("data: "), type=Chunk) for event in events]


async def test_a_stream_gives_the_role_then_the_text_then_the_reason(dialect: Dialect) -> None:
    chunks = await stream(dialect(), chat())

    steps = [chunk.choices[0] for chunk in chunks]
    assert steps[0].delta == Delta(role="assistant", content="")
    assert "".join(step.delta.content or "" for step in steps) == TEXT
    assert [step.finish_reason for step in steps] == [None] * (len(steps) - 1) + ["stop"]
    assert steps[-1].delta == Delta()
    assert {chunk.id for chunk in chunks} == {chunks[0].id}
    assert all(chunk.usage is msgspec.UNSET for chunk in chunks)


async def test_a_stream_ends_with_the_usage_where_that_is_asked_for(dialect: Dialect) -> None:
    body = chat(max_tokens=5, stream_options={"include_usage": True})

    *steps, last = await stream(dialect(), body)

    assert [chunk.usage for chunk in steps] == [None] * len(steps)
    assert last.choices == []
    assert last.usage == Usage(tokens.count(TEXT) + 6, 5, tokens.count(TEXT) + 11)


async def test_the_one_model_is_listed_and_described(dialect: Dialect) -> None:
    client = dialect(model="acme/stand-in")

    listed = (await client.get("/v1/models")).json()
    described = (await client.get("/v1/models/acme/stand-in")).json()

    assert listed == {"object": "list", "data": [described]}
    assert described["id"] == "acme/stand-in"
    assert described["object"] == "model"
    assert described["owned_by"] == "seamless"
    assert isinstance(described["created"], int)


async def test_health_needs_no_key(dialect: Dialect) -> None:
    response = await dialect(key=None).get("/healthz")

    assert response.status_code == 200
    assert response.json() == {"status": "ok", "model": "extractive"}


async def test_every_response_has_its_own_request_id(dialect: Dialect) -> None:
    client = dialect()

    ids = [(await client.get(path)).headers["x-request-id"] for path in ("/healthz", "/nowhere")]

    assert all(re.fullmatch(r"req_[0-9a-f]{32}", each) for each in ids)
    assert len(set(ids)) == 2


@pytest.mark.parametrize(("name", "header"), [("server-0", "server-0"), ("", None)])
async def test_a_replica_names_itself(dialect: Dialect, name: str, header: str | None) -> None:
    answer = await dialect(replica=name).get("/v1/models")

    assert answer.headers.get("x-replica") == header


@pytest.mark.parametrize(
    "header", [None, "Bearer wrong", f"Basic {KEY}", KEY, "Bearer", "Bearer é"]
)
async def test_a_missing_or_wrong_key_is_refused(dialect: Dialect, header: str | None) -> None:
    headers = [(b"Authorization", header.encode())] if header else []
    client = dialect(key=None)

    for method, path in [("POST", "/v1/chat/completions"), ("GET", "/v1/models")]:
        response = await client.request(method, path, headers=headers)
        error = msgspec.json.decode(response.content, type=Refusal).error

        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"
        assert (error.type, error.code) == ("invalid_request_error", "invalid_api_key")
        assert "Authorization: Bearer KEY" in error.message
        assert KEY not in response.text


async def test_an_unknown_model_is_refused_and_the_known_one_named(dialect: Dialect) -> None:
    client = dialect()

    status, error = await refusal(client, chat(model="gpt-9"))
    described = await client.get("/v1/models/gpt-9")

    assert status == described.status_code == 404
    assert (error.code, error.param) == ("model_not_found", "model")
    assert error.message == "The model 'gpt-9' does not exist. This server has 'extractive'."
    assert described.json()["error"]["code"] == "model_not_found"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ([], None),
        ({}, "model"),
        (chat(model=7), "model"),
        ({"model": "extractive"}, "messages"),
        (chat(messages=[]), "messages"),
        (chat(messages=[{"role": "user"}]), "messages[0].content"),
        (chat(messages=[{"role": "boss", "content": "x"}]), "messages[0].role"),
        (chat(messages=[{"role": "user", "content": 3}]), "messages[0].content"),
        (
            chat(messages=[{"role": "user", "content": [{"type": "image_url"}]}]),
            "messages[0].content[0].type",
        ),
        (chat(max_tokens=0), "max_tokens"),
        (chat(max_completion_tokens="many"), "max_completion_tokens"),
        (chat(temperature=2.5), "temperature"),
        (chat(n=2), "n"),
        (chat(stop=["a", "b", "c", "d", "e"]), "stop"),
        (chat(stop=""), "stop"),
        (chat(stream="yes"), "stream"),
        (chat(stream_options={"include_usage": True}), "stream_options"),
    ],
    ids=lambda value: msgspec.json.encode(value).decode()[:40],
)
async def test_a_wrong_field_is_named(dialect: Dialect, body: Any, param: str | None) -> None:
    status, error = await refusal(dialect(), body)

    assert status == 400
    assert (error.type, error.param, error.code) == ("invalid_request_error", param, None)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff", b'{"model": "\xff"}', b'{"model": "\\ud800"}', b'{"x": ' + b"[" * 100_000],
)
async def test_a_body_that_is_not_json_is_refused(dialect: Dialect, body: bytes) -> None:
    response = await dialect().post("/v1/chat/completions", content=body)

    error = msgspec.json.decode(response.content, type=Refusal).error
    assert response.status_code == 400
    assert error.message.startswith("The body could not be parsed: ")
    assert error.message.endswith(" Send one JSON object in UTF-8.")


async def test_a_prompt_beyond_the_context_is_refused_with_the_numbers(dialect: Dialect) -> None:
    client = dialect(context_tokens=100)

    status, error = await refusal(client, chat("word " * 60, max_tokens=40))

    assert status == 400
    assert (error.code, error.param) == ("context_length_exceeded", "messages")
    assert error.message == (
        "This model's maximum context length is 100 tokens. However, you requested 107 tokens"
        " (67 in the messages, 40 in the completion)."
        " Please reduce the length of the messages or completion."
    )


async def test_an_answer_stops_where_the_context_ends(dialect: Dialect) -> None:
    client = dialect(context_tokens=tokens.count(TEXT) + 6 + 3)

    completion = await ask(client, chat())

    assert completion.choices[0].message.content == "The tower was"
    assert completion.choices[0].finish_reason == "length"


async def test_requests_beyond_the_limit_are_told_when_to_come_back(dialect: Dialect) -> None:
    now = [0.0]
    client = dialect(requests_per_minute=3, clock=lambda: now[0])

    granted = [await client.post("/v1/chat/completions", json=chat()) for _ in range(3)]
    refused = await client.post("/v1/chat/completions", json=chat())
    now[0] += int(refused.headers["retry-after"])
    later = await client.post("/v1/chat/completions", json=chat())

    name = "x-ratelimit-remaining-requests"
    assert [(r.status_code, r.headers[name]) for r in granted] == [
        (200, "2"),
        (200, "1"),
        (200, "0"),
    ]
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "20"
    assert refused.headers["x-ratelimit-limit-requests"] == "3"
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    assert refused.headers["x-ratelimit-reset-requests"] == "60s"
    assert refused.json()["error"] == {
        "message": "Rate limit reached: 3 requests per minute. Try again in 20 seconds.",
        "type": "requests",
        "param": None,
        "code": "rate_limit_exceeded",
    }
    assert later.status_code == 200


async def test_without_a_limit_no_limit_is_announced(dialect: Dialect) -> None:
    response = await dialect().post("/v1/chat/completions", json=chat())

    assert not [name for name in response.headers if name.startswith("x-ratelimit")]


async def test_more_requests_at_a_time_than_places_are_refused(dialect: Dialect) -> None:
    client = dialect(max_concurrency=2, delay_seconds=0.05)
    responses: list[httpx.Response] = []

    async def post() -> None:
        responses.append(await client.post("/v1/chat/completions", json=chat()))

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(post)

    assert sorted(response.status_code for response in responses) == [200, 200, 429]
    refused = next(response for response in responses if response.status_code == 429)
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"
    assert (await client.post("/v1/chat/completions", json=chat())).status_code == 200


async def test_an_unknown_path_is_answered_in_the_dialect(dialect: Dialect) -> None:
    response = await dialect().get("/v1/embeddings")

    error = msgspec.json.decode(response.content, type=Refusal).error
    assert response.status_code == 404
    assert (error.message, error.code) == ("Invalid URL (GET /v1/embeddings).", "unknown_url")


async def test_a_wrong_method_is_answered_in_the_dialect(dialect: Dialect) -> None:
    response = await dialect().get("/v1/chat/completions")

    error = msgspec.json.decode(response.content, type=Refusal).error
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"
    assert error.message == "Not allowed to GET on /v1/chat/completions."
    assert error.code == "method_not_supported"


async def test_a_defect_is_answered_without_its_details(
    dialect: Dialect, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(message: str) -> str:
        raise RuntimeError("a detail")

    monkeypatch.setattr("components.local.model_server.app.answer", broken)
    client = dialect(raises=False)

    status, error = await refusal(client, chat())

    assert status == 500
    assert error.type == "server_error"
    assert "a detail" not in error.message


def test_settings_never_show_the_key() -> None:
    assert KEY not in repr(Settings(api_key=KEY))


def test_settings_come_from_the_environment() -> None:
    environment = {
        "MODEL_SERVER_API_KEY": KEY,
        "MODEL_SERVER_MODEL": "other",
        "MODEL_SERVER_CONTEXT_TOKENS": "4096",
        "MODEL_SERVER_REQUESTS_PER_MINUTE": "30",
        "MODEL_SERVER_MAX_CONCURRENCY": "4",
        "MODEL_SERVER_DELAY_SECONDS": "2",
    }

    assert settings_from(environment) == Settings(
        api_key=KEY,
        model="other",
        context_tokens=4096,
        requests_per_minute=30,
        max_concurrency=4,
        delay_seconds=2,
    )
    assert settings_from({"MODEL_SERVER_API_KEY": KEY}) == Settings(api_key=KEY)


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({}, "MODEL_SERVER_API_KEY is not set: set it to the key that callers must send."),
        (
            {"MODEL_SERVER_API_KEY": KEY, "MODEL_SERVER_CONTEXT_TOKENS": "8k"},
            "MODEL_SERVER_CONTEXT_TOKENS is '8k': set a whole number of at least 1, or unset it.",
        ),
        (
            {"MODEL_SERVER_API_KEY": KEY, "MODEL_SERVER_REQUESTS_PER_MINUTE": "0"},
            "MODEL_SERVER_REQUESTS_PER_MINUTE is '0': set a whole number of at least 1, or "
            "unset it.",
        ),
    ],
)
def test_a_wrong_setting_is_named_with_its_rule(environment: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        settings_from(environment)


def test_english_has_about_four_characters_per_token() -> None:
    assert 3.5 < len(TEXT) / tokens.count(TEXT) < 4.5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("lighthouse", 2),
        (" keeper", 1),
        ("1234567", 3),
        ("灯塔很老", 4),
        ("маяк", 2),
        ("-" * 8, 1),
        ("a  \n\n  b", 3),
        ('("x")', 3),
    ],
)
def test_tokens_are_counted_like_this(text: str, expected: int) -> None:
    assert tokens.count(text) == expected


@given(st.text() | st.text(st.sampled_from("aZ0 .\n-!é中я")), st.integers(0, 40))
def test_a_cut_text_is_a_prefix_with_exactly_so_many_tokens(text: str, limit: int) -> None:
    prefix = tokens.cut(text, limit)

    assert text.startswith(prefix)
    assert tokens.count(prefix) == min(limit, tokens.count(text))
    assert "".join(tokens.pieces(text)) == text


def test_the_server_starts_answers_and_stops_on_sigterm_though_clients_hold_on() -> None:
    body = msgspec.json.encode(chat())
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n"
    )
    request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
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
                httpx.Client(base_url=url) as kept_alive,
                socket.create_connection((url.host, url.port or 0)) as waiting,
            ):
                health = kept_alive.get("/healthz")
                waiting.sendall(request)
                models = kept_alive.get("/v1/models", headers={"Authorization": f"Bearer {KEY}"})
                server.send_signal(signal.SIGTERM)
                status = server.wait(timeout=5)
            log = server.stderr.read()
        finally:
            server.kill()

    assert (health.status_code, models.status_code, status) == (200, 200, 0)
    assert KEY not in log
