"""Finds where to cut a text: before a heading, between paragraphs, lines, sentences or words.

The standard library does not support grapheme clusters, and packages for them are megabytes large.
The last resort, a cut between two characters, follows the rules of Unicode Standard Annex 29 that
matter in documents: marks, joiners, modifiers, flags and Hangul syllables are not separated.
"""

import re
import unicodedata

# The end of a sentence, with closing quotes and the white space after it. A lower-case letter after
# it indicates an abbreviation. Possessive quantifiers keep the search linear for every text.
_SENTENCE = re.compile(
    r"""[.!?…؟۔।॥։።]["'”’»)\]]*+\s++(?![a-z])|[。！？．｡]["'”’」』）】]*+\s*+"""  # noqa: RUF001
)
_WORD = re.compile(r"\s++")

_JOINER = "\u200d"
_FLAG_LETTERS = ("\U0001f1e6", "\U0001f1ff")
_MODIFIERS = ("\U0001f3fb", "\U0001f3ff")  # skin tones
_HANGUL_VOWELS_AND_FINALS = ("\u1160", "\u11ff")


def last_boundary(text: str, start: int, end: int) -> int:
    """Return the best place to cut in the second half of `text[start:end]`, else its end.

    A better kind of place has priority over a later place. The result is above `start`; the time is
    linear in the range for every text.
    """
    middle = (start + end + 1) // 2
    for mark in ("\n#", "\n\n"):  # a Markdown heading stays with the text after it
        if (found := text.rfind(mark, middle, end)) != -1:
            return found
    sentences = [match.span() for match in _SENTENCE.finditer(text, middle, end)]
    lines = [span for span in sentences if "\n" in text[slice(*span)]]
    if sentences:
        return (lines or sentences)[-1][1]
    if (found := text.rfind("\n", middle, end)) != -1:
        return found
    if words := [match.end() for match in _WORD.finditer(text, middle, end)]:
        return words[-1]
    cut = end
    while cut > middle and _joined(text, cut, start):
        cut -= 1
    return cut if cut > middle else end


def _joined(text: str, cut: int, start: int) -> bool:
    """True when the cut would separate the parts of one visible character."""
    if cut >= len(text):
        return False
    before, after = text[cut - 1], text[cut]
    if after < "\u0300":
        return before == "\r" and after == "\n"
    if _within(after, _FLAG_LETTERS) and _within(before, _FLAG_LETTERS):
        letters = cut
        while letters > start and _within(text[letters - 1], _FLAG_LETTERS):
            letters -= 1
        return (cut - letters) % 2 == 1
    return (
        unicodedata.category(after).startswith("M")
        or _JOINER in (before, after)
        or _within(after, _MODIFIERS)
        or _within(after, _HANGUL_VOWELS_AND_FINALS)
    )


def _within(character: str, ends: tuple[str, str]) -> bool:
    return ends[0] <= character <= ends[1]
