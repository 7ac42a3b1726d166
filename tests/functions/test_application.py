"""The functions of the application, on a real PostgreSQL and a folder: what ends how.

The model is a function in this file. Several processes, signals and HTTP are in `test_local_host`.
"""

import asyncio
import errno
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
import psycopg
import pytest

from functions.application import LEASE_SLACK, Application
from functions.documents.extract import MAX_DOCUMENT_BYTES
from functions.errors import Code, Failure
from functions.storage.entry import Entry
from functions.storage.ledger import Ledger
from functions.storage.object_store import open_store
from functions.summary.summarize import PROMPT_VERSION
from tests.functions.conftest import Sql
from tests.support.functions.fakes import SUMMARY, Model, summary

pytestmark = pytest.mark.anyio

TEXT = b"The tower was built of granite in 1841. The keeper lives on the island in summer."

# ---------------------------------------------------------------- uploads


async def test_an_announced_document_has_a_place_for_its_bytes(core: Application) -> None:
    entry, upload = await core.announce("A report.pdf", 81)

    assert (entry.status, entry.name, entry.size) == ("uploading", "A report.pdf", 81)
    assert entry.object_key == f"incoming/{entry.id}/A report.pdf"
    assert upload.url.startswith(f"uploads/incoming/{entry.id}/A%20report.pdf?expires=")


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
async def test_any_name_becomes_a_key_that_a_folder_takes(
    core: Application, name: str, safe: str
) -> None:
    entry, _ = await core.announce(name, 1)
    await core.store.put(entry.object_key, TEXT)

    completed = await core.complete(entry)

    assert entry.object_key == f"incoming/{entry.id}/{safe}"
    assert (completed.status, completed.name) == ("queued", name)
    assert [found.key async for found in core.store.list()] == [entry.object_key]


async def test_a_document_is_not_complete_before_its_bytes_are_there(
    core: Application,
) -> None:
    entry, _ = await core.announce("a.txt", 1)

    with pytest.raises(Failure) as early:
        await core.complete(entry)

    assert early.value.code is Code.OBJECT_MISSING
    assert (await _get(core, entry.id)).status == "uploading"


async def test_completing_five_times_queues_one_document(core: Application, sql: Sql) -> None:
    entry = await _uploaded(core)

    completed = await asyncio.gather(*(core.complete(entry) for _ in range(5)))

    assert {(done.id, done.status, done.size) for done in completed} == {
        (entry.id, "queued", len(TEXT))
    }
    assert sql("select count(*) from documents") == [(1,)]


@pytest.mark.parametrize("status", ["queued", "working", "done", "failed"])
async def test_completing_later_changes_nothing(
    core: Application, sql: Sql, tmp_path: Path, status: str
) -> None:
    entry = await core.complete(await _uploaded(core))
    sql(
        "update documents set status = %s, summary = 's', error_code = 'e', lease_until = "
        "case when %s = 'working' then now() end",
        status,
        status,
    )
    before = await _get(core, entry.id)
    (tmp_path / entry.object_key).unlink()

    assert await core.complete(before) == before


# ---------------------------------------------------------------- work


async def test_a_document_that_is_queued_is_summarized(core: Application) -> None:
    entry = await _queued(core)

    await core.summarize(entry.id)

    done = await _get(core, entry.id)
    assert (done.status, done.summary, done.kind) == ("done", SUMMARY, "text")
    assert done.usage == summary().usage
    assert (done.attempts, done.calls_done, done.calls_total) == (1, 1, 1)


async def test_the_summary_lies_in_the_store_too(core: Application) -> None:
    entry = await _queued(core)

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


async def test_a_document_that_is_not_due_costs_nothing(core: Application) -> None:
    entry = await _queued(core)
    await core.summarize(entry.id)

    await core.summarize(entry.id)
    await core.summarize(uuid4())

    assert len(_model(core).deadlines) == 1


async def test_ten_events_for_one_document_make_one_summary(core: Application) -> None:
    entry = await _queued(core)

    await asyncio.gather(*(core.summarize(entry.id) for _ in range(10)))

    assert len(_model(core).deadlines) == 1
    assert (await _get(core, entry.id)).attempts == 1


async def test_a_lease_outlives_the_deadline_that_every_call_is_given(
    core: Application,
) -> None:
    entry = await _queued(core)
    leases = []

    async def look() -> str:
        now = await _get(core, entry.id)
        assert now.lease_until is not None
        leases.append(now.lease_until - now.created_at)
        return "A summary."

    looking = _with(core, look)
    before = time.monotonic()
    await looking.summarize(entry.id)

    (deadline,), (lease,) = _model(looking).deadlines, leases
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
    entry = await _queued(core, data=data)

    await core.summarize(entry.id)

    failed = await _get(core, entry.id)
    assert (failed.status, failed.error_code) == ("failed", code)
    assert failed.error_message
    assert failed.error_remedy
    assert _model(core).deadlines == []


async def test_a_document_that_is_too_large_is_not_even_read(
    core: Application, sql: Sql, tmp_path: Path
) -> None:
    entry = await _queued(core)
    sql("update documents set size = %s", MAX_DOCUMENT_BYTES + 1)
    (tmp_path / entry.object_key).unlink()  # reading it would say OBJECT_MISSING

    await core.summarize(entry.id)

    failed = await _get(core, entry.id)
    assert (failed.status, failed.error_code) == ("failed", "TOO_LARGE")
    assert "104,857,601 bytes" in (failed.error_message or "")


async def test_an_object_that_was_overwritten_fails_and_its_new_version_is_summarized(
    core: Application,
) -> None:
    entry = await _queued(core)
    await core.store.put(entry.object_key, b"Another text: the ship sank in the storm.")

    await core.summarize(entry.id)
    (successor,) = await core.sweep()
    await core.summarize(successor)

    assert (await _get(core, entry.id)).error_code == "OBJECT_CHANGED"
    assert successor != entry.id
    assert (await _get(core, successor)).status == "done"


async def test_a_passing_failure_is_tried_again_later(core: Application) -> None:
    entry = await _queued(core)

    async def busy() -> str:
        raise Failure(
            Code.INFERENCE_UNAVAILABLE, "Busy.", "Wait.", retryable=True, retry_after=100.0
        )

    await _with(core, busy).summarize(entry.id)

    waiting = await _get(core, entry.id)
    assert (waiting.status, waiting.error_code) == ("queued", "INFERENCE_UNAVAILABLE")
    assert waiting.not_before is not None
    assert waiting.not_before - waiting.updated_at == timedelta(seconds=100)


async def test_an_unexpected_error_fails_the_document_and_reveals_no_text(
    core: Application, caplog: pytest.LogCaptureFixture
) -> None:
    entry = await _queued(core)

    async def broken() -> str:
        raise KeyError("granite")

    await _with(core, broken).summarize(entry.id)

    failed = await _get(core, entry.id)
    assert (failed.status, failed.error_code) == ("failed", "INTERNAL")
    assert failed.error_message == "The worker stopped on an unexpected KeyError."
    assert f"document {entry.id}: unexpected KeyError" in caplog.text


async def test_a_summary_that_the_database_refuses_fails_the_document(
    core: Application,
) -> None:
    entry = await _queued(core)

    async def blank() -> str:
        return "\0"  # `Router` removes it

    await _with(core, blank).summarize(entry.id)

    failed = await _get(core, entry.id)
    assert (failed.status, failed.error_code) == ("failed", "INTERNAL")


async def test_a_worker_that_is_stopped_gives_its_document_back(core: Application) -> None:
    entry = await _queued(core)
    asked = asyncio.Event()

    async def never() -> str:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError("nobody ends this wait")

    task = asyncio.create_task(_with(core, never).summarize(entry.id))
    await asked.wait()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    back = await _get(core, entry.id)
    assert (back.status, back.attempts, back.lost_leases) == ("queued", 0, 0)
    assert await core.ledger.due() == [entry.id]


async def test_a_worker_that_was_replaced_does_not_overwrite_its_successor(
    core: Application, sql: Sql
) -> None:
    entry = await _queued(core)

    async def overtaken() -> str:
        sql("update documents set lease_until = now() - interval '1 s'")
        await core.summarize(entry.id)
        return "A stale summary."

    await _with(core, overtaken).summarize(entry.id)

    done = await _get(core, entry.id)
    assert (done.status, done.summary, done.epoch) == ("done", SUMMARY, 2)


# ---------------------------------------------------------------- outages


async def test_progress_that_cannot_be_noted_costs_no_summary(
    core: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = await _queued(core)
    noted = Ledger.progress

    async def progress(ledger: Ledger, entry: Entry, *, done: int, total: int) -> bool:
        if done:
            raise psycopg.OperationalError("the connection is lost")
        return await noted(ledger, entry, done=done, total=total)

    monkeypatch.setattr(Ledger, "progress", progress)

    await core.summarize(entry.id)

    assert (await _get(core, entry.id)).status == "done"


@pytest.mark.parametrize("error", [psycopg.OperationalError, psycopg.InterfaceError])
async def test_a_short_outage_of_the_database_fails_no_document(
    core: Application, monkeypatch: pytest.MonkeyPatch, error: type[psycopg.Error]
) -> None:
    entry = await _queued(core)

    async def finish(*_arguments: object, **_options: object) -> bool:
        raise error("the connection is lost")

    monkeypatch.setattr(Ledger, "finish", finish)

    await core.summarize(entry.id)

    waiting = await _get(core, entry.id)
    assert (waiting.status, waiting.error_code) == ("queued", "DATABASE_UNAVAILABLE")


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (
            errno.EAGAIN,
            "The operating system refused a resource to the worker "
            "(BlockingIOError: Resource temporarily unavailable).",
        ),
        (
            errno.ENOMEM,
            "The operating system refused a resource to the worker "
            "(OSError: Cannot allocate memory).",
        ),
    ],
)
async def test_a_machine_without_a_free_process_or_memory_fails_no_document(
    core: Application, monkeypatch: pytest.MonkeyPatch, number: int, message: str
) -> None:
    entry = await _queued(core)

    async def fork(*_arguments: object, **_options: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(asyncio, "create_subprocess_exec", fork)

    await core.summarize(entry.id)

    waiting = await _get(core, entry.id)
    assert (waiting.status, waiting.error_code) == ("queued", "INTERNAL")
    assert (waiting.error_message, waiting.error_remedy) == (
        message,
        "It is retried automatically.",
    )


async def test_a_store_that_is_away_fails_no_document(core: Application) -> None:
    entry = await _queued(core)
    away = _without_store(core)

    await away.summarize(entry.id)

    waiting = await _get(core, entry.id)
    assert (waiting.status, waiting.error_code) == ("queued", "STORE_UNAVAILABLE")


# ---------------------------------------------------------------- the sweep


async def test_the_sweep_adopts_objects_without_a_row(core: Application, tmp_path: Path) -> None:
    (tmp_path / "incoming" / "deep er").mkdir(parents=True)
    (tmp_path / "incoming" / "deep er" / "Bücher 100%.txt").write_bytes(TEXT)

    (id_,) = await core.sweep()
    await core.summarize(id_)

    done = await _get(core, id_)
    assert (done.status, done.name, done.size) == ("done", "Bücher 100%.txt", len(TEXT))
    assert done.object_key == "incoming/deep er/Bücher 100%.txt"
    assert await core.sweep() == []


async def test_sweeps_that_overlap_adopt_an_object_once(
    core: Application, tmp_path: Path, sql: Sql
) -> None:
    (tmp_path / "incoming").mkdir()
    for number in range(30):
        (tmp_path / "incoming" / f"{number}.txt").write_bytes(TEXT)

    swept = await asyncio.gather(*(core.sweep() for _ in range(4)))

    assert sql("select count(*), count(distinct object_key) from documents") == [(30, 30)]
    assert max(len(ids) for ids in swept) == 30


async def test_more_objects_than_one_batch_are_all_adopted(
    core: Application, tmp_path: Path, sql: Sql
) -> None:
    (tmp_path / "incoming").mkdir()
    for number in range(1_001):
        (tmp_path / "incoming" / f"{number}.txt").touch()

    due = await core.sweep()

    assert sql("select count(*) from documents where status = 'queued'") == [(1_001,)]
    assert len(due) == 100  # the next sweep finds the next ones


async def test_the_sweep_finds_an_upload_without_a_complete_call(
    core: Application,
) -> None:
    entry = await _uploaded(core)

    assert await core.sweep() == [entry.id]
    assert (await _get(core, entry.id)).status == "queued"


async def test_summaries_are_not_summarized(core: Application) -> None:
    await core.store.put("summaries/a.json", TEXT)

    assert await core.sweep() == []


async def test_a_sweep_that_cannot_list_still_finds_what_is_due(
    core: Application, caplog: pytest.LogCaptureFixture
) -> None:
    entry = await _queued(core)
    away = _without_store(core)

    assert await away.sweep() == [entry.id]
    assert "the sweep could not list the store: STORE_UNAVAILABLE" in caplog.text


async def test_the_sweep_ends_what_cannot_end_by_itself(core: Application, sql: Sql) -> None:
    waiting, _ = await core.announce("never.txt", 1)
    deadly = await _queued(core)
    sql("update documents set created_at = now() - interval '25 hours'")
    sql(
        "update documents set status = 'working', lease_until = now() - interval '1 s', "
        "lost_leases = 3 where id = %s",
        deadly.id,
    )

    assert await core.sweep() == []

    assert (await _get(core, waiting.id)).error_code == "OBJECT_MISSING"
    killed = await _get(core, deadly.id)
    assert (killed.status, killed.error_code) == ("failed", "INTERNAL")


# ---------------------------------------------------------------- given


def _with(core: Application, reply: Callable[[], Awaitable[str]]) -> Application:
    """The same application with another model."""
    return replace(core, router=Model(reply))


def _without_store(core: Application) -> Application:
    nowhere = replace(
        core.settings,
        store_url="s3://documents",
        store_endpoint="http://127.0.0.1:9",
        store_access_key_id="access",
        store_secret_access_key="secret",
    )
    return replace(core, store=open_store(nowhere))


def _model(core: Application) -> Model:
    assert isinstance(core.router, Model)
    return core.router


async def _uploaded(core: Application, *, data: bytes = TEXT) -> Entry:
    entry, _ = await core.announce("a.txt", len(data))
    await core.store.put(entry.object_key, data)
    return entry


async def _queued(core: Application, *, data: bytes = TEXT) -> Entry:
    return await core.complete(await _uploaded(core, data=data))


async def _get(core: Application, id_: UUID) -> Entry:
    entry = await core.ledger.get(id_)
    assert entry is not None
    return entry
