"""OpenAI's chat completions API: requests, answers, streams and errors.

Fields follow OpenAI's reference as quoted in its generated clients, error objects follow public
issues of the API's users (both read in November 2026). Unused and unknown fields are ignored.
"""

import re
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

# Tokens that a chat template adds by OpenAI's counting recipe: per message, and for the reply.
_TOKENS_PER_MESSAGE = 3
_TOKENS_TO_PRIME = 3

# About as the byte-pair encodings of common models: four characters of English per token, digits in
# threes, one token per CJK character.
_TOKEN = re.compile(
    r"""
      [ ]?[A-Za-z]{1,8}                                # most English words, with their space
    | [ ]?[0-9]{1,3}
    | [ ]?[\u00c0-\u024f\u0370-\u058f\u0590-\u06ff]{1,3}   # accents, Greek, Cyrillic, Arabic
    | ([ ]?[!-/:-@\[-`{-~])\1{1,7}                     # rules and dot leaders
    | [ ]?[!-/:-@\[-`{-~]{1,2}
    | \s+
    | .                                                # CJK and everything else: one each
    """,
    re.VERBOSE | re.DOTALL,
)


def tokenize(text: str) -> list[str]:
    """Split `text` into about the tokens of a language model; joined, they are `text` again."""
    return [match.group() for match in _TOKEN.finditer(text)]


class TextPart(Struct, frozen=True, tag_field="type", tag="text"):
    """A part of a message's text."""

    text: str


class Message(Struct, frozen=True):
    """A message of the conversation."""

    role: Literal["developer", "system", "user", "assistant", "tool", "function"]
    content: str | list[TextPart]

    @property
    def text(self) -> str:
        """The content, its parts joined."""
        content = self.content
        return content if isinstance(content, str) else "".join(part.text for part in content)


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

    @classmethod
    def parse(cls, body: bytes) -> "ChatRequest":
        """Read a request.

        Raises:
            ApiError: The request is invalid; names the field.
        """
        try:
            request = msgspec.json.decode(body, type=cls)
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

    @property
    def prompt(self) -> str:
        """The text of the last user message; empty when there is none."""
        return next((m.text for m in reversed(self.messages) if m.role == "user"), "")

    def count_tokens(self) -> int:
        """Count the tokens of all messages and of the chat template."""
        texts = sum(len(tokenize(message.text)) for message in self.messages)
        return texts + _TOKENS_PER_MESSAGE * len(self.messages) + _TOKENS_TO_PRIME

    @property
    def token_limit(self) -> int | None:
        """The most tokens of the answer, by the newer or the older name."""
        limits = [n for n in (self.max_completion_tokens, self.max_tokens) if n is not None]
        return min(limits, default=None)

    def reply(self, text: str, limit: int, prompt_tokens: int) -> "Reply":
        """Answer with `text`, cut before a stop sequence or after `limit` tokens."""
        for stop in [self.stop] if isinstance(self.stop, str) else self.stop or ():
            text = text.split(stop, 1)[0]
        tokens = tokenize(text)
        return Reply(
            model=self.model,
            tokens=tokens[:limit],
            finish_reason="stop" if len(tokens) <= limit else "length",
            prompt_tokens=prompt_tokens,
        )


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer with one choice."""

    model: str
    tokens: list[str]
    finish_reason: Literal["stop", "length"]
    prompt_tokens: int
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    def completion(self) -> dict[str, Any]:
        """Return the `chat.completion` object."""
        message = {"role": "assistant", "content": "".join(self.tokens), "refusal": None}
        choice = {"message": message, "finish_reason": self.finish_reason}
        return self._object("chat.completion", choice) | {"usage": self._usage()}

    async def events(self, *, with_usage: bool) -> AsyncIterator[bytes]:
        """Yield server-sent events: the role, a delta per token, the end, the usage if wanted."""
        deltas = [{"role": "assistant", "content": ""}, *({"content": t} for t in self.tokens)]
        choices: list[dict[str, Any]] = [{"delta": d, "finish_reason": None} for d in deltas]
        choices.append({"delta": {}, "finish_reason": self.finish_reason})
        chunks = [self._object("chat.completion.chunk", choice) for choice in choices]
        if with_usage:
            chunks = [chunk | {"usage": None} for chunk in chunks]
            chunks.append(self._object("chat.completion.chunk") | {"usage": self._usage()})
        for chunk in chunks:
            yield b"data: " + msgspec.json.encode(chunk) + b"\n\n"
        yield b"data: [DONE]\n\n"

    def _usage(self) -> dict[str, int]:
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": len(self.tokens),
            "total_tokens": self.prompt_tokens + len(self.tokens),
        }

    def _object(self, kind: str, *choices: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": "fp_extractive",  # no language model answered
            "choices": [{"index": 0, "logprobs": None} | choice for choice in choices],
        }


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
        """Take the HTTP status, the fields of the error object, and further headers."""
        super().__init__(message)
        self.status = status
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
        self.headers = dict(headers or {})


def _param(message: str) -> str | None:
    """The field that a msgspec message names, such as `messages[0].content`."""
    path = re.search(r" - at `\$\.?(.*)`$", message)
    missing = re.search(r"missing required field `(\w+)`", message)
    return ".".join(found.group(1) for found in (path, missing) if found) or None
