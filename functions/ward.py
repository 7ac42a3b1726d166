"""The table `replicas`: what examiners say of each replica, and when it is suspect."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from psycopg import AsyncConnection
from psycopg.rows import class_row

from functions.replicas import Verdicts


@dataclass(frozen=True, kw_only=True)
class Patient:
    """One row: a replica as its examiner tells. Times are UTC, by the database's clock."""

    endpoint: str
    name: str
    state: Literal["ok", "out"]
    since: datetime


async def note(connection: AsyncConnection[Any], endpoint: str, verdicts: Verdicts) -> None:
    """Write the verdicts down; older ones than those that are known change nothing.

    A replica that goes out is suspect from its last right answer before, as the examiner knows it,
    or as we knew it: an examiner may have lost its memory, and what a replica answers rightly while
    it is out proves nothing. When it comes back its period ends. One that nobody tells of for a day
    is forgotten.
    """
    await connection.execute(
        """insert into replicas as known
            (endpoint, name, state, told_at, good_at, suspect_after, suspect_until)
        select %(endpoint)s, name, state, now() - %(elapsed)s, good_at,
            case state when 'out' then coalesce(good_at, '-infinity') end,
            case state when 'out' then 'infinity'::timestamptz end
        from (select name, state, now() - %(elapsed)s - make_interval(secs => age) as good_at
            from unnest(%(names)s::text[], %(states)s::text[], %(ages)s::double precision[])
                as told (name, state, age)) as told
        on conflict (endpoint, name) do update set
            state = excluded.state, told_at = excluded.told_at,
            since = case known.state when excluded.state then known.since else now() end,
            good_at = case excluded.state
                when 'ok' then greatest(known.good_at, excluded.good_at) else known.good_at end,
            suspect_after = case when excluded.state = 'out' and known.state = 'ok'
                then coalesce(excluded.good_at, known.good_at, '-infinity')
                else known.suspect_after end,
            suspect_until = case when excluded.state = 'out' then 'infinity'
                when known.state = 'out' then now() else known.suspect_until end
        where known.told_at < excluded.told_at""",
        {
            "endpoint": endpoint,
            "elapsed": timedelta(seconds=time.monotonic() - verdicts.asked),
            "names": [replica.name for replica in verdicts.replicas],
            "states": [replica.state for replica in verdicts.replicas],
            "ages": [replica.good_seconds_ago for replica in verdicts.replicas],
        },
    )
    await connection.execute(
        """delete from replicas where endpoint = %(endpoint)s
            and told_at < now() - interval '1 day'""",
        {"endpoint": endpoint},
    )


async def patients(connection: AsyncConnection[Any]) -> list[Patient]:
    """Every replica that its endpoint's examiner told of last, by endpoint and name."""
    cursor = connection.cursor(row_factory=class_row(Patient))
    await cursor.execute(
        """select endpoint, name, state, since from replicas
        where told_at = (select max(told_at) from replicas as others
            where others.endpoint = replicas.endpoint)
        order by endpoint, name"""
    )
    return await cursor.fetchall()
