"""The table `replicas`: the status of each replica, and the period in which it is suspect."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from psycopg import AsyncConnection
from psycopg.rows import class_row

from functions.inference.replica_status import ReplicaStatuses


@dataclass(frozen=True, kw_only=True)
class ReplicaHealth:
    """One row. Times are UTC, by the database's clock."""

    endpoint: str
    name: str
    state: Literal["ok", "out"]
    since: datetime


async def record_replica_statuses(
    connection: AsyncConnection[Any], endpoint: str, statuses: ReplicaStatuses
) -> None:
    """Write a monitor's report, unless a newer one is known.

    When a replica goes out, its answers since its last good canary are suspect. If the monitor does
    not know that time (for example after a restart), the time of an earlier report counts. Good
    canaries while it is out do not count. The suspect period ends when the replica is back. A
    replica that is not reported for a day is deleted.
    """
    await connection.execute(
        """insert into replicas as known
            (endpoint, name, state, reported_at, good_at, suspect_after, suspect_until)
        select %(endpoint)s, name, state, now() - %(elapsed)s, good_at,
            case state when 'out' then coalesce(good_at, '-infinity') end,
            case state when 'out' then 'infinity'::timestamptz end
        from (select name, state, now() - %(elapsed)s - make_interval(secs => age) as good_at
            from unnest(%(names)s::text[], %(states)s::text[], %(ages)s::double precision[])
                as report (name, state, age)) as report
        on conflict (endpoint, name) do update set
            state = excluded.state, reported_at = excluded.reported_at,
            since = case known.state when excluded.state then known.since else now() end,
            good_at = case excluded.state
                when 'ok' then greatest(known.good_at, excluded.good_at) else known.good_at end,
            suspect_after = case when excluded.state = 'out' and known.state = 'ok'
                then coalesce(excluded.good_at, known.good_at, '-infinity')
                else known.suspect_after end,
            suspect_until = case when excluded.state = 'out' then 'infinity'
                when known.state = 'out' then now() else known.suspect_until end
        where known.reported_at < excluded.reported_at""",
        {
            "endpoint": endpoint,
            "elapsed": timedelta(seconds=time.monotonic() - statuses.requested_at),
            "names": [replica.name for replica in statuses.replicas],
            "states": [replica.state for replica in statuses.replicas],
            "ages": [replica.good_seconds_ago for replica in statuses.replicas],
        },
    )
    await connection.execute(
        """delete from replicas where endpoint = %(endpoint)s
            and reported_at < now() - interval '1 day'""",
        {"endpoint": endpoint},
    )


async def replica_health(connection: AsyncConnection[Any]) -> list[ReplicaHealth]:
    """The replicas in the last report of each endpoint's monitor, by endpoint and name."""
    cursor = connection.cursor(row_factory=class_row(ReplicaHealth))
    await cursor.execute(
        """select endpoint, name, state, since from replicas
        where reported_at = (select max(reported_at) from replicas as others
            where others.endpoint = replicas.endpoint)
        order by endpoint, name"""
    )
    return await cursor.fetchall()
