"""A client of the HTTP API: upload files, wait for them, read the summaries."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import httpx
import msgspec

from functions.api.schema import Document, DocumentPage, ErrorBody, Upload

POLL_SECONDS = (0.1, 2.0)

Answer = TypeVar("Answer", bound=msgspec.Struct)


class ClientError(Exception):
    """The application refused a request, or did not answer."""


@dataclass(frozen=True, kw_only=True)
class Followed:
    """A file and the current state of its document."""

    path: Path
    document: Document


class Client:
    """Calls the HTTP API of a running application. A context manager.

    Every method raises `ClientError` with the application's message and remedy.
    """

    def __init__(self, page_url: str, token: str) -> None:
        self._url = page_url
        self._http = httpx.Client(
            base_url=page_url, headers={"Authorization": f"Bearer {token}"}, timeout=60
        )
        # Without the token, because uploads may go to another host.
        self._uploads = httpx.Client(timeout=600)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()
        self._uploads.close()

    def send(self, path: Path) -> Document:
        """Upload a file and queue it."""
        size = path.stat().st_size
        body = msgspec.json.encode({"name": path.name, "size": size})
        upload = self._call("POST", "api/uploads", Upload, content=body)
        with path.open("rb") as file:
            answer = self._try(
                lambda: self._uploads.request(
                    upload.method,
                    upload.upload_url,
                    content=file,
                    headers=upload.headers,
                )
            )
        if answer.is_error:
            raise ClientError(
                f"The store refused the upload of {path}: status {answer.status_code}."
            )
        return self._call("POST", f"api/documents/{upload.document_id}/complete", Document)

    def get(self, document_id: str) -> Document:
        """One document."""
        return self._call("GET", f"api/documents/{document_id}", Document)

    def documents(self) -> DocumentPage:
        """The newest documents."""
        return self._call("GET", "api/documents", DocumentPage)

    def follow(self, sent: dict[Path, Document], *, seconds: float) -> Iterator[Followed]:
        """Yield each document when it changes, until all are done or failed.

        Raises:
            ClientError: some are unfinished after `seconds`.
        """
        deadline = time.monotonic() + seconds
        pause, slowest = POLL_SECONDS
        under_way = dict(sent)
        while under_way:
            for path, known in list(under_way.items()):
                document = self.get(known.id)
                if document != known:
                    under_way[path] = document
                    pause = POLL_SECONDS[0]
                    yield Followed(path=path, document=document)
                if document.status in ("done", "failed"):
                    del under_way[path]
            if under_way and time.monotonic() > deadline:
                names = ", ".join(path.name for path in under_way)
                raise ClientError(
                    f"Unfinished after {seconds:g} seconds: {names}. Processing continues."
                )
            if under_way:
                time.sleep(pause)
                pause = min(slowest, pause * 1.5)

    def _call(self, method: str, path: str, kind: type[Answer], *, content: bytes = b"") -> Answer:
        answer = self._try(lambda: self._http.request(method, path, content=content))
        if answer.is_error:
            try:
                error = msgspec.json.decode(answer.content, type=ErrorBody).error
            except msgspec.DecodeError:
                raise ClientError(f"{path} answered status {answer.status_code}.") from None
            raise ClientError(f"{error.code}: {error.message} {error.remedy}")
        return msgspec.json.decode(answer.content, type=kind)

    def _try(self, send: Callable[[], httpx.Response]) -> httpx.Response:
        try:
            return send()
        except httpx.TransportError as error:
            raise ClientError(
                f"The application at {self._url} does not answer ({type(error).__name__}). "
                "Start or repair it: ./seamless up"
            ) from error
