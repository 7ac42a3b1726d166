"""What the HTTP API accepts and answers: the one source of its JSON and of its OpenAPI document."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from functions.errors import Code

MAX_DOCUMENT_BYTES = 100 * 1024 * 1024
"""The largest document that an upload may announce, in bytes."""

Status = Literal["uploading", "queued", "working", "done", "failed"]


class UploadRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A document that the caller is about to upload."""

    name: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=255,
            pattern="^[^\\u0000]*$",  # what PostgreSQL cannot store
            description="File name, for people.",
        ),
    ]
    size: Annotated[int, Meta(ge=1, le=MAX_DOCUMENT_BYTES, description="Size in bytes.")]


class Upload(Struct, frozen=True):
    """Where and how to send the bytes: one request, straight to the object store."""

    document_id: str
    upload_url: str
    method: Literal["PUT"]
    headers: dict[str, str]


class Error(Struct, frozen=True):
    """Why something failed, and what to do about it."""

    code: Annotated[str, Meta(extra_json_schema={"enum": list(Code)})]
    message: str
    remedy: str


class ErrorBody(Struct, frozen=True):
    """The body of every answer that is not a success."""

    error: Error


class Progress(Struct, frozen=True):
    """How far the summary is: model calls that finished, of those known to be needed."""

    done: int
    total: int


class Usage(Struct, frozen=True):
    """Tokens that the inference endpoint counted, summed over all calls for the document."""

    prompt_tokens: int
    completion_tokens: int
    calls: int


class Document(Struct, frozen=True):
    """A document and what became of it. Times are UTC; a null cost means that no price is known.

    `endpoint` gave the summary, `rung` is the step of the inference ladder that it is; `replicas`
    answered its parts, where endpoints name their replicas.
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
    rung: str | None = None
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
    """Liveness with versions, and what answers the summaries."""

    status: Literal["ok", "degraded"]
    version: str
    arrangement: str
    rung: str
    model: str
    prompt_version: str
    database: Literal["ok", "unreachable"]
