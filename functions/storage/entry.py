"""One row of the ledger."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal, LiteralString
from uuid import UUID

from psycopg import AsyncCursor

from functions.inference.usage import Usage

Status = Literal["uploading", "queued", "working", "done", "failed"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One document in the ledger. Times are UTC, by the database's clock.

    Attributes:
        object_version: Entity tag of the object; empty until the upload is complete.
        size: In bytes.
        epoch: Number of the current claim; only its owner may write.
        summary: Kept, but no longer valid, while the document is summarized again.
        usage: Of all finished summaries of the document together; None before the first one.
        lost_leases: Claims in a row that ended without a result.
        lease_until: When another worker may claim the document; None while it has no worker.
        not_before: Earliest time of the next attempt.
        queued_at: When the summary was last requested, or the document was last parked.
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
    usage: Usage | None
    error_code: str | None
    error_message: str | None
    error_remedy: str | None
    lost_leases: int
    lease_until: datetime | None
    not_before: datetime | None
    queued_at: datetime | None
    created_at: datetime
    updated_at: datetime


_LATEST: LiteralString = "from answers where document = documents.id order by epoch desc limit 1"

COLUMNS: LiteralString = f"""documents.*,
    (select endpoint {_LATEST}) as endpoint,
    (select endpoints {_LATEST}) as endpoints,
    (select replicas {_LATEST}) as replicas"""
"""What a query selects from `documents` for `entries`."""

_FIELDS = [field.name for field in fields(Entry) if field.name != "usage"]
_USAGE_FIELDS = [field.name for field in fields(Usage)]


def entries(cursor: AsyncCursor[Any]) -> Callable[[Sequence[Any]], Entry]:
    """A psycopg row factory; columns that a newer migration added are ignored."""
    columns = [column.name for column in cursor.description or ()]

    def entry(values: Sequence[Any]) -> Entry:
        row = dict(zip(columns, values, strict=True))
        used = row["calls"] is not None
        usage = Usage(**{name: row[name] for name in _USAGE_FIELDS}) if used else None
        return Entry(**{name: row[name] for name in _FIELDS}, usage=usage)

    return entry
