"""What the canaries say of each endpoint, in the ledger's database, and what follows from it.

All times are the database's. Nobody asks a canary twice within the interval, however many sweeps
run: who moves `asked_at` asks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool

from functions import withdrawal
from functions.canary import Examination
from functions.endpoint import Endpoint
from functions.question import GOOD_IN_A_ROW, WRONG_IN_A_ROW, Verdict
from functions.ward import Patient, note, patients


@dataclass(frozen=True, kw_only=True)
class Health:
    """One row: an endpoint as its canaries show it. Times are UTC, by the database's clock.

    Attributes:
        verdicts: How often the examiner of its replicas answered.
        missing_verdicts: How often it did not.
    """

    name: str
    fingerprint: str
    state: Literal["ok", "out"]
    since: datetime
    asked_at: datetime
    wrong: int
    good: int
    good_canaries: int
    wrong_canaries: int
    unreachable_canaries: int
    verdicts: int
    missing_verdicts: int
    prompt_tokens: int
    completion_tokens: int


def judged(health: Health, verdict: Verdict) -> Health:
    """The endpoint after one more canary: drift takes it out, and what cannot be reached is not
    drift."""
    if verdict == "wrong":
        wrong = health.wrong + 1
        out = wrong >= WRONG_IN_A_ROW
        return replace(health, wrong=wrong, good=0, state="out" if out else health.state)
    if verdict == "good":
        good = health.good + 1
        back = good >= GOOD_IN_A_ROW
        return replace(health, wrong=0, good=good, state="ok" if back else health.state)
    return health


class Infirmary:
    """The tables `endpoints`, `replicas` and `answers`. Every method is one transaction.

    Each raises `psycopg.OperationalError` when the database is away.
    """

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._pool = pool

    async def all(self) -> list[Health]:
        """Every endpoint that was ever asked, by name."""
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Health))
            await cursor.execute(f"select {_COLUMNS} from endpoints order by name")
            return await cursor.fetchall()

    async def out(self, endpoints: Sequence[Endpoint]) -> set[str]:
        """Those of these endpoints that must not be asked."""
        known = {(endpoint.name, endpoint.fingerprint) for endpoint in endpoints}
        return {
            health.name
            for health in await self.all()
            if health.state == "out" and (health.name, health.fingerprint) in known
        }

    async def claim(self, endpoints: Sequence[Endpoint], *, every: timedelta) -> set[str]:
        """Those of these endpoints whose canary is due, for the caller alone to ask now.

        Another URL or model under a known name is in until its own canaries say otherwise.
        """
        async with self._pool.connection() as connection:
            await withdrawal.alone(connection)
            await withdrawal.withdraw(connection)
            cursor = await connection.execute(
                """insert into endpoints as known (name, fingerprint)
                select * from unnest(%(names)s::text[], %(prints)s::text[]) order by 1
                on conflict (name) do update set asked_at = now(),
                    fingerprint = excluded.fingerprint,
                    (state, since, good_at, wrong, good) = (
                        select 'ok', now(),
                            case known.state when 'ok' then known.asked_at else now() end, 0, 0
                        where known.fingerprint <> excluded.fingerprint
                        union all
                        select known.state, known.since, known.good_at, known.wrong, known.good
                        where known.fingerprint = excluded.fingerprint)
                where known.asked_at <= now() - %(every)s
                    or known.fingerprint <> excluded.fingerprint
                returning name""",
                {
                    "names": [endpoint.name for endpoint in endpoints],
                    "prints": [endpoint.fingerprint for endpoint in endpoints],
                    "every": every,
                },
            )
            return {name for (name,) in await cursor.fetchall()}

    async def record(self, endpoint: Endpoint, examined: Examination) -> Health | None:
        """Note a canary and what follows from it; None when the endpoint has changed since.

        Answers of an endpoint or a replica that goes out, and that are newer than its last good
        canary, are withdrawn, and so are those that it gives while it is out.
        """
        told = examined.replicas is not None
        values = {
            "name": endpoint.name,
            "fingerprint": endpoint.fingerprint,
            "prompt": examined.prompt_tokens,
            "completion": examined.completion_tokens,
            **{f"is_{v}": int(v == examined.verdict) for v in ("good", "wrong", "unreachable")},
            "told": int(told),
            "missing": int(endpoint.replicas_url is not None and not told),
        }
        async with self._pool.connection() as connection:
            await withdrawal.alone(connection)
            cursor = connection.cursor(row_factory=class_row(Health))
            await cursor.execute(
                f"""select {_COLUMNS} from endpoints
                where name = %(name)s and fingerprint = %(fingerprint)s""",
                values,
            )
            before = await cursor.fetchone()
            if before is None:
                return None
            after = judged(before, examined.verdict) if examined.counts else before
            await cursor.execute(
                f"""update endpoints set state = %(state)s, wrong = %(wrong)s, good = %(good)s,
                    since = case when state = %(state)s then since else now() end,
                    good_at = case when %(state)s = 'ok' and %(is_good)s = 1
                        then asked_at else good_at end,
                    good_canaries = good_canaries + %(is_good)s,
                    wrong_canaries = wrong_canaries + %(is_wrong)s,
                    unreachable_canaries = unreachable_canaries + %(is_unreachable)s,
                    verdicts = verdicts + %(told)s,
                    missing_verdicts = missing_verdicts + %(missing)s,
                    prompt_tokens = prompt_tokens + %(prompt)s,
                    completion_tokens = completion_tokens + %(completion)s
                where name = %(name)s returning {_COLUMNS}""",
                values | {"state": after.state, "wrong": after.wrong, "good": after.good},
            )
            noted = await cursor.fetchone()
            if examined.replicas:
                await note(connection, endpoint.name, examined.replicas)
            await withdrawal.withdraw(connection)
            return noted

    async def requeue(self, *, limit: int) -> int:
        """Queue documents whose summary was withdrawn, oldest first; return how many.

        The summary stays in its row until the new one takes its place: one row per version.
        """
        async with self._pool.connection() as connection:
            return await withdrawal.requeue(connection, limit=limit)

    async def patients(self) -> list[Patient]:
        """Every replica that its endpoint's examiner told of last, by endpoint and name."""
        async with self._pool.connection() as connection:
            return await patients(connection)

    async def answered(self) -> dict[str, int]:
        """How many present summaries each endpoint gave, withdrawn ones left out."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """select endpoint, count(*) from documents join answers
                    on answers.document = documents.id and answers.epoch = documents.epoch
                where status = 'done' and withdrawn_at is null
                group by endpoint order by endpoint"""
            )
            return dict(await cursor.fetchall())


_COLUMNS: LiteralString = """name, fingerprint, state, since, asked_at, wrong, good,
    good_canaries, wrong_canaries, unreachable_canaries, verdicts, missing_verdicts,
    prompt_tokens, completion_tokens"""
