"""A drifted endpoint is out of service until it recovers; its summaries are made again.

PostgreSQL is real; endpoints are functions, the local model server is a process. Tests change
timestamps by SQL instead of waiting.
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
from functions.inference.canary import CanaryResult, CanaryVerdict, run_canary
from functions.inference.canary_prompt import CODE, Verdict, is_right
from functions.inference.client import Client
from functions.inference.endpoint import read_endpoints
from functions.inference.refusal import ModelNotFound
from functions.storage import ledger
from functions.storage.endpoint_health import EndpointHealth
from functions.storage.ledger import Ledger
from functions.summary.summarize import CompletionClient
from tests.functions.conftest import Sql
from tests.functions.inference.test_router import completion, refused
from tests.support import local
from tests.support.functions.entries import get, queued, summarized
from tests.support.functions.fakes import Model, summary

pytestmark = pytest.mark.anyio

OWN = local.endpoint(name="own", inference_mode="dedicated")
SPARE = local.endpoint(name="spare", order=1)


@dataclass
class Endpoints:
    """Two endpoints with given verdicts; documents go to the first one in service."""

    verdicts: dict[str, Verdict] = field(default_factory=lambda: {"own": "good", "spare": "good"})
    canaries: list[str] = field(default_factory=list)

    def route(
        self,
        document_id: str,
        *,
        without: Collection[str] = (),
        missing: ModelNotFound | None = None,
    ) -> CompletionClient:
        """The first endpoint in service; the summary has its name."""
        name = next(e.name for e in (OWN, SPARE) if e.name not in without)

        async def reply() -> str:
            return f"A summary by {name}."

        return Model(reply, endpoint=name, endpoints=[name])

    async def run_canary(self, endpoint: str) -> CanaryResult:
        """Record the endpoint and return its verdict."""
        self.canaries.append(endpoint)
        await asyncio.sleep(0)
        return CanaryResult(verdict=self.verdicts[endpoint], prompt_tokens=90, completion_tokens=10)


@pytest.fixture
def endpoints() -> Endpoints:
    """Two healthy endpoints."""
    return Endpoints()


@pytest.fixture
def served(core: Application, endpoints: Endpoints) -> Application:
    """The application with both endpoints and canaries in every sweep."""
    settings = replace(core.settings, inference_endpoints=(OWN, SPARE))
    return replace(core, settings=settings, router=endpoints)


# ---------------------------------------------------------------- one canary


@pytest.mark.parametrize(
    ("text", "reason", "right"),
    [
        (CODE, "stop", True),
        (f"`{CODE}`", "stop", True),
        (f"**{CODE.upper()}**.", "stop", True),
        (f"The code is “{CODE}”.", "stop", True),
        (CODE.replace("-", "\u2011"), "stop", True),
        (f"The code of the lighthouse is {CODE}.", "stop", True),
        (f"{CODE} {CODE} {CODE}", "length", False),
        ("", "stop", False),
        ("!!!!!!!!!!!!!!!!", "stop", False),
        ("kestrel-4711-harbour-0863", "stop", False),
        (f"{CODE}-{CODE}", "stop", False),
        (f"x{CODE}", "stop", False),
        ("kestrel 4711 harbour 0862 8620", "stop", False),
        ("The code of the lighthouse.", "stop", False),
    ],
)
def test_only_a_complete_answer_with_the_code_is_right(text: str, reason: str, right: bool) -> None:
    assert is_right(text, reason) is right


async def test_the_local_model_server_passes_the_canary(model_server: dict[str, str]) -> None:
    settings = local.settings(
        inference_endpoints=read_endpoints(model_server["INFERENCE_ENDPOINTS"]),
        inference_api_keys=msgspec.json.decode(model_server["INFERENCE_API_KEYS"]),
    )
    client = Client(settings.inference_endpoints[0], settings, None)
    async with client.http:
        result = await run_canary(client)

    assert result.verdict == "good"
    assert 30 < result.prompt_tokens + result.completion_tokens < 150  # see docs/endpoints.md


@pytest.mark.parametrize(
    ("answer", "verdict", "down"),
    [
        (completion(f"The code is {CODE}."), "good", False),
        (completion("The tower was built of granite."), "wrong", False),
        (completion(""), "wrong", False),
        (completion(CODE, "length"), "wrong", False),
        (refused(400), "refused", False),
        (refused(401), "refused", False),
        (refused(429), "unreachable", False),
        (refused(503), "unreachable", True),
        (httpx.ConnectError("refused"), "unreachable", True),
    ],
    ids=["right", "wrong", "empty", "cut", "400", "401", "429", "503", "away"],
)
async def test_only_an_answer_gets_a_verdict_and_failures_open_the_breaker(
    answer: httpx.Response | Exception, verdict: CanaryVerdict, down: bool
) -> None:
    requests: list[dict[str, Any]] = []

    def handler(request: httpx.Request) -> httpx.Response:
        requests.append(msgspec.json.decode(request.content))
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, content=answer.content)

    client = Client(OWN, local.settings(inference_endpoints=(OWN,)), httpx.MockTransport(handler))
    verdicts = {(await run_canary(client)).verdict for _ in range(5)}

    assert verdicts == {verdict}
    assert (client.breaker.retry_after > 0) is down
    assert {(q["temperature"], q["seed"], q["max_tokens"]) for q in requests} == {(0, 20_261, 512)}


# ---------------------------------------------------------------- out of service


async def test_two_wrong_canaries_take_an_endpoint_out_and_three_good_ones_restore_it(
    served: Application, endpoints: Endpoints
) -> None:
    verdicts: list[Verdict] = ["good", "wrong", "good", "wrong", "wrong", "good", "good", "wrong"]
    verdicts += ["good", "good", "good"]

    states = [await _swept(served, endpoints, own=verdict) for verdict in verdicts]

    assert states == ["ok"] * 4 + ["out"] * 6 + ["ok"]


async def test_an_unreachable_endpoint_stays_in_service(
    served: Application, endpoints: Endpoints
) -> None:
    states = [await _swept(served, endpoints, own="wrong")]
    states += [await _swept(served, endpoints, own="unreachable") for _ in range(10)]

    assert states == ["ok"] * 11
    own = await _health(served.ledger)
    assert (own.wrong, own.unreachable_canaries) == (1, 10)


async def test_another_endpoint_makes_the_summaries_of_a_drifted_one_again(
    served: Application, endpoints: Endpoints, sql: Sql
) -> None:
    await _swept(served, endpoints, own="good")
    trusted = await summarized(served, "trusted.txt")
    await _swept(served, endpoints, own="good")
    suspects = [await summarized(served, f"{number}.txt") for number in range(3)]

    await _swept(served, endpoints, own="wrong")
    assert [(await get(served, s.id)).status for s in suspects] == ["done"] * 3
    await _swept(served, endpoints, own="wrong")

    waiting = [await get(served, suspect.id) for suspect in suspects]
    assert {(w.status, w.error_code) for w in waiting} == {("queued", "CORRUPT_ENDPOINT")}
    assert (await get(served, trusted.id)).status == "done"
    for suspect in suspects:
        await served.summarize(suspect.id)
    again = [await get(served, suspect.id) for suspect in suspects]
    assert {(a.status, a.usage and a.usage.endpoint, a.summary) for a in again} == {
        ("done", "spare", "A summary by spare.")
    }
    # The usage of the withdrawn summary is kept, and each version still has one row.
    assert {(a.usage and (a.usage.calls, a.usage.cost_usd), a.epoch) for a in again} == {
        ((2, 3.0), 2)
    }
    assert sql("select count(*), count(distinct object_key) from documents") == [(4, 4)]
    assert sql(
        "select endpoint, withdrawn_because, count(*) from answers group by 1, 2 order by 1, 2"
    ) == [("own", "corrupt_endpoint", 3), ("own", None, 1), ("spare", None, 3)]


async def test_a_summary_in_progress_on_a_drifted_endpoint_is_withdrawn(
    served: Application, endpoints: Endpoints
) -> None:
    entry = await queued(served, "slow.txt")
    claimed = await served.ledger.claim(entry.id, lease=ledger.GIVE_UP_AFTER)
    assert claimed is not None
    for _ in range(2):
        await _swept(served, endpoints, own="wrong")
    late = summary("Nonsense.", endpoint="spare", endpoints=["own", "spare"])  # a part is enough
    assert await served.ledger.finish(claimed, late, kind="text")

    await _swept(served, endpoints, own="good")

    assert (await get(served, entry.id)).error_code == "CORRUPT_ENDPOINT"


async def test_a_sweep_queues_no_more_documents_than_its_limit(
    served: Application, endpoints: Endpoints, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.application.REQUEUED_PER_SWEEP", 2)
    for number in range(5):
        await summarized(served, f"{number}.txt")

    counts = []
    verdicts: list[Verdict] = ["wrong", "wrong", "good", "good", "good"]
    for verdict in verdicts:
        await _swept(served, endpoints, own=verdict)
        counts += sql("select count(*) from documents where status = 'queued'")

    assert counts == [(0,), (2,), (4,), (5,), (5,)]


async def test_the_api_hides_a_withdrawn_summary(served: Application, endpoints: Endpoints) -> None:
    from functions.api.routes import to_document

    suspect = await summarized(served, "a.txt")
    for _ in range(2):
        await _swept(served, endpoints, own="wrong")

    shown = to_document(await get(served, suspect.id))
    assert (shown.status, shown.summary, shown.endpoint) == ("queued", None, "own")
    assert shown.error is not None
    assert shown.error.code == "CORRUPT_ENDPOINT"


async def test_an_endpoint_with_a_new_model_starts_in_service(
    served: Application, endpoints: Endpoints
) -> None:
    for _ in range(2):
        await _swept(served, endpoints, own="wrong")
    changed = msgspec.structs.replace(OWN, model="repaired")
    repaired = replace(served.settings, inference_endpoints=(changed, SPARE))

    health = served.ledger.endpoint_health
    assert (await health.out(served.settings.inference_endpoints)).names == {"own"}
    assert (await health.out(repaired.inference_endpoints)).names == set()
    await _swept(replace(served, settings=repaired), endpoints, own="wrong")

    own = await _health(served.ledger)
    assert (own.state, own.wrong, own.fingerprint) == ("ok", 1, changed.fingerprint)


# ---------------------------------------------------------------- the schedule


async def test_concurrent_sweeps_send_one_canary_per_endpoint_and_interval(
    served: Application, endpoints: Endpoints, sql: Sql
) -> None:
    hourly = replace(served, settings=replace(served.settings, canary_interval_seconds=3600.0))

    await asyncio.gather(*(hourly.sweep() for _ in range(8)))
    await hourly.sweep()

    assert Counter(endpoints.canaries) == {"own": 1, "spare": 1}
    sql("update endpoints set checked_at = now() - interval '1 hour' where name = 'own'")

    await hourly.sweep()

    assert Counter(endpoints.canaries) == {"own": 2, "spare": 1}
    own = await _health(served.ledger)
    assert (own.good_canaries, own.prompt_tokens, own.completion_tokens) == (2, 180, 20)


async def _swept(application: Application, endpoints: Endpoints, *, own: Verdict) -> str:
    """Sweep with this verdict of `own`; return its state."""
    endpoints.verdicts["own"] = own
    await application.sweep()
    return (await _health(application.ledger)).state


async def _health(ledger: Ledger) -> EndpointHealth:
    own, _ = await ledger.endpoint_health.all()
    return own
