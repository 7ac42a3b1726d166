"""The advisory locks of the application's database; their keys are one space per database."""

from enum import IntEnum, unique
from typing import Any

from psycopg import AsyncConnection


@unique
class AdvisoryLock(IntEnum):
    """What a lock is for, and its key."""

    MIGRATIONS = 0x5EA31E55
    HEALTH_TABLES = 0x5EA31E56
    WORKER_STARTS = 0x5EA31E57


async def hold(connection: AsyncConnection[Any], lock: AdvisoryLock) -> None:
    """Wait for a lock, and hold it until the transaction ends."""
    await connection.execute("select pg_advisory_xact_lock(%s::bigint)", [lock.value])
