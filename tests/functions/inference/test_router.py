"""One endpoint: a complete answer or one failure, with a limited number of requests.

Answers come from a mock transport; the last part uses the local model server.
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
    """A scripted endpoint: each answer once, the last one always; it records the requests."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self._answers = list(answers)
        self.requests: list[dict[str, Any]] = []

    @property
    def calls(self) -> int:
        return len(self.requests)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(json.loads(request.content))
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        # A response can be read only once.
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


def completion(
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
    """An error as OpenAI's API returns it."""
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return httpx.Response(status, json={"error": error}, headers=headers)


def with_key(**changes: Any) -> Settings:
    """Settings with the secret key."""
    return local.settings(**{"inference_api_keys": {"serverless": KEY}, **changes})


async def complete(
    router: Router, *, user: str = "A text.", max_tokens: int = 50, seconds: float = 10.0
) -> Summary:
    """Send one prompt of a document."""
    return await router.route("d").complete(
        system="Summarize.",
        user=user,
        max_tokens=max_tokens,
        deadline=time.monotonic() + seconds,
    )


async def ask(
    handler: Handler | Waiting,
    *,
    seconds: float = 10.0,
    max_tokens: int = 50,
    jitter: float = 0.0,
    url: str = "http://127.0.0.1:9/v1",
    **changes: object,
) -> Summary:
    """Send one prompt to an endpoint."""
    settings = with_key(inference_endpoints=(local.endpoint(url=url),), **changes)
    transport = httpx.MockTransport(cast(Any, handler))
    async with Router(settings, transport=transport, jitter=lambda: jitter) as router:
        return await complete(router, seconds=seconds, max_tokens=max_tokens)


async def failure(handler: Handler | Waiting, **how: Any) -> Failure:
    """The failure of one prompt."""
    with pytest.raises(Failure) as raised:
        await ask(handler, **how)
    return raised.value


# ---------------------------------------------------------------- good answers


async def test_an_answer_has_its_text_and_usage() -> None:
    answer = await ask(Endpoint(completion("  A summary.\n")))

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


async def test_an_answer_names_its_replica_if_the_endpoint_does() -> None:
    named = completion()
    named.headers["X-Replica"] = "server-0"

    assert (await ask(Endpoint(named))).usage.replicas == ["server-0"]
    assert (await ask(Endpoint(completion("Cut", "length"), named))).usage.replicas == ["server-0"]
    assert (await ask(Endpoint(completion()))).usage.replicas == []


async def test_a_request_is_a_chat_completion_with_a_bearer_key() -> None:
    requests: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return completion()

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


async def test_null_characters_are_removed() -> None:
    answer = await ask(Endpoint(completion("Nul\0 and \ufeffmore", model="mo\0del")))

    assert (answer.text, answer.usage.model) == ("Nul and \ufeffmore", "model")


# ---------------------------------------------------------------- refusals


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
        b'{"error": {}}',
        b'{"error": {"message": 5, "detail": null}}',
        b'{"error":' * 10**5,
        b"\xff",
        b"[" * 10**5,
    ],
)
async def test_a_refusal_without_a_text_has_no_reason(body: bytes) -> None:
    problem = await failure(Endpoint(httpx.Response(400, content=body)))

    assert problem.message == (
        "The inference endpoint http://127.0.0.1:9/v1 rejected the request (400)."
    )


async def test_a_long_reason_is_cut_and_kept_on_one_line() -> None:
    problem = await failure(Endpoint(refused(400, "a\nb\0 " + "x" * 1000)))

    assert ": a b xxx" in problem.message
    assert len(problem.message) < 400
    assert problem.message.isprintable()


# ---------------------------------------------------------------- retries


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
async def test_a_retryable_status_is_retried(status: int) -> None:
    endpoint = Endpoint(refused(status), refused(status), completion())

    answer = await ask(endpoint)

    assert endpoint.calls == answer.usage.calls == 3


@pytest.mark.parametrize(
    "problem",
    [
        refused(503),
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout("slow"),
        httpx.ReadError("reset"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("cut"),
    ],
    ids=lambda p: str(p.status_code) if isinstance(p, httpx.Response) else type(p).__name__,
)
async def test_a_permanent_outage_takes_four_requests(problem: httpx.Response | Exception) -> None:
    endpoint = Endpoint(problem)

    last = await failure(endpoint)

    assert endpoint.calls == MAX_ATTEMPTS == 4
    assert (last.code, last.retryable) == (Code.INFERENCE_UNAVAILABLE, True)


async def test_the_pause_doubles_and_the_jitter_shortens_it(pauses: list[float]) -> None:
    await failure(Endpoint(refused(503)), seconds=60, jitter=0.5)

    assert pauses == [0.25, 0.5, 1.0]


async def test_a_pause_takes_no_slot(pauses: list[float]) -> None:
    # With one slot, a call that kept it during the pause would block the other call.
    transport = httpx.MockTransport(Endpoint(refused(503), refused(503), completion()))
    settings = local.settings(inference_concurrency=1)
    async with Router(settings, transport=transport, jitter=lambda: 1.0) as router:
        answers = await asyncio.gather(*(complete(router, seconds=60) for _ in "ab"))

    assert [answer.text for answer in answers] == ["A summary."] * 2
    assert len(pauses) == 2


# ---------------------------------------------------------------- Retry-After


@pytest.mark.parametrize(
    ("header", "jitter", "pause"),
    [("0", 0, 0.0), ("0.01", 0, 0.01), ("3", 0, 3.0), ("bad", 0, 0.0), ("0.1", 1, 0.5)],
)
async def test_the_pause_is_the_longer_of_retry_after_and_back_off(
    pauses: list[float], header: str, jitter: float, pause: float
) -> None:
    answer = await ask(
        Endpoint(refused(429, **{"Retry-After": header}), completion()), jitter=jitter
    )

    assert answer.usage.calls == 2
    assert pauses == [pause]


@pytest.mark.parametrize(("header", "after"), [("11", 11.0), ("9" * 35, 86_400.0)])
async def test_a_retry_after_beyond_the_deadline_ends_the_attempt(
    pauses: list[float], header: str, after: float
) -> None:
    endpoint = Endpoint(refused(429, **{"Retry-After": header}))

    problem = await failure(endpoint, seconds=10)

    assert endpoint.calls == 1
    assert pauses == []
    assert (problem.code, problem.retryable) == (Code.INFERENCE_UNAVAILABLE, True)
    assert problem.retry_after == after


async def test_retry_after_may_be_a_date(pauses: list[float]) -> None:
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=5), usegmt=True)

    await ask(Endpoint(refused(503, **{"Retry-After": moment}), completion()))

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
def test_retry_after_is_parsed(header: str | None, seconds: float | None) -> None:
    assert retry_after(header) == seconds


@given(st.text() | st.floats().map(str) | st.datetimes().map(format_datetime))
def test_any_retry_after_is_none_or_at_most_a_day(header: str) -> None:
    seconds = retry_after(header)

    assert seconds is None or 0 <= seconds <= 86_400


# ---------------------------------------------------------------- time


async def _silence(_request: httpx.Request) -> httpx.Response:
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


async def test_a_silent_endpoint_is_unavailable() -> None:
    problem = await failure(_silence, inference_timeout_seconds=0.01)

    assert (problem.code, problem.retryable) == (Code.INFERENCE_UNAVAILABLE, True)
    assert problem.message.endswith("did not answer within 0.01 seconds.")


async def test_the_deadline_ends_a_call_to_a_silent_endpoint() -> None:
    started = time.monotonic()

    problem = await failure(_silence, seconds=0.05, document_deadline_seconds=600)

    assert 0.04 < time.monotonic() - started < 1
    assert (problem.code, problem.retryable) == (Code.DEADLINE_EXCEEDED, True)
    assert problem.message == "The summary was not ready within 600 seconds."


async def test_the_timeout_ends_a_slow_stream() -> None:
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
    endpoint = Endpoint(completion())

    problem = await failure(endpoint, seconds=-1)

    assert endpoint.calls == 0
    assert problem.code is Code.DEADLINE_EXCEEDED


async def test_the_deadline_includes_the_wait_for_a_slot() -> None:
    settings = local.settings(inference_concurrency=1)
    async with Router(settings, transport=httpx.MockTransport(_silence)) as router:
        first = asyncio.create_task(complete(router, seconds=60))
        await asyncio.sleep(0)
        with pytest.raises(Failure) as late:
            await complete(router, seconds=0.05)
        first.cancel()

    assert late.value.code is Code.DEADLINE_EXCEEDED


async def test_concurrent_calls_are_limited() -> None:
    running = most = 0

    async def handler(_request: httpx.Request) -> httpx.Response:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1
        return completion()

    settings = local.settings(inference_concurrency=3)
    async with Router(settings, transport=httpx.MockTransport(handler)) as router:
        await asyncio.gather(*(complete(router) for _ in range(20)))

    assert most == 3


# ---------------------------------------------------------------- invalid answers


@pytest.mark.parametrize(
    ("content", "reason", "code"),
    [
        *((content, "stop", Code.INFERENCE_EMPTY) for content in ("", " \n\t", None, "\0")),
        *(("Half a", reason, Code.INFERENCE_EMPTY) for reason in (None, "tool_calls", "eos")),
        ("Half a", "content_filter", Code.INFERENCE_FILTERED),
    ],
)
async def test_an_empty_unfinished_or_filtered_answer_is_no_summary(
    content: str | None, reason: str | None, code: Code
) -> None:
    endpoint = Endpoint(completion(content, reason))

    problem = await failure(endpoint)

    assert endpoint.calls == 1
    assert (problem.code, problem.retryable) == (code, False)
    assert (repr(reason) in problem.message) is (code is Code.INFERENCE_EMPTY)


async def test_a_cut_answer_is_requested_again_with_twice_the_tokens() -> None:
    endpoint = Endpoint(completion("A summ", "length"), completion("A summary."))

    answer = await ask(endpoint, max_tokens=50)

    assert [body["max_tokens"] for body in endpoint.requests] == [50, 100]
    usage = answer.usage
    assert (answer.text, usage.calls) == ("A summary.", 2)
    assert (usage.prompt_tokens, usage.completion_tokens) == (200, 40)


async def test_an_answer_that_was_cut_twice_is_no_summary() -> None:
    endpoint = Endpoint(completion("A summ", "length"))

    problem = await failure(endpoint, max_tokens=50)

    assert endpoint.calls == 2
    assert (problem.code, problem.retryable) == (Code.INFERENCE_TRUNCATED, False)
    assert "longer than 100 tokens" in problem.message


async def test_an_answer_far_above_the_token_limit_is_no_summary() -> None:
    endpoint = Endpoint(completion("é" * 8193))  # `stop`: the endpoint ignores `max_tokens`

    problem = await failure(endpoint, max_tokens=50)

    assert (endpoint.calls, problem.code) == (2, Code.INFERENCE_TRUNCATED)


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
async def test_a_body_that_is_no_completion_is_retried(content: bytes) -> None:
    endpoint = Endpoint(httpx.Response(200, content=content), completion())

    answer = await ask(endpoint)

    assert (endpoint.calls, answer.text) == (2, "A summary.")


async def test_a_wrong_compression_is_unavailable() -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"no gzip"

    def handler(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"Content-Encoding": "gzip"}, content=body())

    assert (await failure(handler)).code is Code.INFERENCE_UNAVAILABLE


async def test_an_endless_answer_is_not_read_to_its_end(
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
def test_any_response_becomes_an_answer_or_a_failure(status: int, body: bytes, header: str) -> None:
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
        completion(),
    ],
)
async def test_the_key_is_never_shown(
    answer: httpx.Response | Exception, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    transport = httpx.MockTransport(Endpoint(answer))
    async with Router(with_key(), transport=transport, jitter=lambda: 0.0) as router:
        shown = [repr(router), str(router)]
        try:
            shown.append(repr(await complete(router)))
        except Failure as problem:
            shown += [repr(problem), str(problem), problem.message, problem.remedy]

    assert KEY not in "\n".join([*shown, caplog.text])


# ---------------------------------------------------------------- the local model server


@pytest.mark.parametrize(
    ("changes", "code", "reason"),
    [
        ({"max_tokens": 2}, Code.INFERENCE_TRUNCATED, "longer than 4 tokens"),
        ({"key": "wrong"}, Code.INFERENCE_UNAUTHORIZED, "(401): Missing or incorrect"),
        ({"model": "gpt-x"}, Code.MODEL_NOT_FOUND, "(404): The model 'gpt-x' does not"),
        ({"user": "word " * 10_000}, Code.INFERENCE_REJECTED, "(400): "),
    ],
    ids=["length", "key", "model", "prompt"],
)
async def test_refusals_of_the_local_model_server_are_parsed(
    model_server: dict[str, str], changes: dict[str, Any], code: Code, reason: str
) -> None:
    (endpoint,) = read_endpoints(model_server["INFERENCE_ENDPOINTS"])
    key = json.loads(model_server["INFERENCE_API_KEYS"])["serverless"]
    settings = local.settings(
        inference_endpoints=(replace(endpoint, model=changes.get("model", endpoint.model)),),
        inference_api_keys={"serverless": changes.get("key", key)},
    )
    async with Router(settings) as router:
        with pytest.raises(Failure) as problem:
            await complete(
                router,
                user=changes.get("user", "The tower was built of granite in 1841."),
                max_tokens=changes.get("max_tokens", 200),
            )

    assert problem.value.code is code
    assert reason in problem.value.message


async def test_the_rate_limit_of_the_local_model_server_ends_in_retry_after() -> None:
    app = create_app(ModelServerSettings(api_key=KEY, model="m", requests_per_minute=1))
    settings = with_key(inference_endpoints=(local.endpoint(model="m"),))
    async with Router(settings, transport=httpx.ASGITransport(app)) as router:
        await complete(router, user="The tower was built of granite in 1841.")
        with pytest.raises(Failure) as problem:
            await complete(router)

    assert (problem.value.code, problem.value.retryable) == (Code.INFERENCE_UNAVAILABLE, True)
    assert problem.value.retry_after is not None
    assert 55 <= problem.value.retry_after <= 60
