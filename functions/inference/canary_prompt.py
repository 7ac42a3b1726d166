"""The canary's prompt and its expected answer. Standard library only: clusters run this file, too.

To copy a code out of a short document a model must read the prompt, attend to it and repeat it
token by token. A damaged model does not do that by chance; every model that can summarize does,
including the smallest and the fake model. The check ignores knowledge and style, so that healthy
models, versions and batches all pass.
"""

import re
from typing import Any, Literal

CODE = "kestrel-4711-harbour-0862"
SYSTEM = "You copy codes out of documents. Answer with the code alone, exactly as it is written."
USER = f"<document>\nThe code of the lighthouse is {CODE}.\n</document>"

SEED = 20_261
MAX_TOKENS = 512
"""A reasoning model thinks for some dozens of tokens first; only nonsense uses up the rest."""

WRONG_IN_A_ROW = 2
"""Wrong canaries in a row that mark an endpoint or replica corrupt: one may be a deployment."""

GOOD_IN_A_ROW = 3
"""Good canaries in a row that clear the mark."""

Verdict = Literal["good", "wrong", "unreachable"]
"""What a canary shows; `unreachable` shows nothing about the answers."""

MESSAGES = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": USER}]


def canary_prompt(model: str) -> dict[str, Any]:
    """The canary as the body of a chat completion request."""
    return {
        "model": model,
        "messages": MESSAGES,
        "temperature": 0,
        "seed": SEED,
        "max_tokens": MAX_TOKENS,
    }


def is_right(text: str, finish_reason: str | None) -> bool:
    """True when the answer is finished and contains the code."""
    return finish_reason == "stop" and contains_code(text)


def contains_code(text: str) -> bool:
    """True when the text contains the code as a word of its own."""
    # Models write other dashes, quotes, capitals and backticks for the same thing.
    plain = re.sub(r"[\u2010-\u2015\u2212]", "-", text.casefold())
    return CODE in re.findall(r"[\w-]+", plain)
