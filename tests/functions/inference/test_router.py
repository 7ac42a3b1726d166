"""The inference client gives a whole answer or one honest failure, and never asks too often.

Answers come from a transport that is handed in; the last part asks the real local model server.
That a real provider words its errors so is not shown here.
"""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, cast

import httpx
import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st
from msgspec.structs import replace

from components.local.model_server.app import Settings as ModelServerSettings
from components.local.model_server.app import create_app
from functions.errors import Code, Failure
from functions.inference import client
from functions.inference.client import retry_after
from functions.inference.endpoint import read_endpoints
from functions.inference.router import MAX_ATTEMPTS, Router
from functions.inference.usage import Summary, Usage
from functions.settings import Settings
from tests.support import local

pytestmark = pytest.mark.anyio

KEY = "sk-secret-8d1f"

Handler = Callable[[httpx.Request], httpx.Response]
Waiting = Callable[[httpx.Request], Awaitable[httpx.Response]]


class Endpoint:
    """A scripted endpoint: each answer once, the last one for ever; it keeps what it is asked."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self._answers = list(answers)
        self.asked: list[dict[str, Any]] = []

    @property
    def calls(self) -> int:
        return len(self.asked)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(json.loads(request.content))
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        # A response can be read only once.
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


def said(
    content: str | None = "A summary.", reason: str | None = "stop", **changes: object
) -> httpx.Response:
    """A complete answer, with changes."""
    return httpx.Response(
        200,
        json={
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "model": "some-model-2026",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": content, "refusal": None},
                    "finish_reason": reason,
                }
            ],
            "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
            **changes,
        },
    )


def refused(status: int, message: str = "No.", **headers: str) -> httpx.Response:
    """An error as the dialect words it."""
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return httpx.Response(status, json={"error": error}, headers=headers)


def with_key(**changes: Any) -> Settings:
    """Settings with the key that nobody may see."""
    return local.settings(**{"inference_api_keys": {"serverless": KEY}, **changes})


async def ask(
    handler: Handler | Waiting,
    *,
    seconds: float = 10.0,
    max_tokens: int = 50,
    url: str = "http://127.0.0.1:9/v1",
    **changes: object,
) -> Summary:
    """One question to an endpoint, without pauses."""
    settings = with_key(inference_endpoints=(local.endpoint(url=url),), **changes)
    transport = httpx.MockTransport(cast(Any, handler))
    async with Router(settings, transport=transport, jitter=lambda: 0.0) as model:
        return await model.route("d").complete(
            system="Summarize.",
            user="A text.",
            max_tokens=max_tokens,
            deadline=time.monotonic() + seconds,
        )


async def failure(handler: Handler | Waiting, **how: Any) -> Failure:
    """The failure that such a question ends with."""
    with pytest.raises(Failure) as raised:
        await ask(handler, **how)
    return raised.value


# ---------------------------------------------------------------- good answers


async def test_an_answer_holds_the_text_and_what_it_took() -> None:
    answer = await ask(Endpoint(said("  A summary.\n")))

    assert answer == Summary(
        text="A summary.",
        usage=Usage(
            model="some-model-2026",
            inference_mode="serverless",
            endpoint="serverless",
            endpoints=["serverless"],
            replicas=[],
            prompt_tokens=100,
            completion_tokens=20,
            calls=1,
            cost_usd=None,
        ),
    )


async def test_an_answer_names_its_replica_where_the_endpoint_does() -> None:
    named = said()
    named.headers["X-Replica"] = "server-0"

    assert (await ask(Endpoint(named))).usage.replicas == ["server-0"]
    assert (await ask(Endpoint(said("Cut", "length"), named))).usage.replicas == ["server-0"]
    assert (await ask(Endpoint(said()))).usage.replicas == []


async def test_the_question_is_a_chat_completion_with_a_bearer_key() -> None:
    requests: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return said()

    await ask(handler, url="https://inference.example/some/v1")

    (request,) = requests
    assert request.method == "POST"
    assert request.url == "https://inference.example/some/v1/chat/completions"
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert json.loads(request.content) == {
        "model": "some-model",
        "messages": [
            {"role": "system", "content": "Summarize."},
            {"role": "user", "content": "A text."},
        ],
        "max_tokens": 50,
        "temperature": 0,
    }


async def test_an_answer_without_usage_or_model_has_no_tokens_and_the_configured_model() -> None:
    bare = {"choices": [{"message": {"content": "Yes."}, "finish_reason": "stop"}]}

    answer = await ask(Endpoint(httpx.Response(200, json=bare)))

    assert (answer.text, answer.usage.model, answer.usage.calls) == ("Yes.", "some-model", 1)
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (0, 0)


async def test_what_a_database_cannot_store_is_left_out() -> None:
    answer = await ask(Endpoint(said("Nul\0 and \ufeffmore", model="mo\0del")))

    assert (answer.text, answer.usage.model) == ("Nul and \ufeffmore", "model")


# ---------------------------------------------------------------- refusals are final


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, Code.INFERENCE_REJECTED),
        (401, Code.INFERENCE_UNAUTHORIZED),
        (403, Code.INFERENCE_UNAUTHORIZED),
        (404, Code.INFERENCE_REJECTED),
        (413, Code.INFERENCE_REJECTED),
        (422, Code.INFERENCE_REJECTED),
        (302, Code.INFERENCE_REJECTED),
    ],
)
async def test_a_lasting_refusal_is_not_retried(status: int, code: Code) -> None:
    endpoint = Endpoint(refused(status, "This model's maximum context length is 8192 tokens."))

    problem = await failure(endpoint)

    assert endpoint.calls == 1
    assert (problem.code, problem.retryable) == (code, False)
    assert f"({status}): This model's maximum context length is 8192 tokens." in problem.message
    assert "http://127.0.0.1:9/v1" in problem.message
    assert "pulumi config" in problem.remedy


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>no</html>",
        b"{",
        b"[]",
        b'{"error": "no"}',
        b'{"error": {}}',
        b"\xff",
        b"[" * 10**5,
    ],
)
async def test_a_refusal_in_another_dialect_is_one_too(body: bytes) -> None:
    problem = await failure(Endpoint(httpx.Response(400, content=body)))

    assert problem.message == (
        "The inference endpoint http://127.0.0.1:9/v1 rejected the request (400)."
    )


async def test_a_long_reason_is_cut_and_kept_on_one_line() -> None:
    problem = await failure(Endpoint(refused(400, "a\nb\0 " + "x" * 1000)))

    assert ": a b xxx" in problem.message
    assert len(problem.message) < 400
    assert problem.message.isprintable()


# ---------------------------------------------------------------- what is tried again


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
async def test_a_status_that_may_pass_is_tried_again(status: int) -> None:
    endpoint = Endpoint(refused(status), refused(status), said())

    answer = await ask(endpoint)

    assert endpoint.calls == answer.usage.calls == 3


@pytest.mark.parametrize(
    "problem",
    [
        refused(429),
        refused(500),
        refused(503),
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout("slow"),
        httpx.ReadError("reset"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("cut"),
    ],
    ids=lambda p: str(p.status_code) if isinstance(p, httpx.Response) else type(p).__name__,
)
async def test_what_does_not_pass_is_tried_four_times(problem: httpx.Response | Exception) -> None:
    endpoint = Endpoint(problem)

    last = await failure(endpoint)

    assert endpoint.calls == MAX_ATTEMPTS == 4
    assert (last.code, last.retryable) == (Code.INFERENCE_UNAVAILABLE, True)


async def test_the_pause_doubles_and_the_jitter_shortens_it(pauses: list[float]) -> None:
    settings = local.settings()
    transport = httpx.MockTransport(Endpoint(refused(503)))
    async with Router(settings, transport=transport, jitter=lambda: 0.5) as model:
        with pytest.raises(Failure):
            await model.route("d").complete(
                system="s", user="u", max_tokens=9, deadline=time.monotonic() + 60
            )

    assert pauses == [0.25, 0.5, 1.0]


async def test_a_pause_takes_no_slot(pauses: list[float]) -> None:
    # One place: a call that waited for its next attempt inside it would lock the other out.
    endpoint = Endpoint(refused(503), refused(503), said())
    settings = local.settings(inference_concurrency=1)
    transport = httpx.MockTransport(endpoint)
    async with Router(settings, transport=transport, jitter=lambda: 1.0) as model:
        deadline = time.monotonic() + 60
        answers = await asyncio.gather(
            *(
                model.route("d").complete(system="s", user="u", max_tokens=9, deadline=deadline)
                for _ in "ab"
            )
        )

    assert [answer.text for answer in answers] == ["A summary."] * 2
    assert len(pauses) == 2


# ---------------------------------------------------------------- Retry-After


@pytest.mark.parametrize(
    ("header", "pause"),
    [("0", 0.0), ("0.01", 0.01), ("3", 3.0), ("bad", 0.0), ("inf", 0.0), ("nan", 0.0), ("-1", 0.0)],
)
async def test_retry_after_is_the_least_pause(
    pauses: list[float], header: str, pause: float
) -> None:
    answer = await ask(Endpoint(refused(429, **{"Retry-After": header}), said()))

    assert answer.usage.calls == 2
    assert pauses == [pause]


async def test_a_back_off_that_is_longer_than_retry_after_wins(pauses: list[float]) -> None:
    transport = httpx.MockTransport(Endpoint(refused(429, **{"Retry-After": "0.1"}), said()))
    async with Router(local.settings(), transport=transport, jitter=lambda: 1.0) as model:
        await model.route("d").complete(
            system="s", user="u", max_tokens=9, deadline=time.monotonic() + 60
        )

    assert pauses == [0.5]


@pytest.mark.parametrize(("header", "after"), [("11", 11.0), ("9" * 35, 86_400.0)])
async def test_a_wait_beyond_the_deadline_is_left_to_the_ledger(
    pauses: list[float], header: str, after: float
) -> None:
    endpoint = Endpoint(refused(429, **{"Retry-After": header}))

    problem = await failure(endpoint, seconds=10)

    assert endpoint.calls == 1
    assert pauses == []
    assert (problem.code, problem.retryable) == (Code.INFERENCE_UNAVAILABLE, True)
    assert problem.retry_after == after


async def test_a_date_in_retry_after_is_waited_for(pauses: list[float]) -> None:
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=5), usegmt=True)

    await ask(Endpoint(refused(503, **{"Retry-After": moment}), said()))

    (pause,) = pauses
    assert 3.9 < pause <= 5


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-10", None),
        ("-inf", None),
        ("1e400", None),
        ("0", 0.0),
        ("60", 60.0),
        ("1.5", 1.5),
        ("86401", 86_400.0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400.0),
        ("Fri, 31 Dec 9999 23:59:59 -1400", 86_400.0),
        ("Fri, 31 Dec 99999999999999999999 23:59:59 GMT", None),
        ("Fri, 99 Foo 2026 25:61:61 GMT", None),
    ],
)
def test_only_a_usable_retry_after_is_used(header: str | None, seconds: float | None) -> None:
    assert retry_after(header) == seconds


@given(st.text() | st.floats().map(str) | st.datetimes().map(format_datetime))
def test_no_retry_after_breaks_or_lasts_longer_than_a_day(header: str) -> None:
    seconds = retry_after(header)

    assert seconds is None or 0 <= seconds <= 86_400


# ---------------------------------------------------------------- time


async def _silence(_request: httpx.Request) -> httpx.Response:
    await asyncio.Event().wait()
    raise AssertionError("nobody ends this wait")


async def test_an_endpoint_that_is_silent_is_tried_again() -> None:
    problem = await failure(_silence, inference_timeout_seconds=0.01)

    assert (problem.code, problem.retryable) == (Code.INFERENCE_UNAVAILABLE, True)
    assert problem.message.endswith("did not answer within 0.01 seconds.")


async def test_the_deadline_ends_an_answer_that_does_not_come() -> None:
    started = time.monotonic()

    problem = await failure(_silence, seconds=0.05, document_deadline_seconds=600)

    assert 0.04 < time.monotonic() - started < 1
    assert (problem.code, problem.retryable) == (Code.DEADLINE_EXCEEDED, True)
    assert problem.message == "The summary was not ready within 600 seconds."


async def test_an_answer_that_comes_in_drops_does_not_outlast_the_timeout() -> None:
    async def drops() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0.005)
            yield b" "

    started = time.monotonic()
    problem = await failure(
        lambda _: httpx.Response(200, content=drops()), inference_timeout_seconds=0.03
    )

    assert time.monotonic() - started < 1
    assert problem.code is Code.INFERENCE_UNAVAILABLE


async def test_no_call_starts_after_the_deadline() -> None:
    endpoint = Endpoint(said())

    problem = await failure(endpoint, seconds=-1)

    assert endpoint.calls == 0
    assert problem.code is Code.DEADLINE_EXCEEDED


async def test_the_deadline_includes_the_wait_for_a_slot() -> None:
    settings = local.settings(inference_concurrency=1)
    async with Router(settings, transport=httpx.MockTransport(_silence)) as model:

        def complete(seconds: float) -> asyncio.Task[Summary]:
            deadline = time.monotonic() + seconds
            return asyncio.create_task(
                model.route("d").complete(system="s", user="u", max_tokens=9, deadline=deadline)
            )

        first = complete(60)
        await asyncio.sleep(0)
        with pytest.raises(Failure) as late:
            await complete(0.05)
        first.cancel()

    assert late.value.code is Code.DEADLINE_EXCEEDED


async def test_never_more_calls_are_in_flight_than_allowed() -> None:
    running = most = 0

    async def handler(_request: httpx.Request) -> httpx.Response:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1
        return said()

    settings = local.settings(inference_concurrency=3)
    async with Router(settings, transport=httpx.MockTransport(handler)) as model:
        deadline = time.monotonic() + 10
        await asyncio.gather(
            *(
                model.route("d").complete(system="s", user="u", max_tokens=9, deadline=deadline)
                for _ in range(20)
            )
        )

    assert most == 3


# ---------------------------------------------------------------- answers that are none


@pytest.mark.parametrize("content", ["", " \n\t", None, "\0"])
async def test_an_empty_answer_is_no_summary(content: str | None) -> None:
    endpoint = Endpoint(said(content))

    problem = await failure(endpoint)

    assert endpoint.calls == 1
    assert (problem.code, problem.retryable) == (Code.INFERENCE_EMPTY, False)


@pytest.mark.parametrize("reason", [None, "tool_calls", "function_call", "eos"])
async def test_an_answer_that_did_not_end_by_itself_is_no_summary(reason: str | None) -> None:
    problem = await failure(Endpoint(said("Half a", reason)))

    assert problem.code is Code.INFERENCE_EMPTY
    assert repr(reason) in problem.message


async def test_an_answer_that_was_filtered_is_no_summary() -> None:
    problem = await failure(Endpoint(said("Half a", "content_filter")))

    assert (problem.code, problem.retryable) == (Code.INFERENCE_FILTERED, False)


async def test_a_cut_answer_is_requested_again_with_twice_the_tokens() -> None:
    endpoint = Endpoint(said("A summ", "length"), said("A summary."))

    answer = await ask(endpoint, max_tokens=50)

    assert [question["max_tokens"] for question in endpoint.asked] == [50, 100]
    assert answer == Summary(
        text="A summary.",
        usage=Usage(
            model="some-model-2026",
            inference_mode="serverless",
            endpoint="serverless",
            endpoints=["serverless"],
            replicas=[],
            prompt_tokens=200,
            completion_tokens=40,
            calls=2,
            cost_usd=None,
        ),
    )


async def test_an_answer_that_was_cut_twice_is_no_summary() -> None:
    endpoint = Endpoint(said("A summ", "length"))

    problem = await failure(endpoint, max_tokens=50)

    assert endpoint.calls == 2
    assert (problem.code, problem.retryable) == (Code.INFERENCE_TRUNCATED, False)
    assert "longer than 100 tokens" in problem.message


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<!doctype html><title>Welcome</title>",
        b'{"choices": [{"message": {"content": "A summ',
        b"{}",
        b"[]",
        b"null",
        b'{"choices": []}',
        b'{"choices": null}',
        b'{"choices": [{"finish_reason": "stop"}]}',
        b'{"choices": [{"message": {"content": ["A summary."]}, "finish_reason": "stop"}]}',
        b'{"choices": [{"message": {"content": "\\ud800"}, "finish_reason": "stop"}]}',
        b'{"choices": [{"message": {"content": "\xff"}, "finish_reason": "stop"}]}',
        b'{"error": {"message": "overloaded"}}',
        b'{"unknown": ' + b"[" * 100_000,
    ],
)
async def test_something_else_than_a_completion_is_tried_again(content: bytes) -> None:
    endpoint = Endpoint(httpx.Response(200, content=content), said())

    answer = await ask(endpoint)

    assert (endpoint.calls, answer.text) == (2, "A summary.")


async def test_a_wrong_compression_is_tried_again() -> None:
    def handler(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"Content-Encoding": "gzip"}, content=_once(b"no gzip"))

    assert (await failure(handler)).code is Code.INFERENCE_UNAVAILABLE


async def test_an_answer_without_end_is_not_read_to_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "MAX_ANSWER_BYTES", 1000)
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += 100
            yield b" " * 100

    problem = await failure(lambda _: httpx.Response(200, content=endless()))

    assert problem.code is Code.INFERENCE_UNAVAILABLE
    assert taken <= MAX_ATTEMPTS * 1100


@budget(max_examples=200, deadline=None)
@given(
    status=st.sampled_from([200, 200, 200, 400, 401, 429, 500, 503]),
    body=st.binary(max_size=60)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda part: (
            st.lists(part, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["choices", "message", "content", "finish_reason", "usage", "error"]
                ),
                part,
                max_size=4,
            )
        ),
        max_leaves=10,
    ).map(lambda value: json.dumps(value).encode()),
    header=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20),
)
def test_whatever_comes_is_an_answer_or_a_failure(status: int, body: bytes, header: str) -> None:
    endpoint = Endpoint(httpx.Response(status, content=body, headers={"Retry-After": header}))

    async def outcome() -> str:
        try:
            return (await ask(endpoint, seconds=0.02)).text
        except Failure as problem:
            return str(problem)

    text = asyncio.run(outcome())

    assert text.strip()
    assert "\0" not in text
    assert endpoint.calls <= MAX_ATTEMPTS


# ---------------------------------------------------------------- the key


@pytest.mark.parametrize(
    "answer",
    [
        refused(401, f"Incorrect API key provided: {KEY}."),
        refused(400, f"You sent {KEY}"),
        refused(500, f"Crashed with Bearer {KEY}"),
        httpx.ConnectError(f"could not send {KEY}"),
        said(),
    ],
)
async def test_the_key_is_never_shown(
    answer: httpx.Response | Exception, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    settings = with_key()
    transport = httpx.MockTransport(Endpoint(answer))
    shown = []
    async with Router(settings, transport=transport, jitter=lambda: 0.0) as model:
        shown += [repr(model), str(model)]
        try:
            shown.append(
                repr(
                    await model.route("d").complete(
                        system="s", user="u", max_tokens=9, deadline=time.monotonic() + 9
                    )
                )
            )
        except Failure as problem:
            shown += [repr(problem), str(problem), problem.message, problem.remedy]

    assert KEY not in "\n".join([*shown, caplog.text])


# ---------------------------------------------------------------- the real local model server


async def test_the_local_model_server_is_understood(model_server: dict[str, str]) -> None:
    text = "The tower was built of granite in 1841. The keeper lives on the island in summer."

    answer = await _ask_model_server(model_server, f"<document>\n{text}\n</document>")

    assert answer.text in (text, *(f"{sentence}." for sentence in text.rstrip(".").split(". ")))
    assert answer.usage.model == local.EXTRACTIVE
    assert answer.usage.calls == 1
    assert answer.usage.prompt_tokens > 15
    assert answer.usage.completion_tokens > 5


async def test_the_stand_ins_length_is_asked_again_and_then_refused(
    model_server: dict[str, str],
) -> None:
    with pytest.raises(Failure) as cut:
        await _ask_model_server(
            model_server, "The tower was built of granite in 1841.", max_tokens=2
        )

    assert cut.value.code is Code.INFERENCE_TRUNCATED


@pytest.mark.parametrize(
    ("change", "code", "reason"),
    [
        (
            {"key": "wrong"},
            Code.INFERENCE_UNAUTHORIZED,
            "(401): Missing or incorrect",
        ),
        (
            {"model": "gpt-x"},
            Code.INFERENCE_REJECTED,
            "(404): The model 'gpt-x' does not",
        ),
    ],
)
async def test_the_stand_ins_refusals_are_understood(
    model_server: dict[str, str], change: dict[str, Any], code: Code, reason: str
) -> None:
    with pytest.raises(Failure) as no:
        await _ask_model_server(model_server, "Hello.", **change)

    assert no.value.code is code
    assert reason in no.value.message


async def test_a_prompt_that_is_too_long_for_the_stand_in_is_rejected(
    model_server: dict[str, str],
) -> None:
    with pytest.raises(Failure) as no:
        await _ask_model_server(model_server, "word " * 10_000)

    assert no.value.code is Code.INFERENCE_REJECTED
    assert "(400): " in no.value.message


async def test_the_stand_ins_rate_limit_is_left_to_the_ledger() -> None:
    app = create_app(ModelServerSettings(api_key=KEY, model="m", requests_per_minute=1))
    settings = with_key(inference_endpoints=(local.endpoint(model="m"),))
    async with Router(settings, transport=httpx.ASGITransport(app)) as model:

        async def complete() -> Summary:
            return await model.route("d").complete(
                system="s",
                user="The tower was built of granite in 1841.",
                max_tokens=99,
                deadline=time.monotonic() + 10,
            )

        await complete()
        with pytest.raises(Failure) as no:
            await complete()

    assert no.value.code is Code.INFERENCE_UNAVAILABLE
    assert no.value.retryable
    assert no.value.retry_after is not None
    assert 55 <= no.value.retry_after <= 60


async def test_a_refused_connection_is_unavailable() -> None:
    async with Router(local.settings(), jitter=lambda: 0.0) as model:
        with pytest.raises(Failure) as no:
            await model.route("d").complete(
                system="s", user="u", max_tokens=9, deadline=time.monotonic() + 10
            )

    assert no.value.code is Code.INFERENCE_UNAVAILABLE
    assert no.value.message == (
        "The inference endpoint http://127.0.0.1:9/v1 is unreachable (ConnectError)."
    )


async def _ask_model_server(
    model_server: dict[str, str],
    user: str,
    *,
    max_tokens: int = 200,
    key: str | None = None,
    model: str = local.EXTRACTIVE,
) -> Summary:
    (endpoint,) = read_endpoints(model_server["INFERENCE_ENDPOINTS"])
    settings = local.settings(
        inference_endpoints=(replace(endpoint, model=model),),
        inference_api_keys={"serverless": key}
        if key
        else json.loads(model_server["INFERENCE_API_KEYS"]),
    )
    async with Router(settings) as inference:
        return await inference.route("d").complete(
            system="Summarize.",
            user=user,
            max_tokens=max_tokens,
            deadline=time.monotonic() + 20,
        )


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
