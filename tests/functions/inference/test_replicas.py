"""The summaries of a drifted replica are made again; its endpoint and other replicas stay.

PostgreSQL is real; the replica monitor is a list of states, or a transport. Tests change timestamps
by SQL instead of waiting.
"""

import asyncio
import logging
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import httpx
import msgspec
import psycopg
import pytest

from functions.api.routes import create_api
from functions.application import Application
from functions.inference import replica_status
from functions.inference.canary import CanaryResult, run_canary
from functions.inference.canary_prompt import CODE, Verdict
from functions.inference.client import Client
from functions.inference.refusal import ModelNotFound
from functions.inference.replica_status import ReplicaStatus, ReplicaStatuses, answered_by
from functions.opening import Opened
from functions.settings import Settings
from functions.storage import invalidation, ledger
from functions.summary.summarize import CompletionClient
from tests.functions.conftest import Sql
from tests.functions.inference.test_router import completion
from tests.support import local
from tests.support.functions.entries import TEXT, get, queued, summarized
from tests.support.functions.fakes import Model, summary

pytestmark = pytest.mark.anyio

OWN = local.endpoint(
    name="own",
    inference_mode="cluster",
    url="http://model.example/v1",
    replicas_url="http://model.example/replicas",
)
KEY = "key-of-a-test"

State = Literal["ok", "out"]

AN_HOUR_AGO = """update answers
    set answered_at = now() - interval '1 hour', begun_at = now() - interval '1 hour'"""
"""Moves all answers to the past."""


# ---------------------------------------------------------------- the header


@pytest.mark.parametrize("name", ["server-7d4b9c-x2x5q", "vllm-0", "a" * 253, "A.b_c"])
def test_the_header_x_replica_names_the_replica(name: str) -> None:
    assert answered_by(httpx.Headers({"x-replica": name})) == name


@pytest.mark.parametrize(
    "names",
    [
        *([name] for name in ("", " ", "a b", "a" * 254, "-a", 'a"b', "a\n", "<b>", "ä", "a,b")),
        *(["a\x1b[0m"], [], ["a", "b"]),
    ],
)
def test_an_invalid_missing_or_repeated_header_names_no_replica(names: list[str]) -> None:
    assert answered_by(httpx.Headers([(b"x-replica", name.encode()) for name in names])) is None


# ---------------------------------------------------------------- the replica monitor


@dataclass
class Cluster:
    """An endpoint with a replica monitor, as a transport."""

    verdicts: httpx.Response | Exception
    text: str = CODE
    replica: str | None = "a"
    authorizations: list[str] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer the canary or the request for statuses."""
        self.authorizations.append(request.headers["authorization"])
        if request.url.path == "/v1/chat/completions":
            answer = completion(self.text)
            named = {"X-Replica": self.replica} if self.replica else {}
            return httpx.Response(200, content=answer.content, headers=named)
        assert (request.method, str(request.url)) == ("GET", OWN.replicas_url)
        if isinstance(self.verdicts, Exception):
            raise self.verdicts
        return self.verdicts

    async def run_canary(self) -> CanaryResult:
        """Run the canary."""
        settings = local.settings(inference_endpoints=(OWN,))
        client = Client(OWN, settings, httpx.MockTransport(self))
        async with client.http:
            return await run_canary(client)


def report(*rows: object, **more: object) -> httpx.Response:
    """The monitor's report."""
    return httpx.Response(200, json={"replicas": rows, **more})


def row(name: object = "a", state: object = "ok", age: object = 1.5) -> dict[str, object]:
    """One replica in a report."""
    return {"name": name, "state": state, "good_seconds_ago": age}


async def test_the_request_to_the_replica_monitor_has_the_key_of_the_endpoint() -> None:
    cluster = Cluster(report(row("a"), row("b", "out", None), reported_at="an unknown field"))

    result = await cluster.run_canary()

    assert cluster.authorizations == [f"Bearer {KEY}"] * 2
    assert (result.verdict, result.replica) == ("good", "a")
    assert result.replicas is not None
    assert result.replicas.replicas == [
        ReplicaStatus(name="a", state="ok", good_seconds_ago=1.5),
        ReplicaStatus(name="b", state="out", good_seconds_ago=None),
    ]


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(401),
        httpx.Response(503),
        httpx.Response(302, headers={"location": "http://elsewhere.example/"}),
        httpx.Response(200, content=b"<html>"),
        httpx.Response(200, content=b"\xff"),
        httpx.Response(200, content=b'{"x":' + b"[" * 100_000),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={}),
        report(row(state="ill")),
        report(row(age=-1)),
        report(row(age=1e300)),
        report(row(age="1")),
        report({"name": "a", "state": "ok"}),
        report(row(name="")),
        report(row(name="a\n")),
        report(row(name="a b")),
        report(row(), row()),
        report(row(), filler="x" * replica_status.MAX_BYTES),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.InvalidURL("no host"),
        TimeoutError(),
    ],
    ids=[
        *("401", "503", "redirect", "html", "bytes", "deep", "list", "empty", "state", "negative"),
        *("huge-age", "text-age", "no-age", "no-name", "line-end", "space", "twice", "large"),
        *("away", "slow", "url", "late"),
    ],
)
async def test_missing_replica_statuses_are_logged_and_the_canary_counts(
    answer: httpx.Response | Exception, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        result = await Cluster(answer).run_canary()

    assert (result.verdict, result.replicas) == ("good", None)
    (line,) = [r.getMessage() for r in caplog.records if r.name == replica_status.__name__]
    assert line.startswith("endpoint own: no replica statuses: ")
    assert KEY not in line
    assert len(line) < 300
    assert line.isprintable()


@pytest.mark.parametrize(
    ("text", "replica", "verdicts", "counts"),
    [
        (CODE, "a", report(row("a")), True),
        ("Nonsense.", "a", report(row("a"), row("b")), False),
        ("Nonsense.", "a", report(row("a", "out")), False),
        ("Nonsense.", "a", httpx.Response(503), True),
        ("Nonsense.", "a", report(row("b")), True),
        ("Nonsense.", None, report(row("a")), True),
        ("Nonsense.", "a", report(), True),
    ],
    ids=["good", "reported", "reported-out", "no-report", "not-reported", "nameless", "empty"],
)
async def test_a_wrong_answer_counts_against_the_endpoint_unless_its_replica_is_monitored(
    text: str, replica: str | None, verdicts: httpx.Response, counts: bool
) -> None:
    result = await Cluster(verdicts, text, replica).run_canary()

    assert result.counts is counts


# ---------------------------------------------------------------- documents


@dataclass
class Fleet:
    """One endpoint; `next` has the replicas that answer the next document in turn."""

    verdict: Verdict = "good"
    next: Sequence[str] = ("a",)
    verdicts: dict[str, tuple[State, float | None]] | None = None
    age: float = 0.0
    """Seconds since the statuses were requested."""

    def route(
        self,
        document_id: str,
        *,
        without: Collection[str] = (),
        missing: ModelNotFound | None = None,
    ) -> CompletionClient:
        """The next replicas answer in turn."""
        return _Replicas(self.next)

    async def run_canary(self, endpoint: str) -> CanaryResult:
        """Return the verdict and the statuses; the first of the next replicas answered."""
        verdicts = None
        if self.verdicts is not None:
            rows = [
                ReplicaStatus(name=name, state=state, good_seconds_ago=age)
                for name, (state, age) in self.verdicts.items()
            ]
            verdicts = ReplicaStatuses(replicas=rows, requested_at=time.monotonic() - self.age)
        return CanaryResult(verdict=self.verdict, replica=self.next[0], replicas=verdicts)


class _Replicas(Model):
    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(endpoint="own", endpoints=["own"], inference_mode="cluster")
        self._names = names

    async def complete(self, **prompt: Any) -> Any:
        self.usage["replicas"] = [self._names[len(self.deadlines) % len(self._names)]]
        return await super().complete(**prompt)


@pytest.fixture
def fleet() -> Fleet:
    """Two healthy replicas; `a` answers."""
    return Fleet(verdicts={"a": ("ok", 0.0), "b": ("ok", 0.0)})


@pytest.fixture
def served(core: Application, fleet: Fleet) -> Application:
    """The application with that endpoint and a canary in every sweep."""
    settings = replace(core.settings, inference_endpoints=(OWN,))
    return replace(core, settings=settings, router=fleet)


async def test_a_document_names_all_replicas_that_answered_its_parts(
    served: Application, fleet: Fleet
) -> None:
    from functions.api.routes import to_document

    fleet.next = ("b", "a")

    entry = await summarized(served, "long.txt", TEXT * 1_000)

    assert entry.usage is not None
    assert (entry.status, entry.usage.endpoint, entry.usage.replicas) == ("done", "own", ["a", "b"])
    assert to_document(entry).replicas == ["a", "b"]
    stored = msgspec.json.decode((await served.store.get(f"summaries/{entry.id}.json"))[1])
    assert stored["replicas"] == ["a", "b"]


async def test_summaries_of_a_drifted_replica_since_its_last_good_canary_are_made_again(
    served: Application, fleet: Fleet, sql: Sql
) -> None:
    trusted = await summarized(served, "trusted.txt")
    sql(AN_HOUR_AGO)
    await served.sweep()  # both are good
    suspect = await summarized(served, "suspect.txt")
    fleet.next = ("b",)
    other = await summarized(served, "other.txt")

    fleet.verdicts = {"a": ("out", 100.0), "b": ("ok", 0.0)}
    due = await served.sweep()

    assert due == [suspect.id]
    waiting = await get(served, suspect.id)
    assert (waiting.status, waiting.error_code) == ("queued", "CORRUPT_REPLICA")
    assert waiting.error_message == ("A replica that took part in the summary failed its canary.")
    assert waiting.error_remedy == "The document is summarized again automatically."
    assert [(await get(served, e.id)).status for e in (trusted, other)] == ["done", "done"]
    await served.summarize(suspect.id)
    again = await get(served, suspect.id)
    assert again.usage is not None
    assert (again.status, again.usage.replicas, again.epoch) == ("done", ["b"], 2)
    assert sql(
        "select replicas, withdrawn_because, count(*) from answers group by 1, 2 order by 1, 2"
    ) == [(["a"], "corrupt_replica", 1), (["a"], None, 1), (["b"], None, 2)]
    (own,) = await served.ledger.endpoint_health.all()
    assert own.state == "ok"


async def test_each_document_of_a_drifted_replica_is_queued_again_once(
    served: Application, fleet: Fleet, sql: Sql
) -> None:
    suspect = await summarized(served, "a.txt")
    fleet.verdicts = {"a": ("out", None), "b": ("ok", 0.0)}
    await served.sweep()
    withdrawn = sql("select withdrawn_at from answers")
    fleet.next = ("b",)
    await served.summarize(suspect.id)

    assert [await served.sweep() for _ in range(3)] == [[], [], []]
    assert (await get(served, suspect.id)).epoch == 2
    assert sql("select withdrawn_at from answers order by epoch") == [*withdrawn, (None,)]


@pytest.mark.parametrize(
    ("age", "made_again"), [(None, True), (0.0, False), (3000.0, False), (4000.0, True)]
)
async def test_a_first_report_of_a_replica_that_is_out_has_its_last_good_canary(
    served: Application, fleet: Fleet, sql: Sql, age: float | None, made_again: bool
) -> None:
    await summarized(served, "a.txt")
    sql(AN_HOUR_AGO)

    fleet.verdicts = {"a": ("out", age)}
    due = await served.sweep()

    assert (len(due) == 1) is made_again


async def test_the_duration_of_the_request_for_statuses_counts(
    served: Application, fleet: Fleet, sql: Sql
) -> None:
    await summarized(served, "a.txt")
    sql(
        """update answers set begun_at = now() - interval '20 seconds',
        answered_at = now() - interval '20 seconds'"""
    )

    fleet.verdicts, fleet.age = {"a": ("out", 15.0)}, 10.0

    assert len(await served.sweep()) == 1


async def test_a_newer_good_canary_of_the_monitor_counts(
    served: Application, fleet: Fleet, sql: Sql
) -> None:
    fleet.verdicts = {"a": ("ok", 5000.0)}
    await served.sweep()
    await summarized(served, "a.txt")
    sql(AN_HOUR_AGO)

    fleet.verdicts = {"a": ("out", 100.0)}

    assert await served.sweep() == []


async def test_a_good_canary_that_the_monitor_forgot_still_counts(
    served: Application, fleet: Fleet, sql: Sql
) -> None:
    trusted = await summarized(served, "trusted.txt")
    sql(AN_HOUR_AGO)
    fleet.verdicts = {"a": ("ok", 100.0)}
    await served.sweep()
    suspect = await summarized(served, "suspect.txt")

    fleet.verdicts = {"a": ("out", None)}

    assert await served.sweep() == [suspect.id]
    assert (await get(served, trusted.id)).status == "done"


async def test_answers_of_a_replica_that_is_out_are_withdrawn(
    served: Application, fleet: Fleet
) -> None:
    fleet.verdicts = {"a": ("out", 0.0)}
    await served.sweep()
    late = await summarized(served, "a.txt")

    assert await served.sweep() == [late.id]


@pytest.mark.parametrize("gone", [False, True], ids=["back", "gone"])
async def test_a_summary_in_progress_while_a_replica_is_out_is_withdrawn(
    served: Application, fleet: Fleet, gone: bool
) -> None:
    entry = await queued(served, "slow.txt")
    claimed = await served.ledger.claim(entry.id, lease=ledger.GIVE_UP_AFTER)
    assert claimed is not None
    for verdicts in [{"a": ("out", 100.0)}, {} if gone else {"a": ("ok", 0.0)}]:
        fleet.verdicts = verdicts  # type: ignore[assignment]  # of states
        await served.sweep()
    by_both = summary(endpoint="own", endpoints=["own"], replicas=["a", "b"])
    assert await served.ledger.finish(claimed, by_both, kind="text")
    fresh = await summarized(served, "fresh.txt") if not gone else None

    assert await served.sweep() == [entry.id]

    assert (await get(served, entry.id)).error_code == "CORRUPT_REPLICA"
    if fresh:
        assert (await get(served, fresh.id)).status == "done"


async def test_a_replica_that_is_restored_can_drift_again(
    served: Application, fleet: Fleet, sql: Sql
) -> None:
    states: list[State] = ["ok", "out", "ok"]
    for state in states:
        fleet.verdicts = {"a": (state, 0.0)}
        await served.sweep()
    first = await summarized(served, "1.txt")
    assert await served.sweep() == []
    sql(AN_HOUR_AGO)
    second = await summarized(served, "2.txt")

    fleet.verdicts = {"a": ("out", 100.0)}

    assert await served.sweep() == [second.id]
    assert (await get(served, first.id)).status == "done"


async def test_replicas_of_two_endpoints_with_one_name_are_different(
    served: Application, fleet: Fleet, sql: Sql
) -> None:
    await summarized(served, "a.txt")
    sql("update answers set endpoint = 'other', endpoints = '{other}'")

    fleet.verdicts = {"a": ("out", None)}

    assert await served.sweep() == []


async def test_older_statuses_change_nothing(served: Application, fleet: Fleet) -> None:
    fleet.verdicts = {"a": ("out", 0.0)}
    await served.sweep()
    fleet.verdicts, fleet.age = {"a": ("ok", 0.0)}, 60.0

    await served.sweep()

    assert [p.state for p in await served.ledger.endpoint_health.replica_health()] == ["out"]


async def test_a_replica_that_is_not_reported_for_a_day_is_deleted(
    served: Application, fleet: Fleet, sql: Sql
) -> None:
    fleet.verdicts = {"a": ("out", 0.0), "b": ("ok", 0.0)}
    await served.sweep()
    sql("update replicas set reported_at = now() - interval '23 hours' where name = 'a'")
    fleet.verdicts = {"b": ("ok", 0.0)}
    await served.sweep()
    assert sql("select name from replicas order by name") == [("a",), ("b",)]
    sql("update replicas set reported_at = now() - interval '25 hours' where name = 'a'")

    await served.sweep()

    assert sql("select name from replicas") == [("b",)]


async def test_concurrent_sweeps_withdraw_and_queue_each_document_once(
    served: Application, fleet: Fleet, sql: Sql
) -> None:
    suspects = {(await summarized(served, f"{number}.txt")).id for number in range(20)}
    fleet.verdicts = {"a": ("out", None), "b": ("ok", 0.0)}

    await asyncio.gather(*(served.sweep() for _ in range(8)))

    assert set(await served.ledger.due()) == suspects
    assert sql("select withdrawn_because, count(*) from answers group by 1") == [
        ("corrupt_replica", 20)
    ]


async def test_a_corrupt_endpoint_and_a_corrupt_replica_queue_a_document_once(
    served: Application, fleet: Fleet, sql: Sql
) -> None:
    suspect = await summarized(served, "a.txt")
    fleet.verdict, fleet.verdicts = "wrong", None
    for _ in range(2):
        await served.sweep()
    fleet.verdict, fleet.verdicts = "good", {"a": ("out", None)}

    await served.sweep()

    waiting = await get(served, suspect.id)
    assert (waiting.status, waiting.error_code) == ("queued", "CORRUPT_ENDPOINT")
    assert sql("select withdrawn_because from answers") == [("corrupt_endpoint",)]


async def test_changes_to_the_health_tables_are_serialized(
    served: Application, fleet: Fleet, database: Settings, sql: Sql
) -> None:
    """Without the lock, two transactions that lock endpoints and answers would deadlock."""
    await served.sweep()
    endpoint_health, result = served.ledger.endpoint_health, await fleet.run_canary("own")
    waiting = """select count(*) from pg_locks join pg_database on pg_database.oid = database
        where locktype = 'advisory' and not granted and datname = current_database()"""
    async with (
        asyncio.TaskGroup() as group,
        await psycopg.AsyncConnection.connect(database.database_conninfo) as other,
    ):
        await invalidation.lock_health_tables(other)
        group.create_task(endpoint_health.claim([OWN], every=ledger.GIVE_UP_AFTER))
        group.create_task(endpoint_health.record(OWN, result))

        await asyncio.to_thread(local.until, lambda: sql(waiting) == [(2,)] or None, seconds=10)


# ---------------------------------------------------------------- the endpoint


async def test_one_bad_replica_does_not_take_a_monitored_endpoint_out(
    served: Application, fleet: Fleet
) -> None:
    fleet.verdict = "wrong"  # of `a`, which the monitor still reports as ok
    for _ in range(5):
        await served.sweep()
    (own,) = await served.ledger.endpoint_health.all()
    assert (own.state, own.wrong, own.wrong_canaries, own.replica_reports) == ("ok", 0, 5, 5)

    fleet.verdicts = None
    for _ in range(2):
        await served.sweep()

    (own,) = await served.ledger.endpoint_health.all()
    assert (own.state, own.wrong, own.missing_replica_reports) == ("out", 2, 2)


async def test_metrics_and_the_log_show_replicas(
    served: Application, fleet: Fleet, sql: Sql, caplog: pytest.LogCaptureFixture
) -> None:
    fleet.verdicts = {"a": ("out", 100.0), "b": ("ok", 0.0)}
    await summarized(served, "a.txt")
    with caplog.at_level(logging.WARNING):
        await served.sweep()
    fleet.verdicts = None
    await served.sweep()
    sql(
        "insert into replicas (endpoint, name, state, reported_at) values ('old', 'c', 'ok', now())"
    )

    metrics = await _metrics(served)

    assert [line for line in metrics if "replica" in line] == [
        "# TYPE seamless_replica_up gauge",
        'seamless_replica_up{endpoint="own",replica="a"} 0',
        'seamless_replica_up{endpoint="own",replica="b"} 1',
        "# TYPE seamless_replica_verdicts_total counter",
        'seamless_replica_verdicts_total{endpoint="own",result="had"} 1',
        'seamless_replica_verdicts_total{endpoint="own",result="missing"} 1',
    ]
    assert [r.getMessage() for r in caplog.records if "replica" in r.getMessage()] == [
        "replica a of endpoint own is out",
        "1 documents of corrupt endpoints or replicas are queued again",
    ]


async def test_a_canary_of_an_endpoint_that_has_changed_is_not_recorded(
    served: Application, fleet: Fleet
) -> None:
    await served.sweep()
    result = await fleet.run_canary("own")
    changed = msgspec.structs.replace(OWN, model="another")

    assert await served.ledger.endpoint_health.record(changed, result) is None
    assert (await served.ledger.endpoint_health.all())[0].replica_reports == 1


async def _metrics(application: Application) -> list[str]:
    async def start(_: object) -> None:
        raise AssertionError("nothing is started")

    transport = httpx.ASGITransport(create_api(Opened(application), start))
    authorization = {"Authorization": f"Bearer {application.settings.api_token}"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://app", headers=authorization
    ) as caller:
        return (await caller.get("/metrics")).text.splitlines()
