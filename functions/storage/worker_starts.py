"""The starts of workers, where one function calls another: how many, and whether any is refused.

A document counts as one worker from its reservation to the end of its lease. All times are the
database's.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, LiteralString
from uuid import UUID

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from functions.storage.advisory_locks import AdvisoryLock, hold

START_EXPIRES = timedelta(minutes=2)
"""A worker that has not claimed its document after this time does not come."""


@dataclass(frozen=True, kw_only=True)
class WorkerStartState:
    """The outcome of the last start, and the number of refused ones."""

    refused: bool
    refused_total: int


class WorkerStarts:
    """Reservations of workers, and the table `worker_starts`. Every method is one transaction.

    Each raises `psycopg.OperationalError` when the database is unreachable.
    """

    def __init__(
        self, pool: AsyncConnectionPool[AsyncConnection[Any]], *, due: LiteralString, lost: int
    ) -> None:
        """Args:
        due: SQL condition of documents that are due.
        lost: Its parameter of this name.
        """
        self._pool = pool
        self._due: LiteralString = due
        self._lost = lost

    async def reserve(
        self, *, workers: int, document: UUID | None = None, most: int | None = None
    ) -> list[UUID]:
        """Reserve a worker for each of the oldest due documents, up to `workers` in total.

        Args:
            workers: Most workers at the same time; those that work already count.
            document: The only document to consider; None for every one.
            most: Most documents to reserve now.
        """
        condition: LiteralString = "" if document is None else "and id = %(id)s"
        async with self._pool.connection() as connection:
            await hold(connection, AdvisoryLock.WORKER_STARTS)
            cursor = await connection.execute(
                f"""with chosen as (
                    select id, created_at from documents
                    where ({self._due}) {condition}
                        and (starting_until is null or starting_until <= now())
                    order by created_at limit least(%(most)s::bigint, greatest(0, %(workers)s - (
                        select count(*) from documents
                        where (status = 'working' and lease_until > now())
                            or (status in ('queued', 'working') and starting_until > now())))))
                , reserved as (
                    update documents set starting_until = now() + %(expires)s
                    where id in (select id from chosen))
                select id from chosen order by created_at""",
                {
                    "id": document,
                    "lost": self._lost,
                    "most": most,
                    "workers": workers,
                    "expires": START_EXPIRES,
                },
            )
            return [id_ for (id_,) in await cursor.fetchall()]

    async def release(self, documents: list[UUID]) -> None:
        """Give reservations back: no worker was started."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "update documents set starting_until = null where id = any(%s)", [documents]
            )

    async def accepted(self) -> None:
        """Record that the platform accepted a start."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "update worker_starts set refused_since = null where refused_since is not null"
            )

    async def refused(self) -> None:
        """Record that the platform refused a start for good, such as for a revoked key."""
        async with self._pool.connection() as connection:
            await connection.execute(
                """insert into worker_starts as known (refused_since, refused) values (now(), 1)
                on conflict (id) do update set refused = known.refused + 1,
                    refused_since = coalesce(known.refused_since, now())"""
            )

    async def state(self) -> WorkerStartState:
        """The present state."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "select refused_since is not null, refused from worker_starts"
            )
            refused, total = await cursor.fetchone() or (False, 0)
            return WorkerStartState(refused=refused, refused_total=total)
