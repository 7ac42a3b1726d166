"""The ledger on a real PostgreSQL: claims, results, retries, and due documents.

Tests change timestamps by SQL instead of waiting.
"""

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from functions.errors import Code, Failure
from functions.inference.usage import Summary, Usage
from functions.settings import Settings
from functions.storage.entry import Entry
from functions.storage.ledger import MAX_LOST_LEASES, Ledger
from functions.storage.migrations import migrations
from tests.functions.conftest import Sql
from tests.support import local

pytestmark = pytest.mark.anyio

LEASE = timedelta(minutes=11)

SUMMARY = Summary(
    text="What it says.",
    usage=Usage(
        model="some-model",
        inference_mode="dedicated",
        endpoint="dedicated",
        endpoints=["dedicated", "spare"],
        replicas=["server-0", "server-1"],
        prompt_tokens=1200,
        completion_tokens=90,
        calls=3,
        cost_usd=0.0012,
    ),
)
PASSING = Failure(Code.INFERENCE_UNAVAILABLE, "It answered 503.", "Wait.", retryable=True)
LASTING = Failure(Code.ENCRYPTED, "It has a password.", "Remove the password.")
NO_UPLOAD = Failure(Code.OBJECT_MISSING, "It was not uploaded.", "Upload it again.")
NO_WORKER = Failure(Code.INTERNAL, "The worker died.", "Report it.")


@pytest.fixture
def empty(postgres: local.Server) -> Settings:
    """Settings of a database without tables."""
    return local.database_settings(postgres)


# ---------------------------------------------------------------- the schema


async def test_concurrent_processes_apply_each_migration_once(empty: Settings) -> None:
    opened = [Ledger.open(empty.database_conninfo, connections=2) for _ in range(4)]

    async def start(ledger: AbstractAsyncContextManager[Ledger]) -> None:
        async with ledger:
            pass

    await asyncio.gather(*map(start, opened))

    with psycopg.connect(empty.database_conninfo) as connection:
        names = connection.execute("select name from migrations order by name").fetchall()
    assert names == [(name,) for name, _ in migrations()]


def test_the_numbers_of_migrations_have_no_gaps() -> None:
    names = [name for name, _ in migrations()]

    assert names[0] == "0001_documents"
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))


async def test_a_migration_that_fails_leaves_nothing_behind(
    empty: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = [("0001_good", b"create table good ()"), ("0002_bad", b"create nonsense")]
    monkeypatch.setattr("functions.storage.migrations.migrations", lambda: steps)

    with pytest.raises(psycopg.errors.SyntaxError):
        async with Ledger.open(empty.database_conninfo):
            pass

    with psycopg.connect(empty.database_conninfo) as connection:
        assert connection.execute("select to_regclass('good')").fetchone() == (None,)


# ---------------------------------------------------------------- documents arrive


async def test_an_announced_document_is_not_due(ledger: Ledger) -> None:
    id_ = uuid4()

    entry = await ledger.announce(
        id_, name="a.pdf", object_key="incoming/a.pdf", size=10, prompt_version="p1"
    )

    assert entry == await ledger.get(id_)
    assert entry.usage is None
    assert (entry.id, entry.name, entry.size) == (id_, "a.pdf", 10)
    assert (entry.status, entry.object_version, entry.attempts) == ("uploading", "", 0)
    assert await ledger.due() == []


async def test_an_announced_document_is_queued_with_its_version_and_real_size(
    ledger: Ledger,
) -> None:
    announced = await _announced(ledger, "incoming/a.pdf")

    entry = await _enqueue(ledger, "incoming/a.pdf", "v1", size=77, name="other name")

    assert entry is not None
    assert (entry.id, entry.name) == (announced.id, announced.name)
    assert (entry.status, entry.object_version, entry.size) == ("queued", "v1", 77)
    assert await ledger.due() == [announced.id]


async def test_an_object_that_was_not_announced_has_its_own_row(ledger: Ledger) -> None:
    entry = await _enqueue(ledger, "incoming/dropped.pdf", "v1")

    assert entry is not None
    assert (entry.status, entry.name) == ("queued", "dropped.pdf")


@pytest.mark.parametrize("announced", [True, False])
async def test_ten_concurrent_calls_queue_and_claim_one_version_once(
    ledger: Ledger, sql: Sql, announced: bool
) -> None:
    if announced:
        await _announced(ledger, "incoming/a.pdf")

    entries = await asyncio.gather(*(_enqueue(ledger, "incoming/a.pdf", "v1") for _ in range(10)))

    (entry,) = filter(None, entries)
    assert sql("select count(*) from documents") == [(1,)]
    claims = await asyncio.gather(*(ledger.claim(entry.id, lease=LEASE) for _ in range(10)))
    assert [claim.epoch for claim in claims if claim] == [1]


async def test_another_version_and_another_prompt_have_other_rows(ledger: Ledger) -> None:
    first = await _enqueue(ledger, "incoming/a.pdf", "v1")
    overwritten = await _enqueue(ledger, "incoming/a.pdf", "v2")
    other_prompt = await _enqueue(ledger, "incoming/a.pdf", "v1", prompt_version="p2")

    assert len({entry.id for entry in (first, overwritten, other_prompt) if entry}) == 3


# ---------------------------------------------------------------- work on documents


async def test_a_claim_starts_an_epoch_and_a_lease_until_it_is_released(ledger: Ledger) -> None:
    queued = await _queued(ledger)

    entry = await ledger.claim(queued.id, lease=LEASE)

    assert entry is not None
    assert (entry.status, entry.epoch, entry.attempts, entry.lost_leases) == ("working", 1, 1, 0)
    assert entry.lease_until is not None
    assert entry.lease_until - entry.updated_at == LEASE
    assert await ledger.due() == []

    assert await ledger.give_back(entry)

    back = await _get(ledger, entry.id)
    assert (back.status, back.attempts, back.lost_leases) == ("queued", 0, 0)
    assert await ledger.due() == [entry.id]
    again = await ledger.claim(entry.id, lease=LEASE)
    assert again is not None
    assert again.epoch == 2


@pytest.mark.parametrize("status", ["uploading", "working", "done", "failed", "unknown"])
async def test_only_a_document_that_is_due_can_be_claimed(ledger: Ledger, status: str) -> None:
    entry = await _in_status(ledger, status)

    assert await ledger.claim(entry.id if entry else uuid4(), lease=LEASE) is None


@pytest.mark.parametrize("cost", [0.0012, None])
async def test_a_finished_document_has_its_summary_and_usage(
    ledger: Ledger, cost: float | None
) -> None:
    entry, usage = await _claimed(ledger), replace(SUMMARY.usage, cost_usd=cost)

    assert await ledger.finish(entry, replace(SUMMARY, usage=usage), kind="pdf")

    done = await _get(ledger, entry.id)
    assert (done.status, done.lease_until, done.error_code) == ("done", None, None)
    assert (done.summary, done.kind, done.usage) == (SUMMARY.text, "pdf", usage)


async def test_the_database_refuses_a_blank_summary(ledger: Ledger) -> None:
    entry = await _claimed(ledger)

    with pytest.raises(psycopg.errors.CheckViolation):
        await ledger.finish(entry, replace(SUMMARY, text="  "), kind="pdf")

    assert (await _get(ledger, entry.id)).status == "working"


async def test_progress_grows_until_the_next_claim_resets_it(ledger: Ledger, sql: Sql) -> None:
    entry = await _claimed(ledger)

    assert await ledger.progress(entry, done=0, total=5)
    assert await ledger.progress(entry, done=3, total=5)
    assert await ledger.progress(entry, done=2, total=5)  # calls finish in any order
    now = await _get(ledger, entry.id)
    assert (now.calls_done, now.calls_total) == (3, 5)

    _expire_leases(sql)
    again = await ledger.claim(entry.id, lease=LEASE)
    assert again is not None
    assert (again.calls_done, again.calls_total) == (0, 0)


# ---------------------------------------------------------------- lost workers


async def test_an_expired_lease_is_claimed_under_a_higher_epoch(ledger: Ledger, sql: Sql) -> None:
    first = await _claimed(ledger)
    assert await ledger.due() == []

    _expire_leases(sql)

    assert await ledger.due() == [first.id]
    second = await ledger.claim(first.id, lease=LEASE)
    assert second is not None
    assert (second.epoch, second.attempts, second.lost_leases) == (2, 2, 1)


@pytest.mark.parametrize("done", [False, True], ids=["working", "done"])
async def test_a_worker_that_lost_its_lease_writes_nothing(
    ledger: Ledger, sql: Sql, done: bool
) -> None:
    replaced = await _claimed(ledger)
    _expire_leases(sql)
    successor = await ledger.claim(replaced.id, lease=LEASE)
    assert successor is not None
    if done:
        await ledger.finish(successor, SUMMARY, kind="pdf")
    before = await _get(ledger, replaced.id)

    assert not await ledger.finish(replaced, replace(SUMMARY, text="Stale."), kind="pdf")
    assert not await ledger.fail(replaced, LASTING)
    assert not await ledger.give_back(replaced)
    assert not await ledger.progress(replaced, done=1, total=2)

    assert await ledger.get(replaced.id) == before
    assert sql("select count(*) from answers") == [(int(done),)]


async def test_a_worker_with_an_expired_lease_may_finish_before_another_claim(
    ledger: Ledger, sql: Sql
) -> None:
    entry = await _claimed(ledger)
    _expire_leases(sql)

    assert await ledger.finish(entry, SUMMARY, kind="pdf")
    assert await ledger.due() == []


async def test_a_document_that_kills_its_workers_is_failed(ledger: Ledger, sql: Sql) -> None:
    entry = await _claimed(ledger)
    for _ in range(MAX_LOST_LEASES):
        _expire_leases(sql)
        assert await ledger.claim(entry.id, lease=LEASE) is not None
        assert await ledger.abandon(uploads=NO_UPLOAD, workers=NO_WORKER) == {}
    _expire_leases(sql)
    assert await ledger.due() == []
    assert await ledger.claim(entry.id, lease=LEASE) is None

    abandoned = await ledger.abandon(uploads=NO_UPLOAD, workers=NO_WORKER)

    assert abandoned == {entry.id: NO_WORKER}
    failed = await _get(ledger, entry.id)
    assert (failed.status, failed.error_code) == ("failed", "INTERNAL")
    assert (failed.error_message, failed.error_remedy) == (NO_WORKER.message, NO_WORKER.remedy)
    assert failed.attempts == 1 + MAX_LOST_LEASES


# ---------------------------------------------------------------- failures


async def test_a_lasting_failure_fails_a_document_with_its_reason(ledger: Ledger) -> None:
    entry = await _claimed(ledger)

    assert await ledger.fail(entry, LASTING)

    failed = await _get(ledger, entry.id)
    assert (failed.status, failed.lease_until) == ("failed", None)
    assert (failed.error_code, failed.error_message, failed.error_remedy) == (
        "ENCRYPTED",
        LASTING.message,
        LASTING.remedy,
    )
    assert await ledger.due() == []


async def test_a_passing_failure_queues_a_document_for_later(ledger: Ledger, sql: Sql) -> None:
    entry = await _claimed(ledger)

    await ledger.fail(entry, PASSING)

    waiting = await _get(ledger, entry.id)
    assert (waiting.status, waiting.error_code) == ("queued", "INFERENCE_UNAVAILABLE")
    assert await ledger.due() == []
    assert await ledger.claim(entry.id, lease=LEASE) is None

    sql("update documents set not_before = now()")

    assert await ledger.due() == [entry.id]
    again = await ledger.claim(entry.id, lease=LEASE)
    assert again is not None
    assert (again.error_code, again.not_before) == (None, None)


@pytest.mark.parametrize(
    ("attempts", "retry_after", "seconds"),
    [
        *((1, None, 5), (2, None, 10), (3, None, 20), (6, None, 160), (7, None, 300)),
        *((30, None, 300), (100_000, None, 300)),
        *((3, 0.0, 20), (3, 19.5, 20), (3, 20.5, 20.5), (3, 7200, 7200)),
    ],
)
async def test_the_pause_is_the_longer_of_retry_after_and_back_off(
    ledger: Ledger, sql: Sql, attempts: int, retry_after: float | None, seconds: float
) -> None:
    entry = await _claimed(ledger)
    sql("update documents set attempts = %s", attempts)

    await ledger.fail(entry, Failure(**{**vars(PASSING), "retry_after": retry_after}))

    waiting = await _get(ledger, entry.id)
    assert waiting.not_before is not None
    assert waiting.not_before - waiting.updated_at == timedelta(seconds=seconds)


async def test_an_outage_of_a_day_fails_a_document(ledger: Ledger, sql: Sql) -> None:
    entry = await _claimed(ledger)
    sql("update documents set queued_at = now() - interval '23 hours 59 minutes'")
    await ledger.fail(entry, PASSING)
    assert (await _get(ledger, entry.id)).status == "queued"

    sql("update documents set queued_at = now() - interval '24 hours 1 s', not_before = now()")
    last = await ledger.claim(entry.id, lease=LEASE)
    assert last is not None
    await ledger.fail(last, PASSING)

    failed = await _get(ledger, entry.id)
    assert (failed.status, failed.error_code) == ("failed", "INFERENCE_UNAVAILABLE")
    assert failed.error_message == PASSING.message
    assert (
        failed.error_remedy == "It was retried for 24 hours; fix the cause and retry the document."
    )


async def test_the_day_of_an_announced_document_starts_with_its_upload(
    ledger: Ledger, sql: Sql
) -> None:
    announced = await _announced(ledger, "incoming/a.pdf")
    sql("update documents set created_at = now() - interval '25 hours'")
    await _enqueue(ledger, "incoming/a.pdf", "v1")
    entry = await ledger.claim(announced.id, lease=LEASE)
    assert entry is not None

    await ledger.fail(entry, PASSING)

    assert (await _get(ledger, entry.id)).status == "queued"


async def test_a_retry_starts_another_day(ledger: Ledger, sql: Sql) -> None:
    entry = await _claimed(ledger)
    sql("update documents set queued_at = now() - interval '25 hours'")
    await ledger.fail(entry, PASSING)
    await ledger.retry(entry.id)
    again = await ledger.claim(entry.id, lease=LEASE)
    assert again is not None

    await ledger.fail(again, PASSING)

    assert (await _get(ledger, entry.id)).status == "queued"


async def test_a_missing_upload_is_failed_after_a_day(ledger: Ledger, sql: Sql) -> None:
    old, young = [await _announced(ledger, f"incoming/{name}") for name in ("old", "young")]
    sql("update documents set created_at = now() - interval '24 hours 1 s' where id = %s", old.id)

    abandoned = await ledger.abandon(uploads=NO_UPLOAD, workers=NO_WORKER)

    assert abandoned == {old.id: NO_UPLOAD}
    failed = await _get(ledger, old.id)
    assert (failed.status, failed.error_code) == ("failed", "OBJECT_MISSING")
    assert (await _get(ledger, young.id)).status == "uploading"


async def test_a_failed_document_can_be_queued_again(ledger: Ledger, sql: Sql) -> None:
    entry = await _claimed(ledger)
    await ledger.fail(entry, LASTING)
    sql("update documents set lost_leases = 3, not_before = now() + interval '1 hour'")

    again = await ledger.retry(entry.id)

    assert again is not None
    assert (again.status, again.error_code, again.lost_leases) == ("queued", None, 0)
    assert await ledger.due() == [entry.id]


async def test_a_retry_of_a_missing_upload_waits_for_it_again(ledger: Ledger, sql: Sql) -> None:
    entry = await _announced(ledger, "incoming/late.pdf")
    sql("update documents set created_at = now() - interval '25 hours'")
    await ledger.abandon(uploads=NO_UPLOAD, workers=NO_WORKER)

    again = await ledger.retry(entry.id)

    assert again is not None
    assert again.status == "uploading"


@pytest.mark.parametrize("status", ["uploading", "queued", "working", "done", "unknown"])
async def test_only_a_failed_document_is_retried(ledger: Ledger, status: str) -> None:
    entry = await _in_status(ledger, status)

    assert await ledger.retry(entry.id if entry else uuid4()) is None


# ---------------------------------------------------------------- reading


async def test_due_documents_are_the_oldest_up_to_a_limit(ledger: Ledger) -> None:
    entries = [await _queued(ledger, f"incoming/{number}") for number in range(5)]

    assert await ledger.due() == [entry.id for entry in entries]
    assert await ledger.due(limit=2) == [entry.id for entry in entries[:2]]


async def test_objects_without_a_row_are_unknown(ledger: Ledger) -> None:
    await _queued(ledger, "incoming/known.pdf")  # version v1
    await _announced(ledger, "incoming/announced.pdf")

    unknown = await ledger.unknown(
        [
            ("incoming/known.pdf", "v1"),
            ("incoming/known.pdf", "v2"),
            ("incoming/announced.pdf", "v1"),
            ("incoming/new.pdf", "v1"),
        ]
    )

    assert unknown == {
        ("incoming/known.pdf", "v2"),
        ("incoming/announced.pdf", "v1"),
        ("incoming/new.pdf", "v1"),
    }
    assert await ledger.unknown([]) == set()


async def test_an_object_with_a_row_of_another_prompt_is_known(ledger: Ledger) -> None:
    await _enqueue(ledger, "incoming/a.pdf", "v1", prompt_version="p0")

    assert await ledger.unknown([("incoming/a.pdf", "v1")]) == set()


async def test_new_documents_do_not_move_the_next_page(ledger: Ledger) -> None:
    old = [await _queued(ledger, f"incoming/{number}") for number in range(4)]
    first = await ledger.page(limit=2)
    await _queued(ledger, "incoming/new")

    second = await ledger.page(limit=2, before=(first[-1].created_at, first[-1].id))

    assert [entry.id for entry in [*first, *second]] == [entry.id for entry in reversed(old)]


async def test_totals_count_documents_and_usage_by_status(ledger: Ledger) -> None:
    assert await ledger.totals() == []
    for name in ("a", "b"):
        await ledger.finish(await _claimed(ledger, f"incoming/{name}"), SUMMARY, kind="pdf")
    await ledger.fail(await _claimed(ledger, "incoming/c"), LASTING)

    assert await ledger.totals() == [("done", 2, 6, 2400, 180), ("failed", 1, 0, 0, 0)]


async def test_a_column_of_a_newer_migration_is_ignored(ledger: Ledger, sql: Sql) -> None:
    entry = await _queued(ledger)
    sql("alter table documents add column newer integer default 1")
    try:
        assert await ledger.page(limit=10) == [entry]
    finally:
        sql("alter table documents drop column newer")


async def test_times_are_in_utc(ledger: Ledger) -> None:
    entry = await _queued(ledger)

    assert abs(entry.created_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert entry.created_at.utcoffset() == timedelta(0)


async def test_any_text_is_stored_unchanged(ledger: Ledger) -> None:
    odd = "naïve 🗿 ' \" \\ % {} \r\n\t \u202e \ufffd"
    entry = await _claimed(ledger, f"incoming/{odd}")

    await ledger.finish(entry, replace(SUMMARY, text=odd), kind="pdf")

    done = await _get(ledger, entry.id)
    assert (done.summary, done.object_key) == (odd, f"incoming/{odd}")


# ---------------------------------------------------------------- the database is unreachable


async def test_a_closed_connection_is_replaced(ledger: Ledger, sql: Sql) -> None:
    assert await ledger.ping()

    sql(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid()"
    )

    assert await ledger.ping()
    assert await ledger.due() == []


async def test_an_outage_is_an_operational_error_and_fails_the_ping(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with local.postgres(tmp_path_factory.mktemp("away")) as server:
        conninfo = local.database_settings(server).database_conninfo
        async with Ledger.open(conninfo, connections=1, patience_seconds=0.5) as ledger:
            assert await ledger.ping()

            server.postgres.daemon.stop()

            assert not await ledger.ping()
            with pytest.raises(psycopg.OperationalError):
                await ledger.get(uuid4())


async def _announced(ledger: Ledger, key: str) -> Entry:
    return await ledger.announce(
        uuid4(), name=key.rpartition("/")[2], object_key=key, size=10, prompt_version="p1"
    )


async def _enqueue(
    ledger: Ledger,
    key: str,
    version: str,
    *,
    size: int = 10,
    name: str | None = None,
    prompt_version: str = "p1",
) -> Entry | None:
    return await ledger.enqueue(
        uuid4(),
        name=name or key.rpartition("/")[2],
        object_key=key,
        object_version=version,
        size=size,
        prompt_version=prompt_version,
    )


async def _queued(ledger: Ledger, key: str = "incoming/a.pdf") -> Entry:
    entry = await _enqueue(ledger, key, "v1")
    assert entry is not None
    return entry


async def _claimed(ledger: Ledger, key: str = "incoming/a.pdf") -> Entry:
    entry = await ledger.claim((await _queued(ledger, key)).id, lease=LEASE)
    assert entry is not None
    return entry


async def _in_status(ledger: Ledger, status: str) -> Entry | None:
    """A document in this status; None for `unknown`."""
    match status:
        case "unknown":
            return None
        case "uploading":
            return await _announced(ledger, "incoming/a.pdf")
        case "queued":
            return await _queued(ledger)
    entry = await _claimed(ledger)
    if status == "done":
        await ledger.finish(entry, SUMMARY, kind="pdf")
    if status == "failed":
        await ledger.fail(entry, LASTING)
    return entry


async def _get(ledger: Ledger, id_: UUID) -> Entry:
    entry = await ledger.get(id_)
    assert entry is not None
    return entry


def _expire_leases(sql: Sql) -> None:
    sql("update documents set lease_until = now() - interval '1 s' where status = 'working'")
