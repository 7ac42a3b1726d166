"""Answers that cannot be trusted any more: they are withdrawn, and their documents queued again.

Suspects are endpoints and replicas that are out, each with a period. An answer is withdrawn when a
suspect took part in it and when its making, from the claim of the document to the answer, touches
the period: so what was under way while a replica drifted is found whenever it lands.
"""

from typing import Any

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from functions.errors import Code

_LOST = {
    Code.CORRUPT_ENDPOINT: "The endpoint that made the summary gave wrong answers to its canary.",
    Code.CORRUPT_REPLICA: "A replica that worked on the summary gave wrong answers to its canary.",
}
"""By error code, which in lower case is the reason of the withdrawal, too."""

_LOCK = 0x5EA31E56


async def alone(connection: AsyncConnection[Any]) -> None:
    """Wait until nobody else judges or withdraws, and keep others waiting until the commit.

    Two that lock the same endpoints and answers in another order would wait for one another.
    """
    await connection.execute("select pg_advisory_xact_lock(%s)", [_LOCK])


async def withdraw(connection: AsyncConnection[Any]) -> None:
    """Mark every answer of a suspect, those that landed since the last time included."""
    # A day is far more than a document can be under way.
    await connection.execute(
        """with suspects (endpoint, replica, after, until, because) as (
            select name, null, good_at, 'infinity', 'corrupt_endpoint' from endpoints
            where state = 'out'
            union all
            select endpoint, name, suspect_after, suspect_until, 'corrupt_replica' from replicas
            where suspect_until > now() - interval '1 day')
        update answers set withdrawn_at = now(), withdrawn_because = because
        from suspects where suspects.endpoint = any(answered_by)
            and (replica is null or replica = any(replicas))
            and answered_at > after and coalesce(begun_at, answered_at) < until
            and withdrawn_at is null"""
    )


async def requeue(connection: AsyncConnection[Any], *, limit: int) -> int:
    """Queue documents whose summary was withdrawn, oldest first; return how many."""
    cursor = await connection.execute(
        """update documents set status = 'queued', queued_at = now(), not_before = null,
            lost_leases = 0, error_code = upper(withdrawn_because),
            error_message = %(messages)s::jsonb ->> upper(withdrawn_because),
            error_remedy = 'The summary is made again by itself.', updated_at = now()
        from (
            select id, withdrawn_because from documents join answers
                on answers.document = documents.id and answers.epoch = documents.epoch
            where status = 'done' and withdrawn_at is not null
            order by created_at limit %(limit)s for update of documents skip locked) as lost
        where documents.id = lost.id""",
        {"limit": limit, "messages": Jsonb({code.value: said for code, said in _LOST.items()})},
    )
    return cursor.rowcount
