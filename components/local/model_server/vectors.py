"""Compare sentences by their common words."""
# ruff: noqa: RUF001  # the typographic apostrophe is meant

import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise

from components.local.model_server.sentences import CJK

Vector = dict[str, float]
"""Term weights of unit length."""

_WORD = re.compile(rf"[{CJK}]|[^\W\d_]+(?:['’][^\W\d_]+)*")


def vectors(texts: Sequence[str]) -> list[Vector]:
    """Return the tf-idf vector of each text, where rare terms weigh more than common ones."""
    counted = [Counter(_terms(text)) for text in texts]
    spread = Counter(term for counts in counted for term in counts)
    result = []
    for counts in counted:
        weights = {
            term: (1 + math.log(times)) * math.log(1 + len(texts) / spread[term])
            for term, times in counts.items()
        }
        norm = math.hypot(*weights.values()) or 1.0
        result.append({term: weight / norm for term, weight in weights.items()})
    return result


def centrality(of: Sequence[Vector]) -> list[float]:
    """Return how similar each vector is to all of them, the highest scaled to 1.

    The sum of a vector's similarities is its product with the sum of all vectors,
    so the graph is never built and the work grows with the text, not with its square.
    """
    total: dict[str, float] = defaultdict(float)
    for vector in of:
        for term, weight in vector.items():
            total[term] += weight
    scores = [similarity(vector, total) for vector in of]
    highest = max(scores, default=0.0) or 1.0
    return [score / highest for score in scores]


def similarity(left: Mapping[str, float], right: Mapping[str, float]) -> float:
    """Return the dot product, which for unit vectors is the cosine."""
    return sum(weight * right.get(term, 0.0) for term, weight in left.items())


def _terms(text: str) -> list[str]:
    """Return word stems, cut so that `document` meets `documents`, and pairs of ideographs."""
    words = [word.lower() for word in _WORD.findall(text)]
    stems = [word[:6] for word in words if len(word) > 2]
    pairs = [a + b for a, b in pairwise(words) if len(a) == len(b) == 1]
    return stems + pairs
