"""Split points: the best boundary is found, and no visible character is divided."""
# ruff: noqa: RUF001  # punctuation of other languages

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.summary.chunking import MIN_BUDGET, estimate_tokens, split
from functions.summary.split_points import last_boundary

FILL = "word " * 20

CLUSTERS = [
    "a",
    "一",
    "e\u0301",  # a combining accent
    "\u0928\u093f",  # a Devanagari vowel sign
    "\u1100\u1161\u11a8",  # a Hangul syllable in its letters
    "👍🏽",  # a skin tone
    "❤\ufe0f",  # a variation
    "1\ufe0f\u20e3",  # a key cap
    "👩\u200d👩\u200d👧",  # joined emoji
    "🇩🇪",  # a flag
]


@pytest.mark.parametrize(
    ("kept", "rest"),
    [
        ("It ends.\n\nIntroduction. ", "\n# Heading\n\nText of it. More.\n\nMore. "),
        ("A list:\n- one. Two.", "\n\nLast paragraph. It has\ntwo lines."),
        ("It ends with a line.\n", "Another. One goes\non in the next"),
        ("This is said. ", "Then a line\nends and another"),
        ("Is it “so?” ", "Then e.g. nothing and Mr"),
        ("会議は火曜日に開かれました。", "参加者は話し合いました、そして"),
        ("他说：“好。”", "然后他走了"),
        ("क्या हुआ। ", "कुछ नहीं और"),
        ("1,2,3", "\n4, 5, 6"),
        ("no sentence at ", "all"),
    ],
    ids=[
        *("heading", "paragraph", "sentence at a line's end", "sentence in a line"),
        *("quotes and abbreviations", "Japanese", "Chinese quotes", "Hindi", "line", "word"),
    ],
)
def test_a_better_boundary_comes_before_a_later_one(kept: str, rest: str) -> None:
    text = FILL + kept + rest

    assert last_boundary(text, 0, len(text)) == len(FILL + kept)


def test_a_boundary_in_the_first_half_is_not_used() -> None:
    text = "Short.\n\n" + "word " * 20

    assert last_boundary(text, 0, len(text)) == len(text)


@settings(deadline=None)
@given(st.lists(st.sampled_from(CLUSTERS), min_size=60, max_size=900), st.integers(64, 200))
def test_a_visible_character_stays_whole(found: list[str], budget: int) -> None:
    ends, position = {0}, 0
    for cluster in found:
        position += len(cluster)
        ends.add(position)

    position = 0
    for piece in split("".join(found), budget):
        position += len(piece)
        assert position in ends


def test_a_character_longer_than_a_piece_is_divided() -> None:
    pieces = split("a" + "\u0301" * 10_000, MIN_BUDGET)

    assert max(map(estimate_tokens, pieces)) <= MIN_BUDGET


@pytest.mark.parametrize(
    "text",
    [
        "🇩🇪" * 100_000,
        "\u0301" * 500_000,
        "." * 1_000_000,
        '."""' * 300_000,
        "\n" * 500_000 + "x" + " " * 1_000_000 + "y" * 1000,
        ("x" * 3000 + " " * 30_000) * 30,
        ("Dense: 0f3a9c. " * 30 + "\n" * 20_000) * 40,
    ],
    ids=["flags", "accents", "dots", "quotes", "blanks", "dense and blank", "short and blank"],
)
@pytest.mark.timeout(20)
def test_any_text_is_split_in_linear_time(text: str) -> None:
    """Quadratic time would take minutes here; each takes less than a second."""
    pieces = split(text, 1000)

    assert max(map(estimate_tokens, pieces)) <= 1000
    assert re.sub(r"\s", "", "".join(pieces)) == re.sub(r"\s", "", text)
