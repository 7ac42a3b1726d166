"""What stands in for a language model in tests of the application."""

from collections.abc import Awaitable, Callable, Collection
from typing import Self

from functions.canary import Examination
from functions.inference import Answer

SUMMARY = "A tower on an island."


async def good() -> str:
    """The summary of every document."""
    return SUMMARY


class Model:
    """Answers by a function; remembers the deadline of each question."""

    def __init__(self, reply: Callable[[], Awaitable[str]] = good) -> None:
        self.reply = reply
        self.deadlines: list[float] = []

    def route(self, document: str, *, without: Collection[str] = ()) -> Self:
        """The same answers for every document."""
        return self

    async def examine(self, endpoint: str) -> Examination:
        """Every canary is good."""
        return Examination(verdict="good", prompt_tokens=90, completion_tokens=10)

    async def complete(self, *, system: str, user: str, max_tokens: int, deadline: float) -> Answer:
        """Answer at a price of a million and half a million tokens."""
        self.deadlines.append(deadline)
        return Answer(
            text=await self.reply(),
            model="some-model-2026",
            endpoint="serverless",
            rung="serverless",
            prompt_tokens=1_000_000,
            completion_tokens=500_000,
            calls=1,
            cost_usd=1.5,
        )
