"""What stands in for a language model in tests of the application."""

from collections.abc import Awaitable, Callable, Collection
from typing import Any, Self

from functions.inference.canary import CanaryResult
from functions.inference.usage import Summary, Usage

SUMMARY = "A tower on an island."


async def good() -> str:
    """The summary of every document."""
    return SUMMARY


class Model:
    """Answers by a function; remembers the deadline of each question."""

    def __init__(self, reply: Callable[[], Awaitable[str]] = good) -> None:
        self.reply = reply
        self.deadlines: list[float] = []

    def route(self, document_id: str, *, without: Collection[str] = ()) -> Self:
        """The same answers for every document."""
        return self

    async def run_canary(self, endpoint: str) -> CanaryResult:
        """Every canary is good."""
        return CanaryResult(verdict="good", prompt_tokens=90, completion_tokens=10)

    async def complete(
        self, *, system: str, user: str, max_tokens: int, deadline: float
    ) -> Summary:
        """Answer at a price of a million and half a million tokens."""
        self.deadlines.append(deadline)
        return summary(await self.reply())


def summary(text: str = SUMMARY, **usage: Any) -> Summary:
    """A summary, by one call of a million and half a million tokens unless said otherwise."""
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
