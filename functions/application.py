"""The application itself: what the three functions do, whoever calls them."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Protocol
from uuid import UUID, uuid4, uuid5

import msgspec
from psycopg import OperationalError

from functions.canary import REQUEUED_PER_SWEEP, Examination
from functions.endpoint import Endpoint
from functions.errors import Code, Failure
from functions.inference import Inference
from functions.isolation import read_isolated
from functions.ledger import MAX_LOST_LEASES, Entry, Ledger, Result
from functions.schema import MAX_DOCUMENT_BYTES, UploadRequest
from functions.settings import Settings
from functions.store import INCOMING, SUMMARIES, SignedUpload, Store, StoredObject, open_store
from functions.summarize import PROMPT_VERSION, Model, Plan, plan, summarize

log = logging.getLogger(__name__)

LEASE_SLACK = timedelta(seconds=60)
"""A lease outlives the document's deadline by so much, so that only a dead worker loses one."""

_OBJECTS = UUID("6f1c1d2e-3f0b-5d53-9d0e-6a3f6c1b7a52")

_DATABASE_AWAY = Failure(
    Code.DATABASE_UNAVAILABLE,
    "The database did not answer.",
    "It is tried again by itself.",
    retryable=True,
)


class Models(Protocol):
    """What answers: see `functions.inference.Inference`."""

    def route(self, document: str, *, without: Collection[str] = ()) -> Model: ...

    async def examine(self, endpoint: str) -> Examination: ...


@dataclass(frozen=True, kw_only=True)
class Application:
    """The parts of the application, and its functions; `functions.api` is the face of the first."""

    settings: Settings
    store: Store
    ledger: Ledger
    model: Models

    # ------------------------------------------------------------ api

    async def announce(self, request: UploadRequest) -> tuple[Entry, SignedUpload]:
        """Record a document and say where its bytes go."""
        id_ = uuid4()
        key = f"{INCOMING}{id_}/{_safe(request.name)}"
        upload = await self.store.sign_upload(key)
        entry = await self.ledger.announce(
            id_, name=request.name, object_key=key, size=request.size, prompt_version=PROMPT_VERSION
        )
        return entry, upload

    async def complete(self, entry: Entry) -> Entry:
        """Queue a document whose bytes have arrived; one that is queued already stays as it is.

        Raises:
            Failure: OBJECT_MISSING when the bytes are not there.
        """
        if entry.status != "uploading":
            return entry
        stored = await self.store.head(entry.object_key)
        await self._enqueue(stored, entry.id, entry.name)
        return await self.ledger.get(entry.id) or entry

    # ------------------------------------------------------------ summarize

    async def arrived(self, key: str) -> UUID | None:
        """Queue an object that the store told of; return its document, None if the object is gone.

        What was told only says where to look: events repeat, and overtake one another.
        """
        try:
            stored = await self.store.head(key)
        except Failure as failure:
            if failure.code is Code.OBJECT_MISSING:
                return None
            raise
        entry = await self._enqueue(stored, *_adopted(stored))
        if entry is None:  # the upload-complete call was faster, or the event is a repetition
            entry = await self.ledger.find(stored.key, stored.version, PROMPT_VERSION)
        return entry.id if entry else None

    async def summarize(self, id_: UUID) -> None:
        """Work on one document, if it is due: the ledger says how it ended."""
        lease = timedelta(seconds=self.settings.document_deadline_seconds) + LEASE_SLACK
        entry = await self.ledger.claim(id_, lease=lease)
        if entry is None:
            return
        try:
            written = await self.ledger.finish(entry, await self._summarize(entry))
        except asyncio.CancelledError:
            await asyncio.shield(self.ledger.give_back(entry))
            raise
        except Failure as failure:
            log.warning("document %s: %s", id_, failure)
            await self.ledger.fail(entry, failure)
        except OperationalError as error:
            log.warning("document %s: the database is away (%s)", id_, type(error).__name__)
            await self.ledger.fail(entry, _DATABASE_AWAY)
        except Exception as error:
            log.exception("document %s: unexpected %s", id_, type(error).__name__)
            await self.ledger.fail(entry, _defect(error))
        else:
            log.info("document %s: %s", id_, "done" if written else "finished by another worker")

    async def _summarize(self, entry: Entry) -> Result:
        deadline = time.monotonic() + self.settings.document_deadline_seconds
        if entry.size is not None and entry.size > MAX_DOCUMENT_BYTES:
            raise Failure(
                Code.TOO_LARGE,
                f"{entry.name!r} has {entry.size:,} bytes; the limit is {MAX_DOCUMENT_BYTES:,}.",
                "Split the document and upload its parts.",
            )
        _, data = await self.store.get(entry.object_key, expect=entry.object_version)
        document = await read_isolated(data)
        work: Plan = plan(document.text, context_tokens=self.settings.context_tokens)
        await self.ledger.progress(entry, done=0, total=work.calls)

        async def progress(done: int) -> None:
            with suppress(OperationalError):  # no reason to throw away what was paid for
                await self.ledger.progress(entry, done=done, total=work.calls)

        out = await self.ledger.infirmary.out(self.settings.inference_endpoints)
        model = self.model.route(str(entry.id), without=out)
        summary = await summarize(model, work, deadline=deadline, progress=progress)
        result = Result(
            kind=document.kind,
            summary=summary.text,
            model=summary.model,
            rung=summary.rung,
            endpoint=summary.endpoint,
            endpoints=summary.endpoints,
            replicas=summary.replicas,
            prompt_tokens=summary.prompt_tokens,
            completion_tokens=summary.completion_tokens,
            calls=summary.calls,
            cost_usd=summary.cost_usd,
        )
        # In the store too, so that the ledger can be rebuilt from it.
        await self.store.put(
            f"{SUMMARIES}{entry.id}.json",
            msgspec.json.encode(
                {
                    "object_key": entry.object_key,
                    "object_version": entry.object_version,
                    "prompt_version": entry.prompt_version,
                    "name": entry.name,
                    **{name: getattr(result, name) for name in Result.__dataclass_fields__},
                }
            ),
        )
        return result

    # ------------------------------------------------------------ sweep

    async def sweep(self) -> list[UUID]:
        """Find what events missed: objects without a row, dead workers, uploads that never came.

        Returns the documents that are due, for the caller to start.
        """
        await self.ledger.abandon(
            uploads=Failure(
                Code.OBJECT_MISSING,
                "The upload was announced, but its bytes never came.",
                "Upload the document again.",
            ),
            workers=Failure(
                Code.INTERNAL,
                f"The worker vanished {MAX_LOST_LEASES} times while it read this document.",
                "Report it with the document, if you may share it; retry to try again.",
            ),
        )
        try:
            await self._adopt_all()
        except Failure as failure:
            log.warning("the sweep could not list the store: %s", failure)
        await self._examine_all()
        return await self.ledger.due()

    async def _examine_all(self) -> None:
        """Ask the endpoints that are due their canary, and queue what cannot be trusted again."""
        endpoints, infirmary = self.settings.inference_endpoints, self.ledger.infirmary
        every = timedelta(seconds=self.settings.canary_interval_seconds)
        due = await infirmary.claim(endpoints, every=every)
        await asyncio.gather(*(self._examine(e) for e in endpoints if e.name in due))
        if queued := await infirmary.requeue(limit=REQUEUED_PER_SWEEP):
            log.warning("%d documents of a corrupt endpoint or replica are queued again", queued)

    async def _examine(self, endpoint: Endpoint) -> None:
        examined = await self.model.examine(endpoint.name)
        health = await self.ledger.infirmary.record(endpoint, examined)
        if health and (health.state == "out" or examined.verdict != "good"):
            log.warning(
                "endpoint %s is %s: its canary was %s",
                endpoint.name,
                health.state,
                examined.verdict,
            )
        for replica in examined.replicas.replicas if examined.replicas else ():
            if replica.state == "out":
                log.warning("replica %s of endpoint %s is out", replica.name, endpoint.name)

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
async def open_application(settings: Settings) -> AsyncIterator[Application]:
    """Connect to everything that the settings name, and let go of it at the end."""
    async with AsyncExitStack() as stack:
        yield Application(
            settings=settings,
            store=open_store(settings),
            ledger=await stack.enter_async_context(Ledger.open(settings.database_conninfo)),
            model=await stack.enter_async_context(Inference(settings)),
        )


def _adopted(stored: StoredObject) -> tuple[UUID, str]:
    """Id and name of a document that nobody announced: always the same for the same version."""
    return uuid5(_OBJECTS, f"{stored.key}\n{stored.version}"), PurePosixPath(stored.key).name


def _safe(name: str) -> str:
    """A file name as the last part of an object key: no separators, no control characters."""
    printable = "".join(c if c.isprintable() and c not in '/\\#?%*:|"<>' else "-" for c in name)
    # A folder takes 255 bytes, and its writer adds a few of its own.
    return printable.encode()[:200].decode(errors="ignore").strip(". ") or "document"


def _defect(error: Exception) -> Failure:
    return Failure(
        Code.INTERNAL,
        f"The worker stopped on an unexpected {type(error).__name__}.",
        "Report it with the log's lines for this document; retry to try again.",
    )
