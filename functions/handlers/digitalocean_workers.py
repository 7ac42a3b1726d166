"""Starts the function `summarize` without waiting for it, within the limits of the namespace."""

import logging
from http import HTTPStatus
from uuid import UUID

import httpx

from functions.handlers.digitalocean_limits import MAX_CONCURRENT
from functions.storage.worker_starts import WorkerStarts

log = logging.getLogger(__name__)

MAX_WORKERS = MAX_CONCURRENT // 2
"""The other half is left to the page, `/healthz` and the sweep."""

NO_DOCUMENT = UUID(int=0)
"""A worker without work: it shows whether the platform accepts a start again."""


class StartRefusedError(RuntimeError):
    """The platform refused the key that starts workers; no repetition helps."""


class Workers:
    """Calls `summarize` with a key of the namespace."""

    def __init__(self, url: str, key: str) -> None:
        """Args:
        url: Of the function.
        key: User and password, with a colon between them.
        """
        self._url = url
        user, _, password = key.partition(":")
        self._auth = (user, password)

    async def start_due(self, starts: WorkerStarts, *, document: UUID | None = None) -> int:
        """Start workers for the documents that are due, or for one of them; return their number.

        A document above the limit of workers stays queued: a running worker takes it.

        Raises:
            StartRefusedError: when the platform refuses the key.
        """
        waiting = await starts.reserve(workers=MAX_WORKERS, document=document)
        if not waiting and document is None and (await starts.state()).refused:
            waiting = [NO_DOCUMENT]
        count = 0
        async with httpx.AsyncClient(auth=self._auth, timeout=5) as client:
            for index, id_ in enumerate(waiting):
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
            answer = await client.post(
                self._url, params={"blocking": "false"}, json={"document_id": str(id_)}
            )
        except httpx.HTTPError as error:
            log.warning("document %s: left to the sweep (%s)", id_, type(error).__name__)
            return None
        if answer.is_error:
            log.warning("document %s: left to the sweep (%d)", id_, answer.status_code)
        return answer.status_code
