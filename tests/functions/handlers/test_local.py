"""The host of the variant `local`: uploads to its folder, killed workers, several hosts at once.

The facts of all hosts are in `tests/contract`. The host and the local model server are processes,
PostgreSQL is real. Leases expire by SQL.
"""

import asyncio
import json
import os
import secrets
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest

from components.local.server import Program
from functions.application import Application
from functions.handlers.local import DOCUMENTS_AT_ONCE, Host
from functions.settings import Settings
from tests.support import local
from tests.support.functions.entries import TEXT, queued

Json = dict[str, Any]


@pytest.fixture(scope="module")
def caller(application: local.Application) -> Iterator[httpx.Client]:
    """A client with the token."""
    with application.client() as client:
        yield client


# ---------------------------------------------------------------- uploads


def test_an_upload_needs_its_signed_url(caller: httpx.Client) -> None:
    upload = caller.post("/api/uploads", json={"name": "a.txt", "size": 5}).json()
    url = upload["upload_url"]

    for wrong in (
        url.replace("a.txt", "b.txt"),
        url.replace("signature=", "signature=0"),
        url.replace("expires=", "expires=9"),
        url.partition("&")[0],
        url.partition("?")[0],
        url.replace("signature=", "signature=%C3%A4"),
        url.replace("expires=", "expires=" + "9" * 5000),
    ):
        answer = httpx.put(wrong, content=b"hello", headers=upload["headers"])
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "UNAUTHORIZED")
    conflict = caller.post(f"/api/documents/{upload['document_id']}/complete")
    assert conflict.status_code == 409

    assert httpx.put(url, content=b"hello", headers=upload["headers"]).status_code == 200


def test_an_upload_without_a_size_is_refused_and_leaves_nothing(caller: httpx.Client) -> None:
    upload = caller.post("/api/uploads", json={"name": "large.txt", "size": 5}).json()

    def chunks() -> Iterator[bytes]:
        yield b"hello"

    answer = httpx.put(upload["upload_url"], content=chunks(), headers={"if-none-match": "*"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "UNAUTHORIZED")
    conflict = caller.post(f"/api/documents/{upload['document_id']}/complete")
    assert conflict.status_code == 409


def test_an_interrupted_upload_leaves_nothing(
    caller: httpx.Client, application: local.Application
) -> None:
    upload = caller.post("/api/uploads", json={"name": "cut.txt", "size": 100}).json()

    _raw_put(upload["upload_url"], b"only the beginning", content_length=100)

    answer = caller.post(f"/api/documents/{upload['document_id']}/complete")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "OBJECT_MISSING")
    assert "Traceback" not in application.program.daemon.log.read_text()


def test_an_upload_ends_after_its_content_length(
    caller: httpx.Client, application: local.Application
) -> None:
    upload = caller.post("/api/uploads", json={"name": "more.txt", "size": 5}).json()

    _raw_put(upload["upload_url"], b"hello, and a smuggled request", content_length=5)

    incoming = application.folder / "documents" / "incoming" / upload["document_id"]
    stored = local.until(lambda: _if(incoming / "more.txt", Path.exists))
    assert stored.read_bytes() == b"hello"


# ---------------------------------------------------------------- stopped workers


@pytest.fixture
def held(
    tmp_path_factory: pytest.TempPathFactory, postgres: local.Server
) -> Iterator[tuple[local.Application, Program]]:
    """An application with a document in progress, and the model server that does not answer."""
    folder = tmp_path_factory.mktemp("held")
    key = secrets.token_urlsafe(12)
    slow = Program(
        name="model_server",
        module="components.local.model_server",
        folder=folder,
        environment={"MODEL_SERVER_API_KEY": key, "MODEL_SERVER_DELAY_SECONDS": "600"},
    )
    port = slow.start()
    url = f"http://127.0.0.1:{port}/v1"
    inference = local.variables_of(
        local.endpoint(url=url, model=local.EXTRACTIVE), keys={"serverless": key}
    )
    try:
        with local.application(folder, postgres.database(), inference) as application:
            with application.client() as caller:
                id_ = _upload(caller, "held.txt", TEXT)
                caller.post(f"/api/documents/{id_}/complete")
                local.until(lambda: _if(_get(caller, id_), lambda d: d["progress"] is not None))
            yield application, slow
    finally:
        slow.daemon.stop()


def test_the_next_sweep_replaces_a_killed_worker(
    held: tuple[local.Application, Program],
) -> None:
    application, model_server = held
    pid = application.program.daemon.pid()
    assert pid is not None

    os.kill(pid, signal.SIGKILL)
    local.until(lambda: True if application.program.daemon.pid() is None else None)
    model_server.daemon.stop()
    _restart(
        replace(
            model_server, environment={**model_server.environment, "MODEL_SERVER_DELAY_SECONDS": ""}
        ),
        json.loads(application.environment["INFERENCE_ENDPOINTS"])[0]["url"],
    )
    state = "select status, attempts, lost_leases, lease_until > now() from documents"
    assert _sql(application, state) == [("working", 1, 0, True)]
    _sql(application, "update documents set lease_until = now() - interval '1 s'")
    _restart(application.program, application.url)

    with application.client() as caller:
        (found,) = caller.get("/api/documents").json()["documents"]
        done = _ended(caller, found["id"])
    assert (done["status"], done["attempts"]) == ("done", 2)
    assert _sql(application, "select epoch, lost_leases from documents") == [(2, 1)]


def test_a_stopped_worker_releases_its_document_at_once(
    held: tuple[local.Application, Program],
) -> None:
    application, _ = held

    application.program.daemon.stop()

    assert _sql(
        application,
        "select status, attempts, lost_leases, lease_until, not_before, error_code from documents",
    ) == [("queued", 0, 0, None, None, None)]
    assert "Traceback" not in application.program.daemon.log.read_text()


# ---------------------------------------------------------------- concurrency


def test_two_hosts_summarize_each_document_once(
    tmp_path_factory: pytest.TempPathFactory, postgres: local.Server, model_server: dict[str, str]
) -> None:
    folder = tmp_path_factory.mktemp("two")
    incoming = folder / "documents" / "incoming"
    incoming.mkdir(parents=True)
    for number in range(30):
        (incoming / f"{number}.txt").write_bytes(TEXT + b"%d" % number)
    with (
        local.application(folder, postgres.database(), model_server) as application,
        _running(replace(application.program, name="second")),
    ):
        counts = "select count(*), sum(attempts), sum(epoch) from documents where status = 'done'"

        local.until(lambda: _if(_sql(application, counts), lambda rows: rows[0][0] == 30))

        assert _sql(application, counts) == [(30, 30, 30)]
        assert len(list((folder / "documents" / "summaries").iterdir())) == 30


@pytest.mark.anyio
async def test_a_host_works_on_four_documents_at_once_and_on_each_once(
    core: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[UUID] = []
    released = asyncio.Event()

    async def work(_application: Application, id_: UUID) -> None:
        begun.append(id_)
        await released.wait()

    monkeypatch.setattr(Application, "summarize", work)
    host = Host(core)
    ids = [uuid4() for _ in range(2 * DOCUMENTS_AT_ONCE)]
    async with host.running():
        for id_ in [*ids, *ids]:
            await host.start(id_)
        await _settled()
        assert begun == ids[:4]

        released.set()
        await _settled()
        assert begun == ids

        await host.start(ids[0])  # it has ended, so it may begin again
        await _settled()
        assert begun == [*ids, ids[0]]


@pytest.mark.anyio
async def test_a_failed_sweep_is_repeated(
    core: Application, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    problems: list[Exception] = [psycopg.OperationalError("away"), ZeroDivisionError("a defect")]
    swept = asyncio.Event()

    async def sweep(_application: Application) -> list[UUID]:
        if problems:
            raise problems.pop(0)
        swept.set()
        return []

    monkeypatch.setattr(Application, "sweep", sweep)
    hurried = replace(core, settings=replace(core.settings, sweep_interval_seconds=0.01))

    async with Host(hurried).running(), asyncio.timeout(20):
        await swept.wait()

    assert "the sweep is postponed: OperationalError" in caplog.text
    assert "ZeroDivisionError: a defect" in caplog.text


@pytest.mark.anyio
async def test_an_outage_of_the_database_is_logged_without_a_traceback(
    core: Application, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tried = asyncio.Event()

    async def away(*_arguments: object) -> None:
        tried.set()
        raise psycopg.OperationalError("away")

    monkeypatch.setattr(Application, "summarize", away)
    host = Host(core)
    async with host.running(), asyncio.timeout(20):
        await host.start((await queued(core)).id)
        await tried.wait()

    assert "the database is unreachable (OperationalError)" in caplog.text
    assert "Traceback" not in caplog.text


# ---------------------------------------------------------------- secrets


def test_no_secret_is_in_the_log_or_on_the_command_line(
    caller: httpx.Client, application: local.Application
) -> None:
    id_ = _upload(caller, "a.txt", TEXT)  # its URL is a credential for 15 minutes
    caller.post(f"/api/documents/{id_}/complete")
    _ended(caller, id_)
    pid = application.program.daemon.pid()
    shown = application.program.daemon.log.read_text() + Path(f"/proc/{pid}/cmdline").read_text()

    assert f"document {id_}: done" in shown
    assert "signature=" not in shown
    environment = application.environment
    (key,) = json.loads(environment["INFERENCE_API_KEYS"]).values()
    for secret in (environment["API_TOKEN"], environment["DATABASE_PASSWORD"], key):
        assert secret not in shown


def _upload(caller: httpx.Client, name: str, data: bytes) -> str:
    """Announce and upload a document; return its id."""
    answer = caller.post("/api/uploads", json={"name": name, "size": len(data)})
    assert answer.status_code == 201
    upload = answer.json()
    put = httpx.put(upload["upload_url"], content=data, headers=upload["headers"])
    assert put.status_code == 200
    id_: str = upload["document_id"]
    return id_


def _get(caller: httpx.Client, id_: str) -> Json:
    answer = caller.get(f"/api/documents/{id_}")
    assert answer.status_code == 200
    document: Json = answer.json()
    return document


def _ended(caller: httpx.Client, id_: str) -> Json:
    """Wait until the document is done or failed."""
    return local.until(
        lambda: _if(_get(caller, id_), lambda found: found["status"] in ("done", "failed"))
    )


def _if(value: local.T, right: Callable[[local.T], bool]) -> local.T | None:
    return value if right(value) else None


def _sql(application: local.Application, statement: str, *values: object) -> list[tuple[Any, ...]]:
    settings = Settings.read(application.environment)
    with psycopg.connect(settings.database_conninfo) as connection:
        cursor = connection.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []


def _raw_put(url: str, body: bytes, *, content_length: int) -> None:
    """Send a PUT with this content length and body, and close the connection."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    with socket.create_connection((parts.hostname, parts.port or 80), timeout=10) as connection:
        connection.sendall(
            f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            f"Content-Length: {content_length}\r\nIf-None-Match: *\r\n\r\n".encode()
            + body
        )
        if len(body) >= content_length:
            assert connection.recv(12) == b"HTTP/1.1 200"


def _restart(program: Program, url: str) -> None:
    """Start a program at its former port."""
    port = urlsplit(url).port
    assert port is not None
    assert program.start(wanted_port=port) == port


@contextmanager
def _running(program: Program) -> Iterator[None]:
    program.start()
    try:
        yield
    finally:
        program.daemon.stop()


async def _settled() -> None:
    """Run every task until it waits."""
    for _ in range(20):
        await asyncio.sleep(0)
