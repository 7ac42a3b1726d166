"""The canary: a question with a known answer, asked of every endpoint on the sweep's schedule.

A GPU whose memory or arithmetic fails keeps answering, and fluent nonsense passes all other checks
of ours.
"""

import time
from dataclasses import dataclass
from typing import Literal

from functions.dialect import Client, Completion
from functions.question import MAX_TOKENS, MESSAGES, SEED, knows

TIMEOUT_SECONDS = 15.0

TOKENS = 150
"""About what a canary takes, prompt and answer together."""

REQUEUED_PER_SWEEP = 100
"""So many documents of an endpoint that was taken out are queued again by one sweep."""

Verdict = Literal["good", "wrong", "unreachable"]


@dataclass(frozen=True, kw_only=True)
class Examination:
    """What one canary showed, and took."""

    verdict: Verdict
    prompt_tokens: int = 0
    completion_tokens: int = 0


async def examine(client: Client) -> Examination:
    """Ask one endpoint once. Its breaker hears of a canary that was not answered."""
    outcome = await client.ask(
        MESSAGES,
        deadline=time.monotonic() + TIMEOUT_SECONDS,
        max_tokens=MAX_TOKENS,
        seed=SEED,
    )
    if not isinstance(outcome, Completion):
        return Examination(verdict="unreachable")
    return Examination(
        verdict="good" if is_right(outcome) else "wrong",
        prompt_tokens=outcome.prompt_tokens,
        completion_tokens=outcome.completion_tokens,
    )


def is_right(completion: Completion) -> bool:
    """True when a finished answer holds the code as a word of its own, however it is dressed."""
    return completion.reason == "stop" and knows(completion.text)
