"""The application: the work of the three functions api, summarize and sweep."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Collection
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    suppress,
)
from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Protocol
from uuid import UUID, uuid4, uuid5

import msgspec

from functions.documents.extract import MAX_DOCUMENT_BYTES, Limits
from functions.documents.sandbox import read_isolated
from functions.errors import OF_THE_DOCUMENT, Code, Failure
from functions.inference.canary import REQUEUED_PER_SWEEP, CanaryResult
from functions.inference.endpoint import Endpoint
from functions.inference.refusal import ModelNotFound
from functions.inference.router import Router
from functions.inference.usage import Summary
from functions.settings import Settings
from functions.storage.entry import Entry
from functions.storage.ledger import DATABASE_ERRORS, MAX_LOST_LEASES, Ledger
from functions.storage.object_store import (
    INCOMING,
    SUMMARIES,
    Store,
    StoredObject,
    open_store,
)
from functions.storage.signed_upload import SignedUpload
from functions.summary.summarize import PROMPT_VERSION, CompletionClient, plan, summarize

log = logging.getLogger(__name__)

LEASE_SLACK = timedelta(seconds=60)
"""A lease is longer than the document's deadline, so that only a dead worker loses it."""

_OBJECTS = UUID("6f1c1d2e-3f0b-5d53-9d0e-6a3f6c1b7a52")

_DATABASE_UNAVAILABLE = Failure(
    Code.DATABASE_UNAVAILABLE,
    "The database did not answer.",
    "It is retried automatically.",
    retryable=True,
)


class ModelRouter(Protocol):
    """Gives access to the models: see `functions.inference.router.Router`."""

    def route(
        self,
        document_id: str,
        *,
        without: Collection[str] = (),
        missing: ModelNotFound | None = None,
    ) -> CompletionClient: ...

    async def run_canary(self, endpoint: str) -> CanaryResult: ...


@dataclass(frozen=True, kw_only=True)
class Application:
    """The parts of the application; `functions.api.routes` serves its first methods by HTTP."""

    settings: Settings
    store: Store
    ledger: Ledger
    router: ModelRouter

    # ------------------------------------------------------------ api

    async def announce(self, name: str, size: int) -> tuple[Entry, SignedUpload]:
        """Add a document of `size` bytes to the ledger and sign its upload."""
        id_ = uuid4()
        key = f"{INCOMING}{id_}/{_safe(name)}"
        upload = self.store.sign_upload(key, size=size)
        entry = await self.ledger.announce(
            id_, name=name, object_key=key, size=size, prompt_version=PROMPT_VERSION
        )
        return entry, upload

    async def complete(self, entry: Entry) -> Entry:
        """Queue a document after its upload; a document that is queued already does not change.

        Raises:
            Failure: OBJECT_MISSING when the object is not in the store.
        """
        if entry.status != "uploading":
            return entry
        stored = await self.store.head(entry.object_key)
        await self._enqueue(stored, entry.id, entry.name)
        return await self.ledger.get(entry.id) or entry

    # ------------------------------------------------------------ summarize

    async def arrived(self, key: str) -> UUID | None:
        """Queue the object of a store event; return its document, None if the object is gone.

        Only the key of an event counts: events repeat and arrive out of order.
        """
        try:
            stored = await self.store.head(key)
        except Failure as failure:
            if failure.code is Code.OBJECT_MISSING:
                return None
            raise
        entry = await self._enqueue(stored, *_adopted(stored))
        if entry is None:  # the upload-complete call came first, or the event is repeated
            entry = await self.ledger.find(stored.key, stored.version, PROMPT_VERSION)
        return entry.id if entry else None

    async def summarize(self, id_: UUID) -> None:
        """Summarize one document if it is due; the ledger receives the summary or the failure."""
        lease = timedelta(seconds=self.settings.document_deadline_seconds) + LEASE_SLACK
        entry = await self.ledger.claim(id_, lease=lease)
        if entry is None:
            return
        try:
            summary, kind = await self._summarize(entry)
            written = await self.ledger.finish(entry, summary, kind=kind)
        except asyncio.CancelledError:
            await asyncio.shield(self.ledger.give_back(entry))
            raise
        except ModelNotFound as gone:
            log.warning("document %s waits: %s", id_, gone, extra={"event": "endpoint_out"})
            if await self.ledger.park(entry, gone):
                await self._log_end(id_, gone)
            for endpoint, refusal in gone.refusals.items():
                await self.ledger.endpoint_health.mark(endpoint, refusal)
        except Exception as error:
            failure = _failure(id_, error)
            if await self.ledger.fail(entry, failure):
                await self._log_end(id_, failure)
        else:
            log.info("document %s: %s", id_, "done" if written else "finished by another worker")

    async def _log_end(self, id_: UUID, failure: Failure) -> None:
        """Log a document that is not retried."""
        with suppress(*DATABASE_ERRORS):
            entry = await self.ledger.get(id_)
            if entry and entry.status == "failed":
                _log_failed(id_, failure)

    async def _summarize(self, entry: Entry) -> tuple[Summary, str]:
        """The summary of a document, and the document's format."""
        deadline = time.monotonic() + self.settings.document_deadline_seconds
        if entry.size is not None and entry.size > MAX_DOCUMENT_BYTES:
            raise Failure(
                Code.TOO_LARGE,
                f"{entry.name!r} has {entry.size:,} bytes; the limit is {MAX_DOCUMENT_BYTES:,}.",
                "Split the document and upload its parts.",
            )
        endpoints = self.settings.inference_endpoints
        out = await self.ledger.endpoint_health.out(endpoints)
        if out.missing and len(out.names) == len(endpoints):
            raise out.missing
        _, data = await self.store.get(entry.object_key, expect=entry.object_version)
        extracted = await read_isolated(
            data, limits=Limits(memory_bytes=self.settings.parser_memory_mebibytes << 20)
        )
        work = plan(extracted.text, context_tokens=self.settings.context_tokens)
        await self.ledger.progress(entry, done=0, total=work.calls)

        async def progress(done: int) -> None:
            with suppress(*DATABASE_ERRORS):  # the calls are paid for: go on without progress
                await self.ledger.progress(entry, done=done, total=work.calls)

        client = self.router.route(str(entry.id), without=out.names, missing=out.missing)
        summary = await summarize(client, work, deadline=deadline, progress=progress)
        # A copy in the store: the ledger can be rebuilt from it.
        await self.store.put(
            f"{SUMMARIES}{entry.id}.json",
            msgspec.json.encode(
                {
                    "object_key": entry.object_key,
                    "object_version": entry.object_version,
                    "prompt_version": entry.prompt_version,
                    "name": entry.name,
                    "kind": extracted.kind,
                    "summary": summary.text,
                    **vars(summary.usage),
                }
            ),
        )
        return summary, extracted.kind

    # ------------------------------------------------------------ sweep

    async def sweep(self) -> list[UUID]:
        """Find objects without a row, dead workers and missing uploads; run the canaries.

        Returns the documents that are due, for the caller to start.
        """
        abandoned = await self.ledger.abandon(
            uploads=Failure(
                Code.OBJECT_MISSING,
                "The document was announced, but not uploaded within 24 hours.",
                "Upload the document again.",
            ),
            workers=Failure(
                Code.INTERNAL,
                f"The worker died {MAX_LOST_LEASES} times while it processed this document.",
                "Retry the document; if it fails again, report it with the document if possible.",
            ),
        )
        for id_, failure in abandoned.items():
            _log_failed(id_, failure)
        try:
            await self._adopt_all()
        except Failure as failure:
            log.warning("the sweep could not list the store: %s", failure)
        await self._run_canaries()
        return await self.ledger.due()

    async def _run_canaries(self) -> None:
        """Run the canaries that are due, and queue documents whose summary was withdrawn."""
        endpoints, health = self.settings.inference_endpoints, self.ledger.endpoint_health
        every = timedelta(seconds=self.settings.canary_interval_seconds)
        due = await health.claim(endpoints, every=every)
        usable = await asyncio.gather(*(self._run_canary(e) for e in endpoints if e.name in due))
        if any(usable) and (n := await self.ledger.unpark()):
            log.info("%d documents continue: an endpoint has its model", n)
        if queued := await health.requeue(limit=REQUEUED_PER_SWEEP):
            log.warning("%d documents of corrupt endpoints or replicas are queued again", queued)

    async def _run_canary(self, endpoint: Endpoint) -> bool:
        """True if the endpoint is in service and its answer is right."""
        result = await self.router.run_canary(endpoint.name)
        health = await self.ledger.endpoint_health.record(endpoint, result)
        if health and (health.state != "ok" or result.verdict != "good"):
            bad = health.state != "ok" or result.verdict in ("wrong", "missing")
            log.warning(
                "endpoint %s is %s, canary %s",
                endpoint.name,
                health.state,
                result.verdict,
                extra={"event": "endpoint_out" if bad else "endpoint_unreachable"},
            )
        for replica in result.replicas.replicas if result.replicas else ():
            if replica.state == "out":
                log.warning(
                    "replica %s of endpoint %s is out",
                    replica.name,
                    endpoint.name,
                    extra={"event": "endpoint_out"},
                )
        return health is not None and health.state == "ok" and result.verdict == "good"

    async def _adopt_all(self) -> None:
        batch: list[StoredObject] = []
        async for stored in self.store.list():
            batch.append(stored)
            if len(batch) == 1000:
                await self._adopt(batch)
                batch.clear()
        await self._adopt(batch)

    async def _adopt(self, batch: list[StoredObject]) -> None:
        unknown = await self.ledger.unknown([(o.key, o.version) for o in batch])
        for stored in batch:
            if (stored.key, stored.version) in unknown:
                await self._enqueue(stored, *_adopted(stored))

    async def _enqueue(self, stored: StoredObject, id_: UUID, name: str) -> Entry | None:
        return await self.ledger.enqueue(
            id_,
            name=name,
            object_key=stored.key,
            object_version=stored.version,
            size=stored.size,
            prompt_version=PROMPT_VERSION,
        )


@asynccontextmanager
async def open_application(
    settings: Settings, *, ledger: AbstractAsyncContextManager[Ledger] | None = None
) -> AsyncIterator[Application]:
    """Open the store, the ledger and the router of the settings, and close them at the end.

    Args:
        ledger: Of the same settings, not open yet; by default one with several connections.
    """
    async with AsyncExitStack() as stack:
        yield Application(
            settings=settings,
            store=open_store(settings),
            ledger=await stack.enter_async_context(
                ledger or Ledger.open(settings.database_conninfo)
            ),
            router=await stack.enter_async_context(Router(settings)),
        )


def _adopted(stored: StoredObject) -> tuple[UUID, str]:
    """Id and name of an object that was not announced; the id is stable per object version."""
    return uuid5(_OBJECTS, f"{stored.key}\n{stored.version}"), PurePosixPath(stored.key).name


def _safe(name: str) -> str:
    """A file name as the last part of an object key: no separators, no control characters."""
    printable = "".join(c if c.isprintable() and c not in '/\\#?%*:|"<>' else "-" for c in name)
    # A folder store allows 255 bytes, and its temporary files need a few of them.
    return printable.encode()[:200].decode(errors="ignore").strip(". ") or "document"


def _log_failed(id_: UUID, failure: Failure) -> None:
    """Log a document that is not retried; alarms count the event `document_failed`."""
    event = "document_refused" if failure.code in OF_THE_DOCUMENT else "document_failed"
    fields = {"event": event, "code": failure.code.value}
    log.warning("document %s: not retried (%s)", id_, failure.code.value, extra=fields)


def _failure(id_: UUID, error: Exception) -> Failure:
    """The failure for an error in the worker; an error of its platform is retryable."""
    if isinstance(error, Failure):
        log.warning("document %s: %s", id_, error)
        return error
    name = type(error).__name__
    if isinstance(error, DATABASE_ERRORS):
        log.warning("document %s: the database is unreachable (%s)", id_, name)
        return _DATABASE_UNAVAILABLE
    if isinstance(error, OSError):  # such as too little memory to start the document reader
        log.warning("document %s: %s", id_, error)
        return Failure(
            Code.INTERNAL,
            f"The operating system refused a resource to the worker ({name}: {error.strerror}).",
            "It is retried automatically.",
            retryable=True,
        )
    log.error("document %s: unexpected %s", id_, name, exc_info=error)
    return Failure(
        Code.INTERNAL,
        f"The worker stopped on an unexpected {name}.",
        "Retry the document; if it fails again, report it with the worker's log lines.",
    )
