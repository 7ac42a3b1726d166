"""Requests and responses of the HTTP API: the source of its JSON and of its OpenAPI document."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from functions.documents.extract import MAX_DOCUMENT_BYTES
from functions.errors import Code
from functions.storage.entry import Status


class UploadRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A document that the caller is about to upload."""

    name: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=255,
            pattern="^[^\\u0000]*$",  # PostgreSQL cannot store NUL
            description="File name, for display.",
        ),
    ]
    size: Annotated[int, Meta(ge=1, le=MAX_DOCUMENT_BYTES, description="Size in bytes.")]


class Upload(Struct, frozen=True):
    """The request that uploads the bytes, straight to the object store.

    It succeeds once, within 15 minutes, with exactly these headers: they hold the announced size.
    A repetition is answered with status 412: the object is already there.
    """

    document_id: str
    upload_url: str
    method: Literal["PUT"]
    headers: dict[str, str]


class Error(Struct, frozen=True):
    """What failed, and how to fix it."""

    code: Annotated[str, Meta(extra_json_schema={"enum": list(Code)})]
    message: str
    remedy: str


class ErrorBody(Struct, frozen=True):
    """The body of every response that is not a success."""

    error: Error


class Progress(Struct, frozen=True):
    """Finished model calls, of those known to be needed."""

    done: int
    total: int


class Usage(Struct, frozen=True):
    """Tokens as the inference endpoints count them, and calls, summed over the document."""

    prompt_tokens: int
    completion_tokens: int
    calls: int


class Document(Struct, frozen=True):
    """A document and its summary. Times are UTC; a null cost means that a price is unknown.

    `endpoint` wrote the summary, in `inference_mode`; `replicas` are the replicas of the
    endpoints that took part, where endpoints report them.
    """

    id: str
    name: str
    size: int | None
    status: Status
    created_at: datetime
    updated_at: datetime
    attempts: int
    progress: Progress | None = None
    kind: str | None = None
    summary: str | None = None
    model: str | None = None
    inference_mode: str | None = None
    endpoint: str | None = None
    replicas: list[str] = []
    usage: Usage | None = None
    cost_usd: float | None = None
    error: Error | None = None


class DocumentPage(Struct, frozen=True):
    """Documents, newest first. `next_cursor` is absent on the last page."""

    documents: list[Document]
    next_cursor: str | UnsetType = UNSET


class Health(Struct, frozen=True):
    """Liveness with versions, and the configured inference mode and model.

    `worker_starts` is `refused` when the platform refused the last call that starts a worker.
    """

    status: Literal["ok", "degraded"]
    version: str
    variant: str
    inference_mode: str
    model: str
    prompt_version: str
    database: Literal["ok", "unreachable"]
    worker_starts: Literal["ok", "refused"]
