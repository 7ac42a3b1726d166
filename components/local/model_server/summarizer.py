"""Extractive summaries: every sentence of the answer is from the document.

A sentence has a high value if many others share its words, if it reads well without its context,
and if it is near the beginning. A sentence that shares many words with a chosen one loses value.
"""
# ruff: noqa: RUF001  # full-width punctuation is meant

import math
import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from components.local.model_server.sentences import CJK, Sentence, split

NO_PROSE = "The text holds no prose that a summary could be taken from."
"""The answer to tables, code, numbers and empty text; nothing is invented."""

_MARK = re.compile(r"^<(/?)(document|summary)\b[^<>\n]*>[ \t]*$", re.MULTILINE)
_UNSPACED = re.compile(f"[{CJK}]")
_TERM = re.compile(rf"(?=({_UNSPACED.pattern}{{2}}))|([^\W\d_]{{3,}})")
_FACTORS = [
    (re.compile(pattern, re.VERBOSE | re.IGNORECASE), factor)
    for pattern, factor in [
        # legal text and acknowledgements
        (
            r"copyright|©|\ rights\ reserved|licen[sc]ed\ under|\bisbn\b|\b(?:thanks|grateful)\b",
            0.3,
        ),
        # addresses and code
        (r"https?://|www\.|\S@\S+\.\w|[{}<>=|\\`]|\w\(\)|\w_\w|::|--\w|\w/\w+/", 0.3),
        # references to other places
        (r"\b(?:see|visit|section|chapter|fig|figure|table|following)\b|下列|以下", 0.5),
        # questions
        (r"[?？]|(?:…|\.\.\.)\W*$", 0.4),
        # words that refer to an earlier sentence
        (
            r"""
            ^\W*(?:it|its|they|their|he|she|his|her|this|that|these|those|such|however|but|and|or
            |so|then|therefore|thus|also|moreover|furthermore|instead|otherwise|still|yet|finally
            |both|another|others?|some|again|here|there|note|now|where|which|for\ example
            |in\ (?:addition|fact|this|that)|the\ (?:other|rest|latter|former|same)|second
            |third|er|sie|es|dies\w*|aber|doch|dabei|damit|dort|hier|dann|daher|jedoch
            |ce|cette|ces|cela|il|elles?|ils|mais|ainsi|enfin|puis|это\w*|он[аио]?|но|также
            |esto|este|esta|pero|además)\b
            |^(?:这|此外|但|因此|所以|然而|它|他|她|其|また|しかし|そして|これ|それ|その)
            """,
            0.5,
        ),
    ]
]


class _Candidate(NamedTuple):
    text: str
    part: int
    words: float
    terms: frozenset[str]
    value: float


def answer(message: str) -> str:
    """Summarize the document or the partial summaries in a user message, or else all of it."""
    marks = list(_MARK.finditer(message))
    opened = [mark.end() for mark in marks if mark.groups() == ("", "document")]
    closed = [mark.start() for mark in marks if mark.groups() == ("/", "document")]
    if opened and closed and opened[0] < closed[-1]:  # a document may contain such lines
        return summarize(message[opened[0] : closed[-1]])
    parts = [
        message[mark.end() : end.start()]
        for mark, end in pairwise(marks)
        if mark.groups() == ("", "summary") and end.groups() == ("/", "summary")
    ]
    useful = [part for part in parts if part.strip() != NO_PROSE]  # a contents page, for example
    return summarize(*(useful if parts else [message]))


def summarize(*parts: str, max_sentences: int = 7, max_words: int = 150) -> str:
    """Return the most representative sentences of `parts` in their order, or `NO_PROSE`.

    Several parts are summaries of consecutive parts of a document, and each gets its share.
    From a short text about every third sentence is chosen, at least three.
    """
    candidates = _candidates(parts)
    highest = max((candidate.value for candidate in candidates), default=0.0)
    candidates = [candidate for candidate in candidates if candidate.value > highest / 20]
    if len(parts) == 1:
        max_sentences = min(max_sentences, max(3, math.ceil(len(candidates) / 3)))
    chosen: list[_Candidate] = []

    def gain(new: _Candidate) -> float:
        """Return the value of what a sentence adds to the chosen ones, each part in its turn."""
        shared = max((len(new.terms & other.terms) for other in chosen), default=0)
        known = shared / max(1, len(new.terms))
        siblings = sum(new.part == other.part for other in chosen)
        return new.value * (1 - known) * 0.5**siblings

    while len(chosen) < max_sentences:
        room = max_words - sum(candidate.words for candidate in chosen)
        fitting = [c for c in candidates if c.words <= room and c not in chosen]
        best = max(fitting, key=gain, default=None)
        if best is None or gain(best) == 0:
            break
        chosen.append(best)
    return _join([candidate.text for candidate in candidates if candidate in chosen]) or NO_PROSE


def _candidates(parts: Sequence[str]) -> list[_Candidate]:
    """Return the sentences that are prose, or else the fragments that are only words."""
    placed = [(part, sentence) for part, text in enumerate(parts) for sentence in split(text)]
    prose = [(part, s) for part, s in placed if s.whole and _is_prose(s.text)]
    prose = prose or [(part, s) for part, s in placed if _is_fragment(s.text)]
    prose = list({sentence.text: (part, sentence) for part, sentence in reversed(prose)}.values())
    prose.reverse()
    terms = [
        frozenset(pair or word[:6] for pair, word in _TERM.findall(sentence.text.lower()))
        for _, sentence in prose
    ]
    spread = Counter(term for found in terms for term in found)
    # Squared inverse document frequency: common words count little. Short words are no terms.
    rarity = {term: math.log(1 + len(prose) / times) ** 2 for term, times in spread.items()}
    place: Counter[int] = Counter()
    candidates = []
    for (part, sentence), found in zip(prose, terms, strict=True):
        central = sum(spread[term] * rarity[term] for term in found) or 0.01
        central /= math.sqrt(sum(rarity[term] for term in found)) or 1.0
        early = 1 + 0.8 * math.exp(-place[part] / 4)
        place[part] += 1
        value = _readability(sentence) * early * central
        candidates.append(_Candidate(sentence.text, part, _words(sentence.text), found, value))
    return candidates


def _is_prose(text: str) -> bool:
    letters = sum(character.isalpha() or character.isspace() for character in text)
    return 2 <= _words(text) <= 60 and len(text) <= 600 and letters >= 0.75 * len(text)


def _is_fragment(text: str) -> bool:
    return 6 <= _words(text) <= 60 and all(c.isalpha() or c in " ,:'’-" for c in text)


def _readability(sentence: Sentence) -> float:
    """Rate how well a sentence reads without its context, 1 at most."""
    words = _words(sentence.text)
    rating = min(1.0, (words / 10) ** 2) if words <= 40 else 0.5
    rating *= 0.6 if sentence.listed else 1.0
    for pattern, factor in _FACTORS:
        rating *= factor if pattern.search(sentence.text) else 1.0
    return rating


def _words(text: str) -> float:
    """Count words; in a script without spaces about two characters are one."""
    return len(_UNSPACED.sub(" ", text).split()) + len(_UNSPACED.findall(text)) / 2


def _join(texts: list[str]) -> str:
    """Join sentences with spaces, and unfinished ones with line breaks."""
    joined = "".join(text + ("\n" if text[-1].isalpha() else " ") for text in texts).rstrip()
    return re.sub("(?<=[。！？」』）]) ", "", joined)
