"""The ledger: the PostgreSQL table of all documents, their status and their summaries.

One permanent row per (object, version, prompt version): a repeated event finds its row. A worker
holds a row by a lease and writes only under the epoch of its claim, so that a worker that was
presumed dead cannot overwrite its successor. All times are the database's.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID

from psycopg import AsyncConnection, InterfaceError, OperationalError
from psycopg_pool import AsyncConnectionPool

from functions.errors import Code, Failure
from functions.inference.usage import Summary
from functions.storage.endpoint_health import EndpointHealthStore
from functions.storage.entry import COLUMNS, Entry, entries
from functions.storage.migrations import migrate
from functions.storage.worker_starts import WorkerStarts

DATABASE_ERRORS = (OperationalError, InterfaceError)
"""What psycopg raises when the database is unreachable or a connection is lost."""

MAX_LOST_LEASES = 3
"""A document is failed after so many workers in a row vanished while they worked on it."""

PARKED_FOR = timedelta(hours=1)
"""When a parked document is tried again if `unpark` does not start it earlier."""

MAX_INTERRUPTIONS = 3
"""A document is failed after so many attempts that paid for requests and then lost the model."""

GIVE_UP_AFTER = timedelta(hours=24)
"""How long a document is retried during an outage before it is failed."""


class Ledger:
    """The table `documents`. Every method is one transaction.

    Each raises one of `DATABASE_ERRORS` when the database is unreachable.
    """

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._pool = pool
        self.endpoint_health = EndpointHealthStore(pool)
        self.worker_starts = WorkerStarts(pool, due=_DUE, lost=MAX_LOST_LEASES)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        conninfo: str,
        *,
        connections: int = 8,
        idle_seconds: int | None = None,
        patience_seconds: float = 10.0,
    ) -> AsyncIterator["Ledger"]:
        """Connect, bring the schema up to date, and close the connections at the end.

        A method raises `psycopg.OperationalError` after `patience_seconds` without a connection.

        Args:
            idle_seconds: The server closes a connection that is idle for so long, also that of a
                frozen process; None for never. Not for a pooler, which shares its connections.
        """

        async def configure(connection: AsyncConnection[Any]) -> None:
            if idle_seconds is not None:
                await connection.execute(f"set idle_session_timeout = '{idle_seconds:d}s'".encode())
                await connection.commit()

        async with AsyncConnectionPool(
            conninfo,
            min_size=1,
            max_size=connections,
            timeout=patience_seconds,
            check=AsyncConnectionPool.check_connection,
            configure=configure,
            # A transaction pooler such as PgBouncer loses prepared statements.
            kwargs={"prepare_threshold": None},
            open=False,
        ) as pool:
            async with pool.connection() as connection:
                await migrate(connection)
            yield cls(pool)

    async def ping(self) -> bool:
        """True when the database answers within two seconds."""
        try:
            async with self._pool.connection(timeout=2) as connection:
                await connection.execute("select 1")
        except DATABASE_ERRORS:
            return False
        return True

    # ------------------------------------------------------------ documents arrive

    async def announce(
        self, id_: UUID, *, name: str, object_key: str, size: int, prompt_version: str
    ) -> Entry:
        """Add a document whose upload is about to start."""
        return await self._one(
            f"""insert into documents (id, name, object_key, prompt_version, size, status)
            values (%(id)s, %(name)s, %(key)s, %(prompt)s, %(size)s, 'uploading')
            returning {COLUMNS}""",
            {"id": id_, "name": name, "key": object_key, "prompt": prompt_version, "size": size},
        )

    async def enqueue(
        self,
        id_: UUID,
        *,
        name: str,
        object_key: str,
        object_version: str,
        size: int,
        prompt_version: str,
    ) -> Entry | None:
        """Queue an object version that is in the store; None when it has a row already.

        The version goes into the row that was announced for this object, else into a new row.
        """
        values = {
            "id": id_,
            "name": name,
            "key": object_key,
            "version": object_version,
            "prompt": prompt_version,
            "size": size,
        }
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=entries)
            await cursor.execute(
                f"""update documents set object_version = %(version)s, size = %(size)s,
                    status = 'queued', queued_at = now(), updated_at = now()
                where object_key = %(key)s and prompt_version = %(prompt)s and object_version = ''
                    and not exists (select from documents where object_key = %(key)s
                        and object_version = %(version)s and prompt_version = %(prompt)s)
                returning {COLUMNS}""",
                values,
            )
            if announced := await cursor.fetchone():
                return announced
            await cursor.execute(
                f"""insert into documents
                    (id, name, object_key, object_version, prompt_version, size, status, queued_at)
                values (%(id)s, %(name)s, %(key)s, %(version)s, %(prompt)s, %(size)s, 'queued',
                    now())
                on conflict do nothing returning {COLUMNS}""",
                values,
            )
            return await cursor.fetchone()

    # ------------------------------------------------------------ work on documents

    async def claim(self, id_: UUID, *, lease: timedelta) -> Entry | None:
        """Start a claim on a document that is due; None when it is not due."""
        return await self._optional(
            f"""update documents set status = 'working', epoch = epoch + 1, attempts = attempts + 1,
                lost_leases = lost_leases + (status = 'working')::int,
                lease_until = now() + %(lease)s, not_before = null, starting_until = null,
                calls_done = 0, calls_total = 0,
                error_code = null, error_message = null, error_remedy = null, updated_at = now()
            where id = %(id)s and ({_DUE}) returning {COLUMNS}""",
            {"id": id_, "lease": lease, "lost": MAX_LOST_LEASES},
        )

    async def progress(self, entry: Entry, *, done: int, total: int) -> bool:
        """Write the number of finished model calls; False when the claim was lost."""
        return await self._changed(
            """update documents set calls_done = greatest(calls_done, %(done)s),
                calls_total = %(total)s, updated_at = now()
            where id = %(id)s and epoch = %(epoch)s and status = 'working'""",
            {"id": entry.id, "epoch": entry.epoch, "done": done, "total": total},
        )

    async def finish(self, entry: Entry, summary: Summary, *, kind: str) -> bool:
        """Write the summary of a claimed document; False, and no change, when the claim was lost.

        Tokens, calls and cost are added to those of earlier, withdrawn summaries of the document.
        """
        return await self._changed(
            """with written as (
                update documents set status = 'done', lease_until = null, kind = %(kind)s,
                    summary = %(text)s, model = %(model)s, inference_mode = %(inference_mode)s,
                    prompt_tokens = coalesce(prompt_tokens, 0) + %(prompt_tokens)s,
                    completion_tokens = coalesce(completion_tokens, 0) + %(completion_tokens)s,
                    cost_usd = case when calls is null then 0 else cost_usd end
                        + %(cost_usd)s::double precision,
                    calls = coalesce(calls, 0) + %(calls)s, updated_at = now()
                where id = %(id)s and epoch = %(epoch)s and status = 'working'
                returning id, epoch)
            insert into answers (document, epoch, endpoint, endpoints, replicas, begun_at)
            select id, epoch, %(endpoint)s, %(endpoints)s, %(replicas)s::text[], %(begun_at)s
            from written""",
            {
                "id": entry.id,
                "epoch": entry.epoch,
                "kind": kind,
                "text": summary.text,
                "begun_at": entry.updated_at,  # the time of the claim
                **asdict(summary.usage),
            },
        )

    async def fail(self, entry: Entry, failure: Failure) -> bool:
        """Queue a claimed document again after a retryable failure, else fail it.

        The next attempt starts after `retry_after` seconds, or after a back-off that doubles from
        five seconds to five minutes, whichever is longer. After 24 hours in the queue the document
        fails. False when the claim was lost.
        """
        return await self._changed(
            """update documents set lease_until = null, updated_at = now(),
                status = case when %(retryable)s and queued_at > now() - %(give_up)s
                    then 'queued' else 'failed' end,
                not_before = now() + make_interval(secs => greatest(%(after)s,
                    least(300, 5 * 2 ^ least(attempts - 1, 10)))),
                error_code = %(code)s, error_message = %(message)s,
                error_remedy = case when %(retryable)s and queued_at <= now() - %(give_up)s
                    then %(gave_up)s else %(remedy)s end
            where id = %(id)s and epoch = %(epoch)s and status = 'working'""",
            {
                "id": entry.id,
                "epoch": entry.epoch,
                "retryable": failure.retryable,
                "give_up": GIVE_UP_AFTER,
                "gave_up": "It was retried for 24 hours; fix the cause and retry the document.",
                "after": failure.retry_after or 0.0,
                "code": failure.code.value,
                "message": failure.message,
                "remedy": failure.remedy,
            },
        )

    async def give_back(self, entry: Entry) -> bool:
        """Release a claim without counting the attempt, because its worker is being stopped."""
        return await self._changed(
            """update documents set status = 'queued', lease_until = null, not_before = null,
                attempts = attempts - 1, updated_at = now()
            where id = %(id)s and epoch = %(epoch)s and status = 'working'""",
            {"id": entry.id, "epoch": entry.epoch},
        )

    async def park(self, entry: Entry, failure: Failure) -> bool:
        """Release a claim until an endpoint has its model again; False when the claim was lost.

        The attempt does not count, and the 24 hours of the queue begin again. A claim that may
        have had an answer is an interruption: its requests are paid for again, so their number is
        limited. The only request of a short document had none.
        """
        return await self._changed(
            f"""update documents set lease_until = null, updated_at = now(),
                interruptions = interruptions + {_MAY_HAVE_COST},
                status = case when interruptions + {_MAY_HAVE_COST} >= %(most)s
                    then 'failed' else 'queued' end,
                attempts = attempts - 1, queued_at = now(), not_before = now() + %(parked_for)s,
                error_code = %(code)s, error_message = %(message)s,
                error_remedy = case when interruptions + {_MAY_HAVE_COST} >= %(most)s
                    then %(gave_up)s else %(remedy)s end
            where id = %(id)s and epoch = %(epoch)s and status = 'working'""",
            {
                "id": entry.id,
                "epoch": entry.epoch,
                "parked_for": PARKED_FOR,
                "most": MAX_INTERRUPTIONS,
                "gave_up": f"The model was gone in {MAX_INTERRUPTIONS} attempts, whose requests "
                "cost; set another model or endpoint, then retry the document.",
                "code": failure.code.value,
                "message": failure.message,
                "remedy": failure.remedy,
            },
        )

    async def unpark(self) -> int:
        """Make the parked documents due; return their number.

        A document that was interrupted more than once waits for its time.
        """
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """update documents set not_before = null, queued_at = now(), updated_at = now()
                where status = 'queued' and error_code = %s and not_before > now()
                    and interruptions < 2""",
                [Code.MODEL_NOT_FOUND.value],
            )
            return cursor.rowcount

    async def retry(self, id_: UUID) -> Entry | None:
        """Queue a failed document again; None when it is not failed."""
        return await self._optional(
            f"""update documents set not_before = null, lost_leases = 0, interruptions = 0,
                updated_at = now(),
                status = case when object_version = '' then 'uploading' else 'queued' end,
                queued_at = now(),
                error_code = null, error_message = null, error_remedy = null
            where id = %(id)s and status = 'failed' returning {COLUMNS}""",
            {"id": id_},
        )

    # ------------------------------------------------------------ the sweep

    async def due(self, *, limit: int = 100) -> list[UUID]:
        """Documents that are due, oldest first."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                f"select id from documents where {_DUE} order by created_at limit %(limit)s",
                {"limit": limit, "lost": MAX_LOST_LEASES},
            )
            return [id_ for (id_,) in await cursor.fetchall()]

    async def abandon(self, *, uploads: Failure, workers: Failure) -> dict[UUID, Failure]:
        """Fail uploads that did not arrive in 24 hours, and documents that lost too many workers.

        Returns the documents with their failures.
        """
        failed: dict[UUID, Failure] = {}
        ends: list[tuple[Failure, LiteralString]] = [
            (uploads, "status = 'uploading' and created_at < now() - %(give_up)s"),
            (
                workers,
                "status = 'working' and lease_until < now() and lost_leases >= %(lost)s",
            ),
        ]
        async with self._pool.connection() as connection:
            for failure, condition in ends:
                cursor = await connection.execute(
                    f"""update documents set status = 'failed', lease_until = null,
                        updated_at = now(), error_code = %(code)s,
                        error_message = %(message)s, error_remedy = %(remedy)s
                    where {condition} returning id""",
                    {
                        "give_up": GIVE_UP_AFTER,
                        "lost": MAX_LOST_LEASES,
                        "code": failure.code.value,
                        "message": failure.message,
                        "remedy": failure.remedy,
                    },
                )
                failed |= {id_: failure for (id_,) in await cursor.fetchall()}
        return failed

    async def unknown(self, objects: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        """The (key, version) pairs among these that have no row under any prompt version."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """select key, version from unnest(%(keys)s::text[], %(versions)s::text[])
                    as seen (key, version)
                where not exists (select from documents
                    where object_key = key and object_version = version)""",
                {"keys": [k for k, _ in objects], "versions": [v for _, v in objects]},
            )
            return {(key, version) for key, version in await cursor.fetchall()}

    # ------------------------------------------------------------ reading

    async def get(self, id_: UUID) -> Entry | None:
        """One document."""
        return await self._optional(
            f"select {COLUMNS} from documents where id = %(id)s", {"id": id_}
        )

    async def find(self, object_key: str, object_version: str, prompt_version: str) -> Entry | None:
        """The document of an object version."""
        return await self._optional(
            f"""select {COLUMNS} from documents where object_key = %(key)s
                and object_version = %(version)s and prompt_version = %(prompt)s""",
            {"key": object_key, "version": object_version, "prompt": prompt_version},
        )

    async def page(self, *, limit: int, before: tuple[datetime, UUID] | None = None) -> list[Entry]:
        """Documents, newest first, that follow the given (created_at, id)."""
        condition: LiteralString = "where (created_at, id) < (%(time)s, %(id)s)" if before else ""
        return await self._all(
            f"""select {COLUMNS} from documents {condition}
            order by created_at desc, id desc limit %(limit)s""",
            {
                "limit": limit,
                "time": before[0] if before else None,
                "id": before[1] if before else None,
            },
        )

    async def totals(self) -> list[tuple[str, int, int, int, int]]:
        """Per status: documents, model calls, prompt tokens and completion tokens."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """select status, count(*), coalesce(sum(calls), 0)::bigint,
                    coalesce(sum(prompt_tokens), 0)::bigint,
                    coalesce(sum(completion_tokens), 0)::bigint
                from documents group by status order by status"""
            )
            return await cursor.fetchall()

    # ------------------------------------------------------------ shared

    async def _all(self, query: LiteralString, values: dict[str, Any]) -> list[Entry]:
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=entries)
            await cursor.execute(query, values)
            return await cursor.fetchall()

    async def _optional(self, query: LiteralString, values: dict[str, Any]) -> Entry | None:
        rows = await self._all(query, values)
        return rows[0] if rows else None

    async def _one(self, query: LiteralString, values: dict[str, Any]) -> Entry:
        (row,) = await self._all(query, values)
        return row

    async def _changed(self, query: LiteralString, values: dict[str, Any]) -> bool:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(query, values)
            return cursor.rowcount == 1


_DUE: LiteralString = """(status = 'queued' and (not_before is null or not_before <= now()))
    or (status = 'working' and lease_until < now() and lost_leases < %(lost)s)"""

_MAY_HAVE_COST: LiteralString = "(calls_done > 0 or calls_total > 1)::int"
"""Of a claim that lost its model: parts of a long document are in progress at the same time."""
