"""Chunking: the token estimate is close to real tokenizers, and no piece exceeds its budget.

The counts of real tokenizers are of the vocabularies that functions/summary/chunking.py names.
"""
# ruff: noqa: E501, RUF001  # samples of other languages, on one line each

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.summary.chunking import MIN_BUDGET, estimate_tokens, split

SAMPLES: dict[str, tuple[int, str]] = {
    "English": (
        192,
        "When the board met on Tuesday evening, the members discussed the repair of the roof "
        "and the costs of the new windows. They decided that the work will begin in spring, and that "
        "the treasurer collects the money before the end of February.",
    ),
    "German": (
        260,
        "Als sich der Vorstand am Dienstagabend traf, besprachen die Mitglieder die "
        "Ausbesserung des Daches und die Kosten der neuen Fenster. Sie beschlossen, dass die Arbeiten "
        "im Frühjahr beginnen und der Schatzmeister das Geld bis Ende Februar einsammelt.",
    ),
    "Finnish": (
        345,
        "Kun hallitus kokoontui tiistai-iltana, jäsenet keskustelivat katon korjauksesta ja "
        "uusien ikkunoiden kustannuksista. He päättivät, että työt alkavat keväällä ja että "
        "rahastonhoitaja kerää rahat ennen helmikuun loppua.",
    ),
    "Russian": (
        336,
        "Совет дома собрался во вторник вечером. Жильцы обсудили ремонт крыши, новые окна и "
        "уборку снега. Решили, что работы начнутся весной, а деньги соберут до конца февраля.",
    ),
    "Greek": (
        420,
        "Όταν το συμβούλιο συνήλθε την Τρίτη το βράδυ, τα μέλη συζήτησαν την επισκευή της "
        "στέγης και το κόστος των νέων παραθύρων.",
    ),
    "Arabic": (
        228,
        "عندما اجتمع المجلس مساء الثلاثاء ناقش الأعضاء إصلاح السقف وتكاليف النوافذ الجديدة.",
    ),
    "Hindi": (
        404,
        "जब मंगलवार की शाम बोर्ड की बैठक हुई, तो सदस्यों ने छत की मरम्मत और नई खिड़कियों की लागत पर चर्चा की।",
    ),
    "Chinese": (
        248,
        "理事会星期二晚上开会时，成员们讨论了屋顶的维修和新窗户的费用。他们决定春天开工，并在二月底之前收齐款项。",
    ),
    "Japanese": (
        208,
        "会議は火曜日の午後に開かれました。参加者は来年度の予算と新しい図書館の計画について話し合いました。",
    ),
    "Korean": (
        224,
        "이사회는 화요일 저녁에 모여 지붕 수리와 새 창문의 비용을 논의했다. 공사는 봄에 시작하기로 결정했다.",
    ),
    "Python": (
        200,
        "def split(text: str, budget: int) -> list[str]:\n    if budget < MIN_BUDGET:\n"
        '        raise ValueError(f"budget is {budget}")\n    return [p for p, _ in parts if p.strip()]\n',
    ),
    "CSV": (
        296,
        "2026-01-03,48213,917.204,open\n2026-01-04,51877,12.950,closed\n2026-01-05,7,0.001,N/A\n",
    ),
    "base64": (
        272,
        "bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB1L9RIvNEVUxTveLruM0rfj0WAK1jHDhaXXzOI8d4VFmtvBtMkA/+SN",
    ),
    "hexadecimal": (236, "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
    "emoji": (140, "Great work! 🎉🎉 The roof is done 🏠🔨 and nobody fell 😅👍🏽"),
    "capitals": (104, "THE SOFTWARE IS PROVIDED WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED."),
}
"""Texts by kind, with the tokens of four copies in the vocabulary that needs most."""

ENGLISH = SAMPLES["English"][1]


@pytest.mark.parametrize("kind", SAMPLES)
def test_the_estimate_is_close_to_the_highest_count_of_real_tokenizers(kind: str) -> None:
    tokens, text = SAMPLES[kind]

    assert 0.9 * tokens <= estimate_tokens(text * 4) <= 1.7 * tokens


def test_an_empty_text_has_no_tokens() -> None:
    assert estimate_tokens("") == 0
    assert estimate_tokens(" ") == 1


@given(st.text())
def test_the_estimate_of_any_text_is_bounded_by_its_bytes(text: str) -> None:
    assert 0 <= estimate_tokens(text) <= 4 * len(text) + 1


def test_a_text_that_fits_stays_whole() -> None:
    text = ENGLISH * 2

    assert split(f"  {text}\n", estimate_tokens(text) + 1) == [text]


@pytest.mark.parametrize("text", ["", " \n\t "])
def test_a_blank_text_has_no_pieces(text: str) -> None:
    assert split(text, MIN_BUDGET) == []


def test_a_budget_below_the_minimum_is_refused() -> None:
    with pytest.raises(ValueError, match="budget=63 tokens must be at least 64"):
        split("text", 63)


def test_paragraphs_stay_whole_if_they_fit() -> None:
    paragraphs = [f"{number}. {ENGLISH}" for number in range(20)]
    pieces = split("\n\n".join(paragraphs), 3 * estimate_tokens(paragraphs[0]))

    assert [p for piece in pieces for p in piece.split("\n\n")] == paragraphs
    assert len(pieces) <= 10


_PIECES_OF_TEXT = st.one_of(
    st.text(max_size=400),
    st.sampled_from([text for _, text in SAMPLES.values()]),
    st.builds(
        str.__mul__,
        st.sampled_from(["a", "ab ", "一", "👍🏽", "e\u0301", "\n", "%s;"]),
        st.integers(1, 900),
    ),
)


@settings(deadline=None)
@given(st.lists(_PIECES_OF_TEXT, max_size=12).map("\n".join), st.integers(MIN_BUDGET, 500))
def test_pieces_fit_and_lose_only_white_space(text: str, budget: int) -> None:
    pieces = split(text, budget)

    assert all(estimate_tokens(piece) <= budget for piece in pieces)
    assert all(piece.strip() for piece in pieces)
    assert re.sub(r"\s", "", "".join(pieces)) == re.sub(r"\s", "", text)


def test_a_long_text_without_boundaries_is_split() -> None:
    pieces = split("a" * 1_000_000, MIN_BUDGET)

    assert "".join(pieces) == "a" * 1_000_000
    assert max(map(estimate_tokens, pieces)) <= MIN_BUDGET
