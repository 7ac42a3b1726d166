"""The ledger: the table that decides what is done, in PostgreSQL.

One row per (object, version, prompt version), for ever: an event that repeats finds its row.
A worker holds a row by a lease and writes its result only under the epoch it was given, so that a
worker that was thought dead cannot overwrite its successor. All times are the database's.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from importlib import resources
from typing import Any, LiteralString
from uuid import UUID

from psycopg import AsyncConnection, AsyncCursor, OperationalError
from psycopg_pool import AsyncConnectionPool

from functions.errors import Failure
from functions.health import Infirmary
from functions.schema import Status

MAX_LOST_LEASES = 3
"""A document whose worker vanished so often is taken for the cause and failed."""

GIVE_UP_AFTER = timedelta(hours=24)
"""How long a document waits out an outage before it is failed."""

_MIGRATION_LOCK = 0x5EA31E55


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One row of the ledger. Times are UTC, by the database's clock.

    Attributes:
        endpoint: Who gave the present summary; None also where only older code knew.
        endpoints: Everybody who answered a part of it.
        replicas: Of these endpoints, as far as they are known.
    """

    id: UUID
    name: str
    object_key: str
    object_version: str
    prompt_version: str
    size: int | None
    kind: str | None
    status: Status
    epoch: int
    attempts: int
    calls_done: int
    calls_total: int
    summary: str | None
    model: str | None
    rung: str | None
    endpoint: str | None
    endpoints: list[str] | None
    replicas: list[str] | None
    prompt_tokens: int | None
    completion_tokens: int | None
    calls: int | None
    cost_usd: float | None
    error_code: str | None
    error_message: str | None
    error_remedy: str | None
    lost_leases: int
    lease_until: datetime | None
    not_before: datetime | None
    queued_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a worker writes when it is done."""

    kind: str
    summary: str
    model: str
    rung: str
    endpoint: str
    endpoints: list[str]
    replicas: list[str]
    prompt_tokens: int
    completion_tokens: int
    calls: int
    cost_usd: float | None


class Ledger:
    """Every method is one transaction.

    Each raises `psycopg.OperationalError` when the database is away.
    """

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._pool = pool
        self.infirmary = Infirmary(pool)

    @classmethod
    @asynccontextmanager
    async def open(
        cls, conninfo: str, *, connections: int = 8, patience_seconds: float = 10.0
    ) -> AsyncIterator["Ledger"]:
        """Connect, bring the schema up to date, and close the connections at the end.

        A method waits so long for a connection before it says that the database is away.
        """
        async with AsyncConnectionPool(
            conninfo,
            min_size=1,
            max_size=connections,
            timeout=patience_seconds,
            check=AsyncConnectionPool.check_connection,
            # A pooler that hands out connections by transaction knows no prepared statements.
            kwargs={"prepare_threshold": None},
            open=False,
        ) as pool:
            ledger = cls(pool)
            await ledger.migrate()
            yield ledger

    async def migrate(self) -> list[str]:
        """Apply the migrations that are missing, one process at a time; return their names."""
        applied: list[str] = []
        async with self._pool.connection() as connection:
            await connection.execute("select pg_advisory_xact_lock(%s)", [_MIGRATION_LOCK])
            await connection.execute(
                "create table if not exists migrations "
                "(name text primary key, applied_at timestamptz not null default now())"
            )
            cursor = await connection.execute("select name from migrations")
            known = {name for (name,) in await cursor.fetchall()}
            for name, statement in migrations():
                if name not in known:
                    await connection.execute(statement)
                    await connection.execute("insert into migrations (name) values (%s)", [name])
                    applied.append(name)
        return applied

    async def ping(self) -> bool:
        """True when the database answers within two seconds."""
        try:
            async with self._pool.connection(timeout=2) as connection:
                await connection.execute("select 1")
        except OperationalError:
            return False
        return True

    # ------------------------------------------------------------ documents arrive

    async def announce(
        self, id_: UUID, *, name: str, object_key: str, size: int, prompt_version: str
    ) -> Entry:
        """Record a document whose upload is about to begin."""
        return await self._one(
            f"""insert into documents (id, name, object_key, prompt_version, size, status)
            values (%(id)s, %(name)s, %(key)s, %(prompt)s, %(size)s, 'uploading')
            returning {_ROW}""",
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
        """Queue an object version that is in the store; None when it is known already.

        A row that was announced for this object takes the version; else a new row is made.
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
            cursor = connection.cursor(row_factory=_entries)
            await cursor.execute(
                f"""update documents set object_version = %(version)s, size = %(size)s,
                    status = 'queued', queued_at = now(), updated_at = now()
                where object_key = %(key)s and prompt_version = %(prompt)s and object_version = ''
                    and not exists (select from documents where object_key = %(key)s
                        and object_version = %(version)s and prompt_version = %(prompt)s)
                returning {_ROW}""",
                values,
            )
            if announced := await cursor.fetchone():
                return announced
            await cursor.execute(
                f"""insert into documents
                    (id, name, object_key, object_version, prompt_version, size, status, queued_at)
                values (%(id)s, %(name)s, %(key)s, %(version)s, %(prompt)s, %(size)s, 'queued',
                    now())
                on conflict do nothing returning {_ROW}""",
                values,
            )
            return await cursor.fetchone()

    # ------------------------------------------------------------ documents are worked on

    async def claim(self, id_: UUID, *, lease: timedelta) -> Entry | None:
        """Take a document that is due, or whose worker's lease ran out; None when it is neither."""
        return await self._optional(
            f"""update documents set status = 'working', epoch = epoch + 1, attempts = attempts + 1,
                lost_leases = lost_leases + (status = 'working')::int,
                lease_until = now() + %(lease)s, not_before = null, calls_done = 0, calls_total = 0,
                error_code = null, error_message = null, error_remedy = null, updated_at = now()
            where id = %(id)s and ({_DUE}) returning {_ROW}""",
            {"id": id_, "lease": lease, "lost": MAX_LOST_LEASES},
        )

    async def progress(self, entry: Entry, *, done: int, total: int) -> bool:
        """Note how many model calls are done; False when the row has another owner by now."""
        return await self._changed(
            """update documents set calls_done = greatest(calls_done, %(done)s),
                calls_total = %(total)s, updated_at = now()
            where id = %(id)s and epoch = %(epoch)s and status = 'working'""",
            {"id": entry.id, "epoch": entry.epoch, "done": done, "total": total},
        )

    async def finish(self, entry: Entry, result: Result) -> bool:
        """Write the summary; False, and nothing written, when the row has another owner by now.

        What a summary takes is added to what an earlier, withdrawn one of the document took.
        """
        return await self._changed(
            """with written as (
                update documents set status = 'done', lease_until = null, kind = %(kind)s,
                    summary = %(summary)s, model = %(model)s, rung = %(rung)s,
                    prompt_tokens = coalesce(prompt_tokens, 0) + %(prompt_tokens)s,
                    completion_tokens = coalesce(completion_tokens, 0) + %(completion_tokens)s,
                    cost_usd = case when calls is null then 0 else cost_usd end
                        + %(cost_usd)s::double precision,
                    calls = coalesce(calls, 0) + %(calls)s, updated_at = now()
                where id = %(id)s and epoch = %(epoch)s and status = 'working'
                returning id, epoch)
            insert into answers (document, epoch, endpoint, answered_by, replicas, begun_at)
            select id, epoch, %(endpoint)s, %(endpoints)s, %(replicas)s::text[], %(begun_at)s
            from written""",
            # As the row was claimed: nobody has changed the entry since.
            {
                "id": entry.id,
                "epoch": entry.epoch,
                "begun_at": entry.updated_at,
                **asdict(result),
            },
        )

    async def fail(self, entry: Entry, failure: Failure) -> bool:
        """End a document with an error, or put it back when the failure may pass.

        A document is put back for `retry_after` seconds, at least for a back-off that doubles from
        five seconds to five minutes, until 24 hours after it was queued.
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
                "gave_up": "It was tried for 24 hours: retry it when this is repaired.",
                "after": failure.retry_after or 0.0,
                "code": failure.code.value,
                "message": failure.message,
                "remedy": failure.remedy,
            },
        )

    async def give_back(self, entry: Entry) -> bool:
        """Return a document unharmed, due at once: its worker is being stopped."""
        return await self._changed(
            """update documents set status = 'queued', lease_until = null, not_before = null,
                attempts = attempts - 1, updated_at = now()
            where id = %(id)s and epoch = %(epoch)s and status = 'working'""",
            {"id": entry.id, "epoch": entry.epoch},
        )

    async def retry(self, id_: UUID) -> Entry | None:
        """Queue a failed document again; None when it is not failed."""
        return await self._optional(
            f"""update documents set not_before = null, lost_leases = 0, updated_at = now(),
                status = case when object_version = '' then 'uploading' else 'queued' end,
                queued_at = now(),
                error_code = null, error_message = null, error_remedy = null
            where id = %(id)s and status = 'failed' returning {_ROW}""",
            {"id": id_},
        )

    # ------------------------------------------------------------ the sweep

    async def due(self, *, limit: int = 100) -> list[UUID]:
        """Documents that nobody works on and that are due, oldest first."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                f"select id from documents where {_DUE} order by created_at limit %(limit)s",
                {"limit": limit, "lost": MAX_LOST_LEASES},
            )
            return [id_ for (id_,) in await cursor.fetchall()]

    async def abandon(self, *, uploads: Failure, workers: Failure) -> int:
        """Fail what cannot end by itself any more; return how many.

        These are uploads that never came within 24 hours, and documents that lost their worker
        too often.
        """
        count = 0
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
                    where {condition}""",
                    {
                        "give_up": GIVE_UP_AFTER,
                        "lost": MAX_LOST_LEASES,
                        "code": failure.code.value,
                        "message": failure.message,
                        "remedy": failure.remedy,
                    },
                )
                count += cursor.rowcount
        return count

    async def unknown(self, objects: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        """Those of these (key, version) pairs that have no row yet, under any prompt version."""
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
        return await self._optional(f"select {_ROW} from documents where id = %(id)s", {"id": id_})

    async def find(self, object_key: str, object_version: str, prompt_version: str) -> Entry | None:
        """The document of an object version."""
        return await self._optional(
            f"""select {_ROW} from documents where object_key = %(key)s
                and object_version = %(version)s and prompt_version = %(prompt)s""",
            {"key": object_key, "version": object_version, "prompt": prompt_version},
        )

    async def page(self, *, limit: int, before: tuple[datetime, UUID] | None = None) -> list[Entry]:
        """Documents, newest first, from after the given (created_at, id)."""
        condition: LiteralString = "where (created_at, id) < (%(time)s, %(id)s)" if before else ""
        return await self._all(
            f"""select {_ROW} from documents {condition}
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
            cursor = connection.cursor(row_factory=_entries)
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


_ROW: LiteralString = """documents.*,
    (select endpoint from answers where document = documents.id
        and answers.epoch = documents.epoch) as endpoint,
    (select answered_by from answers where document = documents.id
        and answers.epoch = documents.epoch) as endpoints,
    (select replicas from answers where document = documents.id
        and answers.epoch = documents.epoch) as replicas"""

_DUE: LiteralString = """(status = 'queued' and (not_before is null or not_before <= now()))
    or (status = 'working' and lease_until < now() and lost_leases < %(lost)s)"""


_FIELDS = [field.name for field in fields(Entry)]


def _entries(cursor: AsyncCursor[Any]) -> Callable[[Sequence[Any]], Entry]:
    """Rows as entries, without the columns that a newer migration may have added."""
    columns = [column.name for column in cursor.description or ()]

    def entry(values: Sequence[Any]) -> Entry:
        row = dict(zip(columns, values, strict=True))
        return Entry(**{name: row[name] for name in _FIELDS})

    return entry


def migrations() -> list[tuple[str, bytes]]:
    """The schema's steps in order: name and SQL. A step that was released is never edited."""
    folder = resources.files("functions") / "migrations"
    return [
        (step.name.removesuffix(".sql"), step.read_bytes())
        for step in sorted(folder.iterdir(), key=lambda step: step.name)
        if step.name.endswith(".sql")
    ]
