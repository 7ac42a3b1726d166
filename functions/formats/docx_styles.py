"""What a Word document keeps apart from its text: which styles are headings, and list numbers."""

import re
from collections import defaultdict
from dataclasses import dataclass, field


@dataclass(kw_only=True)
class Style:
    """A paragraph style, or what a paragraph itself says."""

    name: str = ""
    based_on: str | None = None
    heading: int | None = None  # level from 1
    list_id: str | None = None
    list_level: int | None = None

    def note(self, tag: str, value: str) -> None:
        """Take over a property of a paragraph, given as a tag and its value."""
        if tag == "w:outlineLvl" and value.isdecimal():
            self.heading = int(value) + 1 if int(value) < 9 else None
        elif tag == "w:numId":
            self.list_id = value
        elif tag == "w:ilvl" and value.isdecimal():
            self.list_level = int(value)


class Styles:
    """Reads the part with styles; then answers what a style is, with all that it is based on."""

    TAGS = frozenset(["w:style", "w:name", "w:basedOn", "w:outlineLvl", "w:numId", "w:ilvl"])

    def __init__(self) -> None:
        self._styles: dict[str, Style] = {}
        self._current = Style()

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Take in the beginning of an element."""
        value = attributes.get("val", "")
        if tag == "w:style":
            self._current = self._styles[attributes.get("styleId", "")] = Style()
        elif tag == "w:name":
            self._current.name = value.lower()
        elif tag == "w:basedOn":
            self._current.based_on = value
        else:
            self._current.note(tag, value)

    def complete(self, own: Style) -> Style:
        """Return what a paragraph says itself, filled up from its style (`based_on`)."""
        result = Style(heading=own.heading, list_id=own.list_id, list_level=own.list_level)
        name, seen = own.based_on, set[str]()
        while name is not None and name not in seen and name in self._styles:
            seen.add(name)
            style = self._styles[name]
            if result.heading is None:
                result.heading = style.heading or _heading(style.name)
            if result.list_id is None:
                result.list_id = style.list_id
            if result.list_level is None:
                result.list_level = style.list_level
            name = style.based_on
        return result


def _heading(name: str) -> int | None:
    """Word writes the names of built-in styles in English, in every language."""
    if match := re.fullmatch(r"heading ([1-9])", name):
        return int(match[1])
    return 1 if name == "title" else None


@dataclass(kw_only=True)
class _Level:
    format: str = "decimal"
    pattern: str = ""
    start: int = 1


@dataclass(kw_only=True)
class _List:
    kind: str = ""
    starts: dict[int, int] = field(default_factory=dict)


class Lists:
    """Reads the part with numbering; then counts, and gives each item the number that Word shows.

    Contracts and rules refer to their clauses by these numbers, which are nowhere in the text.
    """

    def __init__(self) -> None:
        self._kinds: dict[str, dict[int, _Level]] = {}
        self._lists: dict[str, _List] = {}
        self._levels: dict[int, _Level] = {}
        self._level = _Level()
        self._list = _List()
        self._override = 0
        self._counts: dict[str, dict[int, int]] = defaultdict(dict)
        self._started: set[tuple[str, int]] = set()

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Take in the beginning of an element."""
        value = attributes.get("val", "")
        match tag:
            case "w:abstractNum":
                self._levels = self._kinds[attributes.get("abstractNumId", "")] = {}
            case "w:lvl":
                self._level = self._levels[_number(attributes.get("ilvl"))] = _Level()
            case "w:start":
                self._level.start = _number(value)
            case "w:numFmt":
                self._level.format = value
            case "w:lvlText":
                self._level.pattern = value
            case "w:num":
                self._list = self._lists[attributes.get("numId", "")] = _List()
                self._levels = {}  # a list's own levels are rare: its kind's are used
            case "w:abstractNumId":
                self._list.kind = value
            case "w:lvlOverride":
                self._override = _number(attributes.get("ilvl"))
            case "w:startOverride":
                self._list.starts[self._override] = _number(value)

    def label(self, list_id: str, level: int) -> str:
        """Return what stands before the next item of a list: its number, or a dash."""
        entry = self._lists.get(list_id, _List())
        levels = self._kinds.get(entry.kind, {})
        own = levels.get(level)
        if own is None or own.format in ("bullet", "none") or not own.pattern:
            return "-"
        counts = self._counts[entry.kind]  # lists of a kind go on counting where the last ended
        if level in entry.starts and (list_id, level) not in self._started:
            self._started.add((list_id, level))
            counts[level] = entry.starts[level]
        else:
            counts[level] = counts[level] + 1 if level in counts else own.start
        for deeper in [other for other in counts if other > level]:
            del counts[deeper]

        def counted(match: re.Match[str]) -> str:
            other = levels.get(int(match[1]) - 1, own)
            return _numeral(counts.get(int(match[1]) - 1, other.start), other.format)

        return re.sub(r"%([1-9])", counted, own.pattern).strip() or "-"


def _number(value: str | None) -> int:
    return int(value) if value and value.isdecimal() and len(value) < 9 else 0


def _numeral(number: int, form: str) -> str:
    if form.endswith("Letter") and number > 0:
        letters = chr(ord("a") + (number - 1) % 26) * ((number - 1) // 26 + 1)  # a … z, aa, bb
        return letters.upper() if form.startswith("upper") else letters
    if form.endswith("Roman") and 0 < number < 4000:
        roman = _roman(number)
        return roman if form.startswith("upper") else roman.lower()
    return str(number)


def _roman(number: int) -> str:
    text = ""
    for value, letters in zip(
        (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1),
        ("M", "CM", "D", "CD", "C", "XC", "L", "XL", "X", "IX", "V", "IV", "I"),
        strict=True,
    ):
        text += letters * (number // value)
        number %= value
    return text
