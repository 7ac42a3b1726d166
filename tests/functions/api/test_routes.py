"""The HTTP API in this process: responses, refusals, outages, metrics and the page.

PostgreSQL is real, and the store is a folder. The OpenAPI document is in `test_openapi`, a real
server in `tests/functions/handlers/test_local.py`.
"""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest

from functions import __version__
from functions.api import routes, schema
from functions.api.routes import MAX_BODY_BYTES, ORIGIN, PAGE_SIZE, create_api
from functions.application import Application
from functions.documents.extract import MAX_DOCUMENT_BYTES
from functions.errors import Code, Failure
from functions.opening import Opened
from functions.settings import Settings
from functions.storage.ledger import Ledger
from functions.storage.object_store import Store, open_store
from functions.summary.summarize import PROMPT_VERSION
from tests.functions.conftest import Sql
from tests.support import local
from tests.support.functions.entries import TEXT
from tests.support.functions.fakes import SUMMARY

pytestmark = pytest.mark.anyio

UNKNOWN = f"{UUID(int=0)}"

GUARDED = [
    ("POST", "/api/uploads"),
    ("POST", f"/api/documents/{UNKNOWN}/complete"),
    ("GET", "/api/documents"),
    ("GET", f"/api/documents/{UNKNOWN}"),
    ("POST", f"/api/documents/{UNKNOWN}/retry"),
    ("GET", "/metrics"),
]


@dataclass
class Started:
    """Records the documents that the API starts."""

    ids: list[UUID] = field(default_factory=list)

    async def __call__(self, id_: UUID) -> None:
        self.ids.append(id_)


@pytest.fixture
def started() -> Started:
    """The documents that the API starts."""
    return Started()


@asynccontextmanager
async def calling(
    core: Application, started: Started, **headers: str
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the API with these headers."""
    transport = httpx.ASGITransport(create_api(Opened(core), started), raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="https://page.example", headers=headers
    ) as client:
        yield client


@pytest.fixture
async def api(core: Application, started: Started) -> AsyncIterator[httpx.AsyncClient]:
    """A client with the token."""
    async with calling(core, started, Authorization=f"Bearer {core.settings.api_token}") as client:
        yield client


# ---------------------------------------------------------------- one document


async def test_a_document_is_announced_completed_summarized_and_read(
    core: Application, api: httpx.AsyncClient, started: Started
) -> None:
    answer = await api.post("/api/uploads", json={"name": "Über uns.txt", "size": len(TEXT)})

    assert answer.status_code == 201
    upload = msgspec.json.decode(answer.content, type=schema.Upload)
    key = f"incoming/{upload.document_id}/Über uns.txt"
    assert (upload.method, upload.headers) == (
        "PUT",
        {"content-length": f"{len(TEXT)}", "if-none-match": "*"},
    )
    assert upload.upload_url.startswith(
        f"https://page.example/uploads/incoming/{upload.document_id}/%C3%9Cber%20uns.txt?expires="
    )
    assert (await to_document(api, upload.document_id)).status == "uploading"

    await core.store.put(key, TEXT)
    completed = await api.post(f"/api/documents/{upload.document_id}/complete")

    assert completed.status_code == 202
    assert msgspec.json.decode(completed.content, type=schema.Document).status == "queued"
    assert started.ids == [UUID(upload.document_id)]

    await core.summarize(started.ids[0])
    done = await to_document(api, upload.document_id)

    assert done == schema.Document(
        id=upload.document_id,
        name="Über uns.txt",
        size=len(TEXT),
        status="done",
        created_at=done.created_at,
        updated_at=done.updated_at,
        attempts=1,
        progress=schema.Progress(1, 1),
        kind="text",
        summary=SUMMARY,
        model="some-model-2026",
        inference_mode="serverless",
        endpoint="serverless",
        usage=schema.Usage(1_000_000, 500_000, 1),
        cost_usd=1.5,
        error=None,
    )


async def test_completing_may_be_repeated(
    core: Application, api: httpx.AsyncClient, started: Started
) -> None:
    id_ = await _uploaded(core, api)

    answers = [await api.post(f"/api/documents/{id_}/complete") for _ in range(5)]

    assert [answer.status_code for answer in answers] == [202] * 5
    await core.summarize(started.ids[0])
    started.ids.clear()

    done = await api.post(f"/api/documents/{id_}/complete")

    assert (done.status_code, done.json()["status"]) == (202, "done")
    assert started.ids == []


async def test_completing_before_the_bytes_are_there_is_a_conflict(
    api: httpx.AsyncClient, started: Started
) -> None:
    upload = (await api.post("/api/uploads", json={"name": "a.txt", "size": 1})).json()

    answer = await api.post(f"/api/documents/{upload['document_id']}/complete")

    _is_error(answer, 409, "OBJECT_MISSING")
    assert started.ids == []


async def test_a_failed_document_has_its_error_with_a_remedy(
    core: Application, api: httpx.AsyncClient, started: Started
) -> None:
    id_ = await _uploaded(core, api, data=b"\x89PNG\r\n\x1a\n")
    await api.post(f"/api/documents/{id_}/complete")
    await core.summarize(started.ids[0])

    failed = await to_document(api, id_)

    assert (failed.status, failed.summary, failed.usage) == ("failed", None, None)
    assert failed.error is not None
    assert failed.error.code == "UNSUPPORTED_TYPE"
    assert failed.error.message == "The file is a PNG image, 8 bytes."
    assert "OCR" in failed.error.remedy


async def test_a_failed_document_is_queued_again(
    core: Application, api: httpx.AsyncClient, started: Started
) -> None:
    id_ = await _uploaded(core, api, data=b"")
    await api.post(f"/api/documents/{id_}/complete")
    await core.summarize(started.ids[0])

    answer = await api.post(f"/api/documents/{id_}/retry")

    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    assert answer.json()["error"] is None
    assert [f"{id_}" for id_ in started.ids] == [id_, id_]


async def test_only_a_failed_document_is_queued_again(
    core: Application, api: httpx.AsyncClient, started: Started
) -> None:
    id_ = await _uploaded(core, api)

    answer = await api.post(f"/api/documents/{id_}/retry")

    _is_error(answer, 409, "CONFLICT", f"Document {id_} is uploading, not failed.")
    assert started.ids == []


async def test_a_retry_finds_an_upload_that_came_too_late(
    core: Application, api: httpx.AsyncClient, started: Started, sql: Sql
) -> None:
    id_ = await _uploaded(core, api)
    sql("update documents set status = 'failed', error_code = 'OBJECT_MISSING'")

    answer = await api.post(f"/api/documents/{id_}/retry")

    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    assert [f"{id_}" for id_ in started.ids] == [id_]


# ---------------------------------------------------------------- lists


async def test_all_documents_are_listed_newest_first_page_by_page(
    api: httpx.AsyncClient, sql: Sql
) -> None:
    sql(
        "insert into documents (id, name, object_key, prompt_version, status, created_at) "
        "select gen_random_uuid(), n, n, 'p1', 'uploading', "
        "timestamptz '2026-11-01' + (n / 7) * interval '1 microsecond' "
        "from generate_series(1, %s) as n",
        2 * PAGE_SIZE + 10,
    )
    sizes, listed = [], []
    query: dict[str, str] = {}
    while True:
        answer = await api.get("/api/documents", params=query)
        page = msgspec.json.decode(answer.content, type=schema.DocumentPage)
        sizes.append(len(page.documents))
        listed += page.documents
        if isinstance(page.next_cursor, msgspec.UnsetType):
            break
        query = {"cursor": page.next_cursor}

    assert sizes == [PAGE_SIZE, PAGE_SIZE, 10]
    assert {document.name for document in listed} == {f"{n}" for n in range(1, 2 * PAGE_SIZE + 11)}
    assert listed == sorted(listed, key=lambda d: (d.created_at, UUID(d.id)), reverse=True)


async def test_a_full_last_page_has_no_cursor(api: httpx.AsyncClient, sql: Sql) -> None:
    sql(
        "insert into documents (id, name, object_key, prompt_version, status) "
        "select gen_random_uuid(), n, n, 'p1', 'uploading' from generate_series(1, %s) as n",
        PAGE_SIZE,
    )

    page = (await api.get("/api/documents")).json()

    assert len(page["documents"]) == PAGE_SIZE
    assert "next_cursor" not in page


def _cursor(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "AAAA",
        "not base64 at all!",
        "ü",
        "\0",
        _cursor("2026-11-01T00:00:00+00:00"),
        _cursor(f"yesterday {UNKNOWN}"),
        _cursor("2026-11-01T00:00:00+00:00 unknown"),
        _cursor(f"0001-01-01T00:00:00+14:00 {UNKNOWN}"),
        _cursor(f"9999-12-31T23:59:59-14:00 {UNKNOWN}"),
        _cursor(f"2026-11-01T00:00:00+00:00 {UNKNOWN} more"),
        base64.urlsafe_b64encode(b"\xff\xfe \xff").decode(),
    ],
)
async def test_an_invalid_cursor_is_refused(api: httpx.AsyncClient, cursor: str) -> None:
    answer = await api.get("/api/documents", params={"cursor": cursor})

    _is_error(answer, 400, "BAD_REQUEST", "Invalid cursor ")


@pytest.mark.parametrize(
    "time", ["2026-11-01T00:00:00", "2026-11-01", "2026-11-01T00:00:00+00:00:30.5"]
)
async def test_a_forged_cursor_gives_an_empty_page(api: httpx.AsyncClient, time: str) -> None:
    answer = await api.get("/api/documents", params={"cursor": _cursor(f"{time} {UNKNOWN}")})

    assert (answer.status_code, answer.json()) == (200, {"documents": []})


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(("method", "path"), GUARDED)
async def test_a_request_without_a_valid_token_is_refused(
    core: Application, started: Started, method: str, path: str
) -> None:
    async with calling(core, started) as client:
        for authorization in (
            None,
            b"",
            b"Bearer",
            b"Bearer ",
            b"Bearer wrong",
            b"Bearer \xff",
            f"Basic {core.settings.api_token}".encode(),
            core.settings.api_token.encode(),
        ):
            headers = [] if authorization is None else [(b"Authorization", authorization)]
            answer = await client.request(method, path, headers=headers)

            _is_error(answer, 401, "UNAUTHORIZED")
            assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer  "])
async def test_the_scheme_of_the_token_has_any_case(
    core: Application, started: Started, scheme: str
) -> None:
    token = core.settings.api_token
    async with calling(core, started, Authorization=f"{scheme} {token}") as client:
        assert (await client.get("/api/documents")).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"{}",
        b'{"name": "a.txt"}',
        b'{"size": 1}',
        b'{"name": "", "size": 1}',
        b'{"name": null, "size": 1}',
        b'{"name": "a.txt", "size": 0}',
        b'{"name": "a.txt", "size": -1}',
        b'{"name": "a.txt", "size": "1"}',
        b'{"name": "a.txt", "size": 1.5}',
        b'{"name": "a.txt", "size": true}',
        b'{"name": "a.txt", "size": 1, "more": 1}',
        b'{"name": "a\\u0000.txt", "size": 1}',
        b'{"name": "a\\ud800.txt", "size": 1}',
        b'{"name": "a\xff.txt", "size": 1}',
        b'{"name": "' + b"x" * 256 + b'", "size": 1}',
        b'{"name": "a.txt", "size": %d}' % (MAX_DOCUMENT_BYTES + 1),
        b'{"name": "a.txt", "size": 1%s}' % (b"0" * 5000),
        b"[" * 60_000,
    ],
)
async def test_an_invalid_upload_request_is_refused(
    api: httpx.AsyncClient, sql: Sql, body: bytes
) -> None:
    answer = await api.post("/api/uploads", content=body)

    _is_error(answer, 400, "BAD_REQUEST", "The request body is not a valid UploadRequest: ")
    assert sql("select count(*) from documents") == [(0,)]


@pytest.mark.parametrize("size", [1, MAX_DOCUMENT_BYTES])
@pytest.mark.parametrize("name", ["x", "x" * 255, "🗿" * 255, "\t\r\n", "../../a", "'; drop table"])
async def test_any_valid_name_and_size_is_accepted(
    api: httpx.AsyncClient, name: str, size: int
) -> None:
    answer = await api.post("/api/uploads", json={"name": name, "size": size})

    assert answer.status_code == 201
    document = await to_document(api, answer.json()["document_id"])
    assert (document.name, document.size) == (name, size)


async def test_a_body_that_is_too_large_is_not_read_to_its_end(
    api: httpx.AsyncClient,
) -> None:
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 1 << 30:
            sent += 1024
            yield b" " * 1024

    answer = await api.post("/api/uploads", content=body())

    _is_error(answer, 413, "TOO_LARGE", "larger than 65,536 bytes")
    assert sent <= MAX_BODY_BYTES + 2048


@pytest.mark.parametrize(
    ("method", "action"), [("GET", ""), ("POST", "/complete"), ("POST", "/retry")]
)
async def test_an_unknown_document_is_not_found(
    api: httpx.AsyncClient, method: str, action: str
) -> None:
    unknown = ["nonsense", "0", "%00", "%ff", "..%2f..", "🗿", "x" * 5000]
    for id_ in [f"{uuid4()}", f"{uuid4()}x", *unknown]:
        answer = await api.request(method, f"/api/documents/{id_}{action}")

        _is_error(answer, 404, "NOT_FOUND")
        assert len(answer.content) < 1000 + len(id_)


@pytest.mark.parametrize(
    "path", ["/nothing", "/api", "/api/documents/a/b/c", "/page/none.js", "/page/../api.py"]
)
async def test_an_unknown_path_is_an_error_body(api: httpx.AsyncClient, path: str) -> None:
    _is_error(await api.get(path), 404, "NOT_FOUND", "The path '/")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/api/uploads", {"POST"}),
        ("DELETE", "/api/documents", {"GET", "HEAD"}),
        ("PUT", f"/api/documents/{UNKNOWN}", {"GET", "HEAD"}),
        ("GET", f"/api/documents/{UNKNOWN}/retry", {"POST"}),
        ("POST", "/healthz", {"GET", "HEAD"}),
        ("POST", "/page/app.js", {"GET", "HEAD"}),
    ],
)
async def test_the_response_to_a_wrong_method_lists_the_allowed_ones(
    api: httpx.AsyncClient, method: str, path: str, allowed: set[str]
) -> None:
    answer = await api.request(method, path)

    _is_error(answer, 405, "METHOD_NOT_ALLOWED", f"The path {path!r} does not support {method}.")
    assert set(answer.headers["Allow"].split(", ")) == allowed


# ---------------------------------------------------------------- outages and defects


@pytest.fixture
async def away(database: Settings) -> Ledger:
    """A ledger whose connections are closed."""
    async with Ledger.open(database.database_conninfo) as ledger:
        pass
    return ledger


@pytest.mark.parametrize(("method", "path"), GUARDED)
async def test_an_outage_of_the_database_is_503(
    core: Application, started: Started, away: Ledger, method: str, path: str
) -> None:
    token = f"Bearer {core.settings.api_token}"
    body = {"name": "a.txt", "size": 1} if path == "/api/uploads" else None
    async with calling(replace(core, ledger=away), started, Authorization=token) as client:
        answer = await client.request(method, path, json=body)

    _is_error(answer, 503, "DATABASE_UNAVAILABLE")


async def test_an_outage_of_the_store_is_503(
    core: Application, api: httpx.AsyncClient, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = await _uploaded(core, api)

    async def head(_store: Store, _key: str) -> None:
        raise Failure(Code.STORE_UNAVAILABLE, "It did not answer.", "Wait.", retryable=True)

    monkeypatch.setattr(Store, "head", head)

    _is_error(await api.post(f"/api/documents/{id_}/complete"), 503, "STORE_UNAVAILABLE")
    assert started.ids == []


async def test_an_unexpected_error_is_logged_and_not_shown(
    core: Application,
    api: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def page(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a secret detail")

    monkeypatch.setattr(Ledger, "page", page)

    answer = await api.get("/api/documents")

    _is_error(answer, 500, "INTERNAL", "The server stopped on an unexpected ZeroDivisionError.")
    assert "secret" not in answer.text
    assert "GET /api/documents failed" in caplog.text
    assert "a secret detail" in caplog.text


async def test_health_has_versions_variant_mode_and_model(
    core: Application, started: Started
) -> None:
    async with calling(core, started) as client:
        answer = await client.get("/healthz")

    assert (answer.status_code, answer.json()) == (
        200,
        {
            "status": "ok",
            "version": __version__,
            "variant": "local",
            "inference_mode": "serverless",
            "model": "some-model",
            "prompt_version": PROMPT_VERSION,
            "database": "ok",
            "worker_starts": "ok",
        },
    )


async def test_health_is_503_without_the_database(
    core: Application, started: Started, away: Ledger
) -> None:
    async with calling(replace(core, ledger=away), started) as client:
        answer = await client.get("/healthz")

    assert answer.status_code == 503
    assert (answer.json()["status"], answer.json()["database"]) == ("degraded", "unreachable")


async def test_health_is_503_from_a_refused_start_of_a_worker_to_an_accepted_one(
    core: Application, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "HEALTH_SECONDS", -1.0)
    starts = core.ledger.worker_starts

    async with calling(core, started) as client:
        await starts.refused()
        refused = await client.get("/healthz")
        await starts.accepted()
        accepted = await client.get("/healthz")

    assert refused.status_code == 503
    found = msgspec.json.decode(refused.content, type=schema.Health)
    assert (found.status, found.database, found.worker_starts) == ("degraded", "ok", "refused")
    assert (accepted.status_code, accepted.json()["worker_starts"]) == (200, "ok")


async def test_health_is_repeated_for_five_seconds(core: Application, started: Started) -> None:
    async with calling(core, started) as client:
        before = await client.get("/healthz")
        await core.ledger.worker_starts.refused()
        after = await client.get("/healthz")

    assert routes.HEALTH_SECONDS == 5.0
    assert after.content == before.content


async def test_metrics_are_prometheus_text(
    core: Application, api: httpx.AsyncClient, started: Started
) -> None:
    done = await _uploaded(core, api)
    await api.post(f"/api/documents/{done}/complete")
    await core.summarize(started.ids[0])
    await core.sweep()
    await _uploaded(core, api)

    answer = await api.get("/metrics")

    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.text == (
        "# TYPE seamless_documents gauge\n"
        'seamless_documents{status="done"} 1\n'
        'seamless_documents{status="uploading"} 1\n'
        "# TYPE seamless_documents_unfinished gauge\n"
        "seamless_documents_unfinished 0\n"
        "# TYPE seamless_model_calls_total counter\n"
        "seamless_model_calls_total 1\n"
        "# TYPE seamless_prompt_tokens_total counter\n"
        "seamless_prompt_tokens_total 1000000\n"
        "# TYPE seamless_completion_tokens_total counter\n"
        "seamless_completion_tokens_total 500000\n"
        "# TYPE seamless_endpoint_documents gauge\n"
        'seamless_endpoint_documents{endpoint="serverless"} 1\n'
        "# TYPE seamless_worker_starts_refused_total counter\n"
        "seamless_worker_starts_refused_total 0\n"
        "# TYPE seamless_endpoint_up gauge\n"
        'seamless_endpoint_up{endpoint="serverless"} 1\n'
        "# TYPE seamless_canary_total counter\n"
        'seamless_canary_total{endpoint="serverless",result="good"} 1\n'
        'seamless_canary_total{endpoint="serverless",result="wrong"} 0\n'
        'seamless_canary_total{endpoint="serverless",result="unreachable"} 0\n'
        "# TYPE seamless_canary_prompt_tokens_total counter\n"
        'seamless_canary_prompt_tokens_total{endpoint="serverless"} 90\n'
        "# TYPE seamless_canary_completion_tokens_total counter\n"
        'seamless_canary_completion_tokens_total{endpoint="serverless"} 10\n'
        "# TYPE seamless_replica_up gauge\n"
        "# TYPE seamless_replica_verdicts_total counter\n"
    )


# ---------------------------------------------------------------- the page


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/", "text/html"), ("/page/app.js", "text/javascript"), ("/page/style.css", "text/css")],
)
async def test_the_page_needs_no_token(
    core: Application, started: Started, path: str, kind: str
) -> None:
    async with calling(core, started) as client:
        answer = await client.get(path)

    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith(kind)


@pytest.mark.parametrize("path", ["/", "/page/app.js", "/healthz", "/api/documents", "/nothing"])
async def test_every_response_has_security_headers(
    core: Application, started: Started, path: str
) -> None:
    async with calling(core, started) as client:
        headers = (await client.get(path)).headers

    assert headers["Content-Security-Policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-cache"


async def test_the_page_may_connect_to_the_bucket_of_its_uploads(
    core: Application, started: Started
) -> None:
    bucket = local.settings(
        store_url="s3://documents",
        store_endpoint="https://nyc3.store.example",
        store_access_key_id="access",
        store_secret_access_key="secret",
    )
    token = f"Bearer {core.settings.api_token}"
    async with calling(
        replace(core, store=open_store(bucket)), started, Authorization=token
    ) as client:
        policy = (await client.get("/")).headers["Content-Security-Policy"]
        upload = (await client.post("/api/uploads", json={"name": "a b.txt", "size": 1})).json()

    assert "connect-src 'self' https://nyc3.store.example/documents/incoming/;" in policy
    assert upload["upload_url"].startswith("https://nyc3.store.example/documents/incoming/")


async def test_at_a_shared_origin_the_page_may_use_its_own_path_only(
    core: Application, started: Started
) -> None:
    url = "https://faas.example/api/v1/web/fn-1/summarizer/api/"
    shared = replace(core, settings=replace(core.settings, shared_page_url=url))
    async with calling(shared, started) as client:
        page = await client.get("/")

    assert ORIGIN.format("shared") in page.text
    assert page.headers["Content-Security-Policy"] == (
        f"default-src 'none'; script-src {url}page/; style-src {url}page/; connect-src {url}; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


async def test_the_page_learns_that_its_origin_is_its_own(
    core: Application, started: Started
) -> None:
    async with calling(core, started) as client:
        page = await client.get("/")

    assert ORIGIN.format("own") in page.text
    assert ORIGIN.format("shared") not in page.text


async def _uploaded(core: Application, api: httpx.AsyncClient, *, data: bytes = TEXT) -> str:
    """Announce a document and store its bytes; return its id."""
    upload = (await api.post("/api/uploads", json={"name": "a.txt", "size": 100})).json()
    id_: str = upload["document_id"]
    await core.store.put(f"incoming/{id_}/a.txt", data)
    return id_


async def to_document(api: httpx.AsyncClient, id_: str) -> schema.Document:
    answer = await api.get(f"/api/documents/{id_}")
    assert answer.status_code == 200
    return msgspec.json.decode(answer.content, type=schema.Document)


def _is_error(answer: httpx.Response, status: int, code: str, message: str = "") -> None:
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/json"
    error = msgspec.json.decode(answer.content, type=schema.ErrorBody).error
    assert error.code == Code(code)
    assert message in error.message
    assert error.message
    assert error.remedy
