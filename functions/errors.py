"""The closed list of error codes, and the exception that carries one."""

from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """Every error code that the API and the logs show."""

    # The document: a retry fails again.
    EMPTY_DOCUMENT = "EMPTY_DOCUMENT"
    """The file has 0 bytes."""
    UNSUPPORTED_TYPE = "UNSUPPORTED_TYPE"
    """The file type is not supported."""
    ENCRYPTED = "ENCRYPTED"
    """The file is password-protected."""
    DAMAGED = "DAMAGED"
    """The file is truncated or broken."""
    NO_TEXT = "NO_TEXT"
    """The file contains too few letters to summarize, such as scanned pages."""
    UNDECODABLE = "UNDECODABLE"
    """The characters of the text cannot be decoded."""
    TOO_LARGE = "TOO_LARGE"
    """The file, its text, its page count or a request body exceeds a limit."""
    PARSER_LIMIT = "PARSER_LIMIT"
    """Reading the file exceeds the memory or time limit."""
    # The object store
    OBJECT_MISSING = "OBJECT_MISSING"
    """The uploaded object is not in the store."""
    OBJECT_CHANGED = "OBJECT_CHANGED"
    """The object was overwritten after it was queued."""
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE"
    """The object store did not answer; it is retried automatically."""
    # The inference endpoint
    INFERENCE_UNAUTHORIZED = "INFERENCE_UNAUTHORIZED"
    """The endpoint rejected the API key."""
    MODEL_NOT_FOUND = "MODEL_NOT_FOUND"
    """The endpoint does not have the model, or no longer; documents wait until one has it."""
    INFERENCE_REJECTED = "INFERENCE_REJECTED"
    """The endpoint rejected the request."""
    INFERENCE_UNAVAILABLE = "INFERENCE_UNAVAILABLE"
    """No endpoint gave a valid response; it is retried automatically."""
    INFERENCE_EMPTY = "INFERENCE_EMPTY"
    """The endpoint returned an empty answer."""
    INFERENCE_TRUNCATED = "INFERENCE_TRUNCATED"
    """The answer exceeded its token limit."""
    INFERENCE_FILTERED = "INFERENCE_FILTERED"
    """The endpoint's filter withheld the answer."""
    CORRUPT_ENDPOINT = "CORRUPT_ENDPOINT"
    """The endpoint that answered failed its canaries; the document is summarized again."""
    CORRUPT_REPLICA = "CORRUPT_REPLICA"
    """A replica that answered failed its canaries; the document is summarized again."""
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    """The summary was not finished in time; it is retried automatically."""
    # The database
    DATABASE_UNAVAILABLE = "DATABASE_UNAVAILABLE"
    """The database did not answer; it is retried automatically."""
    # A request to the API
    BAD_REQUEST = "BAD_REQUEST"
    """The request body or a parameter is not valid."""
    UNAUTHORIZED = "UNAUTHORIZED"
    """The API token is missing or wrong."""
    NOT_FOUND = "NOT_FOUND"
    """The document or the path does not exist."""
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    """The path does not support the method."""
    CONFLICT = "CONFLICT"
    """The document's status does not allow the request."""
    # The application
    INTERNAL = "INTERNAL"
    """An unexpected error in the application."""


OF_THE_DOCUMENT = frozenset(
    {
        *(Code.EMPTY_DOCUMENT, Code.UNSUPPORTED_TYPE, Code.ENCRYPTED, Code.DAMAGED, Code.NO_TEXT),
        *(Code.UNDECODABLE, Code.TOO_LARGE, Code.PARSER_LIMIT),
        *(Code.OBJECT_MISSING, Code.OBJECT_CHANGED, Code.INFERENCE_FILTERED),
    }
)
"""Codes with which a document fails for a reason of its own: no operator can correct it."""


@dataclass(eq=False)  # not frozen: Python writes the traceback into an exception
class Failure(Exception):  # noqa: N818  # it is what the API shows, not only what Python raises
    """An error with a remedy.

    Attributes:
        code: One of the closed list.
        message: What happened, with the input and its value; no document text and no key.
        remedy: What the user can do, in one sentence.
        retryable: True when the same input may succeed later.
        retry_after: Seconds to wait, where the other side sent them.
    """

    code: Code
    message: str
    remedy: str
    retryable: bool = False
    retry_after: float | None = None

    def __str__(self) -> str:
        return f"{self.code}: {self.message} {self.remedy}"
