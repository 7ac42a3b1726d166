"""Count and cut tokens about as a language model does, without a vocabulary.

The ratios are those of the byte-pair encodings of common models:
about four characters of English per token, digits in threes, one token per CJK character.
"""

import re
from itertools import islice

# No alternative looks past its own end, so a prefix that ends with a token splits into the same
# tokens: `count` of a result of `cut` gives the requested number.
_TOKEN = re.compile(
    r"""
      [ ]?[A-Za-z]{1,8}                                # most English words, with their space
    | [ ]?[0-9]{1,3}
    | [ ]?[\u00c0-\u024f\u0370-\u058f\u0590-\u06ff]{1,3}   # accents, Greek, Cyrillic, Arabic
    | ([ ]?[!-/:-@\[-`{-~])\1{1,7}                     # rules and dot leaders
    | [ ]?[!-/:-@\[-`{-~]{1,2}
    | \s+
    | .                                                # CJK and everything else: one each
    """,
    re.VERBOSE | re.DOTALL,
)


def count(text: str) -> int:
    """Count the tokens of `text`."""
    return sum(1 for _ in _TOKEN.finditer(text))


def cut(text: str, tokens: int) -> str:
    """Return the prefix of `text` that has exactly `tokens` tokens, or all of it."""
    last = next(islice(_TOKEN.finditer(text), tokens, None), None)
    return text if last is None else text[: last.start()]


def pieces(text: str) -> list[str]:
    """Split `text` into its tokens; joined, they are `text` again."""
    return [match.group() for match in _TOKEN.finditer(text)]
