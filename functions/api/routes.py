"""The HTTP API and the page: one ASGI application, the same in every variant."""

import base64
import hashlib
import hmac
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from functions import __version__
from functions.api import schema
from functions.api.errors import EXCEPTION_HANDLERS
from functions.api.metrics import CONTENT_TYPE, prometheus_text
from functions.api.openapi import Operation, document
from functions.api.security_headers import SecurityHeaders
from functions.application import Application
from functions.errors import Code, Failure
from functions.opening import Opening
from functions.storage.entry import Entry
from functions.storage.ledger import DATABASE_ERRORS
from functions.summary.summarize import PROMPT_VERSION

PAGE = Path(__file__).with_name("page")
ORIGIN = '<meta name="origin" content="{}">'
PAGE_SIZE = 50
MAX_BODY_BYTES = 64 * 1024

HEALTH_SECONDS = 5.0
"""How long a process repeats its last `/healthz`, which everyone may call, without asking again."""

log = logging.getLogger(__name__)

Body = TypeVar("Body", bound=msgspec.Struct)

Start = Callable[[UUID], Awaitable[None]]
"""Starts the summary of a document in the background."""


def create_api(
    opening: Opening,
    start: Start,
    *,
    store_events: bool = False,
    routes: Sequence[BaseRoute] = (),
) -> Starlette:
    """Build the ASGI application.

    The page needs no application, `/healthz` only the ledger. Every other operation opens the
    application after the check of the token.

    Args:
        store_events: True where an event of the store starts the work on a new object, so that
            only a retry needs `start`.
        routes: Further routes, which do not check the API token.
    """
    api = _Api(opening, start, store_events=store_events)
    return Starlette(
        routes=[
            *(
                Route(operation.path, _guarded(operation, opening), methods=[operation.method])
                for operation in api.operations
            ),
            Route("/openapi.json", api.openapi),
            Route("/", _index(shared_origin=bool(opening.settings.shared_page_url))),
            Mount("/page", StaticFiles(directory=PAGE)),
            *routes,
        ],
        middleware=[
            Middleware(
                SecurityHeaders,
                shared_page_url=opening.settings.shared_page_url,
                uploads=opening.uploads,
            )
        ],
        exception_handlers=EXCEPTION_HANDLERS,
    )


class _Api:
    """The request handlers, and the table of operations that routes and describes them."""

    def __init__(self, opening: Opening, start: Start, *, store_events: bool) -> None:
        self._opening = opening
        self._health: tuple[float, schema.Health] | None = None
        self._store_events = store_events
        self._start = start
        not_found, conflict = HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT
        self.operations = [
            Operation(
                "POST",
                "/api/uploads",
                self.upload,
                "Announce a document; the response contains the upload URL.",
                request=schema.UploadRequest,
                response=schema.Upload,
                status=HTTPStatus.CREATED,
            ),
            Operation(
                "POST",
                "/api/documents/{id}/complete",
                self.complete,
                "Report that the upload is complete. May be repeated.",
                response=schema.Document,
                status=HTTPStatus.ACCEPTED,
                errors=[not_found, conflict],
            ),
            Operation(
                "GET",
                "/api/documents",
                self.list,
                "Documents, newest first.",
                response=schema.DocumentPage,
                query={"cursor": "`next_cursor` of the previous page."},
                errors=[HTTPStatus.BAD_REQUEST],
            ),
            Operation(
                "GET",
                "/api/documents/{id}",
                self.get,
                "One document with its status and summary.",
                response=schema.Document,
                errors=[not_found],
            ),
            Operation(
                "POST",
                "/api/documents/{id}/retry",
                self.retry,
                "Queue a failed document again.",
                response=schema.Document,
                status=HTTPStatus.ACCEPTED,
                errors=[not_found, conflict],
            ),
            Operation(
                "GET",
                "/healthz",
                self.health,
                "Liveness with versions; 503 when a part is away.",
                response=schema.Health,
                also=[HTTPStatus.SERVICE_UNAVAILABLE],
                public=True,
            ),
            Operation("GET", "/metrics", self.metrics, "Prometheus text."),
        ]
        self._openapi = msgspec.json.encode(document(self.operations))

    async def upload(self, request: Request) -> Response:
        body = await _body(request, schema.UploadRequest)
        entry, upload = await _application(request).announce(body.name, body.size)
        return _json(
            schema.Upload(
                document_id=str(entry.id),
                # A folder store signs a path of this application.
                upload_url=upload.url if "://" in upload.url else f"{request.base_url}{upload.url}",
                method="PUT",
                headers=dict(upload.headers),
            ),
            HTTPStatus.CREATED,
        )

    async def complete(self, request: Request) -> Response:
        entry = await _application(request).complete(await self._entry(request))
        if entry.status == "queued" and not self._store_events:
            await self._start(entry.id)
        return _json(to_document(entry), HTTPStatus.ACCEPTED)

    async def list(self, request: Request) -> Response:
        cursor = request.query_params.get("cursor")
        entries = await _application(request).ledger.page(
            limit=PAGE_SIZE + 1, before=None if cursor is None else _parse_cursor(cursor)
        )
        page = [to_document(entry) for entry in entries[:PAGE_SIZE]]
        if len(entries) <= PAGE_SIZE:
            return _json(schema.DocumentPage(documents=page))
        return _json(
            schema.DocumentPage(documents=page, next_cursor=_cursor(entries[PAGE_SIZE - 1]))
        )

    async def get(self, request: Request) -> Response:
        return _json(to_document(await self._entry(request)))

    async def retry(self, request: Request) -> Response:
        entry = await self._entry(request)
        queued = await _application(request).ledger.retry(entry.id)
        if queued is None:
            raise Failure(
                Code.CONFLICT,
                f"Document {entry.id} is {entry.status}, not failed.",
                "Only a failed document can be retried.",
            )
        if queued.status == "uploading":
            queued = await _application(request).complete(queued)
        await self._start(queued.id)
        return _json(to_document(queued), HTTPStatus.ACCEPTED)

    async def health(self, _request: Request) -> Response:
        """Answer 503 when a part is away: an uptime check judges only the status."""
        if self._health is None or self._health[0] < time.monotonic() - HEALTH_SECONDS:
            health = await self._examined()
            self._health = time.monotonic(), health
        _, health = self._health
        ok = health.status == "ok"
        return _json(health, HTTPStatus.OK if ok else HTTPStatus.SERVICE_UNAVAILABLE)

    async def _examined(self) -> schema.Health:
        settings, refused = self._opening.settings, False
        try:
            async with self._opening.ledger() as ledger:
                database = await ledger.ping()
                refused = database and (await ledger.worker_starts.state()).refused
        except DATABASE_ERRORS as error:
            log.warning("the database is unreachable: %s", type(error).__name__)
            database = False
        return schema.Health(
            status="ok" if database and not refused else "degraded",
            version=__version__,
            variant=settings.variant,
            inference_mode=settings.inference_mode,
            model=settings.inference_endpoints[0].model,
            prompt_version=PROMPT_VERSION,
            database="ok" if database else "unreachable",
            worker_starts="refused" if refused else "ok",
        )

    async def metrics(self, request: Request) -> Response:
        application = _application(request)
        text = await prometheus_text(application.ledger, application.settings.inference_endpoints)
        return Response(text, media_type=CONTENT_TYPE)

    async def openapi(self, _request: Request) -> Response:
        return Response(self._openapi, media_type="application/json")

    async def _entry(self, request: Request) -> Entry:
        text = request.path_params["id"]
        try:
            entry = await _application(request).ledger.get(UUID(text))
        except ValueError:
            entry = None
        if entry is None:
            raise Failure(
                Code.NOT_FOUND,
                f"The document {text[:64]!r} does not exist.",
                "GET /api/documents lists all documents.",
            )
        return entry


# ---------------------------------------------------------------- requests and responses


def _guarded(operation: Operation, opening: Opening) -> Callable[[Request], Awaitable[Response]]:
    if operation.public:
        return operation.handler
    token = _digest(opening.settings.api_token)

    async def handler(request: Request) -> Response:
        scheme, _, received = request.headers.get("Authorization", "").partition(" ")
        valid = hmac.compare_digest(_digest(received.strip()), token)
        if scheme.lower() != "bearer" or not valid:
            raise Failure(
                Code.UNAUTHORIZED,
                "The API token is missing or wrong.",
                "Send `Authorization: Bearer TOKEN`; `./seamless outputs --json` shows the token.",
            )
        request.state.application = await opening.application()
        return await operation.handler(request)

    return handler


def _digest(token: str) -> bytes:
    """Digests are compared: they have the same length."""
    return hashlib.sha256(token.encode()).digest()


def _application(request: Request) -> Application:
    """The application, open for a request with a valid token."""
    application: Application = request.state.application
    return application


async def read_body(request: Request, *, limit: int, remedy: str) -> bytes:
    """Read the request body, up to `limit` bytes.

    Raises:
        Failure: TOO_LARGE, with this remedy, as soon as the body is longer.
    """
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > limit:
            message = f"The request body is larger than {limit:,} bytes."
            raise Failure(Code.TOO_LARGE, message, remedy)
    return bytes(content)


async def _body(request: Request, kind: type[Body]) -> Body:
    content = await read_body(
        request,
        limit=MAX_BODY_BYTES,
        remedy="Send the document to `upload_url` instead.",
    )
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Failure(
            Code.BAD_REQUEST,
            f"The request body is not a valid {kind.__name__}: {error}.",
            "GET /openapi.json describes every request.",
        ) from error


def _json(body: msgspec.Struct, status: int = HTTPStatus.OK) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")


def to_document(entry: Entry) -> schema.Document:
    """The ledger's row as the API shows it."""
    fields = {
        **vars(entry),
        **(vars(entry.usage) if entry.usage else {}),
        "id": str(entry.id),
        # A withdrawn summary is kept, but not shown.
        "summary": entry.summary if entry.status == "done" else None,
        "progress": schema.Progress(entry.calls_done, entry.calls_total)
        if entry.calls_total
        else None,
        "error": schema.Error(entry.error_code, entry.error_message or "", entry.error_remedy or "")
        if entry.error_code
        else None,
    }
    return msgspec.convert(fields, schema.Document, from_attributes=True)


def _cursor(entry: Entry) -> str:
    return base64.urlsafe_b64encode(f"{entry.created_at.isoformat()} {entry.id}".encode()).decode()


def _parse_cursor(text: str) -> tuple[datetime, UUID]:
    try:
        time, id_ = base64.urlsafe_b64decode(text.encode()).decode().split(" ")
        return datetime.fromisoformat(time).astimezone(UTC), UUID(id_)
    except (ValueError, OverflowError) as error:
        raise Failure(
            Code.BAD_REQUEST,
            f"Invalid cursor {text[:64]!r}.",
            "Use `next_cursor` of the previous page, or no cursor for the newest documents.",
        ) from error


# ---------------------------------------------------------------- the page


def _index(*, shared_origin: bool) -> Callable[[Request], Awaitable[Response]]:
    """Serves the page, which keeps the token in memory only at a shared origin."""
    html = (PAGE / "index.html").read_text()
    if not shared_origin:
        html = html.replace(ORIGIN.format("shared"), ORIGIN.format("own"))

    async def index(_request: Request) -> Response:
        return HTMLResponse(html)

    return index
