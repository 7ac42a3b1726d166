"""The canary: a question with a known answer, asked of every endpoint on the sweep's schedule.

A GPU whose memory or arithmetic fails keeps answering, and fluent nonsense passes all other checks
of ours. To copy a code out of a short document a model must read the prompt, attend to it and
repeat it token by token, which a damaged one does not do by chance; and every model that is fit to
summarize can, the smallest and our stand-in included. No knowledge and no style is judged, so that
two healthy models, versions or batches never differ.
"""

import re
import time
from dataclasses import dataclass
from typing import Literal

from functions.dialect import Client, Completion

CODE = "kestrel-4711-harbour-0862"
SYSTEM = "You copy codes out of documents. Answer with the code alone, exactly as it is written."
USER = f"<document>\nThe code of the lighthouse is {CODE}.\n</document>"

SEED = 20_261
MAX_TOKENS = 512
"""Room for a reasoning model's thoughts, which are some dozens; only nonsense uses it up."""

TIMEOUT_SECONDS = 15.0

TOKENS = 150
"""About what a canary takes, prompt and answer together."""

WRONG_IN_A_ROW = 2
"""So many wrong canaries take an endpoint out: one may be an accident of a deployment under way."""

GOOD_IN_A_ROW = 3
"""So many good canaries bring it back."""

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
        [{"role": "system", "content": SYSTEM}, {"role": "user", "content": USER}],
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


def knows(text: str) -> bool:
    """True for a text with the code in it, as a word of its own."""
    # Models write other dashes, quotes, capitals and backticks for the same thing.
    plain = re.sub(r"[\u2010-\u2015\u2212]", "-", text.casefold())
    return CODE in re.findall(r"[\w-]+", plain)
