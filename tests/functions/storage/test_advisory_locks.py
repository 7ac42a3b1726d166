"""The keys of the advisory locks."""

import asyncio
from pathlib import Path

import pytest

import functions
from functions.storage import advisory_locks
from functions.storage.advisory_locks import AdvisoryLock, hold
from functions.storage.ledger import Ledger


def test_all_advisory_locks_are_in_one_place_with_different_keys() -> None:
    folder = Path(functions.__file__).parent
    users = [path for path in folder.rglob("*.*") if b"pg_advisory" in path.read_bytes()]
    sources = [path for path in users if path.suffix in (".py", ".sql")]

    assert sources == [Path(advisory_locks.__file__)]
    assert len({lock.value for lock in AdvisoryLock}) == len(AdvisoryLock.__members__) == 3


@pytest.mark.anyio
async def test_a_start_of_a_worker_does_not_wait_for_the_other_locks(ledger: Ledger) -> None:
    async with ledger._pool.connection() as connection, asyncio.timeout(20):
        await hold(connection, AdvisoryLock.HEALTH_TABLES)
        await hold(connection, AdvisoryLock.MIGRATIONS)

        assert await ledger.worker_starts.reserve(workers=1) == []
