"""A replica that drifts loses what it said, and nobody else does: neither its endpoint nor a peer.

On a real PostgreSQL; the examiner is a list of verdicts, or speaks through a transport. Time passes
by moving timestamps in SQL.
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
from functions.errors import Code
from functions.inference import replica_status
from functions.inference.canary import CanaryResult, run_canary
from functions.inference.canary_prompt import CODE, Verdict
from functions.inference.client import Client
from functions.inference.replica_status import ReplicaStatus, ReplicaStatuses, answered_by
from functions.settings import Settings
from functions.storage import invalidation, ledger
from functions.storage.entry import Entry
from functions.summary.summarize import CompletionClient
from tests.functions.conftest import Sql
from tests.functions.inference.test_router import said
from tests.support import local
from tests.support.functions.fakes import Model as Good
from tests.support.functions.fakes import summary

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
"""When what was answered so far was answered."""


# ---------------------------------------------------------------- who answered


@pytest.mark.parametrize("name", ["server-7d4b9c-x2x5q", "vllm-0", "a" * 253, "A.b_c"])
def test_a_header_names_the_replica(name: str) -> None:
    assert answered_by(httpx.Headers({"x-replica": name})) == name


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "a" * 254, "-a", 'a"b', "a\n", "<b>", "ä", "a\x1b[0m", "a,b"]
)
def test_what_can_be_no_name_is_none(name: str) -> None:
    assert answered_by(httpx.Headers([(b"x-replica", name.encode())])) is None


def test_no_header_and_two_headers_name_no_replica() -> None:
    assert answered_by(httpx.Headers({})) is None
    assert answered_by(httpx.Headers([("x-replica", "a"), ("x-replica", "b")])) is None


# ---------------------------------------------------------------- what the examiner says


@dataclass
class Cluster:
    """An endpoint with an examiner, as a transport."""

    verdicts: httpx.Response | Exception
    text: str = CODE
    replica: str | None = "a"
    authorizations: list[str] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer the canary, or tell of the replicas."""
        self.authorizations.append(request.headers["authorization"])
        if request.url.path == "/v1/chat/completions":
            answer = said(self.text)
            named = {"X-Replica": self.replica} if self.replica else {}
            return httpx.Response(200, content=answer.content, headers=named)
        assert (request.method, str(request.url)) == ("GET", OWN.replicas_url)
        if isinstance(self.verdicts, Exception):
            raise self.verdicts
        return self.verdicts

    async def examined(self) -> CanaryResult:
        """The examination that comes of it."""
        settings = local.settings(inference_endpoints=(OWN,))
        client = Client(OWN, settings, httpx.MockTransport(self))
        async with client.http:
            return await run_canary(client)


def told(*rows: object, **more: object) -> httpx.Response:
    """The examiner's answer."""
    return httpx.Response(200, json={"replicas": rows, **more})


def row(name: object = "a", state: object = "ok", age: object = 1.5) -> dict[str, object]:
    """One replica in it."""
    return {"name": name, "state": state, "good_seconds_ago": age}


async def test_the_replica_monitor_is_called_with_the_endpoints_key() -> None:
    cluster = Cluster(told(row("a"), row("b", "out", None), examined_at="unknown fields may be"))

    examined = await cluster.examined()

    assert cluster.authorizations == [f"Bearer {KEY}"] * 2
    assert (examined.verdict, examined.replica) == ("good", "a")
    assert examined.replicas is not None
    assert examined.replicas.replicas == [
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
        told(row(state="ill")),
        told(row(age=-1)),
        told(row(age=1e300)),
        told(row(age="1")),
        told({"name": "a", "state": "ok"}),
        told(row(name="")),
        told(row(name="a\n")),
        told(row(name="a b")),
        told(row(), row()),
        told(row(), filler="x" * replica_status.MAX_BYTES),
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
        examined = await Cluster(answer).examined()

    assert (examined.verdict, examined.replicas) == ("good", None)
    (line,) = [r.getMessage() for r in caplog.records if r.name == replica_status.__name__]
    assert line.startswith("endpoint own: no replica statuses: ")
    assert KEY not in line
    assert len(line) < 300
    assert line.isprintable()


async def test_an_endpoint_without_a_replica_monitor_gets_only_the_canary() -> None:
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return said(CODE)

    alone = msgspec.structs.replace(OWN, replicas_url=None)
    settings = local.settings(inference_endpoints=(alone,))
    async with (client := Client(alone, settings, httpx.MockTransport(handler))).http:
        examined = await run_canary(client)

    assert (examined.verdict, examined.replica, examined.replicas) == ("good", None, None)
    assert asked == ["/v1/chat/completions"]


@pytest.mark.parametrize(
    ("text", "replica", "verdicts", "counts"),
    [
        (CODE, "a", told(row("a")), True),
        ("Nonsense.", "a", told(row("a"), row("b")), False),
        ("Nonsense.", "a", told(row("a", "out")), False),
        ("Nonsense.", "a", httpx.Response(503), True),
        ("Nonsense.", "a", told(row("b")), True),
        ("Nonsense.", None, told(row("a")), True),
        ("Nonsense.", "a", told(), True),
    ],
    ids=["good", "judged", "judged-out", "no-verdicts", "not-judged", "nameless", "nobody"],
)
async def test_a_wrong_answer_counts_against_the_endpoint_unless_its_replica_is_monitored(
    text: str, replica: str | None, verdicts: httpx.Response, counts: bool
) -> None:
    examined = await Cluster(verdicts, text, replica).examined()

    assert examined.counts is counts


# ---------------------------------------------------------------- what becomes of documents


@dataclass
class Fleet:
    """One endpoint of several replicas; whoever is asked next answers the next document."""

    verdict: Verdict = "good"
    next: Sequence[str] = ("a",)
    verdicts: dict[str, tuple[State, float | None]] | None = None
    age: float = 0.0
    """Seconds for which the verdicts were under way."""

    def route(self, document_id: str, *, without: Collection[str] = ()) -> CompletionClient:
        """Those who are next answer together."""
        return _Replicas(self.next)

    async def run_canary(self, endpoint: str) -> CanaryResult:
        """A canary that the first of the next ones answers."""
        verdicts = None
        if self.verdicts is not None:
            rows = [
                ReplicaStatus(name=name, state=state, good_seconds_ago=age)
                for name, (state, age) in self.verdicts.items()
            ]
            verdicts = ReplicaStatuses(replicas=rows, requested_at=time.monotonic() - self.age)
        return CanaryResult(verdict=self.verdict, replica=self.next[0], replicas=verdicts)


class _Replicas(Good):
    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self._names = list(names)

    async def complete(self, **question: Any) -> Any:
        answer = await super().complete(**question)
        name = self._names[len(self.deadlines) % len(self._names)]
        usage = replace(
            answer.usage,
            endpoint="own",
            endpoints=["own"],
            inference_mode="cluster",
            replicas=[name],
        )
        return replace(answer, usage=usage)


@pytest.fixture
def fleet() -> Fleet:
    """Two healthy replicas, of which `a` answers."""
    return Fleet(verdicts={"a": ("ok", 0.0), "b": ("ok", 0.0)})


@pytest.fixture
def served(core: Application, fleet: Fleet) -> Application:
    """The application with that endpoint, whose every sweep asks its canary."""
    settings = replace(core.settings, inference_endpoints=(OWN,))
    return replace(core, settings=settings, router=fleet)


async def test_a_document_names_every_replica_that_answered_a_part(
    served: Application, fleet: Fleet
) -> None:
    from functions.api.routes import to_document

    fleet.next = ("b", "a")
    long = "The tower was built of granite in 1841. " * 2_000

    entry = await _summarized(served, "long.txt", long)

    assert entry.usage is not None
    assert (entry.status, entry.usage.endpoint, entry.usage.replicas) == ("done", "own", ["a", "b"])
    assert to_document(entry).replicas == ["a", "b"]
    stored = msgspec.json.decode((await served.store.get(f"summaries/{entry.id}.json"))[1])
    assert stored["replicas"] == ["a", "b"]


async def test_only_what_the_drifted_replica_took_part_in_since_it_was_good_is_made_again(
    served: Application, fleet: Fleet, sql: Sql
) -> None:
    trusted = await _summarized(served, "trusted.txt")
    sql(AN_HOUR_AGO)
    await served.sweep()  # both are good
    suspect = await _summarized(served, "suspect.txt")
    fleet.next = ("b",)
    other = await _summarized(served, "other.txt")

    fleet.verdicts = {"a": ("out", 100.0), "b": ("ok", 0.0)}
    due = await served.sweep()

    assert due == [suspect.id]
    waiting = await _get(served, suspect)
    assert (waiting.status, waiting.error_code) == ("queued", "CORRUPT_REPLICA")
    assert waiting.error_message == ("A replica that took part in the summary failed its canary.")
    assert waiting.error_remedy == "The document is summarized again automatically."
    assert [(await _get(served, e)).status for e in (trusted, other)] == ["done", "done"]
    await served.summarize(suspect.id)
    again = await _get(served, suspect)
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
    suspect = await _summarized(served, "a.txt")
    fleet.verdicts = {"a": ("out", None), "b": ("ok", 0.0)}
    await served.sweep()
    withdrawn = sql("select withdrawn_at from answers")
    fleet.next = ("b",)
    await served.summarize(suspect.id)

    assert [await served.sweep() for _ in range(3)] == [[], [], []]
    assert (await _get(served, suspect)).epoch == 2
    assert sql("select withdrawn_at from answers order by epoch") == [*withdrawn, (None,)]


async def test_a_part_is_enough(served: Application, fleet: Fleet) -> None:
    await served.sweep()
    fleet.next = ("b", "a")
    suspect = await _summarized(served, "long.txt", "The tower was built of granite. " * 2_000)

    fleet.verdicts = {"a": ("out", 100.0), "b": ("ok", 0.0)}

    assert await served.sweep() == [suspect.id]


@pytest.mark.parametrize(
    ("age", "made_again"), [(None, True), (0.0, False), (3000.0, False), (4000.0, True)]
)
async def test_a_replica_that_is_out_in_its_first_report_is_suspect_since_its_last_good_canary(
    served: Application, fleet: Fleet, sql: Sql, age: float | None, made_again: bool
) -> None:
    await _summarized(served, "a.txt")
    sql(AN_HOUR_AGO)

    fleet.verdicts = {"a": ("out", age)}
    due = await served.sweep()

    assert (len(due) == 1) is made_again


async def test_the_duration_of_the_request_for_statuses_counts(
    served: Application, fleet: Fleet, sql: Sql
) -> None:
    await _summarized(served, "a.txt")
    sql(
        """update answers set begun_at = now() - interval '20 seconds',
        answered_at = now() - interval '20 seconds'"""
    )

    fleet.verdicts, fleet.age = {"a": ("out", 15.0)}, 10.0

    assert len(await served.sweep()) == 1


async def test_a_right_answer_while_it_is_out_makes_nothing_trustworthy(
    served: Application, fleet: Fleet
) -> None:
    fleet.verdicts = {"a": ("out", 0.0)}
    await served.sweep()
    await _summarized(served, "a.txt")
    endpoint_health = served.ledger.endpoint_health

    # An examiner should not say so of one that is out.
    await endpoint_health.record(OWN, await fleet.run_canary("own"))

    assert await endpoint_health.requeue(limit=10) == 1


async def test_a_newer_good_canary_of_the_monitor_counts(
    served: Application, fleet: Fleet, sql: Sql
) -> None:
    fleet.verdicts = {"a": ("ok", 5000.0)}
    await served.sweep()
    await _summarized(served, "a.txt")
    sql(AN_HOUR_AGO)

    fleet.verdicts = {"a": ("out", 100.0)}

    assert await served.sweep() == []


async def test_a_good_canary_that_the_monitor_forgot_still_counts(
    served: Application, fleet: Fleet, sql: Sql
) -> None:
    trusted = await _summarized(served, "trusted.txt")
    sql(AN_HOUR_AGO)
    fleet.verdicts = {"a": ("ok", 100.0)}
    await served.sweep()
    suspect = await _summarized(served, "suspect.txt")

    fleet.verdicts = {"a": ("out", None)}

    assert await served.sweep() == [suspect.id]
    assert (await _get(served, trusted)).status == "done"


async def test_answers_of_a_replica_that_is_out_are_withdrawn(
    served: Application, fleet: Fleet
) -> None:
    fleet.verdicts = {"a": ("out", 0.0)}
    await served.sweep()
    late = await _summarized(served, "a.txt")

    assert await served.sweep() == [late.id]


@pytest.mark.parametrize("gone", [False, True], ids=["back", "gone"])
async def test_a_summary_in_progress_while_a_replica_is_out_is_withdrawn_when_it_is_finished(
    served: Application, fleet: Fleet, gone: bool
) -> None:
    entry = await _queued(served, "slow.txt")
    claimed = await served.ledger.claim(entry.id, lease=ledger.GIVE_UP_AFTER)
    assert claimed is not None
    for verdicts in [{"a": ("out", 100.0)}, {} if gone else {"a": ("ok", 0.0)}]:
        fleet.verdicts = verdicts  # type: ignore[assignment]  # of states
        await served.sweep()
    by_both = summary(endpoint="own", endpoints=["own"], replicas=["a", "b"])
    assert await served.ledger.finish(claimed, by_both, kind="text")
    fresh = await _summarized(served, "fresh.txt") if not gone else None

    assert await served.sweep() == [entry.id]

    assert (await _get(served, entry)).error_code == "CORRUPT_REPLICA"
    if fresh:
        assert (await _get(served, fresh)).status == "done"


async def test_a_replica_that_is_back_is_trusted_and_can_drift_again(
    served: Application, fleet: Fleet, sql: Sql
) -> None:
    states: list[State] = ["ok", "out", "ok"]
    for state in states:
        fleet.verdicts = {"a": (state, 0.0)}
        await served.sweep()
    first = await _summarized(served, "1.txt")
    assert await served.sweep() == []
    sql(AN_HOUR_AGO)
    second = await _summarized(served, "2.txt")

    fleet.verdicts = {"a": ("out", 100.0)}

    assert await served.sweep() == [second.id]
    assert (await _get(served, first)).status == "done"


async def test_a_name_that_two_endpoints_use_is_two_replicas(
    served: Application, fleet: Fleet, sql: Sql
) -> None:
    await _summarized(served, "a.txt")
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


async def test_sweeps_at_the_same_time_withdraw_and_queue_each_document_once(
    served: Application, fleet: Fleet, sql: Sql
) -> None:
    suspects = {(await _summarized(served, f"{number}.txt")).id for number in range(20)}
    fleet.verdicts = {"a": ("out", None), "b": ("ok", 0.0)}

    await asyncio.gather(*(served.sweep() for _ in range(8)))

    assert set(await served.ledger.due()) == suspects
    assert sql("select withdrawn_because, count(*) from answers group by 1") == [
        ("corrupt_replica", 20)
    ]


async def test_a_corrupt_endpoint_and_a_corrupt_replica_queue_a_document_once(
    served: Application, fleet: Fleet, sql: Sql
) -> None:
    suspect = await _summarized(served, "a.txt")
    fleet.verdict, fleet.verdicts = "wrong", None
    for _ in range(2):
        await served.sweep()
    fleet.verdict, fleet.verdicts = "good", {"a": ("out", None)}

    await served.sweep()

    waiting = await _get(served, suspect)
    assert (waiting.status, waiting.error_code) == ("queued", "CORRUPT_ENDPOINT")
    assert sql("select withdrawn_because from answers") == [("corrupt_endpoint",)]


async def test_changes_to_the_health_tables_wait_for_each_other(
    served: Application, fleet: Fleet, database: Settings, sql: Sql
) -> None:
    """Else one that holds an endpoint waits for answers that another holds, who waits for it."""
    await served.sweep()
    endpoint_health, examined = served.ledger.endpoint_health, await fleet.run_canary("own")
    waiting = """select count(*) from pg_locks join pg_database on pg_database.oid = database
        where locktype = 'advisory' and not granted and datname = current_database()"""
    async with (
        asyncio.TaskGroup() as group,
        await psycopg.AsyncConnection.connect(database.database_conninfo) as other,
    ):
        await invalidation.lock_health_tables(other)
        group.create_task(endpoint_health.claim([OWN], every=ledger.GIVE_UP_AFTER))
        group.create_task(endpoint_health.record(OWN, examined))

        await asyncio.to_thread(local.until, lambda: sql(waiting) == [(2,)] or None, seconds=10)


# ---------------------------------------------------------------- what becomes of the endpoint


async def test_one_bad_replica_does_not_take_a_monitored_endpoint_out(
    served: Application, fleet: Fleet
) -> None:
    fleet.verdict = "wrong"  # of `a`, whom the examiner has not caught yet
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
    await _summarized(served, "a.txt")
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
    examined = await fleet.run_canary("own")
    changed = msgspec.structs.replace(OWN, model="another")

    assert await served.ledger.endpoint_health.record(changed, examined) is None
    assert (await served.ledger.endpoint_health.all())[0].replica_reports == 1


def test_every_reason_of_a_withdrawal_is_an_error_code() -> None:
    from functions.storage.invalidation import _MESSAGES

    assert set(_MESSAGES) == {Code.CORRUPT_ENDPOINT, Code.CORRUPT_REPLICA}
    assert all(code.value == code.name for code in _MESSAGES)


# ---------------------------------------------------------------- given


async def _metrics(application: Application) -> list[str]:
    async def start(_: object) -> None:
        raise AssertionError("nothing is started")

    transport = httpx.ASGITransport(create_api(application, start))
    authorization = {"Authorization": f"Bearer {application.settings.api_token}"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://app", headers=authorization
    ) as caller:
        return (await caller.get("/metrics")).text.splitlines()


async def _queued(application: Application, name: str, text: str = "") -> Entry:
    entry, _ = await application.announce(name, 1)
    await application.store.put(
        entry.object_key, (text or "The tower was built of granite in 1841.").encode()
    )
    return await application.complete(entry)


async def _summarized(application: Application, name: str, text: str = "") -> Entry:
    entry = await _queued(application, name, text)
    await application.summarize(entry.id)
    return await _get(application, entry)


async def _get(application: Application, entry: Entry) -> Entry:
    found = await application.ledger.get(entry.id)
    assert found is not None
    return found
