"""An endpoint's refusal: its error object, and the failure of an endpoint without the model.

Providers refuse an unknown model with 404, or with 400 or 403 and a code of their own.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import get_args

import msgspec

from functions.errors import Code, Failure
from functions.inference.endpoint import Endpoint, InferenceMode

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_NO_MODEL_CODES = frozenset(
    {"model_not_found", "model_not_available", "model_decommissioned", "unknown_model"}
)
_NO_MODEL = re.compile(
    r"\bunknown model\b|(?<![\w./-])model(?![\w/-]).{0,200}?"  # not the part of a path
    r"(n.t exist|\b(not (be )?found|not exist|not deployed|no longer|retired|deprecated"
    r"|decommissioned|end of (its )?life))\b",
    re.I | re.S,
)
"""A 404 or 410 with such a message is about the model; a wrong URL has another message or none."""

_WRONG_URL = re.compile(r"\b(path|route|url|host|endpoint is)\b", re.I)
"""With such a word the message is about the URL, even if it names the model."""

_TEXT_KEYS = ("message", "msg", "detail", "error")


@dataclass(frozen=True, kw_only=True)
class ErrorDetail:
    """What an endpoint says about an error; empty where it says nothing."""

    message: str = ""
    code: object = None
    param: object = None

    def is_about_the_model(self, status: int) -> bool:
        """True when the endpoint does not have the requested model."""
        if status in (400, 403, 404, 410) and str(self.code).lower() in _NO_MODEL_CODES:
            return True
        text = self.message
        by_text = _NO_MODEL.search(text) and not _WRONG_URL.search(text)
        return status in (404, 410) and bool(self.param == "model" or by_text)


@dataclass(eq=False)
class ModelNotFound(Failure):
    """The failure MODEL_NOT_FOUND; another endpoint, or the same one later, may have a model."""

    endpoint: Endpoint = field(kw_only=True)
    refusals: Mapping[Endpoint, Failure] = field(default_factory=dict, kw_only=True)
    """Of the requests that led to this failure."""

    @classmethod
    def at(cls, endpoint: Endpoint, answer: str) -> "ModelNotFound":
        """The failure of an endpoint; `answer` is what it said."""
        models = " or ".join(repr(m) for m in (endpoint.model, endpoint.successor) if m)
        return cls(
            Code.MODEL_NOT_FOUND,
            f"The inference endpoint {endpoint.url} does not have model {models}{answer}.",
            f"Set another model, then run up: {set_line(endpoint, 'model')}. "
            "The document waits and continues by itself.",
            retryable=True,
            endpoint=endpoint,
        )

    def beside(
        self, texts: Iterable[str], refusals: Mapping[Endpoint, Failure] | None = None
    ) -> "ModelNotFound":
        """This failure with the texts of other endpoints, after these refusals."""
        return replace(self, message=" ".join([self.message, *texts]), refusals=refusals or {})


def advice(failure: Failure) -> str:
    """The message and the remedy of a failure."""
    return f"{failure.message} {failure.remedy}"


def read_error(content: bytes) -> ErrorDetail:
    """The error of an answer; an empty one when there is none.

    OpenAI's fields are at `error` or at the top, and each may be absent or null. Others send only a
    text: at `error`, or at `detail` as FastAPI does, also in a list of problems.
    """
    try:
        body = msgspec.json.decode(content)
        if not isinstance(body, dict):
            return ErrorDetail()
        inner = body["error"] if isinstance(body.get("error"), dict) else {}
        code, param = (inner.get(name, body.get(name)) for name in ("code", "param"))
        return ErrorDetail(message=_text(inner) or _text(body), code=code, param=param)
    except UNREADABLE:
        return ErrorDetail()


def _text(value: object) -> str:
    """The text of an error, however deep; empty where there is none."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "; ".join(filter(None, map(_text, value)))
    if isinstance(value, dict):
        return next((text for name in _TEXT_KEYS if (text := _text(value.get(name)))), "")
    return ""


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
