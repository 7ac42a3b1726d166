"""Starts the function `summarize` without waiting for it, within the limits of the namespace."""

import asyncio
import logging
import time
from collections.abc import Callable
from http import HTTPStatus
from uuid import UUID

import httpx

from functions.handlers.digitalocean_limits import MAX_CONCURRENT, SWEEP_SECONDS
from functions.storage.worker_starts import WorkerStarts

log = logging.getLogger(__name__)

MAX_WORKERS = MAX_CONCURRENT // 2
"""The other half is left to the page, `/healthz` and the sweep."""

START_SECONDS = 5
"""Longest wait for the answer to one start."""

STARTS_SECONDS = SWEEP_SECONDS // 2
"""Time in which one call may begin starts; the other half is left to the rest of the sweep."""

NO_DOCUMENT = UUID(int=0)
"""A worker without work: it shows whether the platform accepts a start again."""


class StartRefusedError(RuntimeError):
    """The platform refused the key that starts workers; no repetition helps."""


class Workers:
    """Calls `summarize` with a key of the namespace."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Args:
        url: Of the function.
        key: User and password, with a colon between them.
        transport: Replaces the network, for tests.
        clock: Counts seconds.
        """
        self._transport = transport
        self._clock = clock
        self._url = url
        user, _, password = key.partition(":")
        self._auth = (user, password)

    async def start_due(self, starts: WorkerStarts, *, document: UUID | None = None) -> int:
        """Start workers for the documents that are due, or for one of them; return their number.

        A document above the limit of workers, or after `STARTS_SECONDS`, stays queued: a running
        worker or the next sweep takes it.

        Raises:
            StartRefusedError: when the platform refuses the key.
        """
        waiting = await starts.reserve(workers=MAX_WORKERS, document=document)
        if not waiting and document is None and (await starts.state()).refused:
            waiting = [NO_DOCUMENT]
        count, end = 0, self._clock() + STARTS_SECONDS
        async with httpx.AsyncClient(auth=self._auth, transport=self._transport) as client:
            for index, id_ in enumerate(waiting):
                if self._clock() >= end:
                    await starts.release(waiting[index:])
                    log.warning("%d documents are left to the next sweep", len(waiting) - index)
                    break
                status = await self._start(client, id_)
                if status is None:  # it may have started; its reservation ends by itself
                    continue
                if status < HTTPStatus.BAD_REQUEST:
                    await starts.accepted()
                    count += 1
                    continue
                await starts.release(waiting[index:])
                if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
                    await starts.refused()
                    raise StartRefusedError(
                        f"DigitalOcean refused the key that starts workers ({status}); the "
                        "documents stay queued. Deploy again, which creates a new key: "
                        "`./seamless up integrated`."
                    )
                log.info("%d documents are left to later workers", len(waiting) - index)
                break
        return count

    async def _start(self, client: httpx.AsyncClient, id_: UUID) -> int | None:
        """The status of the response; None without one."""
        try:
            async with asyncio.timeout(START_SECONDS):  # httpx limits each part of a request
                answer = await client.post(
                    self._url, params={"blocking": "false"}, json={"document_id": str(id_)}
                )
        except (httpx.HTTPError, TimeoutError) as error:
            log.warning("document %s: left to the sweep (%s)", id_, type(error).__name__)
            return None
        if answer.is_error:
            log.warning("document %s: left to the sweep (%d)", id_, answer.status_code)
        return answer.status_code
