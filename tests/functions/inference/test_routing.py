"""Several endpoints answer as one: who is asked next, how often, and who is said to have answered.

The endpoints are a transport that answers by host.
"""

import asyncio
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import Any

import httpx
import pytest

from functions.errors import Code, Failure
from functions.inference.endpoint import Endpoint
from functions.inference.router import MAX_ATTEMPTS, Router
from functions.inference.usage import Summary
from tests.functions.inference.test_router import refused, said
from tests.support import local
from tests.support.certificates import self_signed

pytestmark = pytest.mark.anyio

Said = httpx.Response | Exception


class Endpoints:
    """Endpoints by name, in order of preference; each says one thing, or one after another."""

    def __init__(self, **answers: Said | list[Said]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def listed(self) -> tuple[Endpoint, ...]:
        """What the application is told of them."""
        return tuple(
            local.endpoint(
                name=name,
                inference_mode="dedicated" if name == "own" else "serverless",
                url=f"http://{name}.example/v1",
                model=f"model-of-{name}",
                order=place,
                input_usd_per_million=place + 1.0,
                output_usd_per_million=0.0,
            )
            for place, name in enumerate(self.answers)
        )

    def __call__(self, request: httpx.Request) -> httpx.Response:
        name = request.url.host.removesuffix(".example")
        self.asked.append(name)
        answer = self.answers[name]
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


def inference(endpoints: Endpoints, **changes: Any) -> Router:
    """A client of them that makes no pauses of its own."""
    settings = local.settings(inference_endpoints=endpoints.listed(), **changes)
    return Router(settings, transport=httpx.MockTransport(endpoints), jitter=lambda: 0.0)


async def ask(
    client: Router,
    *,
    document: str = "d",
    seconds: float = 60.0,
    without: Collection[str] = (),
) -> Summary:
    """One question of a document."""
    return await client.route(document, without=without).complete(
        system="s", user="u", max_tokens=50, deadline=time.monotonic() + seconds
    )


async def failure(client: Router, **how: Any) -> Failure:
    """The failure that such a question ends with."""
    with pytest.raises(Failure) as raised:
        await ask(client, **how)
    return raised.value


# ---------------------------------------------------------------- who answers


async def test_the_first_answers_while_it_can() -> None:
    endpoints = Endpoints(own=said(), spare=said())

    answer = await ask(inference(endpoints))

    assert endpoints.asked == ["own"]
    assert (answer.usage.endpoint, answer.usage.inference_mode, answer.usage.calls) == (
        "own",
        "dedicated",
        1,
    )
    assert answer.usage.cost_usd == pytest.approx(100 / 1e6)


@pytest.mark.parametrize(
    "problem",
    [
        refused(500),
        refused(503),
        refused(429, **{"Retry-After": "30"}),
        refused(401),
        refused(403),
        refused(404),
        refused(302),
        httpx.Response(200, content=b"<html>"),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("cut"),
    ],
    ids=lambda p: str(p.status_code) if isinstance(p, httpx.Response) else type(p).__name__,
)
async def test_what_is_the_endpoints_own_trouble_spills_over_at_once(
    problem: Said, pauses: list[float]
) -> None:
    endpoints = Endpoints(own=problem, spare=said())

    answer = await ask(inference(endpoints))

    assert endpoints.asked == ["own", "spare"]
    assert (answer.usage.endpoint, answer.usage.inference_mode, answer.usage.calls) == (
        "spare",
        "serverless",
        2,
    )
    assert answer.usage.cost_usd == pytest.approx(2 * 100 / 1e6)
    assert pauses == []


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_rejected_request_is_not_sent_to_another_endpoint(status: int) -> None:
    endpoints = Endpoints(own=refused(status), spare=said())

    problem = await failure(inference(endpoints))

    assert endpoints.asked == ["own"]
    assert (problem.code, problem.retryable) == (Code.INFERENCE_REJECTED, False)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (said("No.", "content_filter"), Code.INFERENCE_FILTERED),
        (said(""), Code.INFERENCE_EMPTY),
    ],
)
async def test_a_filtered_or_empty_answer_is_not_requested_from_another_endpoint(
    answer: httpx.Response, code: Code
) -> None:
    endpoints = Endpoints(own=answer, spare=said())

    assert (await failure(inference(endpoints))).code is code
    assert endpoints.asked == ["own"]


async def test_a_silent_endpoint_spills_over_when_its_time_is_over() -> None:
    endpoints = Endpoints(own=said(), spare=said())

    async def handler(request: httpx.Request) -> httpx.Response:
        if request.url.host == "own.example":
            await asyncio.Event().wait()
        return endpoints(request)

    settings = local.settings(
        inference_endpoints=endpoints.listed(), inference_timeout_seconds=0.01
    )
    async with Router(settings, transport=httpx.MockTransport(handler)) as client:
        assert (await ask(client)).usage.endpoint == "spare"


async def test_an_answer_that_two_endpoints_gave_costs_what_both_ask() -> None:
    endpoints = Endpoints(own=[said("Half a", "length"), refused(503)], spare=said())

    answer = await ask(inference(endpoints))

    assert endpoints.asked == ["own", "own", "spare"]
    assert (answer.usage.endpoint, answer.usage.calls, answer.usage.prompt_tokens) == (
        "spare",
        3,
        200,
    )
    assert answer.usage.cost_usd == pytest.approx((100 + 200) / 1e6)


# ---------------------------------------------------------------- patience


async def test_a_busy_endpoint_is_called_again_after_a_short_wait(pauses: list[float]) -> None:
    endpoints = Endpoints(own=[refused(429, **{"Retry-After": "1.5"}), said()], spare=said())

    answer = await ask(inference(endpoints))

    assert endpoints.asked == ["own", "own"]
    assert (answer.usage.endpoint, pauses) == ("own", [1.5])


async def test_an_endpoint_that_stays_busy_loses_the_question(pauses: list[float]) -> None:
    endpoints = Endpoints(own=refused(429, **{"Retry-After": "1.5"}), spare=said())

    answer = await ask(inference(endpoints))

    assert endpoints.asked == ["own", "own", "spare"]
    assert (answer.usage.endpoint, pauses) == ("spare", [1.5])


async def test_no_call_starts_before_retry_after() -> None:
    endpoints = Endpoints(own=refused(429, **{"Retry-After": "30"}), spare=said())
    client = inference(endpoints)

    answers = [await ask(client, document=f"{n}") for n in range(5)]

    assert {answer.usage.endpoint for answer in answers} == {"spare"}
    assert Counter(endpoints.asked) == {"own": 1, "spare": 5}


# ---------------------------------------------------------------- spending


@pytest.mark.parametrize("count", [1, 2, 3, 4, 6])
async def test_attempts_do_not_grow_with_the_number_of_endpoints(
    count: int, pauses: list[float]
) -> None:
    endpoints = Endpoints(**{f"e{number}": refused(503) for number in range(count)})

    problem = await failure(inference(endpoints))

    assert len(endpoints.asked) == MAX_ATTEMPTS == 4
    assert (problem.code, problem.retryable) == (Code.INFERENCE_UNAVAILABLE, True)
    assert len(pauses) == (4 - 1) // count


async def test_an_endpoint_that_rejects_the_key_is_not_called_again(pauses: list[float]) -> None:
    endpoints = Endpoints(own=refused(401), spare=[refused(503), said()])

    answer = await ask(inference(endpoints))

    assert endpoints.asked == ["own", "spare", "spare"]
    assert (answer.usage.endpoint, len(pauses)) == ("spare", 1)


async def test_a_refusal_names_the_config_of_the_endpoint_that_refused() -> None:
    key = await failure(inference(Endpoints(spare=refused(401))))
    model = await failure(inference(Endpoints(spare=refused(404))))

    assert key.remedy == (
        "Set a valid key: pulumi config set --secret --path 'inference_endpoint_keys.spare' ..."
    )
    assert "model in inference_endpoints of 'spare'" in model.remedy


async def test_a_wrong_key_everywhere_fails_and_a_good_one_elsewhere_waits() -> None:
    lasting = await failure(inference(Endpoints(own=refused(401), spare=refused(403))))
    passing = await failure(inference(Endpoints(own=refused(401), spare=refused(503))))

    assert (lasting.code, lasting.retryable) == (Code.INFERENCE_UNAUTHORIZED, False)
    assert (passing.code, passing.retryable) == (Code.INFERENCE_UNAVAILABLE, True)


# ---------------------------------------------------------------- the breakers


async def test_an_endpoint_that_is_down_is_soon_skipped_and_nothing_fails() -> None:
    endpoints = Endpoints(own=httpx.ConnectError("refused"), spare=said())
    client = inference(endpoints)

    answers = [await ask(client, document=f"{number}") for number in range(100)]

    assert {answer.usage.endpoint for answer in answers} == {"spare"}
    assert Counter(endpoints.asked) == {"own": 5, "spare": 100}


async def test_each_endpoint_has_a_breaker_of_its_own() -> None:
    endpoints = Endpoints(own=refused(503), spare=said())
    client = inference(endpoints)
    for number in range(10):
        await ask(client, document=f"{number}")

    assert client.clients["own"].breaker.retry_after > 0
    assert client.clients["spare"].breaker.retry_after == 0


async def test_while_all_breakers_are_open_no_call_starts(pauses: list[float]) -> None:
    endpoints = Endpoints(own=refused(503), spare=refused(503))
    client = inference(endpoints)
    for number in range(3):
        await failure(client, document=f"{number}")
    asked = len(endpoints.asked)

    problem = await failure(client)

    assert len(endpoints.asked) == asked <= 10
    assert (problem.code, problem.retryable) == (Code.INFERENCE_UNAVAILABLE, True)
    assert problem.retry_after is not None
    assert 0 < problem.retry_after <= 5


async def test_a_refused_document_is_no_reason_for_a_breaker() -> None:
    endpoints = Endpoints(own=refused(400))
    client = inference(endpoints)

    for number in range(20):
        await failure(client, document=f"{number}")

    assert len(endpoints.asked) == 20


# ---------------------------------------------------------------- health


async def test_an_endpoint_that_is_out_is_not_called() -> None:
    endpoints = Endpoints(own=said("Fluent nonsense."), spare=said())

    answer = await ask(inference(endpoints), without={"own"})

    assert endpoints.asked == ["spare"]
    assert answer.usage.endpoint == "spare"


async def test_with_every_endpoint_out_documents_wait() -> None:
    endpoints = Endpoints(own=said("Fluent nonsense."))

    problem = await failure(inference(endpoints), without={"own"})

    assert endpoints.asked == []
    assert (problem.code, problem.retryable) == (Code.INFERENCE_UNAVAILABLE, True)
    assert "canary" in problem.message


# ---------------------------------------------------------------- certificates


@pytest.fixture
async def https(tmp_path: Path) -> AsyncIterator[tuple[str, str]]:
    """URL of an endpoint whose certificate only its own authority signs, and its PEM."""
    certificate, secret = self_signed()
    (tmp_path / "both.pem").write_text(certificate + secret)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "both.pem")
    body = said().content

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"max_tokens")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "localhost", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"https://localhost:{port}/v1", certificate


async def test_an_endpoint_with_its_own_authority_is_verified_by_it_alone(
    https: tuple[str, str],
) -> None:
    url, ca = https
    known = local.settings(inference_endpoints=(local.endpoint(url=url, ca=ca),))
    unknown = local.settings(inference_endpoints=(local.endpoint(url=url),))

    async with Router(known) as client:
        assert (await ask(client)).text == "A summary."
    async with Router(unknown, jitter=lambda: 0.0) as client:
        problem = await failure(client)

    assert problem.message.endswith("is unreachable (ConnectError).")
