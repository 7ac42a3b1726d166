"""An endpoint's refusal: its error object, and the failure of an endpoint without the model.

Providers refuse an unknown model with 404, or with 400 and a code of their own.
"""

import re
from dataclasses import dataclass, field
from typing import Any, get_args

import msgspec

from functions.errors import Code, Failure
from functions.inference.endpoint import Endpoint, InferenceMode

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_NO_MODEL_CODES = frozenset({"model_not_found", "model_not_available", "model_decommissioned"})
_NO_MODEL = re.compile(
    r"\bmodel\b.*\b(not found|not exist|not deployed|no longer|retired|deprecated)\b", re.I | re.S
)
"""A 404 or 410 with such a message is about the model; a wrong URL has another message or none."""


class ErrorDetail(msgspec.Struct):
    """OpenAI's error object; every field may be absent or null."""

    message: str = ""
    code: Any = None
    param: Any = None

    def is_about_the_model(self, status: int) -> bool:
        """True when the endpoint does not have the requested model."""
        if status in (400, 404, 410) and str(self.code).lower() in _NO_MODEL_CODES:
            return True
        by_text = self.param == "model" or _NO_MODEL.search(self.message)
        return status in (404, 410) and bool(by_text)


class _ErrorBody(ErrorDetail):
    error: ErrorDetail | None = None


@dataclass(eq=False)
class ModelNotFound(Failure):
    """The failure MODEL_NOT_FOUND; another endpoint, or the same one later, may have a model."""

    endpoint: Endpoint = field(kw_only=True)

    @classmethod
    def at(cls, endpoint: Endpoint, answer: str) -> "ModelNotFound":
        """The failure of an endpoint; `answer` is what it said."""
        models = " or ".join(repr(m) for m in (endpoint.model, endpoint.successor) if m)
        return cls(
            Code.MODEL_NOT_FOUND,
            f"The inference endpoint {endpoint.url} does not have model {models}{answer}.",
            f"Set another one, then run up: {set_line(endpoint, 'model')}. "
            "The document waits and continues by itself.",
            retryable=True,
            endpoint=endpoint,
        )


def read_error(content: bytes) -> ErrorDetail:
    """The error object of an answer, at `error` or at the top; an empty one when there is none."""
    try:
        body = msgspec.json.decode(content, type=_ErrorBody)
    except UNREADABLE:
        return ErrorDetail()
    return body.error or body


def config_key(endpoint: Endpoint, name: str) -> str:
    """The Pulumi config key of an endpoint's field."""
    if endpoint.name in get_args(InferenceMode):  # configured by inference_*
        return f"inference_{name}"
    if name == "api_key":
        return f"--path 'inference_endpoint_keys.{endpoint.name}'"
    return f"{name} in inference_endpoints of {endpoint.name!r}"


def set_line(endpoint: Endpoint, name: str) -> str:
    """The command that sets an endpoint's field, or the words for a field in a list."""
    key = config_key(endpoint, name)
    if name == "api_key":
        return f"pulumi config set --secret {key} ..."
    return f"pulumi config set {key} ..." if key.startswith("inference_") else key
