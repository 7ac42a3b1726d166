"""The sentences of a text, without its headings, tables, code and page numbers.

The text may be from a PDF, a web page, a manual or a Markdown file.
"""
# ruff: noqa: RUF001  # full-width punctuation and Cyrillic letters are meant

import re
from collections import Counter
from itertools import pairwise
from typing import NamedTuple

CJK = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
"""Characters of scripts that put no space between words, for use inside a regex class."""

_CLOSERS = r"[)\]\"'”’»」』）】*_]*"
_OPENERS = "([\"'“‘«„「『（*_¿¡"
_END = re.compile(rf"[.!?…।؟]+{_CLOSERS}(?=\s|$)|[。！？]+{_CLOSERS}")
_FINISHED = re.compile(rf"[.!?…।؟。！？]{_CLOSERS}$")
_ABBREVIATED = re.compile(  # a full stop after these, and what begins after it
    r"(?<!\w)(?:(?:[^\W\d_]\.)*[^\W\d_]\.\w"  # J., U.S., e.g., z.B.
    r"|(?:mrs?|ms|dr|prof|st|jr|sr|vs|cf|ca|approx|incl|et|dept|gen|col|lt|capt|rev"
    r"|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|bzw|vgl|usw|ggf|inkl|напр|см)\.\w"
    r"|(?:nos?|nr|figs?|eqs?|secs?|art|ch|vol|pp?)\.\d"
    r"|(?:am|vom|zum|im|der|den|dem|des|das|bis)\s\d{1,2}\.\w)$",
    re.IGNORECASE,
)

_FENCED = re.compile(r"^[ \t]*(```|~~~).*?^[ \t]*\1[^\n]*$", re.MULTILINE | re.DOTALL)
_HYPHENATED = re.compile(r"(?<=[^\W\d_])-\n[ \t]*(?=[^\W\d_A-Z])")
_BETWEEN_IDEOGRAPHS = re.compile(rf"(?<=[{CJK}。，、：]) (?=[{CJK}])")
_MARKUP = [  # Markdown, reStructuredText and inline HTML, and what a reader sees instead
    (re.compile(r"</?(?:a|b|br|code|div|em|i|p|small|span|strong|su[bp])\b[^<>]*>"), ""),
    (re.compile(r"(?<!!)\[([^\[\]\n]+)\](?:\([^()\s]*\)|\[[^\[\]\n]*\])"), r"\1"),
    (re.compile(r"(?::\w+:)?`{1,2}([^`<\n]+?)(?: <[^<>`\n]+>)?`{1,2}_{0,2}"), r"\1"),
    (re.compile(r"(?<![\w*])(\*{1,3})(?=[^\s*])([^*]{1,400}?)(?<=\S)\1(?![\w*])"), r"\2"),
    (re.compile(r"(?<!\w)_(?=[^\s_])([^_]{1,400}?)(?<=\S)_(?!\w)"), r"\1"),
]
_LIST_MARKER = re.compile(r"(?:[-*+•◦▪‣·–]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s+")
_NOT_PROSE = re.compile(
    r"""
      ^\#{1,6}\s                                      # Markdown heading
    | ^\W*$|^(?:page\s+)?[\divxlc]{1,5}(?:\s*(?:/|of)\s*\d+)?$  # rule, page number
    | (?:\.\s?){5,}|…{2,}                             # table of contents
    | \|.*\||\t.*\t|\S\s{3,}\S.*\S\s{3,}\S            # table row
    | ^(?:!?\[!?\[|!\[|\[[^\]]+\]:\s|https?://\S+$)   # badge, image, link target, address
    | ^(?:\.\.\s|:[\w-]+:|</?[a-z!]|[$>]\s|>>>)       # directive, tag, shell, doctest
    """,
    re.VERBOSE | re.IGNORECASE,
)


class Sentence(NamedTuple):
    """A sentence on one line, without markup."""

    text: str
    whole: bool  # it has a beginning and an end
    listed: bool  # it is in a list


def split(text: str) -> list[Sentence]:
    """Return the sentences of `text` in order."""
    sentences = []
    for paragraph, listed in _paragraphs(text):
        ends = [mark.end() for mark in _END.finditer(paragraph) if _ends(paragraph, mark)]
        for start, end in pairwise([0, *ends, len(paragraph)]):
            if sentence := paragraph[start:end].strip():
                begun = not sentence.lstrip(_OPENERS)[:1].islower()
                whole = begun and _FINISHED.search(sentence) is not None
                sentences.append(Sentence(sentence, whole, listed))
    return sentences


def _ends(text: str, mark: re.Match[str]) -> bool:
    """True if this punctuation ends a sentence, and not an abbreviation or a number."""
    following = text[mark.end() : mark.end() + 40].lstrip()
    first = following.lstrip(_OPENERS)[:1]
    if mark.group()[0] in "。！？।؟" or not following:
        return True
    if first.islower() or not first.isalnum():
        return False
    before = text[max(0, mark.start() - 20) : mark.start() + 1]
    return not _ABBREVIATED.search(before + first)


def _paragraphs(text: str) -> list[tuple[str, bool]]:
    """Join the lines of each paragraph; the flag is true for an item of a list."""
    text = _FENCED.sub("", _HYPHENATED.sub("", "\n".join(text.splitlines())))
    for pattern, seen in _MARKUP:
        text = pattern.sub(seen, text)
    lines = [line.strip() for line in text.split("\n")]
    # Headers and footers of pages recur, and differ in their numbers only.
    shapes = [re.sub(r"\d+", "#", line) for line in lines]
    times = Counter(s for s, line in zip(shapes, lines, strict=True) if not _FINISHED.search(line))
    lengths = sorted(len(line) for line in lines if line)
    width = min(lengths[len(lengths) * 9 // 10], 90) if lengths else 0
    paragraphs: list[tuple[list[str], bool]] = []
    begins = True
    for line, following, shape in zip(lines, [*lines[1:], ""], shapes, strict=True):
        if not line or times[shape] >= 3 or _NOT_PROSE.search(line):
            begins = True
            continue
        marker = _LIST_MARKER.match(line)
        if begins or marker:
            paragraphs.append(([], marker is not None))
        paragraphs[-1][0].extend(line[marker.end() if marker else 0 :].split())
        # A short line is a heading or the last of its paragraph.
        begins = len(line) < 0.6 * width and line[-1] != "," and not following[:1].islower()
    return [(_BETWEEN_IDEOGRAPHS.sub("", " ".join(p)), listed) for p, listed in paragraphs]
