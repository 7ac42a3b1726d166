"""The HTTP API and the page: an ASGI application that is the same in every arrangement."""

import base64
import hmac
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import msgspec
from psycopg import OperationalError
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from functions import __version__, schema
from functions.application import Application
from functions.errors import Code, Failure
from functions.ledger import Entry
from functions.openapi import Operation, document
from functions.summarize import PROMPT_VERSION

log = logging.getLogger(__name__)

PAGE = Path(__file__).with_name("page")
PAGE_SIZE = 50
MAX_BODY_BYTES = 64 * 1024

_STATUS = {
    Code.BAD_REQUEST: HTTPStatus.BAD_REQUEST,
    Code.UNAUTHORIZED: HTTPStatus.UNAUTHORIZED,
    Code.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Code.METHOD_NOT_ALLOWED: HTTPStatus.METHOD_NOT_ALLOWED,
    Code.CONFLICT: HTTPStatus.CONFLICT,
    Code.OBJECT_MISSING: HTTPStatus.CONFLICT,
    Code.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Code.STORE_UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    Code.DATABASE_UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}

Body = TypeVar("Body", bound=msgspec.Struct)

Samples = list[tuple[str, int]]
"""Of one family of metrics: labels and value."""

Start = Callable[[UUID], Awaitable[None]]
"""Has a document summarized soon, by whoever does that here; returns without waiting for it."""


def create_api(
    application: Application,
    start: Start,
    *,
    store_tells: bool = False,
    routes: Sequence[BaseRoute] = (),
) -> Starlette:
    """Build the ASGI application.

    Args:
        store_tells: True where the store itself starts the work on what arrives, so that only a
            retry needs `start`.
        routes: Served beside the API, without its token.
    """
    api = _Api(application, start, store_tells=store_tells)
    return Starlette(
        routes=[
            *(
                Route(operation.path, _guarded(operation, application), methods=[operation.method])
                for operation in api.operations
            ),
            Route("/openapi.json", api.openapi),
            Route("/", _index),
            Mount("/page", StaticFiles(directory=PAGE)),
            *routes,
        ],
        middleware=[Middleware(_SecurityHeaders, connect=application.store.origin)],
        exception_handlers={
            Failure: _on_failure,
            HTTPException: _on_http_exception,
            OperationalError: _on_database_error,
            ClientDisconnect: _on_disconnect,
            Exception: _on_defect,
        },
    )


class _Api:
    """The handlers, and the table that routes and describes them."""

    def __init__(self, application: Application, start: Start, *, store_tells: bool) -> None:
        self._application = application
        self._store_tells = store_tells
        self._start = start
        unknown, conflict = HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT
        self.operations = [
            Operation(
                "POST",
                "/api/uploads",
                self.upload,
                "Announce a document; the answer says where to PUT its bytes.",
                request=schema.UploadRequest,
                answer=schema.Upload,
                status=HTTPStatus.CREATED,
            ),
            Operation(
                "POST",
                "/api/documents/{id}/complete",
                self.complete,
                "Say that the bytes have arrived. May be repeated.",
                answer=schema.Document,
                status=HTTPStatus.ACCEPTED,
                errors=[unknown, conflict],
            ),
            Operation(
                "GET",
                "/api/documents",
                self.list,
                "Documents, newest first.",
                answer=schema.DocumentPage,
                query={"cursor": "`next_cursor` of the page before."},
                errors=[HTTPStatus.BAD_REQUEST],
            ),
            Operation(
                "GET",
                "/api/documents/{id}",
                self.get,
                "One document and what became of it.",
                answer=schema.Document,
                errors=[unknown],
            ),
            Operation(
                "POST",
                "/api/documents/{id}/retry",
                self.retry,
                "Queue a failed document again.",
                answer=schema.Document,
                status=HTTPStatus.ACCEPTED,
                errors=[unknown, conflict],
            ),
            Operation(
                "GET",
                "/healthz",
                self.health,
                "Liveness with versions.",
                answer=schema.Health,
                public=True,
            ),
            Operation("GET", "/metrics", self.metrics, "Prometheus text."),
        ]
        self._openapi = msgspec.json.encode(document(self.operations))

    async def upload(self, request: Request) -> Response:
        announced = await _body(request, schema.UploadRequest)
        entry, upload = await self._application.announce(announced)
        return _json(
            schema.Upload(
                document_id=str(entry.id),
                upload_url=str(request.base_url) + upload.url
                if _is_path(upload.url)
                else upload.url,
                method="PUT",
                headers=upload.headers,
            ),
            HTTPStatus.CREATED,
        )

    async def complete(self, request: Request) -> Response:
        entry = await self._application.complete(await self._entry(request))
        if entry.status == "queued" and not self._store_tells:
            await self._start(entry.id)
        return _json(_document(entry), HTTPStatus.ACCEPTED)

    async def list(self, request: Request) -> Response:
        cursor = request.query_params.get("cursor")
        entries = await self._application.ledger.page(
            limit=PAGE_SIZE + 1, before=None if cursor is None else _parse_cursor(cursor)
        )
        page = [_document(entry) for entry in entries[:PAGE_SIZE]]
        if len(entries) <= PAGE_SIZE:
            return _json(schema.DocumentPage(documents=page))
        return _json(
            schema.DocumentPage(documents=page, next_cursor=_cursor(entries[PAGE_SIZE - 1]))
        )

    async def get(self, request: Request) -> Response:
        return _json(_document(await self._entry(request)))

    async def retry(self, request: Request) -> Response:
        entry = await self._entry(request)
        queued = await self._application.ledger.retry(entry.id)
        if queued is None:
            raise Failure(
                Code.CONFLICT,
                f"Document {entry.id} is {entry.status}, not failed.",
                "Only a failed document can be retried.",
            )
        if queued.status == "uploading":
            queued = await self._application.complete(queued)
        await self._start(queued.id)
        return _json(_document(queued), HTTPStatus.ACCEPTED)

    async def health(self, _request: Request) -> Response:
        settings = self._application.settings
        database = await self._application.ledger.ping()
        return _json(
            schema.Health(
                status="ok" if database else "degraded",
                version=__version__,
                arrangement=settings.arrangement,
                rung=settings.rung,
                model=settings.inference_endpoints[0].model,
                prompt_version=PROMPT_VERSION,
                database="ok" if database else "unreachable",
            )
        )

    async def metrics(self, _request: Request) -> Response:
        totals = await self._application.ledger.totals()
        families = {
            "seamless_documents": [(f'{{status="{s}"}}', n) for s, n, *_ in totals],
            # There at zero, too: what scales model servers takes a missing number for an error.
            "seamless_documents_unfinished": [
                ("", sum(n for status, n, *_ in totals if status in ("queued", "working")))
            ],
            "seamless_model_calls_total": [("", sum(calls for _, _, calls, _, _ in totals))],
            "seamless_prompt_tokens_total": [("", sum(tokens for *_, tokens, _ in totals))],
            "seamless_completion_tokens_total": [("", sum(tokens for *_, tokens in totals))],
            **await self._endpoints(),
        }
        lines = []
        for name, samples in families.items():
            lines.append(f"# TYPE {name} {'counter' if name.endswith('_total') else 'gauge'}")
            lines += [f"{name}{labels} {value}" for labels, value in samples]
        return Response("\n".join(lines) + "\n", media_type="text/plain; version=0.0.4")

    async def _endpoints(self) -> dict[str, Samples]:
        """The metrics of the endpoints that are configured."""
        endpoints = self._application.settings.inference_endpoints
        names = [e.name for e in endpoints]
        examined = [e.name for e in endpoints if e.replicas_url]
        infirmary = self._application.ledger.infirmary
        known = [health for health in await infirmary.all() if health.name in names]
        answered = await infirmary.answered()
        return {
            "seamless_endpoint_up": [
                (f'{{endpoint="{h.name}"}}', int(h.state == "ok")) for h in known
            ],
            "seamless_endpoint_documents": [
                (f'{{endpoint="{name}"}}', count) for name, count in answered.items()
            ],
            "seamless_canary_total": [
                (f'{{endpoint="{h.name}",result="{result}"}}', count)
                for h in known
                for result, count in (
                    ("good", h.good_canaries),
                    ("wrong", h.wrong_canaries),
                    ("unreachable", h.unreachable_canaries),
                )
            ],
            "seamless_canary_prompt_tokens_total": [
                (f'{{endpoint="{h.name}"}}', h.prompt_tokens) for h in known
            ],
            "seamless_canary_completion_tokens_total": [
                (f'{{endpoint="{h.name}"}}', h.completion_tokens) for h in known
            ],
            "seamless_replica_up": [
                (f'{{endpoint="{p.endpoint}",replica="{p.name}"}}', int(p.state == "ok"))
                for p in await infirmary.patients()
                if p.endpoint in examined
            ],
            "seamless_replica_verdicts_total": [
                (f'{{endpoint="{h.name}",result="{result}"}}', count)
                for h in known
                if h.name in examined
                for result, count in (("had", h.verdicts), ("missing", h.missing_verdicts))
            ],
        }

    async def openapi(self, _request: Request) -> Response:
        return Response(self._openapi, media_type="application/json")

    async def _entry(self, request: Request) -> Entry:
        text = request.path_params["id"]
        try:
            entry = await self._application.ledger.get(UUID(text))
        except ValueError:
            entry = None
        if entry is None:
            raise Failure(
                Code.NOT_FOUND,
                f"There is no document {text[:64]!r}.",
                "GET /api/documents lists those that there are.",
            )
        return entry


# ---------------------------------------------------------------- requests and answers


def _guarded(
    operation: Operation, application: Application
) -> Callable[[Request], Awaitable[Response]]:
    if operation.public:
        return operation.handler
    token = application.settings.api_token.encode()

    async def handler(request: Request) -> Response:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), token):
            raise Failure(
                Code.UNAUTHORIZED,
                "The request carries no valid token.",
                "Send `Authorization: Bearer TOKEN`; `./seamless outputs --json` shows the token.",
            )
        return await operation.handler(request)

    return handler


async def read_body(request: Request, *, limit: int, remedy: str) -> bytes:
    """The request's body, no longer than `limit` bytes.

    Raises:
        Failure: TOO_LARGE, with this remedy, as soon as the body is longer.
    """
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > limit:
            message = f"The request's body is larger than {limit:,} bytes."
            raise Failure(Code.TOO_LARGE, message, remedy)
    return bytes(content)


async def _body(request: Request, kind: type[Body]) -> Body:
    content = await read_body(
        request,
        limit=MAX_BODY_BYTES,
        remedy="Send the document itself to `upload_url`, not here.",
    )
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Failure(
            Code.BAD_REQUEST,
            f"The request's body is no {kind.__name__}: {error}.",
            "GET /openapi.json describes every request.",
        ) from error


def _json(answer: msgspec.Struct, status: int = HTTPStatus.OK) -> Response:
    return Response(msgspec.json.encode(answer), status, media_type="application/json")


def _document(entry: Entry) -> schema.Document:
    usage = (
        None
        if entry.calls is None
        else schema.Usage(
            prompt_tokens=entry.prompt_tokens or 0,
            completion_tokens=entry.completion_tokens or 0,
            calls=entry.calls,
        )
    )
    return schema.Document(
        id=str(entry.id),
        name=entry.name,
        size=entry.size,
        status=entry.status,
        created_at=entry.created_at,
        updated_at=entry.updated_at,
        attempts=entry.attempts,
        progress=schema.Progress(entry.calls_done, entry.calls_total)
        if entry.calls_total
        else None,
        kind=entry.kind,
        # One that was withdrawn is kept, but not shown.
        summary=entry.summary if entry.status == "done" else None,
        model=entry.model,
        rung=entry.rung,
        endpoint=entry.endpoint,
        replicas=entry.replicas or [],
        usage=usage,
        cost_usd=entry.cost_usd,
        error=schema.Error(entry.error_code, entry.error_message or "", entry.error_remedy or "")
        if entry.error_code
        else None,
    )


def _cursor(entry: Entry) -> str:
    return base64.urlsafe_b64encode(f"{entry.created_at.isoformat()} {entry.id}".encode()).decode()


def _parse_cursor(text: str) -> tuple[datetime, UUID]:
    try:
        time, id_ = base64.urlsafe_b64decode(text.encode()).decode().split(" ")
        return datetime.fromisoformat(time).astimezone(UTC), UUID(id_)
    except (ValueError, OverflowError) as error:
        raise Failure(
            Code.BAD_REQUEST,
            f"The cursor {text[:64]!r} is none of ours.",
            "Use `next_cursor` of the page before, or none for the newest documents.",
        ) from error


def _is_path(url: str) -> bool:
    return "://" not in url


# ---------------------------------------------------------------- errors


async def _on_failure(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Failure)  # noqa: S101  # Starlette's handlers are typed by Exception
    status = _STATUS.get(error.code, HTTPStatus.INTERNAL_SERVER_ERROR)
    answer = _json(
        schema.ErrorBody(schema.Error(error.code.value, error.message, error.remedy)), status
    )
    if status == HTTPStatus.UNAUTHORIZED:
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # as above
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        failure = Failure(
            Code.METHOD_NOT_ALLOWED,
            f"{request.url.path} does not take {request.method}.",
            "GET /openapi.json describes every request.",
        )
    else:
        failure = Failure(
            Code.NOT_FOUND,
            f"There is nothing at {request.url.path}.",
            "GET /openapi.json describes every request.",
        )
    answer = await _on_failure(request, failure)
    answer.headers.update(error.headers or {})
    return answer


async def _on_database_error(request: Request, error: Exception) -> Response:
    log.warning("the database is away: %s", type(error).__name__)
    return await _on_failure(
        request,
        Failure(
            Code.DATABASE_UNAVAILABLE,
            "The database did not answer.",
            "Try again in a moment; /healthz shows when it is back.",
        ),
    )


async def _on_disconnect(_request: Request, _error: Exception) -> Response:
    return Response(status_code=HTTPStatus.BAD_REQUEST)  # which nobody reads


async def _on_defect(request: Request, error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return await _on_failure(
        request,
        Failure(
            Code.INTERNAL,
            f"The server stopped on an unexpected {type(error).__name__}.",
            "Report it with the log's lines.",
        ),
    )


# ---------------------------------------------------------------- the page


async def _index(_request: Request) -> Response:
    return FileResponse(PAGE / "index.html")


class _SecurityHeaders:
    """The headers that keep a browser from doing more than the page needs."""

    def __init__(self, app: ASGIApp, *, connect: str | None) -> None:
        self._app = app
        self._headers = {
            "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
            f"connect-src 'self'{f' {connect}' if connect else ''}; img-src 'self' data:; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            "Cache-Control": "no-cache",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)
