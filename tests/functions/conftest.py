"""The application in this process: a real PostgreSQL, a folder, and a model that is a function."""

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
    """Settings of the database that the tests of a file share, one after another."""
    return local.database_settings(postgres)


@pytest.fixture
async def ledger(database: Settings) -> AsyncIterator[Ledger]:
    """A ledger without rows."""
    async with Ledger.open(database.database_conninfo, connections=4) as ledger:
        yield ledger
    with psycopg.connect(database.database_conninfo) as connection:
        connection.execute("truncate documents, answers, endpoints, replicas")


@pytest.fixture
def sql(database: Settings, ledger: Ledger) -> Sql:
    """Change and look at the ledger's rows past the ledger."""

    def run(statement: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(database.database_conninfo) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    return run


@pytest.fixture
def core(database: Settings, ledger: Ledger, tmp_path: Path) -> Application:
    """An application without documents, whose model is good."""
    settings = replace(
        database,
        store_url=tmp_path.as_uri(),
        canary_interval_seconds=1e-6,
    )
    return Application(settings=settings, store=open_store(settings), ledger=ledger, router=Model())


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that this test asks for; none of them is made."""
    asked: list[float] = []
    make, here = asyncio.sleep, threading.get_ident()

    async def sleep(seconds: float) -> None:
        if threading.get_ident() == here:
            asked.append(seconds)
        else:
            await make(seconds)  # of a server that runs beside the tests

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return asked
