"""Withdraws summaries of corrupt endpoints and replicas, and queues their documents again.

An endpoint or replica that is out is suspect for a period. A summary is withdrawn when a suspect
took part in it and the time from the claim of its document to the answer overlaps the period. So a
summary that is in progress while a replica is corrupt is found whenever it is finished.
"""

from typing import Any

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from functions.errors import Code
from functions.inference.canary_prompt import WRONG_IN_A_ROW
from functions.storage.advisory_locks import AdvisoryLock, hold

_MESSAGES = {
    Code.CORRUPT_ENDPOINT: "The endpoint that wrote the summary failed its canary.",
    Code.CORRUPT_REPLICA: "A replica that took part in the summary failed its canary.",
}
"""By error code; `withdrawn_because` is the code in lower case."""


async def lock_health_tables(connection: AsyncConnection[Any]) -> None:
    """Lock the health tables until the transaction ends.

    Transactions that update endpoints and answers in different orders would deadlock.
    """
    await hold(connection, AdvisoryLock.HEALTH_TABLES)


async def withdraw(connection: AsyncConnection[Any]) -> None:
    """Mark every answer of a suspect, including those that were added since the last call."""
    # No document takes as long as a day.
    await connection.execute(
        """with suspects (endpoint, replica, after, until, because) as (
            select name, null, good_at, 'infinity', 'corrupt_endpoint' from endpoints
            where state = 'out' or (state = 'missing' and wrong >= %s)
            union all
            select endpoint, name, suspect_after, suspect_until, 'corrupt_replica' from replicas
            where suspect_until > now() - interval '1 day')
        update answers set withdrawn_at = now(), withdrawn_because = because
        from suspects where suspects.endpoint = any(answers.endpoints)
            and (replica is null or replica = any(replicas))
            and answered_at > after and begun_at < until
            and withdrawn_at is null""",
        [WRONG_IN_A_ROW],
    )


async def requeue(connection: AsyncConnection[Any], *, limit: int) -> int:
    """Queue documents whose summary was withdrawn, oldest first; return their number."""
    cursor = await connection.execute(
        """update documents set status = 'queued', queued_at = now(), not_before = null,
            lost_leases = 0, interruptions = 0, error_code = upper(withdrawn_because),
            error_message = %(messages)s::jsonb ->> upper(withdrawn_because),
            error_remedy = 'The document is summarized again automatically.', updated_at = now()
        from (
            select id, withdrawn_because from documents join answers
                on answers.document = documents.id and answers.epoch = documents.epoch
            where status = 'done' and withdrawn_at is not null
            order by created_at limit %(limit)s for update of documents skip locked) as lost
        where documents.id = lost.id""",
        {"limit": limit, "messages": Jsonb({code.value: text for code, text in _MESSAGES.items()})},
    )
    return cursor.rowcount
