"""An endpoint that drifts is taken out, what it said is made again, and it comes back when it can.

On a real PostgreSQL; endpoints are functions, the local model server is a process. Time passes by
moving timestamps in SQL.
"""

import asyncio
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import msgspec
import pytest

from functions.application import Application
from functions.errors import Code, Failure
from functions.inference.canary import CanaryResult, run_canary
from functions.inference.canary_prompt import CODE, Verdict, is_right
from functions.inference.client import Client
from functions.inference.endpoint import read_endpoints
from functions.storage import ledger
from functions.storage.endpoint_health import EndpointHealth
from functions.storage.entry import Entry
from functions.storage.ledger import Ledger
from functions.summary.summarize import CompletionClient
from tests.functions.conftest import Sql
from tests.functions.inference.test_router import refused, said
from tests.support import local
from tests.support.functions.fakes import Model as Good
from tests.support.functions.fakes import summary

pytestmark = pytest.mark.anyio

OWN = local.endpoint(name="own", inference_mode="dedicated")
SPARE = local.endpoint(name="spare", order=1)


@dataclass
class Endpoints:
    """Two endpoints whose canaries are as they are told; documents go to the first that is in."""

    verdicts: dict[str, Verdict] = field(default_factory=lambda: {"own": "good", "spare": "good"})
    examined: list[str] = field(default_factory=list)

    def route(self, document_id: str, *, without: Collection[str] = ()) -> CompletionClient:
        """An endpoint that gives its own name for a summary."""
        for endpoint in (OWN, SPARE):
            if endpoint.name not in without:
                return _Named(endpoint.name)
        raise Failure(Code.INFERENCE_UNAVAILABLE, "All are out.", "Wait.", retryable=True)

    async def run_canary(self, endpoint: str) -> CanaryResult:
        """A canary of a hundred tokens."""
        self.examined.append(endpoint)
        await asyncio.sleep(0)
        return CanaryResult(verdict=self.verdicts[endpoint], prompt_tokens=90, completion_tokens=10)


class _Named(Good):
    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    async def complete(self, **question: Any) -> Any:
        answer = await super().complete(**question)
        usage = replace(answer.usage, endpoint=self._name, endpoints=[self._name])
        return replace(answer, text=f"A summary by {self._name}.", usage=usage)


@pytest.fixture
def endpoints() -> Endpoints:
    """Two good ones."""
    return Endpoints()


@pytest.fixture
def served(core: Application, endpoints: Endpoints) -> Application:
    """The application with both endpoints, whose every sweep asks canaries."""
    settings = replace(core.settings, inference_endpoints=(OWN, SPARE))
    return replace(core, settings=settings, router=endpoints)


# ---------------------------------------------------------------- one canary


@pytest.mark.parametrize(
    "text",
    [
        CODE,
        f"`{CODE}`",
        f"**{CODE.upper()}**.",
        f"The code is “{CODE}”.",
        CODE.replace("-", "\u2011"),
        f"The code of the lighthouse is {CODE}.",
    ],
)
def test_the_code_in_any_dress_is_right(text: str) -> None:
    assert is_right(text, "stop")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "!!!!!!!!!!!!!!!!",
        "kestrel-4711-harbour-0863",
        f"{CODE}-{CODE}",
        f"x{CODE}",
        "kestrel 4711 harbour 0862 8620",
        "The code of the lighthouse.",
    ],
)
def test_anything_else_is_wrong(text: str) -> None:
    assert not is_right(text, "stop")


def test_an_answer_that_did_not_end_is_wrong_whatever_it_holds() -> None:
    assert not is_right(f"{CODE} {CODE} {CODE}", "length")


async def test_the_local_model_server_passes(model_server: dict[str, str]) -> None:
    settings = local.settings(
        inference_endpoints=read_endpoints(model_server["INFERENCE_ENDPOINTS"]),
        inference_api_keys=msgspec.json.decode(model_server["INFERENCE_API_KEYS"]),
    )
    client = Client(settings.inference_endpoints[0], settings, None)
    async with client.http:
        examined = await run_canary(client)

    assert examined.verdict == "good"
    assert 30 < examined.prompt_tokens + examined.completion_tokens < 150  # see docs/endpoints.md


@pytest.mark.parametrize(
    ("answer", "verdict", "down"),
    [
        (said(f"The code is {CODE}."), "good", False),
        (said("The tower was built of granite."), "wrong", False),
        (said(""), "wrong", False),
        (said(CODE, "length"), "wrong", False),
        (refused(400), "unreachable", False),
        (refused(401), "unreachable", False),
        (refused(429), "unreachable", False),
        (refused(503), "unreachable", True),
        (httpx.ConnectError("refused"), "unreachable", True),
    ],
    ids=["right", "wrong", "empty", "cut", "400", "401", "429", "503", "away"],
)
async def test_only_an_answer_is_judged_and_no_answer_feeds_the_breaker(
    answer: httpx.Response | Exception, verdict: Verdict, down: bool
) -> None:
    asked: list[dict[str, Any]] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(msgspec.json.decode(request.content))
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, content=answer.content)

    client = Client(OWN, local.settings(inference_endpoints=(OWN,)), httpx.MockTransport(handler))
    verdicts = {(await run_canary(client)).verdict for _ in range(5)}

    assert verdicts == {verdict}
    assert (client.breaker.retry_after > 0) is down
    assert {(q["temperature"], q["seed"], q["max_tokens"]) for q in asked} == {(0, 20_261, 512)}


# ---------------------------------------------------------------- out, and back


async def test_two_wrong_canaries_in_a_row_take_an_endpoint_out_and_three_good_ones_bring_it_back(
    served: Application, endpoints: Endpoints
) -> None:
    verdicts: list[Verdict] = ["good", "wrong", "good", "wrong", "wrong", "good", "good", "wrong"]
    verdicts += ["good", "good", "good"]

    states = [await _swept(served, endpoints, own=verdict) for verdict in verdicts]

    assert states == ["ok"] * 4 + ["out"] * 6 + ["ok"]


async def test_what_cannot_be_reached_has_not_drifted(
    served: Application, endpoints: Endpoints
) -> None:
    states = [await _swept(served, endpoints, own="wrong")]
    states += [await _swept(served, endpoints, own="unreachable") for _ in range(10)]

    assert states == ["ok"] * 11
    own = await _health(served.ledger)
    assert (own.wrong, own.unreachable_canaries) == (1, 10)


async def test_documents_of_a_drifted_endpoint_are_made_again_by_another(
    served: Application, endpoints: Endpoints, sql: Sql
) -> None:
    await _swept(served, endpoints, own="good")
    trusted = await _summarized(served, "trusted.txt")
    await _swept(served, endpoints, own="good")
    suspects = [await _summarized(served, f"{number}.txt") for number in range(3)]

    await _swept(served, endpoints, own="wrong")
    assert [(await _get(served, s.id)).status for s in suspects] == ["done"] * 3
    await _swept(served, endpoints, own="wrong")

    waiting = [await _get(served, suspect.id) for suspect in suspects]
    assert {(w.status, w.error_code) for w in waiting} == {("queued", "CORRUPT_ENDPOINT")}
    assert (await _get(served, trusted.id)).status == "done"
    for suspect in suspects:
        await served.summarize(suspect.id)
    again = [await _get(served, suspect.id) for suspect in suspects]
    assert {(a.status, a.usage and a.usage.endpoint, a.summary) for a in again} == {
        ("done", "spare", "A summary by spare.")
    }
    # What was paid for in vain is not forgotten, and each version still has one row.
    assert {(a.usage and (a.usage.calls, a.usage.cost_usd), a.epoch) for a in again} == {
        ((2, 3.0), 2)
    }
    assert sql("select count(*), count(distinct object_key) from documents") == [(4, 4)]
    assert sql(
        "select endpoint, withdrawn_because, count(*) from answers group by 1, 2 order by 1, 2"
    ) == [("own", "corrupt_endpoint", 3), ("own", None, 1), ("spare", None, 3)]


async def test_each_document_is_queued_again_once(
    served: Application, endpoints: Endpoints
) -> None:
    suspect = await _summarized(served, "a.txt")
    for _ in range(2):
        await _swept(served, endpoints, own="wrong")
    await served.summarize(suspect.id)

    for _ in range(3):
        await _swept(served, endpoints, own="wrong")

    assert (await _get(served, suspect.id)).status == "done"


async def test_a_summary_that_was_under_way_is_withdrawn_when_it_comes(
    served: Application, endpoints: Endpoints
) -> None:
    entry = await _queued(served, "slow.txt")
    claimed = await served.ledger.claim(entry.id, lease=ledger.GIVE_UP_AFTER)
    assert claimed is not None
    for _ in range(2):
        await _swept(served, endpoints, own="wrong")
    late = summary("Nonsense.", endpoint="spare", endpoints=["own", "spare"])  # a part is enough
    assert await served.ledger.finish(claimed, late, kind="text")

    await _swept(served, endpoints, own="good")

    assert (await _get(served, entry.id)).error_code == "CORRUPT_ENDPOINT"


async def test_a_sweep_queues_no_more_than_its_cap(
    served: Application, endpoints: Endpoints, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.application.REQUEUED_PER_SWEEP", 2)
    for number in range(5):
        await _summarized(served, f"{number}.txt")

    queued = []
    verdicts: list[Verdict] = ["wrong", "wrong", "good", "good", "good"]
    for verdict in verdicts:
        await _swept(served, endpoints, own=verdict)
        queued += sql("select count(*) from documents where status = 'queued'")

    assert queued == [(0,), (2,), (4,), (5,), (5,)]


async def test_the_api_shows_no_summary_that_was_withdrawn(
    served: Application, endpoints: Endpoints
) -> None:
    from functions.api.routes import to_document

    suspect = await _summarized(served, "a.txt")
    for _ in range(2):
        await _swept(served, endpoints, own="wrong")

    shown = to_document(await _get(served, suspect.id))
    assert (shown.status, shown.summary, shown.endpoint) == ("queued", None, "own")
    assert shown.error is not None
    assert shown.error.code == "CORRUPT_ENDPOINT"


async def test_with_every_endpoint_out_documents_wait(
    served: Application, endpoints: Endpoints
) -> None:
    endpoints.verdicts["spare"] = "wrong"
    for _ in range(2):
        await _swept(served, endpoints, own="wrong")
    entry = await _queued(served, "a.txt")

    await served.summarize(entry.id)

    waiting = await _get(served, entry.id)
    assert (waiting.status, waiting.error_code) == ("queued", "INFERENCE_UNAVAILABLE")


async def test_another_model_under_the_same_name_is_another_endpoint(
    served: Application, endpoints: Endpoints
) -> None:
    for _ in range(2):
        await _swept(served, endpoints, own="wrong")
    changed = msgspec.structs.replace(OWN, model="repaired")
    repaired = replace(served.settings, inference_endpoints=(changed, SPARE))

    assert await served.ledger.endpoint_health.out(served.settings.inference_endpoints) == {"own"}
    assert await served.ledger.endpoint_health.out(repaired.inference_endpoints) == set()
    await _swept(replace(served, settings=repaired), endpoints, own="wrong")

    own = await _health(served.ledger)
    assert (own.state, own.wrong, own.fingerprint) == ("ok", 1, changed.fingerprint)


# ---------------------------------------------------------------- the schedule


async def test_sweeps_at_the_same_time_ask_each_endpoint_once(
    served: Application, endpoints: Endpoints
) -> None:
    hourly = replace(served, settings=replace(served.settings, canary_interval_seconds=3600.0))

    await asyncio.gather(*(hourly.sweep() for _ in range(8)))
    await hourly.sweep()

    assert Counter(endpoints.examined) == {"own": 1, "spare": 1}


async def test_a_canary_is_due_again_after_the_interval(
    served: Application, endpoints: Endpoints, sql: Sql
) -> None:
    hourly = replace(served, settings=replace(served.settings, canary_interval_seconds=3600.0))
    await hourly.sweep()
    sql("update endpoints set checked_at = now() - interval '1 hour' where name = 'own'")

    await hourly.sweep()

    assert Counter(endpoints.examined) == {"own": 2, "spare": 1}


async def test_what_canaries_take_is_counted(served: Application, endpoints: Endpoints) -> None:
    for _ in range(3):
        await _swept(served, endpoints, own="good")

    own = await _health(served.ledger)
    assert (own.good_canaries, own.prompt_tokens, own.completion_tokens) == (3, 270, 30)


# ---------------------------------------------------------------- the schema


async def test_a_column_of_a_newer_migration_is_left_alone(served: Application, sql: Sql) -> None:
    entry = await _summarized(served, "a.txt")
    sql("alter table documents add column newer integer default 1")
    try:
        assert await served.ledger.page(limit=10) == [entry]
    finally:
        sql("alter table documents drop column newer")


# ---------------------------------------------------------------- given


async def _swept(application: Application, endpoints: Endpoints, *, own: Verdict) -> str:
    """Sweep while the canary of `own` is so; its state afterwards."""
    endpoints.verdicts["own"] = own
    await application.sweep()
    return (await _health(application.ledger)).state


async def _health(ledger: Ledger) -> EndpointHealth:
    own, _ = await ledger.endpoint_health.all()
    return own


async def _queued(application: Application, name: str) -> Entry:
    entry, _ = await application.announce(name, 1)
    await application.store.put(entry.object_key, b"The tower was built of granite in 1841.")
    return await application.complete(entry)


async def _summarized(application: Application, name: str) -> Entry:
    entry = await _queued(application, name)
    await application.summarize(entry.id)
    return await _get(application, entry.id)


async def _get(application: Application, id_: Any) -> Entry:
    entry = await application.ledger.get(id_)
    assert entry is not None
    return entry
