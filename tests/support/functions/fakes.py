"""A fake language model for tests of the application."""

from collections.abc import Awaitable, Callable, Collection
from typing import Any, Self

from functions.inference.canary import CanaryResult
from functions.inference.refusal import ModelNotFound
from functions.inference.usage import Summary, Usage

SUMMARY = "A tower on an island."


async def good() -> str:
    """The summary of every document."""
    return SUMMARY


class Model:
    """Answers by a function, with this usage; records the deadline of each call."""

    def __init__(self, reply: Callable[[], Awaitable[str]] = good, **usage: Any) -> None:
        self.reply = reply
        self.usage = usage
        self.deadlines: list[float] = []

    def route(
        self,
        document_id: str,
        *,
        without: Collection[str] = (),
        missing: ModelNotFound | None = None,
    ) -> Self:
        """Answer every document alike."""
        return self

    async def run_canary(self, endpoint: str) -> CanaryResult:
        """Return a good result for every canary."""
        return CanaryResult(verdict="good", prompt_tokens=90, completion_tokens=10)

    async def complete(
        self, *, system: str, user: str, max_tokens: int, deadline: float
    ) -> Summary:
        """Return the reply as a summary."""
        self.deadlines.append(deadline)
        return summary(await self.reply(), **self.usage)


def summary(text: str = SUMMARY, **usage: Any) -> Summary:
    """A summary, by one call with 1,000,000 and 500,000 tokens unless `usage` changes it."""
    return Summary(
        text=text,
        usage=Usage(
            **{
                "model": "some-model-2026",
                "inference_mode": "serverless",
                "endpoint": "serverless",
                "endpoints": ["serverless"],
                "replicas": [],
                "prompt_tokens": 1_000_000,
                "completion_tokens": 500_000,
                "calls": 1,
                "cost_usd": 1.5,
                **usage,
            }
        ),
    )
