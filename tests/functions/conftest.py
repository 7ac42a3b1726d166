"""The application in this process, with a real PostgreSQL, a folder and a fake model."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from functions.application import Application
from functions.settings import Settings
from functions.storage.ledger import Ledger
from functions.storage.object_store import open_store
from tests.support import local
from tests.support.functions.fakes import Model

Sql = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def database(postgres: local.Server) -> Settings:
    """Settings of a database that all tests of a file use."""
    return local.database_settings(postgres)


@pytest.fixture
async def ledger(database: Settings) -> AsyncIterator[Ledger]:
    """A ledger without rows."""
    async with Ledger.open(database.database_conninfo, connections=4) as ledger:
        yield ledger
    with psycopg.connect(database.database_conninfo) as connection:
        connection.execute("truncate documents, answers, endpoints, replicas, worker_starts")


@pytest.fixture
def sql(database: Settings, ledger: Ledger) -> Sql:
    """Run SQL on the ledger's tables directly."""

    def run(statement: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(database.database_conninfo) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    return run


@pytest.fixture
def core(database: Settings, ledger: Ledger, tmp_path: Path) -> Application:
    """An application without documents, with a healthy model."""
    settings = replace(database, store_url=tmp_path.as_uri(), canary_interval_seconds=1e-6)
    return Application(settings=settings, store=open_store(settings), ledger=ledger, router=Model())


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that `asyncio.sleep` is called with; in this thread it returns at once."""
    requested: list[float] = []
    original, here = asyncio.sleep, threading.get_ident()

    async def sleep(seconds: float) -> None:
        if threading.get_ident() == here:
            requested.append(seconds)
        else:
            await original(seconds)  # a server in another thread

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return requested
