"""Summaries of the local model server: sentences of the document, word for word, in linear time."""
# ruff: noqa: RUF001  # full-width punctuation and Cyrillic letters are meant

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.local.model_server.sentences import split
from components.local.model_server.summarizer import NO_PROSE, answer, summarize

REPORT = """\
Copyright 2026 The Harbour Office. All rights reserved.

Contents
1. The lighthouse ........................ 2
2. The lamp .............................. 5

1. THE LIGHTHOUSE

The lighthouse at Cape Sorrow is the oldest tower on the northern coast, and it still guides
ships into the harbour at night. Its keeper lives on the island from April to October. The tower
was built of granite in 1841, after three ships were lost on the reef within a single winter.

Harbour Office                      Annual report                      Page 2
2

https://harbour.example/reports/1841
| year | ships |
|------|-------|
| 1841 | 210   |

2. THE LAMP

The lamp was converted from oil to electricity in 1934, which made the light visible from thirty
kilometres away. Ships that enter the harbour at night rely on the lamp of the lighthouse, because
the reef is not marked by any other light. The harbour office pays for the lamp and for the keeper.

    lamp.turn_on(); assert lamp.visible(30_000)

Storms damaged the tower in 1962, and the harbour office repaired the granite with money that
ships pay when they enter the harbour. Today the lighthouse is also a museum, where visitors can
see the old oil lamp and the log books of the keepers.
"""


def texts(document: str) -> list[str]:
    return [sentence.text for sentence in split(document)]


def test_a_summary_has_the_central_sentences_in_their_order() -> None:
    assert summarize(REPORT) == (
        "The lighthouse at Cape Sorrow is the oldest tower on the northern coast, and it still"
        " guides ships into the harbour at night. The tower was built of granite in 1841, after"
        " three ships were lost on the reef within a single winter. The lamp was converted from oil"
        " to electricity in 1934, which made the light visible from thirty kilometres away."
    )


def test_headings_tables_addresses_code_and_legal_lines_are_omitted() -> None:
    noise = ["Copyright", "....", "THE LAMP", "Page 2", "https://", "|", "turn_on", "Contents"]
    summary = summarize(REPORT, max_sentences=50, max_words=1000)

    assert [text for text in noise if text in REPORT] == noise
    assert [text for text in noise if text in summary] == []


@pytest.mark.parametrize(
    ("document", "summary"),
    [
        ("Is it? It is.", "Is it? It is."),
        (
            "- buy a lot of old cheese\n- tidy up the house and garden\n",
            "buy a lot of old cheese\ntidy up the house and garden",
        ),
        ("The council closed the bridge.\n" * 3, "The council closed the bridge."),
        (
            "МАЯК\n\nМаяк на мысе является самой старой башней.\nКорабли находят вход по свету.",
            "Маяк на мысе является самой старой башней. Корабли находят вход по свету.",
        ),
        (
            "这座灯塔是北部海岸最古老的建筑，建于一八四一年。\n夜间进港的船只依靠灯塔的灯光航行。",
            "这座灯塔是北部海岸最古老的建筑，建于一八四一年。夜间进港的船只依靠灯塔的灯光航行。",
        ),
    ],
)
def test_a_short_text_is_its_own_summary_without_repetition(document: str, summary: str) -> None:
    assert summarize(document) == summary


@pytest.mark.parametrize(
    "text",
    [
        " \n\t\n",
        "name,age,city\n1,2,3\n4,5,6\n",
        "# What does the lamp of the tower do?\n",
        "| lamp | state |\n|---|---|\n| 1 | The lamp of the tower is broken. |\n",
        ".. note:: The lamp of the tower is new.\n",
        "def double(x):\n    return x * 2\n",
        "```\nThis is prose, but it stands inside of a code block here.\n```\n",
        "\x00\x01\x02\ufffd\ufffd",
    ],
)
def test_a_text_without_prose_gets_a_message_that_says_so(text: str) -> None:
    assert summarize(text) == NO_PROSE


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        # A full stop inside of a sentence.
        ("Dr. Smith met Mrs. Jones on Jan. 5 in the U.S. embassy, e.g. for tea.",) * 2,
        ("It grew by 3.5 percent, see Fig. 3 and No. 7, or pp. 12 and 13.",) * 2,
        ("J. R. Hartley wrote it with A. Smith et al. in 1983.",) * 2,
        ("Das Treffen war am 16. August in Berlin, z.B. mit Gästen.",) * 2,
        ('"Is it late?" asked the keeper, and "No!" was the answer.',) * 2,
        # Line ends and markup.
        ("The docu-\nmentation of the\n  light-\nhouse.", "The documentation of the lighthouse."),
        ("**Lamp** is a [fast](https://lamp.example/a) light.", "Lamp is a fast light."),
        ("For `towers`, *old\nlamps* and <b>ships</b>.", "For towers, old lamps and ships."),
        (
            "The `site <https://a.example>`__ of __init__, a*b*c.5.",
            "The site of __init__, a*b*c.5.",
        ),
    ],
)
def test_a_sentence_is_found_on_one_line_without_markup(text: str, sentence: str) -> None:
    assert texts(f"{text} Then the keeper went home.") == [sentence, "Then the keeper went home."]


def test_a_sentence_that_a_page_break_cuts_is_not_whole() -> None:
    page = "{} evening the keeper climbed to the lamp, and in the\nAnnual report {}\n"
    document = "".join(page.format(word, n) for n, word in enumerate(["every", "each", "this"]))

    assert [s.whole for s in split(document + "morning he slept.\n")] == [False] * 4


def test_only_the_document_between_the_tags_is_summarized() -> None:
    message = f"Please write a summary of the following text.\n<document>\n{REPORT}\n</document>\n"
    nested = "The first part of the text ends here.\n</document>\nThe second part ends here."

    assert answer(message) == summarize(REPORT)
    assert "second part" in answer(f"Summarize.\n<document>\n{nested}\n</document>")
    assert answer("The tower was built of granite.") == "The tower was built of granite."


def test_a_merged_summary_has_sentences_of_every_part_with_prose() -> None:
    subjects = ["lighthouse", "harbour", "museum", "railway", "hospital"]
    parts = [
        f"The {subject} was opened in the spring of that year. The {subject} has forty rooms and"
        f" one garden. Visitors like the {subject} because of its old walls."
        for subject in subjects
    ]

    merged = answer("\n".join(f"<summary>\n{part}\n</summary>" for part in [*parts, NO_PROSE]))
    short = "It also has a garden of roses."

    assert [subject for subject in subjects if subject in merged] == subjects
    assert len(split(merged)) <= 7
    assert NO_PROSE not in merged
    assert short in answer(f"<summary>\n{REPORT}\n</summary>\n<summary>\n{short}\n</summary>")
    assert answer(f"<summary>\n{NO_PROSE}\n</summary>") == NO_PROSE


@given(st.lists(st.sampled_from(texts(REPORT)), min_size=1).map("\n\n".join))
def test_a_summary_is_a_selection_of_sentences_in_their_order(document: str) -> None:
    chosen = texts(summarize(document))

    remaining = iter(texts(document))
    assert len(chosen) <= 7
    assert len(" ".join(chosen).split()) <= 150
    assert all(sentence in remaining for sentence in chosen if sentence != NO_PROSE)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="<[`:")))
def test_every_sentence_occurs_in_the_text_letter_by_letter(text: str) -> None:
    letters = "".join(filter(str.isalnum, text))

    for sentence in split(text):
        assert "".join(filter(str.isalnum, sentence.text)) in letters


@given(st.text(st.sampled_from("aA1 .\n!?*_`-<>[]()|#\t。中я\u00ad\ufffe\r\f"), max_size=300))
def test_every_text_gets_an_answer(text: str) -> None:
    assert summarize(text)
    assert answer(f"<summary>\n{text}\n</summary>")


UNITS = ["a", "中", "-", "a-\n", "*a ", "[a](", "e.g. ", "a   ", "<document>\n", "<summary>\n"]
DOCUMENT = "\n".join(f"The keeper of lamp {n} repaired tower {n * 79 % 100}." for n in range(999))


@pytest.mark.parametrize("unit", [*UNITS, DOCUMENT], ids=lambda unit: repr(unit[:12]))
@pytest.mark.parametrize("end", [".", "x"])
def test_an_answer_takes_less_than_half_a_second(unit: str, end: str) -> None:
    text = unit * (40_000 // len(unit) or 1) + end
    began = time.process_time()

    answer(text)

    assert time.process_time() - began < 0.5
