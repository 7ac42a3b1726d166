"""A response in OpenAI's format: one object, or a stream of events."""

import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from components.local.model_server import tokens

FINGERPRINT = "fp_extractive"
"""The `system_fingerprint` of every answer; it says that no language model answered."""

FinishReason = Literal["stop", "length"]


def finish(text: str, *, stops: list[str], limit: int) -> tuple[str, FinishReason]:
    """Cut `text` before a stop sequence or at `limit` tokens, and return the reason with it."""
    for stop in stops:
        text = text.split(stop, 1)[0]
    within = tokens.cut(text, limit)
    return within, "stop" if within == text else "length"


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One choice with its usage."""

    model: str
    content: str
    reason: FinishReason
    prompt_tokens: int
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self) -> dict[str, Any]:
        """Return the `chat.completion` object."""
        message = {"role": "assistant", "content": self.content, "refusal": None}
        choice = _choice("message", message, self.reason)
        return self._envelope("chat.completion", [choice]) | {"usage": self._usage()}

    async def events(self, *, with_usage: bool) -> AsyncIterator[bytes]:
        """Yield server-sent events: the role, a delta per token, the end, the usage if wanted."""
        pending = {"usage": None} if with_usage else {}
        deltas = [{"role": "assistant", "content": ""}]
        deltas += [{"content": piece} for piece in tokens.pieces(self.content)]
        for delta in deltas:
            yield self._event([_choice("delta", delta, None)], pending)
        yield self._event([_choice("delta", {}, self.reason)], pending)
        if with_usage:
            yield self._event([], {"usage": self._usage()})
        yield b"data: [DONE]\n\n"

    def _usage(self) -> dict[str, int]:
        used = tokens.count(self.content)
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": used,
            "total_tokens": self.prompt_tokens + used,
        }

    def _event(self, choices: list[dict[str, Any]], more: dict[str, Any]) -> bytes:
        chunk = self._envelope("chat.completion.chunk", choices) | more
        return b"data: " + msgspec.json.encode(chunk) + b"\n\n"

    def _envelope(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": FINGERPRINT,
            "choices": choices,
        }


def _choice(name: str, value: dict[str, Any], reason: FinishReason | None) -> dict[str, Any]:
    return {"index": 0, name: value, "logprobs": None, "finish_reason": reason}
