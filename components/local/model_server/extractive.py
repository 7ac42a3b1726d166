"""Extractive summaries: every sentence of the answer is from the document.

A sentence has a high weight if many others share its terms (degree centrality over tf-idf vectors,
as in LexRank), if it is finished prose, and if it is near the beginning.
Maximal marginal relevance prevents repetition.
"""
# ruff: noqa: RUF001  # full-width punctuation is meant

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from components.local.model_server.prose import readability, script, words
from components.local.model_server.sentences import Sentence, split
from components.local.model_server.vectors import Vector, centrality, similarity, vectors

NO_PROSE = "The text holds no prose that a summary could be taken from."
"""The answer to tables, code, numbers and empty text; nothing is invented."""

_MARK = re.compile(r"^<(/?)(document|summary)\b[^<>\n]*>[ \t]*$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class _Candidate:
    """A sentence with its part, its length, its weight and its vector."""

    text: str
    part: int
    words: float
    weight: float
    vector: Vector


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
    if not candidates:
        return NO_PROSE
    third = max(3, math.ceil(len(candidates) / 3))
    limit = max_sentences if len(parts) > 1 else min(max_sentences, third)
    return _join([candidate.text for candidate in _choose(candidates, limit, max_words)])


def _candidates(parts: Sequence[str]) -> list[_Candidate]:
    """Weigh every sentence that is prose; use fragments only if there is no prose."""
    placed = [(part, sentence) for part, text in enumerate(parts) for sentence in split(text)]
    prose = _readable(placed) or _readable(
        [(part, replace(s, whole=True)) for part, s in placed if _only_words(s.text)]
    )
    compared = vectors([sentence.text for _, sentence, _ in prose])
    scripts = [script(sentence.text) for _, sentence, _ in prose]
    usual = Counter(scripts).most_common(1)[0][0] if scripts else ""
    place: Counter[int] = Counter()
    candidates = []
    for (part, sentence, worth), written, vector, central in zip(
        prose, scripts, compared, centrality(compared), strict=True
    ):
        early = (1 + 0.8 * math.exp(-place[part] / 4)) * (1 + 0.5 * math.exp(-part))
        familiar = 1.0 if written == usual else 0.3
        place[part] += 1
        candidates.append(
            _Candidate(
                text=sentence.text,
                part=part,
                words=words(sentence.text),
                weight=worth * central * early * familiar,
                vector=vector,
            )
        )
    return candidates


def _readable(placed: list[tuple[int, Sentence]]) -> list[tuple[int, Sentence, float]]:
    return [(part, s, worth) for part, s in placed if (worth := readability(s)) > 0]


def _only_words(text: str) -> bool:
    """True for an unfinished sentence of at least six words without other characters."""
    return words(text) >= 6 and all(c.isalpha() or c in " ,:'’-" for c in text)


def _choose(candidates: list[_Candidate], limit: int, max_words: int) -> list[_Candidate]:
    """Choose the sentences with the highest weight that add something, from all parts."""
    chosen: list[int] = []
    taken: Counter[int] = Counter()
    overlap = [0.0] * len(candidates)
    budget = float(max_words)
    least = 0.0

    def gain(i: int) -> float:
        return candidates[i].weight * (1 - overlap[i])

    while len(chosen) < limit:
        fitting = [i for i, c in enumerate(candidates) if c.words <= budget and i not in chosen]
        if not fitting:
            break
        best = max(fitting, key=lambda i: gain(i) * 0.5 ** taken[candidates[i].part])
        if overlap[best] > 0.8 or (len(chosen) >= 3 and gain(best) < least):
            break
        least = least or gain(best) / 10
        chosen.append(best)
        taken[candidates[best].part] += 1
        budget -= candidates[best].words
        overlap = [
            max(known, similarity(c.vector, candidates[best].vector))
            for known, c in zip(overlap, candidates, strict=True)
        ]
    return [candidates[i] for i in sorted(chosen)]


def _join(texts: list[str]) -> str:
    """Join sentences with spaces, and unfinished ones with line breaks."""
    joined = texts[0]
    for text in texts[1:]:
        last = joined[-1]
        joined += "" if last in "。！？」』）" else "\n" if last.isalpha() else " "
        joined += text
    return joined
