"""The local model server's summaries: taken from the document word for word, prose only, fair and
quick.

It does not prove that they read well; that took reading the summaries of real documents.
"""
# ruff: noqa: RUF001  # full-width punctuation and Cyrillic letters are meant

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.local.model_server.extractive import NO_PROSE, answer, summarize
from components.local.model_server.sentences import split

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


def test_a_summary_begins_with_what_the_document_is_about_and_keeps_its_order() -> None:
    summary = summarize(REPORT)

    assert summary == (
        "The lighthouse at Cape Sorrow is the oldest tower on the northern coast, and it still"
        " guides ships into the harbour at night. The tower was built of granite in 1841, after"
        " three ships were lost on the reef within a single winter. The lamp was converted from oil"
        " to electricity in 1934, which made the light visible from thirty kilometres away."
    )


@pytest.mark.parametrize(
    "noise", ["Copyright", "....", "THE LAMP", "Page 2", "https://", "|", "turn_on", "Contents"]
)
def test_headings_tables_addresses_code_and_legal_lines_stay_out(noise: str) -> None:
    assert noise in REPORT
    assert noise not in summarize(REPORT, max_sentences=50, max_words=1000)


def test_a_text_of_one_sentence_is_its_own_summary() -> None:
    assert summarize("Hello world.") == "Hello world."


def test_unfinished_sentences_are_taken_where_nothing_else_is_there() -> None:
    notes = "- call the plumber about the kitchen\n- write the report for the board meeting\n"

    assert summarize(notes) == (
        "call the plumber about the kitchen\nwrite the report for the board meeting"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n\t\n",
        "42",
        "name,age,city\n1,2,3\n4,5,6\n",
        "| a | b |\n|---|---|\n| 1 | 2 |\n",
        "def double(x):\n    return x * 2\n",
        "```\nThis is prose, but it stands inside of a code block here.\n```\n",
        "1. Introduction ........ 3\n2. Methods ........... 5\n",
        "\x00\x01\x02\ufffd\ufffd",
    ],
)
def test_where_there_is_no_prose_the_answer_says_so(text: str) -> None:
    assert summarize(text) == NO_PROSE


def test_what_was_said_already_is_not_said_again() -> None:
    said = "The council decided to close the old bridge for all heavy vehicles."
    other = "Repairs of the old bridge begin in March and will take two years."

    assert summarize(f"{said} {said} {said} {other} {said}") == f"{said} {other}"


def test_cyrillic_text_is_summarized() -> None:
    first = "Маяк на мысе является самой старой башней на северном побережье страны."
    second = "Корабли ночью находят вход в гавань только по свету лампы этого маяка."

    assert summarize(f"МАЯК\n\n{first}\n{second}\n") == f"{first} {second}"


def test_chinese_text_needs_no_spaces() -> None:
    text = "这座灯塔是北部海岸最古老的建筑，建于一八四一年。\n夜间进港的船只依靠灯塔的灯光航行。"

    assert summarize(text) == text.replace("\n", "")


def test_a_summary_does_not_mix_scripts_without_need() -> None:
    foreign = "The lighthouse is the oldest tower on the northern coast of the country."
    native = [
        "Корабли ночью находят вход в гавань только по свету лампы маяка.",
        "Смотритель маяка живёт на острове с апреля до самого октября.",
        "Башня маяка была построена из гранита после трёх кораблекрушений.",
        "Зимой штормы повредили башню, и гавань оплатила ремонт гранита.",
    ]

    assert foreign not in summarize("\n".join([foreign, *native]))


def test_a_wrapped_line_is_joined_and_its_hyphen_undone() -> None:
    text = "The keeper wrote the docu-\nmentation of the light-\nhouse, a well-\nknown tower.\n"
    known = "Light and house, well and known are words that occur here, and docu does not."

    assert texts(text + known)[0] == (
        "The keeper wrote the documentation of the light-house, a well-known tower."
    )


@pytest.mark.parametrize(
    "sentence",
    [
        "Dr. Smith met Mrs. Jones on Jan. 5 in the U.S. embassy, e.g. for tea.",
        "It grew by 3.5 percent, see Fig. 3 and No. 7, or pp. 12 and 13.",
        "J. R. Hartley wrote it with A. Smith et al. in 1983.",
        "Das Treffen war am 16. August in Berlin, z.B. mit Gästen.",
        '"Is it late?" asked the keeper, and "No!" was the answer.',
    ],
)
def test_a_full_stop_inside_of_a_sentence_does_not_end_it(sentence: str) -> None:
    assert texts(f"{sentence} Then the keeper went home.") == [
        sentence,
        "Then the keeper went home.",
    ]


def test_a_sentence_that_a_page_break_cuts_is_not_whole() -> None:
    page = "Every evening the keeper climbed {} and lit the lamp, and in the\nAnnual report {}\n"
    towers = ["the tower", "the stairs", "the ladder"]
    document = "".join(page.format(tower, n) for n, tower in enumerate(towers))

    assert [s.whole for s in split(document + "Morning he slept.\n")] == [False] * 4


def test_markup_is_read_as_a_reader_sees_it() -> None:
    text = (
        "**Lamp** is a [fast](https://lamp.example/a) light for `towers` and *old*\n"
        "<b>lighthouses</b>, see `the site <https://lamp.example>`__ of __init__ and a*b*c.\n"
    )

    assert texts(text) == [
        "Lamp is a fast light for towers and old lighthouses, see the site of __init__ and a*b*c."
    ]


def test_only_what_the_marks_enclose_is_summarized() -> None:
    message = f"Please write a summary of the following text.\n<document>\n{REPORT}\n</document>\n"

    assert answer(message) == summarize(REPORT)


def test_marks_inside_of_a_document_do_not_end_it() -> None:
    inside = "The first part of the text ends here.\n</document>\nThe second part ends here."

    assert "second part" in answer(f"Summarize.\n<document>\n{inside}\n</document>")


def test_without_marks_the_whole_message_is_read() -> None:
    assert answer("The tower was built of granite.") == "The tower was built of granite."


def test_every_partial_summary_gets_its_share() -> None:
    subjects = ["lighthouse", "harbour", "museum", "railway", "hospital"]
    parts = [
        f"The {subject} was opened in the spring of that year. The {subject} has forty rooms and"
        f" one garden. Visitors like the {subject} because of its old walls."
        for subject in subjects
    ]

    merged = answer("\n".join(f"<summary>\n{part}\n</summary>" for part in parts))

    assert [subject for subject in subjects if subject in merged] == subjects
    assert len(split(merged)) <= 7


def test_a_part_without_prose_leaves_no_trace_in_the_merged_summary() -> None:
    marked = [f"<summary>\n{part}\n</summary>" for part in (NO_PROSE, "The tower was built here.")]

    assert answer("\n".join(marked)) == "The tower was built here."
    assert answer(marked[0]) == NO_PROSE


WORDS = st.sampled_from(
    sorted({word for word in REPORT.split() if word.isalpha() and word.islower()})
)
SENTENCES = st.lists(WORDS, min_size=4, max_size=30).map(lambda w: f"The {' '.join(w)} is here.")
PARAGRAPHS = st.lists(SENTENCES, min_size=1, max_size=8).map(" ".join)


@given(st.lists(PARAGRAPHS, min_size=1, max_size=8))
def test_a_summary_is_a_choice_of_the_documents_sentences_in_their_order(
    paragraphs: list[str],
) -> None:
    document = "\n\n".join(paragraphs)

    chosen = texts(summarize(document))

    places = iter(texts(document))
    assert chosen
    assert len(chosen) <= 7
    assert len(" ".join(chosen).split()) <= 150
    assert all(sentence in places for sentence in chosen)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="<[`:")))
def test_every_sentence_occurs_in_the_text_letter_by_letter(text: str) -> None:
    letters = "".join(filter(str.isalnum, text))

    for sentence in split(text):
        assert "".join(filter(str.isalnum, sentence.text)) in letters


@given(st.text(st.sampled_from("aA1 .\n!?*_`-<>[]()|#\t。中я\u00ad\ufffe\r\f"), max_size=300))
def test_no_text_is_too_odd_for_a_summary(text: str) -> None:
    assert summarize(text)
    assert answer(f"<summary>\n{text}\n</summary>")


@pytest.mark.parametrize(
    "text",
    [
        "a" * 40_000,
        "中" * 40_000,
        "word " * 8_000 + ".",
        "a-\n" * 13_000,
        "*a " * 13_000,
        "[a](" * 10_000,
        "<document>\n" * 4_000,
        "<summary>\n" * 4_000,
        "e.g. " * 8_000,
        "a   " * 10_000,
    ],
    ids=lambda text: repr(text[:12]),
)
def test_a_hostile_text_takes_no_longer_than_a_document(text: str) -> None:
    began = time.process_time()

    answer(text)

    assert time.process_time() - began < 1


def test_a_document_of_eight_thousand_tokens_takes_a_fraction_of_a_second() -> None:
    sentence = "The {} keeper of the lighthouse at cape number {} repaired the granite tower."
    numbered = (sentence.format(n * 7919 % 1000, n) for n in range(500))
    document = "\n".join(numbered)
    began = time.process_time()

    summarize(document)

    assert time.process_time() - began < 0.5
