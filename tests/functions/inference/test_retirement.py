"""A model retires while documents wait: a successor or fallback takes over, or documents wait.

PostgreSQL is real; the endpoints answer as providers do (`tests/support/refusals.py`).
"""

import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

import httpx
import pytest

from functions.application import Application
from functions.errors import Code, Failure
from functions.inference.canary_prompt import CODE, MESSAGES
from functions.inference.client import MISSING_SECONDS
from functions.inference.endpoint import Endpoint
from functions.inference.refusal import ModelNotFound
from functions.inference.router import Router
from functions.settings import Settings
from tests.functions.conftest import Sql
from tests.functions.inference.test_router import complete
from tests.support import local
from tests.support.functions.entries import get, queued
from tests.support.functions.fakes import summary
from tests.support.refusals import NO_MODEL, WRONG_URL

pytestmark = pytest.mark.anyio

PRICES = {"input_usd_per_million": 1.0, "output_usd_per_million": 1.0}
OWN = local.endpoint(name="serverless", url="http://own/v1", model="old", **PRICES)
SPARE = local.endpoint(name="spare", url="http://spare/v1", model="other", order=1, **PRICES)
THIRD = local.endpoint(name="third", url="http://third/v1", model="third", order=2, **PRICES)
WRONG_KEY = (401, "{}")
LONG = ("The keeper lives on the island in summer. " * 12_000).encode()
"""Takes more than six calls."""


@dataclass
class Provider:
    """All endpoints; `models` exist, each other one is refused as `refuses` does."""

    models: set[str] = field(default_factory=lambda: {"old", "new", "other"})
    refuses: tuple[int, str] = NO_MODEL["fireworks"]
    answers_until_retirement: int = 1_000_000
    every_nth_is_refused: int = 1_000_000
    refused: dict[str, tuple[int, str]] = field(default_factory=dict)
    """How the endpoints of these models refuse every request."""
    wrong: bool = False
    meanwhile: Callable[[], object] = lambda: None
    """Is called in every request about a document."""
    requested: list[str] = field(default_factory=list)
    """The model of each request about a document."""
    canaries: list[str] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        body = json.loads(request.content)
        model, canary = body["model"], body["messages"] == MESSAGES
        (self.canaries if canary else self.requested).append(model)
        if not canary:
            self.meanwhile()
        if len(self.requested) > self.answers_until_retirement:
            self.models.discard("old")
        if model in self.refused:
            status, text = self.refused[model]
            return httpx.Response(status, text=text)
        nth = not canary and len(self.requested) % self.every_nth_is_refused == 0
        if model not in self.models or nth:
            status, text = self.refuses
            return httpx.Response(status, text=text)
        right = canary and not self.wrong
        message = {"content": CODE if right else f"A summary by {model}."}
        return httpx.Response(
            200,
            json={
                "model": model,
                "choices": [{"message": message, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 10, "completion_tokens": 2},
            },
        )


@pytest.fixture
def provider() -> Provider:
    """A provider that still has every model."""
    return Provider()


Deploy = Callable[..., AbstractAsyncContextManager[Application]]


@pytest.fixture
def deploy(core: Application, provider: Provider) -> Deploy:
    """Start a process of the application with these endpoints."""

    @asynccontextmanager
    async def deployed(*endpoints: Endpoint) -> AsyncIterator[Application]:
        settings = replace(
            core.settings,
            inference_endpoints=endpoints,
            inference_api_keys={endpoint.name: "k" for endpoint in endpoints},
        )
        async with Router(settings, transport=httpx.MockTransport(provider)) as router:
            yield replace(core, settings=settings, router=router)

    return deployed


async def work(application: Application) -> None:
    """Work on everything that is due."""
    for id_ in await application.ledger.due():
        await application.summarize(id_)


async def sweeps(deploy: Deploy, sql: Sql, *endpoints: Endpoint, count: int) -> None:
    """Sweep every five minutes, each time in a new process, and work on what is due."""
    for _ in range(count):
        sql(
            """update documents set not_before = not_before - interval '5 min',
                queued_at = queued_at - interval '5 min'"""
        )
        async with deploy(*endpoints) as application:
            for id_ in await application.sweep():
                await application.summarize(id_)


# ---------------------------------------------------------------- the refusal


def at(settings: Settings, refusal: tuple[int, str]) -> Router:
    """A router to endpoints that refuse every request."""
    status, text = refusal
    transport = httpx.MockTransport(lambda _: httpx.Response(status, text=text))
    return Router(settings, transport=transport, jitter=lambda: 0.0)


@pytest.mark.parametrize("refusal", NO_MODEL.values(), ids=NO_MODEL)
async def test_a_missing_model_has_its_own_code(refusal: tuple[int, str]) -> None:
    async with at(local.settings(), refusal) as router:
        with pytest.raises(Failure) as problem:
            await complete(router)

    assert (problem.value.code, problem.value.retryable) == (Code.MODEL_NOT_FOUND, True)
    assert "does not have model 'some-model' (" in problem.value.message
    assert "pulumi config set inference_model ..." in problem.value.remedy


@pytest.mark.parametrize(
    ("refusal", "text"),
    [
        (NO_MODEL["baseten"], "(404): Model not found."),
        (NO_MODEL["fastapi, a list"], "(404): Model some-model not found."),
        (NO_MODEL["no message"], "(404)."),
        ((422, '{"detail": [{"msg": "field a"}, {"msg": "field b"}]}'), "(422): field a; field b."),
        ((400, '{"error": "The prompt is too long"}'), "(400): The prompt is too long."),
    ],
)
async def test_the_text_of_every_error_shape_is_shown(refusal: tuple[int, str], text: str) -> None:
    async with at(local.settings(), refusal) as router:
        with pytest.raises(Failure) as problem:
            await complete(router)

    assert problem.value.message.endswith(text)


@pytest.mark.parametrize("refusal", WRONG_URL.values(), ids=WRONG_URL)
async def test_a_wrong_url_is_not_a_missing_model(refusal: tuple[int, str]) -> None:
    async with at(local.settings(), refusal) as router:
        with pytest.raises(Failure) as problem:
            await complete(router)

    assert (problem.value.code, problem.value.retryable) == (Code.INFERENCE_REJECTED, False)


async def test_an_endpoint_without_its_model_is_not_called_for_every_document(
    provider: Provider,
) -> None:
    provider.models = {"other"}
    settings = local.settings(inference_endpoints=(OWN, SPARE))
    async with Router(settings, transport=httpx.MockTransport(provider)) as router:
        answers = [await complete(router) for _ in range(20)]
        pause = router.clients["serverless"].breaker.retry_after

    assert {answer.text for answer in answers} == {"A summary by other."}
    assert Counter(provider.requested) == {"old": 1, "other": 20}
    assert MISSING_SECONDS - 10 < pause <= MISSING_SECONDS


async def test_the_cost_of_a_successor_is_unknown(provider: Provider) -> None:
    provider.models = {"new"}
    own = local.endpoint(model="old", successor="new", **PRICES)
    settings = local.settings(inference_endpoints=(own,))
    async with Router(settings, transport=httpx.MockTransport(provider)) as router:
        usage = (await complete(router)).usage

    assert (usage.model, usage.prompt_tokens, usage.cost_usd) == ("new", 10, None)


# ---------------------------------------------------------------- stories


@pytest.mark.parametrize(
    ("endpoints", "successor"),
    [
        ((local.endpoint(name="serverless", model="old", successor="new"),), "new"),
        ((OWN, SPARE), "other"),
    ],
    ids=["successor", "fallback"],
)
async def test_a_model_retires_in_a_batch_and_no_document_is_lost(
    deploy: Deploy, provider: Provider, sql: Sql, endpoints: tuple[Endpoint, ...], successor: str
) -> None:
    provider.answers_until_retirement = 8
    async with deploy(*endpoints) as application:
        for number in range(20):
            await queued(application, f"{number}.txt")
        await work(application)

    rows = sql("select status, model, attempts, count(*) from documents group by 1, 2, 3")
    assert sorted(rows) == sorted([("done", "old", 1, 8), ("done", successor, 1, 12)])
    assert Counter(provider.requested) == {"old": 9, successor: 12}


async def test_without_a_successor_documents_wait_until_another_model_is_configured(
    deploy: Deploy, provider: Provider, sql: Sql
) -> None:
    async with deploy(OWN) as application:
        for number in range(20):
            await queued(application, f"{number}.txt")
        provider.answers_until_retirement = 8
        sql("update documents set queued_at = now() - interval '25 hours'")  # of an outage
        await work(application)

        states = sql("select status, attempts, error_code, count(*) from documents group by 1,2,3")
        assert sorted(states) == [("done", 1, None, 8), ("queued", 0, "MODEL_NOT_FOUND", 12)]
        assert Counter(provider.requested) == {"old": 9}
        assert sql("select count(*) from documents where queued_at < now() - interval '1 h'") == [
            (8,)
        ]
        # While the model is missing, a sweep starts none of them, and its canary finds the model.
        assert await application.sweep() == []
    assert provider.canaries == []  # the process knows: no second request within a minute
    async with deploy(OWN) as restarted:
        assert await restarted.sweep() == []
        late = await queued(restarted, "late.txt")
        await restarted.summarize(late.id)
        waiting = await get(restarted, late.id)
    assert provider.canaries == ["old"]
    assert Counter(provider.requested) == {"old": 9}
    assert (waiting.status, waiting.attempts, waiting.error_code) == (
        "queued",
        0,
        "MODEL_NOT_FOUND",
    )
    assert waiting.error_message == (
        "The inference endpoint http://own/v1 does not have model 'old', as an earlier request "
        "showed."
    )

    async with deploy(local.endpoint(name="serverless", url="http://own/v1", model="new")) as new:
        assert len(await new.sweep()) == 13
        await work(new)

    assert sql("select status, model, attempts, count(*) from documents group by 1, 2, 3") in (
        [("done", "old", 1, 8), ("done", "new", 1, 13)],
        [("done", "new", 1, 13), ("done", "old", 1, 8)],
    )


async def test_documents_continue_when_the_model_is_back(
    deploy: Deploy, provider: Provider, sql: Sql
) -> None:
    provider.models = set()
    async with deploy(OWN) as application:
        await queued(application)
        await work(application)
    assert sql("select state from endpoints") == [("missing",)]

    provider.models = {"old"}
    async with deploy(OWN) as application:
        (id_,) = await application.sweep()
        await application.summarize(id_)
        assert (await get(application, id_)).status == "done"

    assert sql("select state from endpoints") == [("ok",)]
    assert sql("select count(*) from answers where withdrawn_at is not null") == [(0,)]


async def test_summaries_before_the_retirement_stay_valid(
    deploy: Deploy, provider: Provider, sql: Sql
) -> None:
    async with deploy(OWN) as application:
        await queued(application)
        await work(application)
        provider.models = set()
        await application.sweep()
        await application.sweep()

    assert sql("select state from endpoints") == [("missing",)]
    assert sql("select status from documents") == [("done",)]


@pytest.mark.parametrize(
    "refusals",
    [(WRONG_KEY, WRONG_URL["fastapi"]), (WRONG_URL["fastapi"], WRONG_KEY)],
    ids=["key first", "URL first"],
)
async def test_a_parked_document_waits_while_the_fallbacks_refuse_every_request(
    deploy: Deploy, provider: Provider, sql: Sql, refusals: tuple[tuple[int, str], ...]
) -> None:
    provider.models, endpoints = set(), (OWN, SPARE, THIRD)
    provider.refused = dict(zip(("other", "third"), refusals, strict=True))
    async with deploy(*endpoints) as application:
        entry = await queued(application)
        await application.ledger.endpoint_health.mark(OWN, ModelNotFound.at(OWN, ""))
        await application.summarize(entry.id)
        first = await get(application, entry.id)
    await sweeps(deploy, sql, *endpoints, count=40)  # it is tried again three times

    async with deploy(*endpoints) as application:
        waiting = await get(application, entry.id)
    assert Counter(provider.requested) == {"other": 1, "third": 1}
    for row in (first, waiting):
        assert (row.status, row.error_code) == ("queued", "MODEL_NOT_FOUND")
        text = row.error_message or ""
        assert text.startswith("The inference endpoint http://own/v1 does not have model 'old'")
        assert "rejected the API key (401)" in text
        assert "rejected the request (404): Not Found" in text
        assert "Set a valid key: pulumi config set --secret" in text


async def test_the_error_names_the_endpoint_that_lacks_its_model_and_the_one_with_a_wrong_key(
    deploy: Deploy, provider: Provider, sql: Sql
) -> None:
    first = local.endpoint(name="spare", url="http://spare/v1", model="other", order=-1, **PRICES)
    provider.models, provider.refused = {"other"}, {"other": WRONG_KEY}
    async with deploy(first, OWN) as application:
        entry = await queued(application)
    await sweeps(deploy, sql, first, OWN, count=30)

    assert provider.requested == ["other"]
    assert sorted(sql("select name, state from endpoints")) == [
        ("serverless", "missing"),
        ("spare", "refused"),
    ]
    async with deploy(first, OWN) as application:
        assert (await get(application, entry.id)).error_message == (
            "The inference endpoint http://own/v1 does not have model 'old', as an earlier request "
            "showed. The inference endpoint http://spare/v1 rejected the API key (401). "
            "Set a valid key: pulumi config set --secret --path 'inference_endpoint_keys.spare' ..."
        )


async def test_a_document_fails_when_the_model_is_back_and_the_key_is_refused(
    deploy: Deploy, provider: Provider, sql: Sql
) -> None:
    provider.models = set()
    async with deploy(OWN) as application:
        entry = await queued(application)
        await work(application)
    provider.models, provider.refused = {"old"}, {"old": WRONG_KEY}
    await sweeps(deploy, sql, OWN, count=13)

    failed = await get(application, entry.id)
    assert (failed.status, failed.error_code) == ("failed", "INFERENCE_UNAUTHORIZED")
    assert sql("select state from endpoints") == [("ok",)]


async def test_an_endpoint_that_returns_during_the_work_stays_in_service(
    deploy: Deploy, provider: Provider, sql: Sql
) -> None:
    provider.refused = {"other": WRONG_KEY}
    provider.meanwhile = lambda: sql("update endpoints set state = 'ok'")
    async with deploy(OWN, SPARE) as application:
        entry = await queued(application)
        await application.ledger.endpoint_health.mark(OWN, ModelNotFound.at(OWN, ""))
        await application.summarize(entry.id)

    assert provider.requested == ["other"]
    assert sorted(sql("select name, state from endpoints")) == [
        ("serverless", "ok"),
        ("spare", "refused"),
    ]


async def test_a_refused_fallback_is_called_again_when_no_endpoint_lacks_its_model(
    deploy: Deploy, provider: Provider, sql: Sql
) -> None:
    async with deploy(OWN, SPARE) as application:
        entry = await queued(application)
        failure = Failure(Code.INFERENCE_UNAUTHORIZED, "", "")
        await application.ledger.endpoint_health.mark(SPARE, failure)
        provider.refused = {"old": WRONG_KEY}
        await application.summarize(entry.id)

        assert (await get(application, entry.id)).status == "done"
    assert provider.requested == ["old", "other"]


async def test_a_document_that_never_had_an_answer_is_not_failed_for_its_cost(
    deploy: Deploy, provider: Provider, sql: Sql
) -> None:
    provider.every_nth_is_refused = 1  # canaries are answered
    async with deploy(OWN) as application:
        entry = await queued(application)
    await sweeps(deploy, sql, OWN, count=5)

    assert len(provider.requested) > 3
    assert (await get(application, entry.id)).status == "queued"


async def test_a_document_that_loses_its_model_three_times_is_not_paid_for_again(
    deploy: Deploy, provider: Provider, sql: Sql, caplog: pytest.LogCaptureFixture
) -> None:
    provider.every_nth_is_refused = 6  # the canary is answered, and the sixth part is not
    async with deploy(OWN) as application:
        entry = await queued(application, data=LONG)
        await work(application)
    await sweeps(deploy, sql, OWN, count=1)
    assert Counter(provider.requested) == {"old": 12}
    await sweeps(deploy, sql, OWN, count=11)
    assert Counter(provider.requested) == {"old": 12}  # the second time it waits an hour
    await sweeps(deploy, sql, OWN, count=30)

    assert Counter(provider.requested) == {"old": 18}
    failed = await get(application, entry.id)
    assert (failed.status, failed.error_code) == ("failed", "MODEL_NOT_FOUND")
    assert failed.error_remedy == (
        "The model was gone in 3 attempts, whose requests cost; set another model or endpoint, "
        "then retry the document."
    )
    assert [getattr(r, "event", None) for r in caplog.records].count("document_failed") == 1
    provider.every_nth_is_refused = 1_000_000
    async with deploy(OWN) as application:
        await application.ledger.retry(entry.id)
        await work(application)
        assert (await get(application, entry.id)).status == "done"


async def test_waiting_for_a_model_is_free_and_no_interruption(
    deploy: Deploy, provider: Provider, sql: Sql
) -> None:
    provider.models = set()
    async with deploy(OWN) as application:
        entry = await queued(application)
        await work(application)
    await sweeps(deploy, sql, OWN, count=60)  # five hours: it is tried again four times

    assert provider.requested == ["old"]
    provider.models = {"old"}
    await sweeps(deploy, sql, OWN, count=1)
    assert (await get(application, entry.id)).status == "done"


async def test_a_fallback_that_refuses_the_key_is_called_once_until_the_key_is_right(
    deploy: Deploy, provider: Provider, sql: Sql
) -> None:
    provider.models, provider.refused = {"other"}, {"other": WRONG_KEY}
    async with deploy(OWN, SPARE) as application:
        entry = await queued(application)
    await sweeps(deploy, sql, OWN, SPARE, count=30)

    assert provider.requested == ["other"]
    waiting = await get(application, entry.id)
    assert (waiting.status, waiting.error_code) == ("queued", "MODEL_NOT_FOUND")
    provider.refused = {}
    await sweeps(deploy, sql, OWN, SPARE, count=1)
    done = await get(application, entry.id)
    assert (done.status, done.attempts, provider.requested) == ("done", 1, ["other", "other"])


async def test_documents_wait_when_a_corrupt_endpoint_also_loses_its_model(
    deploy: Deploy, provider: Provider, sql: Sql
) -> None:
    provider.wrong = True
    await sweeps(deploy, sql, OWN, count=2)
    assert sql("select state from endpoints") == [("out",)]
    provider.models = set()
    async with deploy(OWN) as application:
        entry = await queued(application)
        await application.sweep()
        sql("update documents set queued_at = now() - interval '25 hours'")
        await application.summarize(entry.id)
        waiting = await get(application, entry.id)

    assert (waiting.status, waiting.error_code) == ("queued", "MODEL_NOT_FOUND")
    provider.models, provider.wrong = {"old"}, False
    states = []
    for _ in range(3):  # it is corrupt until three canaries are right
        await sweeps(deploy, sql, OWN, count=1)
        states += sql("select state from endpoints")
    assert states == [("out",), ("out",), ("ok",)]
    assert (await get(application, entry.id)).status == "done"


async def test_a_summary_of_a_corrupt_endpoint_is_withdrawn_after_its_model_is_gone(
    deploy: Deploy, provider: Provider, sql: Sql
) -> None:
    async with deploy(OWN) as application:
        entry = await queued(application)
        claimed = await application.ledger.claim(entry.id, lease=timedelta(minutes=1))
        assert claimed is not None
        provider.wrong = True
        await sweeps(deploy, sql, OWN, count=2)
        provider.models = set()
        await sweeps(deploy, sql, OWN, count=1)
        usage = summary("late", endpoint="serverless")
        await application.ledger.finish(claimed, usage, kind="text")
        await application.sweep()

    assert (await get(application, entry.id)).status == "queued"
