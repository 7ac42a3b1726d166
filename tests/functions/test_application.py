"""The three functions of the application, on a real PostgreSQL and a folder, with a fake model.

Several processes, signals and HTTP are in `tests/functions/handlers/test_local.py`.
"""

import asyncio
import errno
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import msgspec
import psycopg
import pytest

from functions.application import LEASE_SLACK, Application
from functions.documents.extract import MAX_DOCUMENT_BYTES
from functions.storage.entry import Entry
from functions.storage.ledger import Ledger
from functions.storage.object_store import open_store
from functions.summary.summarize import PROMPT_VERSION
from tests.functions.conftest import Sql
from tests.support.functions.entries import TEXT, get, queued, uploaded
from tests.support.functions.fakes import SUMMARY, Model

pytestmark = pytest.mark.anyio

# ---------------------------------------------------------------- uploads


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a.pdf", "a.pdf"),
        ("Übergröße 日本 🗿.pdf", "Übergröße 日本 🗿.pdf"),
        ("../../etc/passwd", "-..-etc-passwd"),
        ("C:\\temp\\a.pdf", "C--temp-a.pdf"),
        ("100%#1?.pdf", "100--1-.pdf"),
        ("a\r\nb\t\x1b\x7f\u2028c", "a--b----c"),
        (" .hidden. ", "hidden"),
        ("..", "document"),
        (" ", "document"),
        ("🗿" * 255, "🗿" * 50),
        ("x" * 255, "x" * 200),
        ("ab" + "ü" * 200, "ab" + "ü" * 99),
    ],
)
async def test_any_name_becomes_a_valid_key_of_a_folder(
    core: Application, name: str, safe: str
) -> None:
    entry, _ = await core.announce(name, 1)
    await core.store.put(entry.object_key, TEXT)

    completed = await core.complete(entry)

    assert entry.object_key == f"incoming/{entry.id}/{safe}"
    assert (completed.status, completed.name) == ("queued", name)
    assert [found.key async for found in core.store.list()] == [entry.object_key]


async def test_completing_five_times_queues_one_document(core: Application, sql: Sql) -> None:
    entry = await uploaded(core)

    completed = await asyncio.gather(*(core.complete(entry) for _ in range(5)))

    assert {(done.id, done.status, done.size) for done in completed} == {
        (entry.id, "queued", len(TEXT))
    }
    assert sql("select count(*) from documents") == [(1,)]


@pytest.mark.parametrize("status", ["queued", "working", "done", "failed"])
async def test_completing_later_changes_nothing(
    core: Application, sql: Sql, tmp_path: Path, status: str
) -> None:
    entry = await core.complete(await uploaded(core))
    sql(
        "update documents set status = %s, summary = 's', error_code = 'e', lease_until = "
        "case when %s = 'working' then now() end",
        status,
        status,
    )
    before = await get(core, entry.id)
    (tmp_path / entry.object_key).unlink()

    assert await core.complete(before) == before


# ---------------------------------------------------------------- work


async def test_ten_events_for_one_document_and_later_ones_make_one_summary(
    core: Application,
) -> None:
    core = replace(core, router=(model := Model()))
    entry = await queued(core)

    await asyncio.gather(*(core.summarize(entry.id) for _ in range(10)))
    await core.summarize(entry.id)
    await core.summarize(uuid4())

    assert len(model.deadlines) == 1
    assert (await get(core, entry.id)).attempts == 1


async def test_the_store_has_a_copy_of_the_summary(core: Application) -> None:
    entry = await queued(core)

    await core.summarize(entry.id)

    _, data = await core.store.get(f"summaries/{entry.id}.json")
    assert msgspec.json.decode(data) == {
        "object_key": entry.object_key,
        "object_version": entry.object_version,
        "prompt_version": PROMPT_VERSION,
        "name": "a.txt",
        "kind": "text",
        "summary": SUMMARY,
        "model": "some-model-2026",
        "inference_mode": "serverless",
        "endpoint": "serverless",
        "endpoints": ["serverless"],
        "replicas": [],
        "prompt_tokens": 1_000_000,
        "completion_tokens": 500_000,
        "calls": 1,
        "cost_usd": 1.5,
    }


async def test_a_lease_is_longer_than_the_deadline_of_every_call(core: Application) -> None:
    entry = await queued(core)
    leases = []

    async def reply() -> str:
        now = await get(core, entry.id)
        assert now.lease_until is not None
        leases.append(now.lease_until - now.created_at)
        return "A summary."

    model = Model(reply)
    before = time.monotonic()
    await replace(core, router=model).summarize(entry.id)

    (deadline,), (lease,) = model.deadlines, leases
    assert before + 600 <= deadline <= time.monotonic() + 600
    slack = lease - timedelta(seconds=600)
    assert LEASE_SLACK <= slack < LEASE_SLACK + timedelta(seconds=10)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "EMPTY_DOCUMENT"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "UNSUPPORTED_TYPE"),
        (b"%PDF-1.7\nnothing else", "DAMAGED"),
        (b"...", "NO_TEXT"),
    ],
)
async def test_a_document_that_cannot_be_read_fails_without_a_call(
    core: Application, data: bytes, code: str
) -> None:
    entry, model = await queued(core, data=data), Model()

    await replace(core, router=model).summarize(entry.id)

    failed = await get(core, entry.id)
    assert (failed.status, failed.error_code) == ("failed", code)
    assert failed.error_message
    assert failed.error_remedy
    assert model.deadlines == []


async def test_a_document_that_is_too_large_is_not_read(
    core: Application, sql: Sql, tmp_path: Path
) -> None:
    entry = await queued(core)
    sql("update documents set size = %s", MAX_DOCUMENT_BYTES + 1)
    (tmp_path / entry.object_key).unlink()  # reading it would fail with OBJECT_MISSING

    await core.summarize(entry.id)

    failed = await get(core, entry.id)
    assert (failed.status, failed.error_code) == ("failed", "TOO_LARGE")
    assert "104,857,601 bytes" in (failed.error_message or "")


async def test_an_object_that_was_overwritten_fails_and_its_new_version_is_summarized(
    core: Application,
) -> None:
    entry = await queued(core)
    await core.store.put(entry.object_key, b"Another text: the ship sank in the storm.")

    await core.summarize(entry.id)
    (successor,) = await core.sweep()
    await core.summarize(successor)

    assert (await get(core, entry.id)).error_code == "OBJECT_CHANGED"
    assert successor != entry.id
    assert (await get(core, successor)).status == "done"


async def _defect() -> str:
    raise KeyError("granite")


async def _null_character() -> str:
    return "\0"  # the router removes it; PostgreSQL refuses it


@pytest.mark.parametrize(("reply", "name"), [(_defect, "KeyError"), (_null_character, "DataError")])
async def test_an_unexpected_error_fails_the_document_and_shows_no_text(
    core: Application,
    caplog: pytest.LogCaptureFixture,
    reply: Callable[[], Awaitable[str]],
    name: str,
) -> None:
    entry = await queued(core)

    await replace(core, router=Model(reply)).summarize(entry.id)

    failed = await get(core, entry.id)
    assert (failed.status, failed.error_code) == ("failed", "INTERNAL")
    assert failed.error_message == f"The worker stopped on an unexpected {name}."
    assert f"document {entry.id}: unexpected {name}" in caplog.text


async def test_a_replaced_worker_does_not_overwrite_the_summary_of_its_successor(
    core: Application, sql: Sql
) -> None:
    entry = await queued(core)

    async def slow_reply() -> str:
        sql("update documents set lease_until = now() - interval '1 s'")
        await core.summarize(entry.id)
        return "A stale summary."

    await replace(core, router=Model(slow_reply)).summarize(entry.id)

    done = await get(core, entry.id)
    assert (done.status, done.summary, done.epoch) == ("done", SUMMARY, 2)


# ---------------------------------------------------------------- outages


async def test_an_outage_while_progress_is_written_costs_no_summary(
    core: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = await queued(core)
    original = Ledger.progress

    async def progress(ledger: Ledger, entry: Entry, *, done: int, total: int) -> bool:
        if done:
            raise psycopg.OperationalError("the connection is lost")
        return await original(ledger, entry, done=done, total=total)

    monkeypatch.setattr(Ledger, "progress", progress)

    await core.summarize(entry.id)

    assert (await get(core, entry.id)).status == "done"


@pytest.mark.parametrize("error", [psycopg.OperationalError, psycopg.InterfaceError])
async def test_a_short_outage_of_the_database_fails_no_document(
    core: Application, monkeypatch: pytest.MonkeyPatch, error: type[psycopg.Error]
) -> None:
    entry = await queued(core)

    async def finish(*_arguments: object, **_options: object) -> bool:
        raise error("the connection is lost")

    monkeypatch.setattr(Ledger, "finish", finish)

    await core.summarize(entry.id)

    waiting = await get(core, entry.id)
    assert (waiting.status, waiting.error_code) == ("queued", "DATABASE_UNAVAILABLE")


@pytest.mark.parametrize(
    ("number", "problem"),
    [
        (errno.EAGAIN, "BlockingIOError: Resource temporarily unavailable"),
        (errno.ENOMEM, "OSError: Cannot allocate memory"),
    ],
)
async def test_a_machine_without_a_free_process_or_memory_fails_no_document(
    core: Application, monkeypatch: pytest.MonkeyPatch, number: int, problem: str
) -> None:
    entry = await queued(core)

    async def fork(*_arguments: object, **_options: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(asyncio, "create_subprocess_exec", fork)

    await core.summarize(entry.id)

    waiting = await get(core, entry.id)
    assert (waiting.status, waiting.error_code) == ("queued", "INTERNAL")
    assert waiting.error_message == (
        f"The operating system refused a resource to the worker ({problem})."
    )


async def test_an_outage_of_the_store_fails_no_document(core: Application) -> None:
    entry = await queued(core)

    await _without_store(core).summarize(entry.id)

    waiting = await get(core, entry.id)
    assert (waiting.status, waiting.error_code) == ("queued", "STORE_UNAVAILABLE")


# ---------------------------------------------------------------- the sweep


async def test_sweeps_that_overlap_adopt_an_object_once(
    core: Application, tmp_path: Path, sql: Sql
) -> None:
    folder = tmp_path / "incoming" / "deep er"
    folder.mkdir(parents=True)
    for number in range(30):
        (folder / f"Bücher {number}%.txt").write_bytes(TEXT)

    due = await asyncio.gather(*(core.sweep() for _ in range(4)))

    assert sql("select count(*), count(distinct object_key) from documents") == [(30, 30)]
    (id_, *_) = ids = max(due, key=len)
    assert len(ids) == 30
    await core.summarize(id_)
    done = await get(core, id_)
    assert (done.status, done.size) == ("done", len(TEXT))
    assert done.object_key == f"incoming/deep er/{done.name}"
    assert id_ not in await core.sweep()


async def test_more_objects_than_one_batch_are_all_adopted(
    core: Application, tmp_path: Path, sql: Sql
) -> None:
    (tmp_path / "incoming").mkdir()
    for number in range(1_001):
        (tmp_path / "incoming" / f"{number}.txt").touch()

    due = await core.sweep()

    assert sql("select count(*) from documents where status = 'queued'") == [(1_001,)]
    assert len(due) == 100  # the next sweep finds the next ones


async def test_a_sweep_during_an_outage_of_the_store_returns_due_documents(
    core: Application, caplog: pytest.LogCaptureFixture
) -> None:
    entry = await queued(core)

    assert await _without_store(core).sweep() == [entry.id]
    assert "the sweep could not list the store: STORE_UNAVAILABLE" in caplog.text


async def test_the_sweep_fails_missing_uploads_and_documents_that_kill_workers(
    core: Application, sql: Sql
) -> None:
    missing, _ = await core.announce("never.txt", 1)
    killer = await queued(core)
    sql("update documents set created_at = now() - interval '25 hours'")
    sql(
        "update documents set status = 'working', lease_until = now() - interval '1 s', "
        "lost_leases = 3 where id = %s",
        killer.id,
    )

    assert await core.sweep() == []

    assert (await get(core, missing.id)).error_code == "OBJECT_MISSING"
    killed = await get(core, killer.id)
    assert (killed.status, killed.error_code) == ("failed", "INTERNAL")


def _without_store(core: Application) -> Application:
    nowhere = replace(
        core.settings,
        store_url="s3://documents",
        store_endpoint="http://127.0.0.1:9",
        store_access_key_id="access",
        store_secret_access_key="secret",
    )
    return replace(core, store=open_store(nowhere))
