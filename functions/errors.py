"""The closed list of ways in which a document, or a request about one, can fail."""

from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """Every error code that a user, a log line or a metric can show."""

    # The document itself: no retry helps, another file does.
    EMPTY_DOCUMENT = "EMPTY_DOCUMENT"
    """The file has no byte."""
    UNSUPPORTED_TYPE = "UNSUPPORTED_TYPE"
    """The file is of no type that we read."""
    ENCRYPTED = "ENCRYPTED"
    """The file is protected by a password."""
    DAMAGED = "DAMAGED"
    """The file is cut short or broken."""
    NO_TEXT = "NO_TEXT"
    """The file holds too few letters to summarize, such as scanned pages."""
    UNDECODABLE = "UNDECODABLE"
    """The file has text whose characters cannot be told."""
    TOO_LARGE = "TOO_LARGE"
    """The file, its text or its pages, or a request's body, are above a limit."""
    PARSER_LIMIT = "PARSER_LIMIT"
    """Reading the file would take more memory or time than is allowed."""
    # The object store
    OBJECT_MISSING = "OBJECT_MISSING"
    """The upload was announced, and its bytes are not there."""
    OBJECT_CHANGED = "OBJECT_CHANGED"
    """The object is another one than the one that was announced."""
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE"
    """The object store did not answer."""
    # The inference endpoint
    INFERENCE_UNAUTHORIZED = "INFERENCE_UNAUTHORIZED"
    """The endpoint refused the key."""
    INFERENCE_REJECTED = "INFERENCE_REJECTED"
    """The endpoint refused the request."""
    INFERENCE_UNAVAILABLE = "INFERENCE_UNAVAILABLE"
    """The endpoint did not answer, or not as an endpoint does; it is tried again."""
    INFERENCE_EMPTY = "INFERENCE_EMPTY"
    """The endpoint answered without a text."""
    INFERENCE_TRUNCATED = "INFERENCE_TRUNCATED"
    """The answer ended before its end."""
    INFERENCE_FILTERED = "INFERENCE_FILTERED"
    """The endpoint's filter withheld the answer."""
    CORRUPT_ENDPOINT = "CORRUPT_ENDPOINT"
    """The endpoint that answered failed its canaries; the summary is made again."""
    CORRUPT_REPLICA = "CORRUPT_REPLICA"
    """A replica that answered failed its canaries; the summary is made again."""
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    """The summary was not ready in time; it is tried again."""
    # The database
    DATABASE_UNAVAILABLE = "DATABASE_UNAVAILABLE"
    """The database did not answer."""
    # A request to the API
    BAD_REQUEST = "BAD_REQUEST"
    """The request's body or a parameter is none that the API takes."""
    UNAUTHORIZED = "UNAUTHORIZED"
    """The request carries no valid token."""
    NOT_FOUND = "NOT_FOUND"
    """There is no such document, or nothing at that path."""
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    """The path does not take that method."""
    CONFLICT = "CONFLICT"
    """The document's status does not allow what was asked."""
    # Ours: a defect, never the user's fault
    INTERNAL = "INTERNAL"
    """A defect of ours."""


@dataclass(eq=False)  # not frozen: Python writes the traceback into an exception
class Failure(Exception):  # noqa: N818  # it is what the API shows, not only what Python raises
    """A failure that a person can act on.

    Attributes:
        code: One of the closed list.
        message: What happened, naming the input and its value. Never holds document text or a key.
        remedy: What the person can do about it, in one sentence.
        retryable: True when the same input may succeed later.
        retry_after: Seconds that the other side asked us to wait, where it said so.
    """

    code: Code
    message: str
    remedy: str
    retryable: bool = False
    retry_after: float | None = None

    def __str__(self) -> str:
        return f"{self.code}: {self.message} {self.remedy}"
