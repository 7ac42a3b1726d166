"""The database schema, as numbered SQL files that are applied in order."""

from importlib import resources
from typing import Any

from psycopg import AsyncConnection

from functions.storage.advisory_locks import AdvisoryLock, hold


async def migrate(connection: AsyncConnection[Any]) -> None:
    """Apply the missing migrations in the connection's transaction, one process at a time."""
    await hold(connection, AdvisoryLock.MIGRATIONS)
    await connection.execute(
        "create table if not exists migrations "
        "(name text primary key, applied_at timestamptz not null default now())"
    )
    cursor = await connection.execute("select name from migrations")
    applied = {name for (name,) in await cursor.fetchall()}
    for name, statement in migrations():
        if name not in applied:
            await connection.execute(statement)
            await connection.execute("insert into migrations (name) values (%s)", [name])


def migrations() -> list[tuple[str, bytes]]:
    """Names and SQL of all migrations in order. A released migration is never edited."""
    return [
        (file.name.removesuffix(".sql"), file.read_bytes())
        for file in sorted(resources.files(__name__).iterdir(), key=lambda file: file.name)
        if file.name.endswith(".sql")
    ]
