"""The closed list of ways in which a document, or a request about one, can fail."""

from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """Every error code that a user, a log line or a metric can show."""

    # The document itself: no retry helps, another file does.
    EMPTY_DOCUMENT = "EMPTY_DOCUMENT"
    UNSUPPORTED_TYPE = "UNSUPPORTED_TYPE"
    ENCRYPTED = "ENCRYPTED"
    DAMAGED = "DAMAGED"
    NO_TEXT = "NO_TEXT"
    UNDECODABLE = "UNDECODABLE"
    TOO_LARGE = "TOO_LARGE"
    PARSER_LIMIT = "PARSER_LIMIT"
    # The object store
    OBJECT_MISSING = "OBJECT_MISSING"
    OBJECT_CHANGED = "OBJECT_CHANGED"
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE"
    # The inference endpoint
    INFERENCE_UNAUTHORIZED = "INFERENCE_UNAUTHORIZED"
    INFERENCE_REJECTED = "INFERENCE_REJECTED"
    INFERENCE_UNAVAILABLE = "INFERENCE_UNAVAILABLE"
    INFERENCE_EMPTY = "INFERENCE_EMPTY"
    INFERENCE_TRUNCATED = "INFERENCE_TRUNCATED"
    INFERENCE_FILTERED = "INFERENCE_FILTERED"
    CORRUPT_ENDPOINT = "CORRUPT_ENDPOINT"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    # The database
    DATABASE_UNAVAILABLE = "DATABASE_UNAVAILABLE"
    # A request to the API
    BAD_REQUEST = "BAD_REQUEST"
    UNAUTHORIZED = "UNAUTHORIZED"
    NOT_FOUND = "NOT_FOUND"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    CONFLICT = "CONFLICT"
    # Ours: a defect, never the user's fault
    INTERNAL = "INTERNAL"


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
