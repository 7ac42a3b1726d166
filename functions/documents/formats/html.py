"""The visible text of an HTML page, with its blocks separated."""

import re

from selectolax.lexbor import LexborHTMLParser, LexborNode

_DROPPED = frozenset(
    """script style noscript template head iframe object embed canvas svg audio video select
    datalist""".split()  # noqa: SIM905
)
_BLOCKS = frozenset(
    """address article aside blockquote body caption center details dialog div dl dt fieldset
    figcaption figure footer form h1 h2 h3 h4 h5 h6 header hr legend main menu nav ol p pre
    section summary table ul""".split()  # noqa: SIM905
)
_LINES = frozenset(["li", "tr", "dd"])
_LISTS = frozenset(["ul", "ol", "menu"])
_HEADINGS = ["", "h1", "h2", "h3", "h4", "h5", "h6"]  # the index is the level
_WIDTHS = ["", " ", "\n", "\n\n"]
_LONGEST_ROW = 1000  # characters; a longer row is a page layout


def read(text: str) -> str:
    """Return the text; headings, lists and table rows are marked as in Markdown."""
    document = LexborHTMLParser(text)
    writer = _Writer()
    if title := document.css_first("head title"):
        writer.words(title.text())
        writer.separate("\n\n")
    if document.body is not None:
        _walk(document.body, writer)
    return "".join(writer.parts)


class _Writer:
    """Collects text. Of adjacent separators only the widest is written, before the next words."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.separator = ""
        self.marker = ""  # of a heading or list item, written with its first words
        self.preformatted = 0
        self.lists: list[int | None] = []  # next number of each open list; None for bullets

    def separate(self, separator: str) -> None:
        if not self.marker:
            self.separator = max(self.separator, separator, key=_WIDTHS.index)

    def words(self, text: str) -> None:
        if self.preformatted:
            self.write(text)
            return
        words = " ".join(text.split())
        if text[:1].isspace():
            self.separate(" ")
        if words:
            self.write(words)
        if words and text[-1].isspace():
            self.separate(" ")

    def write(self, text: str) -> None:
        if self.parts:
            self.parts.append(self.separator)
        self.parts.append(self.marker + text)
        self.separator = self.marker = ""

    def enter(self, tag: str, node: LexborNode) -> None:
        if tag in _BLOCKS:
            self.separate("\n" if tag in _LISTS and self.lists else "\n\n")
        elif tag in _LINES:
            self.separate("\n")
        if tag in _HEADINGS:
            self.marker = "#" * _HEADINGS.index(tag) + " "
        elif tag in _LISTS:
            self.lists.append(_start(node) if tag == "ol" else None)
        elif tag == "li":
            self.marker = self._item()
        elif tag == "pre":
            self.preformatted += 1
        elif tag == "sup" and node.text().strip().isdigit():
            self.words("^")  # 10 to the power of 6 must not become 106

    def leave(self, tag: str) -> None:
        if tag == "li" or tag in _HEADINGS:
            self.marker = ""  # the element had no words
        if tag in _BLOCKS:
            self.separate("\n" if tag in _LISTS and len(self.lists) > 1 else "\n\n")
        elif tag in _LINES:
            self.separate("\n")
        if tag in _LISTS:
            self.lists.pop()
        elif tag == "pre":
            self.preformatted -= 1

    def _item(self) -> str:
        indent = "  " * (len(self.lists) - 1)
        number = self.lists[-1] if self.lists else None
        if number is None:
            return indent + "- "
        self.lists[-1] = number + 1
        return f"{indent}{number}. "


def _start(node: LexborNode) -> int:
    start = node.attributes.get("start") or ""
    return int(start) if start.isdecimal() and len(start) < 9 else 1


def _walk(root: LexborNode, writer: _Writer) -> None:
    """Write the content of root. Iterative: pages nest deeper than Python's recursion limit."""
    node = root.child
    ancestors: list[tuple[LexborNode | None, str]] = []  # the next node after each, and its tag
    while node is not None or ancestors:
        if node is None:
            node, tag = ancestors.pop()
            writer.leave(tag)
            continue
        tag, following, first = node.tag or "", node.next, None
        if tag == "-text":
            writer.words(node.text_content or "")
        elif tag == "br":
            writer.separate("\n\n" if writer.separator == "\n" else "\n")
        elif tag == "tr" and (row := _row(node)) is not None:
            writer.separate("\n")
            writer.words(row)
            writer.separate("\n")
        elif not (tag.startswith("-") or tag in _DROPPED or _is_hidden(node)):
            writer.enter(tag, node)
            first = node.child
            if first is None:
                writer.leave(tag)
            else:
                ancestors.append((following, tag))
        node = first if first is not None else following


def _row(row: LexborNode) -> str | None:
    """Return a table row as one line; None for a row of a page layout."""
    cells = [cell for cell in row.iter() if cell.tag in ("td", "th")]
    if len(cells) < 2 or row.css_first("table") is not None:
        return None
    texts = []
    for cell in cells:
        writer = _Writer()
        _walk(cell, writer)
        texts.append(" ".join("".join(writer.parts).split()))
    line = " | ".join(texts)
    return line if len(line) <= _LONGEST_ROW else None


def _is_hidden(node: LexborNode) -> bool:
    attributes = node.attributes
    if not attributes:
        return False
    style = attributes.get("style") or ""
    return (
        "hidden" in attributes
        or attributes.get("class") == "headerlink"  # the pilcrow after headings of Sphinx
        or bool(re.search(r"display\s*:\s*none", style, re.IGNORECASE))
    )
