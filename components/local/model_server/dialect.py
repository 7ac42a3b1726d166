"""The OpenAI chat completions API: the fields of a request, and its errors.

Fields follow OpenAI's reference as quoted in its generated clients, error objects follow public
issues of the API's users (both read in November 2026). Unused and unknown fields are ignored.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from components.local.model_server import tokens

# Tokens that a chat template adds by OpenAI's counting recipe: per message, and for the reply.
_TOKENS_PER_MESSAGE = 3
_TOKENS_TO_PRIME = 3


class TextPart(Struct, frozen=True, tag_field="type", tag="text"):
    """A piece of a message's text."""

    text: str


class Message(Struct, frozen=True):
    """One turn of the conversation."""

    role: Literal["developer", "system", "user", "assistant", "tool", "function"]
    content: str | list[TextPart]

    @property
    def text(self) -> str:
        """The content, its parts joined."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content)


class StreamOptions(Struct, frozen=True):
    """Options of a streamed answer."""

    include_usage: bool = False


_Positive = Annotated[int, Meta(ge=1)]
_Stop = Annotated[str, Meta(min_length=1)]


class ChatRequest(Struct, frozen=True):
    """The body of `POST /v1/chat/completions`.

    `temperature` is checked and has no effect: the same document always gives the same summary.
    """

    model: str
    messages: Annotated[list[Message], Meta(min_length=1)]
    max_tokens: _Positive | None = None
    max_completion_tokens: _Positive | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    n: int | None = None
    stop: _Stop | Annotated[list[_Stop], Meta(max_length=4)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None

    @property
    def question(self) -> str:
        """The text of the last user message; empty when there is none."""
        return next((m.text for m in reversed(self.messages) if m.role == "user"), "")

    @property
    def token_limit(self) -> int | None:
        """The caller's limit of tokens, by the newer or the older name."""
        limits = [n for n in (self.max_completion_tokens, self.max_tokens) if n is not None]
        return min(limits, default=None)

    @property
    def stops(self) -> list[str]:
        """Sequences that end the answer; they are not part of it."""
        return [self.stop] if isinstance(self.stop, str) else list(self.stop or ())

    def count_tokens(self) -> int:
        """Count the tokens of the messages and of the chat template."""
        said = sum(_TOKENS_PER_MESSAGE + tokens.count(m.text) for m in self.messages)
        return said + _TOKENS_TO_PRIME


class ApiError(Exception):
    """An error in OpenAI's format."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        kind: str = "invalid_request_error",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Take the HTTP status, the parts of the error object, and headers to send along."""
        super().__init__(message)
        self.status = status
        self.body: dict[str, Any] = {
            "error": {"message": message, "type": kind, "param": param, "code": code}
        }
        self.headers = dict(headers or {})


def parse(body: bytes) -> ChatRequest:
    """Read a request.

    Raises:
        ApiError: The request is invalid; names the field.
    """
    try:
        request = msgspec.json.decode(body, type=ChatRequest)
    except msgspec.ValidationError as error:
        raise ApiError(400, f"Invalid request: {error}.", param=_param(str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        message = f"The body could not be parsed: {error}. Send one JSON object in UTF-8."
        raise ApiError(400, message) from None
    if request.n not in (None, 1):
        message = f"'n' is {request.n}, but this server returns one choice only: leave it out."
        raise ApiError(400, message, param="n")
    if request.stream_options and not request.stream:
        message = "'stream_options' is only allowed when 'stream' is true."
        raise ApiError(400, message, param="stream_options")
    return request


def _param(message: str) -> str | None:
    """The field that a msgspec message names, such as `messages[0].content`."""
    path = re.search(r" - at `\$\.?(.*)`$", message)
    missing = re.search(r"missing required field `(\w+)`", message)
    return ".".join(found.group(1) for found in (path, missing) if found) or None
