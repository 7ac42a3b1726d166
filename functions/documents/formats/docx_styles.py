"""Heading levels and list numbers of a Word document, from its styles and numbering parts."""

import re
from collections import defaultdict
from dataclasses import dataclass, field


@dataclass(kw_only=True)
class Style:
    """A paragraph style, or the direct formatting of a paragraph."""

    name: str = ""
    based_on: str | None = None
    heading: int | None = None  # level from 1
    list_id: str | None = None
    list_level: int | None = None

    def set(self, tag: str, value: str) -> None:
        """Set a property of a paragraph, given as a tag and its value."""
        if tag == "w:outlineLvl" and value.isdecimal():
            self.heading = int(value) + 1 if int(value) < 9 else None
        elif tag == "w:numId":
            self.list_id = value
        elif tag == "w:ilvl" and value.isdecimal():
            self.list_level = int(value)


class Styles:
    """Reads the styles part and resolves styles with those that they are based on."""

    TAGS = frozenset(["w:style", "w:name", "w:basedOn", "w:outlineLvl", "w:numId", "w:ilvl"])

    def __init__(self) -> None:
        self._styles: dict[str, Style] = {}
        self._current = Style()

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Handle the start of an element."""
        value = attributes.get("val", "")
        if tag == "w:style":
            self._current = self._styles[attributes.get("styleId", "")] = Style()
        elif tag == "w:name":
            self._current.name = value.lower()
        elif tag == "w:basedOn":
            self._current.based_on = value
        else:
            self._current.set(tag, value)

    def complete(self, direct: Style) -> Style:
        """Return a paragraph's direct formatting, completed from its style (`based_on`)."""
        result = Style(heading=direct.heading, list_id=direct.list_id, list_level=direct.list_level)
        name, seen = direct.based_on, set[str]()
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
    """Level of a built-in heading style; Word writes their names in English in every language."""
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
    """Reads the numbering part and computes the number that Word displays for each item.

    Contracts refer to their clauses by these numbers, which are not in the text.
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
        """Handle the start of an element."""
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
                self._levels = {}  # levels of a single list are rare: those of its kind are used
            case "w:abstractNumId":
                self._list.kind = value
            case "w:lvlOverride":
                self._override = _number(attributes.get("ilvl"))
            case "w:startOverride":
                self._list.starts[self._override] = _number(value)

    def label(self, list_id: str, level: int) -> str:
        """Return the label of the next item of a list: its number, or a dash."""
        entry = self._lists.get(list_id, _List())
        levels = self._kinds.get(entry.kind, {})
        definition = levels.get(level)
        if definition is None or definition.format in ("bullet", "none") or not definition.pattern:
            return "-"
        counts = self._counts[entry.kind]  # lists of one kind continue each other's count
        if level in entry.starts and (list_id, level) not in self._started:
            self._started.add((list_id, level))
            counts[level] = entry.starts[level]
        else:
            counts[level] = counts[level] + 1 if level in counts else definition.start
        for deeper in [other for other in counts if other > level]:
            del counts[deeper]

        def counted(match: re.Match[str]) -> str:
            other = levels.get(int(match[1]) - 1, definition)
            return _numeral(counts.get(int(match[1]) - 1, other.start), other.format)

        return re.sub(r"%([1-9])", counted, definition.pattern).strip() or "-"


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
