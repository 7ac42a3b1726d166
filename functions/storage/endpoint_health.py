"""The health of the endpoints by their canaries, in the ledger's database.

All times are the database's. However many sweeps run, an endpoint gets one canary per interval: the
sweep that updates `checked_at` sends it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool

from functions.errors import Failure
from functions.inference.canary import CanaryResult, CanaryVerdict
from functions.inference.canary_prompt import GOOD_IN_A_ROW, WRONG_IN_A_ROW
from functions.inference.endpoint import Endpoint
from functions.inference.refusal import ModelNotFound, advice
from functions.storage import invalidation
from functions.storage.replica_health import (
    ReplicaHealth,
    record_replica_statuses,
    replica_health,
)

State = Literal["ok", "out", "missing", "refused"]
"""`out`: its canaries were wrong. `missing`: it lacks the model. If it was out before, it has
`WRONG_IN_A_ROW` wrong canaries, and is out again when it answers. `refused`: it refused a document
for another reason, such as the key, while another endpoint lacked its model; it is skipped only
while that lasts.
"""


@dataclass(frozen=True, kw_only=True)
class EndpointHealth:
    """One row of the table `endpoints`. Times are UTC, by the database's clock.

    Attributes:
        fingerprint: Of URL and model: see `Endpoint.fingerprint`.
        refusal: What it said, in the state `refused`.
        since: When the state last changed.
        checked_at: When the last canary was sent.
        wrong: Wrong canaries in a row.
        good: Good canaries in a row.
        replica_reports: Reports received from its replica monitor.
        missing_replica_reports: Requests to the monitor that failed.
        prompt_tokens: Of all canaries.
        completion_tokens: Of all canaries.
    """

    name: str
    fingerprint: str
    state: State
    refusal: str
    since: datetime
    checked_at: datetime
    wrong: int
    good: int
    good_canaries: int
    wrong_canaries: int
    unreachable_canaries: int
    replica_reports: int
    missing_replica_reports: int
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, kw_only=True)
class OutOfService:
    """The endpoints that are not called.

    Attributes:
        missing: The failure for documents if the first of them lacks its model, with what the
            others said; None if none lacks its model.
    """

    names: frozenset[str]
    missing: ModelNotFound | None

    @classmethod
    def of(cls, known: Mapping[Endpoint, EndpointHealth]) -> "OutOfService":
        """Those that are out by their known health."""
        gone = next((e for e, health in known.items() if health.state == "missing"), None)
        if gone is None:
            out = frozenset(e.name for e, health in known.items() if health.state == "out")
            return cls(names=out, missing=None)
        missing = ModelNotFound.at(gone, ", as an earlier request showed")
        return cls(
            names=frozenset(e.name for e, health in known.items() if health.state != "ok"),
            missing=missing.beside(h.refusal for h in known.values() if h.state == "refused"),
        )


_ENDS: Mapping[State, Collection[CanaryVerdict]] = {
    "missing": ("good", "wrong", "refused"),
    "refused": ("good", "wrong"),
}
"""The verdicts that end a state."""


def apply_result(health: EndpointHealth, verdict: CanaryVerdict) -> EndpointHealth:
    """Count one canary: two wrong ones in a row take the endpoint out, three good ones restore it.

    An unreachable endpoint stays as it is. One without its model is missing until it answers or
    refuses the request for another reason: then documents show that reason.
    """
    if verdict == "missing":
        if health.state == "out":
            health = replace(health, wrong=WRONG_IN_A_ROW, good=0)
        return replace(health, state="missing")
    if verdict in _ENDS.get(health.state, ()):
        health = replace(health, state="out" if health.wrong >= WRONG_IN_A_ROW else "ok")
    if verdict == "wrong":
        wrong = health.wrong + 1
        out = wrong >= WRONG_IN_A_ROW
        return replace(health, wrong=wrong, good=0, state="out" if out else health.state)
    if verdict == "good":
        good = health.good + 1
        back = good >= GOOD_IN_A_ROW
        return replace(health, wrong=0, good=good, state="ok" if back else health.state)
    return health


class EndpointHealthStore:
    """The tables `endpoints`, `replicas` and `answers`. Every method is one transaction.

    Each raises `psycopg.OperationalError` when the database is unreachable.
    """

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._pool = pool

    async def all(self) -> list[EndpointHealth]:
        """Every endpoint that ever had a canary, by name."""
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(EndpointHealth))
            await cursor.execute(f"select {_COLUMNS} from endpoints order by name")
            return await cursor.fetchall()

    async def out(self, endpoints: Sequence[Endpoint]) -> OutOfService:
        """The endpoints among these that are not to be called."""
        known = {(health.name, health.fingerprint): health for health in await self.all()}
        keys = {endpoint: (endpoint.name, endpoint.fingerprint) for endpoint in endpoints}
        return OutOfService.of({e: known[key] for e, key in keys.items() if key in known})

    async def mark(self, endpoint: Endpoint, refusal: Failure) -> None:
        """Take an endpoint that refused a document out of service: it is missing, or refused."""
        async with self._pool.connection() as connection:
            await invalidation.lock_health_tables(connection)
            await connection.execute(
                """insert into endpoints as known (name, fingerprint, state, refusal)
                values (%(name)s, %(fingerprint)s, %(state)s, %(refusal)s)
                on conflict (name) do update set state = excluded.state, since = now(),
                    refusal = excluded.refusal
                where known.state in ('ok', 'refused')
                    and known.fingerprint = excluded.fingerprint""",
                {
                    "name": endpoint.name,
                    "fingerprint": endpoint.fingerprint,
                    "state": "missing" if isinstance(refusal, ModelNotFound) else "refused",
                    "refusal": advice(refusal),
                },
            )

    async def claim(self, endpoints: Sequence[Endpoint], *, every: timedelta) -> set[str]:
        """Names of the endpoints whose canary is due; only this caller may send it now.

        A known name with another URL or model is a new endpoint: it starts in service.
        """
        async with self._pool.connection() as connection:
            await invalidation.lock_health_tables(connection)
            await invalidation.withdraw(connection)
            cursor = await connection.execute(
                """insert into endpoints as known (name, fingerprint)
                select * from unnest(%(names)s::text[], %(prints)s::text[]) order by 1
                on conflict (name) do update set checked_at = now(),
                    fingerprint = excluded.fingerprint,
                    (state, since, good_at, wrong, good) = (
                        select 'ok', now(),
                            case known.state when 'ok' then known.checked_at else now() end, 0, 0
                        where known.fingerprint <> excluded.fingerprint
                        union all
                        select known.state, known.since, known.good_at, known.wrong, known.good
                        where known.fingerprint = excluded.fingerprint)
                where known.checked_at <= now() - %(every)s
                    or known.fingerprint <> excluded.fingerprint
                returning name""",
                {
                    "names": [endpoint.name for endpoint in endpoints],
                    "prints": [endpoint.fingerprint for endpoint in endpoints],
                    "every": every,
                },
            )
            return {name for (name,) in await cursor.fetchall()}

    async def record(self, endpoint: Endpoint, result: CanaryResult) -> EndpointHealth | None:
        """Record a canary; None when the endpoint has changed since it was sent.

        When an endpoint or a replica goes out, its answers since its last good canary are
        withdrawn, and so are those that it gives while it is out.
        """
        reported = result.replicas is not None
        values = {
            "name": endpoint.name,
            "fingerprint": endpoint.fingerprint,
            "prompt": result.prompt_tokens,
            "completion": result.completion_tokens,
            **{f"is_{v}": int(v == result.verdict) for v in ("good", "wrong")},
            "is_unreachable": int(result.verdict in ("unreachable", "missing", "refused")),
            "reported": int(reported),
            "missing": int(endpoint.replicas_url is not None and not reported),
        }
        async with self._pool.connection() as connection:
            await invalidation.lock_health_tables(connection)
            cursor = connection.cursor(row_factory=class_row(EndpointHealth))
            await cursor.execute(
                f"""select {_COLUMNS} from endpoints
                where name = %(name)s and fingerprint = %(fingerprint)s""",
                values,
            )
            before = await cursor.fetchone()
            if before is None:
                return None
            after = apply_result(before, result.verdict) if result.counts else before
            await cursor.execute(
                f"""update endpoints set state = %(state)s, wrong = %(wrong)s, good = %(good)s,
                    since = case when state = %(state)s then since else now() end,
                    good_at = case when %(state)s = 'ok' and %(is_good)s = 1
                        then checked_at else good_at end,
                    good_canaries = good_canaries + %(is_good)s,
                    wrong_canaries = wrong_canaries + %(is_wrong)s,
                    unreachable_canaries = unreachable_canaries + %(is_unreachable)s,
                    replica_reports = replica_reports + %(reported)s,
                    missing_replica_reports = missing_replica_reports + %(missing)s,
                    prompt_tokens = prompt_tokens + %(prompt)s,
                    completion_tokens = completion_tokens + %(completion)s
                where name = %(name)s returning {_COLUMNS}""",
                values | {"state": after.state, "wrong": after.wrong, "good": after.good},
            )
            recorded = await cursor.fetchone()
            if result.replicas:
                await record_replica_statuses(connection, endpoint.name, result.replicas)
            await invalidation.withdraw(connection)
            return recorded

    async def requeue(self, *, limit: int) -> int:
        """Queue documents whose summary was withdrawn, oldest first; return their number.

        The withdrawn summary stays in the row until the new one replaces it.
        """
        async with self._pool.connection() as connection:
            return await invalidation.requeue(connection, limit=limit)

    async def replica_health(self) -> list[ReplicaHealth]:
        """The replicas in the last report of each endpoint's monitor, by endpoint and name."""
        async with self._pool.connection() as connection:
            return await replica_health(connection)

    async def answered(self) -> dict[str, int]:
        """Number of valid summaries by endpoint; withdrawn ones do not count."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """select endpoint, count(*) from documents join answers
                    on answers.document = documents.id and answers.epoch = documents.epoch
                where status = 'done' and withdrawn_at is null
                group by endpoint order by endpoint"""
            )
            return dict(await cursor.fetchall())


_COLUMNS: LiteralString = """name, fingerprint, state, refusal, since, checked_at, wrong, good,
    good_canaries, wrong_canaries, unreachable_canaries, replica_reports, missing_replica_reports,
    prompt_tokens, completion_tokens"""
