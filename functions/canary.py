"""The canary: a question with a known answer, asked of every endpoint on the sweep's schedule.

A GPU whose memory or arithmetic fails keeps answering, and fluent nonsense passes all other checks
of ours.
"""

import asyncio
import time
from dataclasses import dataclass

from functions.dialect import Client, Completion
from functions.question import MAX_TOKENS, MESSAGES, SEED, Verdict, is_right
from functions.replicas import Verdicts, ask_examiner

TIMEOUT_SECONDS = 15.0

TOKENS = 150
"""About what a canary takes, prompt and answer together."""

REQUEUED_PER_SWEEP = 100
"""So many documents of an endpoint that was taken out are queued again by one sweep."""


@dataclass(frozen=True, kw_only=True)
class Examination:
    """What one canary showed, and took.

    Attributes:
        replica: Who answered it, where the endpoint says so.
        replicas: What the examiner of its replicas said meanwhile; None: nothing, or nobody.
    """

    verdict: Verdict
    replica: str | None = None
    replicas: Verdicts | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def counts(self) -> bool:
        """False for a wrong answer of one replica among several, whom their examiner judges."""
        return not (self.verdict == "wrong" and self.replicas and self.replica in self.replicas)


async def examine(client: Client) -> Examination:
    """Ask one endpoint once, and its replicas' examiner, where it has one.

    The breaker hears of a canary that was not answered.
    """
    outcome, replicas = await asyncio.gather(
        client.ask(
            MESSAGES,
            deadline=time.monotonic() + TIMEOUT_SECONDS,
            max_tokens=MAX_TOKENS,
            seed=SEED,
        ),
        ask_examiner(client.http, client.endpoint),
    )
    if not isinstance(outcome, Completion):
        return Examination(verdict="unreachable", replicas=replicas)
    return Examination(
        verdict="good" if is_right(outcome.text, outcome.reason) else "wrong",
        replica=outcome.replica,
        replicas=replicas,
        prompt_tokens=outcome.prompt_tokens,
        completion_tokens=outcome.completion_tokens,
    )
