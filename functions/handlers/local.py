"""The three functions in one local process: api, summarize, and sweep on a schedule.

`python -m functions.handlers.local --port 8080` serves until SIGTERM.
"""

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from uuid import UUID

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from functions.api.errors import error_body
from functions.api.routes import create_api, read_body
from functions.application import Application, open_application
from functions.documents.extract import MAX_DOCUMENT_BYTES
from functions.errors import Code, Failure
from functions.opening import Opened
from functions.settings import Settings
from functions.storage.ledger import DATABASE_ERRORS
from functions.storage.signed_upload import FolderSigner

log = logging.getLogger(__name__)

DOCUMENTS_AT_ONCE = 4

UPLOADED = Failure(
    Code.CONFLICT,
    "The upload URL was used already: the object is there.",
    "Complete the document: POST /api/documents/ID/complete.",
)


class Host:
    """Runs `summarize` for each started document, and `sweep` on its schedule."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._slots = asyncio.Semaphore(DOCUMENTS_AT_ONCE)
        self._tasks: dict[UUID, asyncio.Task[None]] = {}

    async def start(self, id_: UUID) -> None:
        """Start to summarize a document, unless this process does so already."""
        if id_ not in self._tasks:
            task = asyncio.create_task(self._summarize(id_), name=f"summarize {id_}")
            self._tasks[id_] = task
            task.add_done_callback(lambda _: self._tasks.pop(id_, None))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Sweep on schedule; at the end, cancel running documents and release them."""
        sweeper = asyncio.create_task(self._sweep(), name="sweep")
        try:
            yield
        finally:
            tasks = [sweeper, *self._tasks.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _summarize(self, id_: UUID) -> None:
        async with self._slots:
            try:
                await self._application.summarize(id_)
            except DATABASE_ERRORS as error:  # its lease expires, and the sweep starts it again
                log.warning(
                    "document %s: the database is unreachable (%s)", id_, type(error).__name__
                )
            except Exception:
                log.exception("document %s: left to the sweep", id_)

    async def _sweep(self) -> None:
        while True:
            try:
                for id_ in await self._application.sweep():
                    await self.start(id_)
            except DATABASE_ERRORS as error:
                log.warning("the sweep is postponed: %s", type(error).__name__)
            except Exception:  # the sweep must survive its own defects
                log.exception("the sweep is postponed")
            await asyncio.sleep(self._application.settings.sweep_interval_seconds)


def uploads(application: Application) -> Route:
    """The presigned uploads of a folder store: `PUT /uploads/KEY?expires=…&signature=…`."""
    signer = FolderSigner(application.settings.api_token)

    async def put(request: Request) -> Response:
        key = request.path_params["key"]
        query = request.query_params
        if not signer.allows(
            key, query.get("expires", ""), query.get("signature", ""), headers=request.headers
        ):
            raise Failure(
                Code.UNAUTHORIZED,
                "The upload URL is not valid for this key, size and headers, or its 15 minutes are "
                "over.",
                "Announce the document again: POST /api/uploads. Send the headers of the answer.",
            )
        data = await read_body(
            request, limit=MAX_DOCUMENT_BYTES, remedy="Split the document and upload its parts."
        )
        if await application.store.create(key, data):
            return Response(status_code=HTTPStatus.OK)
        return Response(error_body(UPLOADED), HTTPStatus.PRECONDITION_FAILED)

    return Route("/uploads/{key:path}", put, methods=["PUT"])


@asynccontextmanager
async def hosted(settings: Settings) -> AsyncIterator[Starlette]:
    """The application as one ASGI application, whose documents are processed in this context."""
    async with open_application(settings) as application:
        host = Host(application)
        async with host.running():
            yield create_api(Opened(application), host.start, routes=[uploads(application)])


async def serve(settings: Settings, *, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    async with hosted(settings) as app:
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                log_level="info",
                access_log=False,  # a presigned URL is a credential for 15 minutes
                lifespan="off",
                timeout_graceful_shutdown=3,
            )
        )
        await server.serve()


def main() -> None:
    """Serve with the arguments of the command line and the settings of the environment."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)
    # uvicorn stops on the signal and raises it again; running documents are released then.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(Settings.read(), host=arguments.host, port=arguments.port))


if __name__ == "__main__":
    main()
