"""Several endpoints: the order of calls, their number, and the usage of the answer.

The endpoints are a mock transport that answers by host.
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
from tests.functions.inference.test_router import completion, refused
from tests.support import local
from tests.support.certificates import self_signed

pytestmark = pytest.mark.anyio

Reply = httpx.Response | Exception


class Endpoints:
    """Endpoints by name, in order of preference; each has one reply, or several in turn."""

    def __init__(self, **answers: Reply | list[Reply]) -> None:
        self.answers = answers
        self.requested: list[str] = []

    def listed(self) -> tuple[Endpoint, ...]:
        """Their settings."""
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
        self.requested.append(name)
        answer = self.answers[name]
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


def make_router(endpoints: Endpoints, **changes: Any) -> Router:
    """A router over these endpoints, without back-off."""
    settings = local.settings(inference_endpoints=endpoints.listed(), **changes)
    return Router(settings, transport=httpx.MockTransport(endpoints), jitter=lambda: 0.0)


async def ask(
    router: Router,
    *,
    document: str = "d",
    seconds: float = 60.0,
    without: Collection[str] = (),
) -> Summary:
    """Send one prompt of a document."""
    return await router.route(document, without=without).complete(
        system="s", user="u", max_tokens=50, deadline=time.monotonic() + seconds
    )


async def failure(router: Router, **how: Any) -> Failure:
    """The failure of one prompt."""
    with pytest.raises(Failure) as raised:
        await ask(router, **how)
    return raised.value


# ---------------------------------------------------------------- order


async def test_the_preferred_endpoint_answers() -> None:
    endpoints = Endpoints(own=completion(), spare=completion())

    answer = await ask(make_router(endpoints))

    assert endpoints.requested == ["own"]
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
async def test_a_problem_of_an_endpoint_goes_to_the_next_one_at_once(
    problem: Reply, pauses: list[float]
) -> None:
    endpoints = Endpoints(own=problem, spare=completion())

    answer = await ask(make_router(endpoints))

    assert endpoints.requested == ["own", "spare"]
    assert (answer.usage.endpoint, answer.usage.inference_mode, answer.usage.calls) == (
        "spare",
        "serverless",
        2,
    )
    assert answer.usage.cost_usd == pytest.approx(2 * 100 / 1e6)
    assert pauses == []


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        *((refused(status), Code.INFERENCE_REJECTED) for status in (400, 413, 422)),
        (completion("No.", "content_filter"), Code.INFERENCE_FILTERED),
        (completion(""), Code.INFERENCE_EMPTY),
    ],
)
async def test_a_rejected_prompt_or_answer_goes_to_no_other_endpoint(
    answer: httpx.Response, code: Code
) -> None:
    endpoints = Endpoints(own=answer, spare=completion())

    problem = await failure(make_router(endpoints))

    assert endpoints.requested == ["own"]
    assert (problem.code, problem.retryable) == (code, False)


async def test_an_answer_of_two_endpoints_has_the_cost_of_both() -> None:
    endpoints = Endpoints(own=[completion("Half a", "length"), refused(503)], spare=completion())

    answer = await ask(make_router(endpoints))

    assert endpoints.requested == ["own", "own", "spare"]
    assert (answer.usage.endpoint, answer.usage.calls, answer.usage.prompt_tokens) == (
        "spare",
        3,
        200,
    )
    assert answer.usage.cost_usd == pytest.approx((100 + 200) / 1e6)


# ---------------------------------------------------------------- busy endpoints


@pytest.mark.parametrize(
    ("second", "requested"),
    [(completion(), ["own"]), (None, ["own", "spare"])],
    ids=["free", "busy"],
)
async def test_a_busy_endpoint_is_called_once_more_after_a_short_wait(
    pauses: list[float], second: Reply | None, requested: list[str]
) -> None:
    busy = refused(429, **{"Retry-After": "1.5"})
    endpoints = Endpoints(own=[busy, second or busy], spare=completion())

    answer = await ask(make_router(endpoints))

    assert endpoints.requested == ["own", *requested]
    assert (answer.usage.endpoint, pauses) == (requested[-1], [1.5])


async def test_no_call_starts_before_retry_after() -> None:
    endpoints = Endpoints(own=refused(429, **{"Retry-After": "30"}), spare=completion())
    router = make_router(endpoints)

    answers = [await ask(router, document=f"{n}") for n in range(5)]

    assert {answer.usage.endpoint for answer in answers} == {"spare"}
    assert Counter(endpoints.requested) == {"own": 1, "spare": 5}


# ---------------------------------------------------------------- attempts


@pytest.mark.parametrize("count", [1, 2, 3, 4, 6])
async def test_attempts_do_not_grow_with_the_number_of_endpoints(
    count: int, pauses: list[float]
) -> None:
    endpoints = Endpoints(**{f"e{number}": refused(503) for number in range(count)})

    problem = await failure(make_router(endpoints))

    assert len(endpoints.requested) == MAX_ATTEMPTS == 4
    assert (problem.code, problem.retryable) == (Code.INFERENCE_UNAVAILABLE, True)
    assert len(pauses) == (4 - 1) // count


async def test_an_endpoint_that_rejects_the_key_is_not_called_again(pauses: list[float]) -> None:
    endpoints = Endpoints(own=refused(401), spare=[refused(503), completion()])

    answer = await ask(make_router(endpoints))

    assert endpoints.requested == ["own", "spare", "spare"]
    assert (answer.usage.endpoint, len(pauses)) == ("spare", 1)


async def test_a_refusal_names_the_config_of_the_endpoint_that_refused() -> None:
    key = await failure(make_router(Endpoints(spare=refused(401))))
    model = await failure(make_router(Endpoints(spare=refused(404))))

    assert key.remedy == (
        "Set a valid key: pulumi config set --secret --path 'inference_endpoint_keys.spare' ..."
    )
    assert "model in inference_endpoints of 'spare'" in model.remedy


async def test_wrong_keys_of_all_endpoints_fail_and_one_outage_waits() -> None:
    lasting = await failure(make_router(Endpoints(own=refused(401), spare=refused(403))))
    passing = await failure(make_router(Endpoints(own=refused(401), spare=refused(503))))

    assert (lasting.code, lasting.retryable) == (Code.INFERENCE_UNAUTHORIZED, False)
    assert (passing.code, passing.retryable) == (Code.INFERENCE_UNAVAILABLE, True)


# ---------------------------------------------------------------- the breakers


async def test_an_unreachable_endpoint_is_skipped_after_five_calls() -> None:
    endpoints = Endpoints(own=httpx.ConnectError("refused"), spare=completion())
    router = make_router(endpoints)

    answers = [await ask(router, document=f"{number}") for number in range(100)]

    assert {answer.usage.endpoint for answer in answers} == {"spare"}
    assert Counter(endpoints.requested) == {"own": 5, "spare": 100}


async def test_while_all_breakers_are_open_no_call_starts(pauses: list[float]) -> None:
    endpoints = Endpoints(own=refused(503), spare=refused(503))
    router = make_router(endpoints)
    for number in range(3):
        await failure(router, document=f"{number}")
    count = len(endpoints.requested)

    problem = await failure(router)

    assert len(endpoints.requested) == count <= 10
    assert (problem.code, problem.retryable) == (Code.INFERENCE_UNAVAILABLE, True)
    assert problem.retry_after is not None
    assert 0 < problem.retry_after <= 5


async def test_a_rejected_document_does_not_open_the_breaker() -> None:
    endpoints = Endpoints(own=refused(400))
    router = make_router(endpoints)

    for number in range(20):
        await failure(router, document=f"{number}")

    assert len(endpoints.requested) == 20


# ---------------------------------------------------------------- health


async def test_an_endpoint_that_is_out_is_not_called() -> None:
    endpoints = Endpoints(own=completion("Fluent nonsense."), spare=completion())

    answer = await ask(make_router(endpoints), without={"own"})

    assert endpoints.requested == ["spare"]
    assert answer.usage.endpoint == "spare"


async def test_with_every_endpoint_out_documents_wait() -> None:
    endpoints = Endpoints(own=completion("Fluent nonsense."))

    problem = await failure(make_router(endpoints), without={"own"})

    assert endpoints.requested == []
    assert (problem.code, problem.retryable) == (Code.INFERENCE_UNAVAILABLE, True)
    assert "canary" in problem.message


# ---------------------------------------------------------------- certificates


@pytest.fixture
async def https(tmp_path: Path) -> AsyncIterator[tuple[str, str]]:
    """URL of an endpoint with a self-signed certificate, and the certificate."""
    certificate, secret = self_signed()
    (tmp_path / "both.pem").write_text(certificate + secret)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "both.pem")
    body = completion().content

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"max_tokens")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "localhost", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"https://localhost:{port}/v1", certificate


async def test_an_endpoint_with_its_own_authority_is_verified_with_it(
    https: tuple[str, str],
) -> None:
    url, ca = https
    known = local.settings(inference_endpoints=(local.endpoint(url=url, ca=ca),))
    unknown = local.settings(inference_endpoints=(local.endpoint(url=url),))

    async with Router(known) as router:
        assert (await ask(router)).text == "A summary."
    async with Router(unknown, jitter=lambda: 0.0) as router:
        problem = await failure(router)

    assert problem.message.endswith("is unreachable (ConnectError).")
