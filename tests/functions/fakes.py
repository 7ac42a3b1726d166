"""What stands in for a language model in tests of the application."""

from collections.abc import Awaitable, Callable

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

    async def complete(self, *, system: str, user: str, max_tokens: int, deadline: float) -> Answer:
        """Answer at a price of a million and half a million tokens."""
        self.deadlines.append(deadline)
        return Answer(
            text=await self.reply(),
            model="some-model-2026",
            prompt_tokens=1_000_000,
            completion_tokens=500_000,
            calls=1,
        )
