"""Reservations of workers, and refused starts, on a real PostgreSQL.

Tests change timestamps by SQL instead of waiting.
"""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from functions.storage.ledger import Ledger
from functions.storage.worker_starts import WorkerStartState
from tests.functions.conftest import Sql

pytestmark = pytest.mark.anyio


async def queued(ledger: Ledger, count: int) -> list[UUID]:
    """Queue documents, oldest first."""
    ids = [uuid4() for _ in range(count)]
    for id_ in ids:
        await ledger.enqueue(
            id_,
            name="a.txt",
            object_key=f"incoming/{id_}",
            object_version="1",
            size=1,
            prompt_version="1",
        )
    return ids


async def test_the_oldest_documents_get_the_workers(ledger: Ledger) -> None:
    ids = await queued(ledger, 4)

    assert await ledger.worker_starts.reserve(workers=3) == ids[:3]
    assert await ledger.worker_starts.reserve(workers=3) == []


async def test_a_worker_counts_until_its_lease_ends(ledger: Ledger, sql: Sql) -> None:
    ids = await queued(ledger, 3)
    await ledger.worker_starts.reserve(workers=1)
    entry = await ledger.claim(ids[0], lease=timedelta(minutes=11))

    assert entry is not None
    assert await ledger.worker_starts.reserve(workers=1) == []
    await ledger.give_back(entry)
    assert await ledger.worker_starts.reserve(workers=1) == ids[:1]
    await ledger.claim(ids[0], lease=timedelta(minutes=11))
    sql("update documents set lease_until = now() - interval '1 s' where status = 'working'")
    assert await ledger.worker_starts.reserve(workers=2) == ids[:2]


async def test_a_worker_that_does_not_come_counts_for_two_minutes(ledger: Ledger, sql: Sql) -> None:
    (id_,) = await queued(ledger, 1)
    await ledger.worker_starts.reserve(workers=1)

    assert sql(
        """select starting_until - now() between interval '1 minute' and interval '2 minutes'
        from documents"""
    ) == [(True,)]
    sql("update documents set starting_until = now()")
    assert await ledger.worker_starts.reserve(workers=1) == [id_]


async def test_a_released_document_is_reserved_again(ledger: Ledger) -> None:
    ids = await queued(ledger, 2)
    reserved = await ledger.worker_starts.reserve(workers=2)
    await ledger.worker_starts.release(reserved[1:])

    assert await ledger.worker_starts.reserve(workers=2) == ids[1:]


async def test_concurrent_reservations_keep_the_limit(ledger: Ledger) -> None:
    ids = await queued(ledger, 12)

    found = await asyncio.gather(*(ledger.worker_starts.reserve(workers=5) for _ in range(4)))

    assert sorted(id_ for some in found for id_ in some) == sorted(ids[:5])


async def test_one_document_may_be_chosen_and_the_number_limited(ledger: Ledger) -> None:
    ids = await queued(ledger, 3)

    assert await ledger.worker_starts.reserve(workers=5, document=ids[2]) == ids[2:]
    assert await ledger.worker_starts.reserve(workers=5, document=ids[2]) == []
    assert await ledger.worker_starts.reserve(workers=5, most=1) == ids[:1]


async def test_a_document_that_is_not_due_gets_no_worker(ledger: Ledger, sql: Sql) -> None:
    await queued(ledger, 1)
    sql("update documents set not_before = now() + interval '1 minute'")

    assert await ledger.worker_starts.reserve(workers=5) == []


async def test_starts_are_refused_until_one_is_accepted_and_counted_in_total(
    ledger: Ledger, sql: Sql
) -> None:
    starts = ledger.worker_starts
    assert await starts.state() == WorkerStartState(refused=False, refused_total=0)

    await starts.refused()
    since = sql("select refused_since from worker_starts")
    await starts.refused()

    assert await starts.state() == WorkerStartState(refused=True, refused_total=2)
    assert sql("select refused_since from worker_starts") == since
    await starts.accepted()
    assert await starts.state() == WorkerStartState(refused=False, refused_total=2)
