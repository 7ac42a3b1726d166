"""Find the sentences of a text, and omit everything that is no prose.

A text may be from a PDF, a web page, a manual or a Markdown file: lines are wrapped anywhere,
and headings, page numbers, tables and code are between the paragraphs.
"""
# ruff: noqa: RUF001  # full-width punctuation and Cyrillic letters are meant

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

CJK = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
"""Characters of scripts that put no space between words, for use inside a regex class."""

_OPENERS = "([\"'“‘«„「『（*_¿¡"
_CLOSERS = r"[)\]\"'”’»」』）】*_]*"
_ENDING = re.compile(rf"(?:[.!?…।؟]+{_CLOSERS}(?=\s|$)|[。！？]+{_CLOSERS})")
_FINISHED = re.compile(rf"[.!?…।؟。！？]{_CLOSERS}$")

# After these a full stop does not end the sentence; after the last group only before a number.
_ABBREVIATION = re.compile(
    r"mrs?|ms|dr|prof|st|jr|sr|vs|cf|ca|approx|resp|incl|et|dept|univ|gen|col|lt|capt|sgt|rev|hon"
    r"|eds|viz|esp|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec"
    r"|bzw|vgl|bspw|usw|evtl|ggf|inkl|т\.е|т\.к|т\.н|напр|см"
)
_BEFORE_NUMBER = re.compile(r"nos?|nr|figs?|eqs?|secs?|art|ch|chap|vol|pp?|ed")
_DOTTED = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]")  # U.S, e.g, z.B
_BEFORE_ORDINAL = frozenset(["am", "vom", "zum", "im", "der", "den", "dem", "des", "das", "bis"])

_LINE_END = re.compile(r"\r\n|[\n\r\f\v\x1c-\x1e\x85\u2028\u2029]")
_FENCED = re.compile(r"^[ \t]*(```|~~~).*?^[ \t]*\1[^\n]*$", re.MULTILINE | re.DOTALL)
_HYPHENATED = re.compile(r"(?<![^\W\d_])([^\W\d_]+)-\n[ \t]*([^\W\d_]+)")
_MARKUP = [  # Markdown, reStructuredText and inline HTML, and what a reader sees instead
    (re.compile(r"</?(?:a|abbr|b|br|code|div|em|i|kbd|p|small|span|strong|su[bp])\b[^<>]*>"), ""),
    (re.compile(r"(?<!!)\[([^\[\]\n]+)\](?:\([^()\s]*\)|\[[^\[\]\n]*\])"), r"\1"),
    (re.compile(r"(?::\w+:)?`([^`<\n]+?)(?: <[^<>`\n]+>)?`_{0,2}"), r"\1"),
    (re.compile(r"`([^`\n]+)`"), r"\1"),
    (
        re.compile(r"(?<![\w*])(\*{1,3})(?=[^\s*])((?:(?!\n\s*\n)[^*]){1,400}?)(?<=\S)\1(?![\w*])"),
        r"\2",
    ),
    (re.compile(r"(?<!\w)_(?=[^\s_])((?:(?!\n\s*\n)[^_]){1,400}?)(?<=\S)_(?!\w)"), r"\1"),
]
_LIST_MARKER = re.compile(r"(?:[-*+•◦▪‣·–]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s+")
_SECTION = re.compile(r"(?:chapter\s+|appendix\s+|§\s*)?[A-Z]?\d*(?:\.\d+)+\.?\s+\S", re.I)
_NOT_PROSE = re.compile(
    r"""
      ^\#{1,6}\s                                      # Markdown heading
    | ^[^\w]*$                                        # rule, underline of a heading
    | (?:\.\s?){5,}|…{2,}                             # table of contents
    | \|.*\||\t.*\t|\S\s{3,}\S.*\S\s{3,}\S            # table row
    | ^(?:!?\[!?\[|!\[|\[[^\]]+\]:\s)                 # badge, image, link target
    | ^(?:\.\.\s|:[\w-]+:|</?[a-z!]|[$>]\s|>>>)  # directive, tag, shell, doctest
    | ^https?://\S+$
    """,
    re.VERBOSE | re.IGNORECASE,
)
_PAGE = re.compile(r"(?:page\s+)?[\divxlc]{1,5}(?:\s*(?:/|of)\s*\d+)?$", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """A sentence as a reader of the text sees it, on one line.

    Attributes:
        text: The words, with single spaces.
        whole: It has its end and, as far as the text shows, its beginning.
        opens: It is the first of its paragraph.
        listed: It is in a list.
    """

    text: str
    whole: bool
    opens: bool = False
    listed: bool = False


@dataclass(frozen=True, kw_only=True)
class _Paragraph:
    text: str
    listed: bool
    resumed: bool  # a page or column break cut its first sentence


def split(text: str) -> list[Sentence]:
    """Return the sentences of `text` in order, without tables, code and page furniture."""
    return [sentence for block in _paragraphs(text) for sentence in _sentences(block)]


def _sentences(block: _Paragraph) -> Iterator[Sentence]:
    start = 0
    ends = [m.end() for m in _ENDING.finditer(block.text) if _ends(block.text, m)]
    for end in [*ends, len(block.text)]:
        if text := block.text[start:end].strip():
            begun = not block.resumed if start == 0 else not text.lstrip(_OPENERS)[:1].islower()
            yield Sentence(
                text=text,
                whole=begun and _FINISHED.search(text) is not None,
                opens=start == 0,
                listed=block.listed,
            )
        start = end


def _ends(text: str, ending: re.Match[str]) -> bool:
    """True if this punctuation ends a sentence, and not an abbreviation or a number."""
    mark = ending.group()[0]
    following = text[ending.end() : ending.end() + 40].lstrip()
    first = following.lstrip(_OPENERS)[:1]
    if mark in "。！？।؟" or not following:
        return True
    if first.islower() or not first.isalnum():
        return False
    if mark != ".":
        return True
    *earlier, word = ["", *text[max(0, ending.start() - 40) : ending.start()].split()]
    word = word.lstrip(_OPENERS).lower()
    if _ABBREVIATION.fullmatch(word) or (first.isdigit() and _BEFORE_NUMBER.fullmatch(word)):
        return False
    initial = len(word) == 1 and word.isalpha()
    dotted = _DOTTED.fullmatch(word) is not None
    numbered = word.isdigit() and (len(earlier) < 2 or earlier[-1] in _BEFORE_ORDINAL)
    return not (initial or dotted or numbered)


def _paragraphs(text: str) -> Iterator[_Paragraph]:
    """Join the lines of each paragraph, and undo hyphens and markup."""
    text = _FENCED.sub("", _rejoin(_LINE_END.sub("\n", text)))
    for pattern, seen in _MARKUP:
        text = pattern.sub(seen, text)
    lines = [line.strip() for line in text.split("\n")]
    running = _running_titles(lines)
    width = _usual_width(lines)
    block: list[str] = []
    listed = paged = unfinished = False

    def finish() -> Iterator[_Paragraph]:
        nonlocal listed, paged, unfinished
        if block:
            resumed = unfinished and not listed and (paged or block[0][:1].islower())
            yield _Paragraph(text=_one_line(block), listed=listed, resumed=resumed)
            unfinished = _columns(block[-1]) > 0.6 * width and block[-1][-1] not in ".!?:;。！？"
            paged = False
            block.clear()
        listed = False

    for line, following in pairwise([*lines, ""]):
        page_break = _shape(line) in running or _PAGE.match(line) is not None
        if page_break or not line or _NOT_PROSE.search(line):
            yield from finish()
            paged = paged or page_break
            continue
        if marker := _LIST_MARKER.match(line):
            yield from finish()
            listed = True
        block.append(line[marker.end() :] if marker else line)
        if _stops_short(line, following, width):
            yield from finish()
    yield from finish()


def _one_line(block: list[str]) -> str:
    joined = " ".join(" ".join(block).split())
    return re.sub(rf"(?<=[{CJK}。，、：]) (?=[{CJK}])", "", joined)


def _stops_short(line: str, following: str, width: int) -> bool:
    """True if `line` ends its paragraph or is a heading, although no blank line follows."""
    if _SECTION.match(line) and not _FINISHED.search(line):
        return True
    return _columns(line) < 0.6 * width and not following[:1].islower() and line[-1] != ","


def _columns(line: str) -> int:
    """Return the width of `line` in a fixed-width font; an ideograph counts as two columns."""
    return len(line) + len(re.findall(f"[{CJK}]", line))


def _usual_width(lines: list[str]) -> int:
    """Return the approximate width of a full line, 90 at most."""
    widths = sorted(_columns(line) for line in lines if line)
    return min(widths[len(widths) * 9 // 10], 90) if widths else 0


def _shape(line: str) -> str:
    """Return `line` with its numbers masked, as headers and footers differ only in these."""
    return re.sub(r"\d+|\b[ivxl]+$", "#", line)


def _running_titles(lines: list[str]) -> frozenset[str]:
    """Find headers and footers: unfinished lines that come back page after page."""
    shapes = Counter(_shape(line) for line in lines if line and not _FINISHED.search(line))
    return frozenset(shape for shape, times in shapes.items() if times >= 3)


def _rejoin(text: str) -> str:
    """Undo hyphenation at line ends, and keep the hyphens that belong to a word."""
    text = text.replace("\u00ad", "")
    text = text.replace("\ufffe", "-\n")  # how PDFium marks a hyphen at a line end
    words = set(re.findall(r"[^\W\d_]+", _HYPHENATED.sub(" ", text).lower()))

    def join(match: re.Match[str]) -> str:
        left, right = match.groups()
        known = {left.lower(), right.lower()} <= words
        if right[0].islower() and ((left + right).lower() in words or not known):
            return left + right
        return f"{left}-{right}"

    return _HYPHENATED.sub(join, text)
