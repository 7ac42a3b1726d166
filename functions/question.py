"""The canary's question and its known answer; the standard library alone, since clusters ask it.

To copy a code out of a short document a model must read the prompt, attend to it and repeat it
token by token, which a damaged one does not do by chance; and every model that is fit to summarize
can, the smallest and our stand-in included. No knowledge and no style is judged, so that two
healthy models, versions or batches never differ.
"""

import re
from typing import Any, Literal

CODE = "kestrel-4711-harbour-0862"
SYSTEM = "You copy codes out of documents. Answer with the code alone, exactly as it is written."
USER = f"<document>\nThe code of the lighthouse is {CODE}.\n</document>"

SEED = 20_261
MAX_TOKENS = 512
"""Room for a reasoning model's thoughts, which are some dozens; only nonsense uses it up."""

WRONG_IN_A_ROW = 2
"""So many wrong answers take out who gives them: one may be an accident of a deployment."""

GOOD_IN_A_ROW = 3
"""So many good ones bring it back."""

Verdict = Literal["good", "wrong", "unreachable"]
"""What an answer shows of who gave it; no answer shows nothing."""

MESSAGES = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": USER}]


def question(model: str) -> dict[str, Any]:
    """The canary as the body of a chat completion."""
    return {
        "model": model,
        "messages": MESSAGES,
        "temperature": 0,
        "seed": SEED,
        "max_tokens": MAX_TOKENS,
    }


def is_right(text: str, finish_reason: str | None) -> bool:
    """True when a finished answer holds the code as a word of its own, however it is dressed."""
    return finish_reason == "stop" and knows(text)


def knows(text: str) -> bool:
    """True for a text with the code in it, as a word of its own."""
    # Models write other dashes, quotes, capitals and backticks for the same thing.
    plain = re.sub(r"[\u2010-\u2015\u2212]", "-", text.casefold())
    return CODE in re.findall(r"[\w-]+", plain)
