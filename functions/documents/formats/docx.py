"""Text of a Word document: paragraphs, lists and tables in reading order, then its notes."""

from typing import NamedTuple

from functions.documents import file_type
from functions.documents.formats.docx_styles import Lists, Style, Styles
from functions.documents.formats.ooxml import Archive
from functions.errors import Code, Failure

# Other formats that are ZIP archives, by the prefix of an entry
_OTHERS = (
    ("xl/", "an Excel workbook (.xlsx)"),
    ("ppt/", "a PowerPoint presentation (.pptx)"),
    ("visio/", "a Visio drawing (.vsdx)"),
    ("mimetype", "an OpenDocument or EPUB file"),
    ("Index/Document.iwa", "an Apple Pages or Keynote document"),
    ("META-INF/MANIFEST.MF", "a Java archive"),
)
# Tracked deletions and earlier formatting, and the codes of fields
_SKIPPED = frozenset(
    """w:del w:moveFrom w:delText w:delInstrText w:instrText w:rPrChange w:pPrChange w:sectPrChange
    w:tblPrChange w:trPrChange w:tcPrChange w:tblPrExChange w:numberingChange""".split()  # noqa: SIM905
)
_CHARACTERS = {"w:tab": "\t", "w:ptab": "\t", "w:br": "\n", "w:cr": "\n", "w:noBreakHyphen": "-"}
_NOTES = {"w:footnoteReference": "footnotes", "w:endnoteReference": "endnotes"}
_MAIN = "word/document.xml"
_LAYOUT = 3  # paragraphs in a cell; a table with more is a page layout


def read(data: bytes) -> str:
    """Return the text. Headings, lists and rows of tables are marked as in Markdown.

    Raises:
        Failure: UNSUPPORTED_TYPE (another kind of archive), DAMAGED, ENCRYPTED, PARSER_LIMIT.
    """
    archive = Archive(data)
    other = (kind for name, kind in _OTHERS if any(n.startswith(name) for n in archive.names))
    main = archive.relations("").get("officeDocument", _MAIN)
    is_office = main in archive.names or any(n.startswith("word/") for n in archive.names)
    if not is_office or not main.endswith(".xml"):
        raise file_type.unsupported(next(other, "a ZIP archive"), len(data))

    parts = archive.relations(main)
    styles, lists = Styles(), Lists()
    if parts.get("styles") in archive.names:
        archive.parse(parts["styles"], styles.start, only=Styles.TAGS)
    if parts.get("numbering") in archive.names:
        archive.parse(parts["numbering"], lists.start)
    body = _Body(styles, lists)
    archive.parse(main, body.start, body.end, body.text)
    if not body.is_word:
        raise file_type.unsupported(
            next(other, "an Office file, but not a Word document"), len(data)
        )
    notes: dict[tuple[str, str], str] = {}
    for role in dict.fromkeys(role for role, _ in body.references):
        if parts.get(role) in archive.names:
            reader = _Body(styles, lists)
            archive.parse(parts[role], reader.start, reader.end, reader.text)
            notes |= {(role, number): text for number, text in reader.notes.items()}
    for mark, reference in enumerate(body.references, start=1):
        if reference in notes:
            body.blocks.append(_Block(f"[{mark}] {notes[reference]}"))
    return _join(body.blocks)


class _Block(NamedTuple):
    text: str
    group: str = ""  # blocks of one group are adjacent lines, others are separated


def _join(blocks: list[_Block]) -> str:
    parts: list[str] = []
    group = ""
    for block in blocks:
        parts += ["\n" if block.group and block.group == group else "\n\n", block.text]
        group = block.group
    return "".join(parts[1:])


class _Paragraph:
    def __init__(self) -> None:
        self.parts: list[str] = []
        self.style = Style()


class _Body:
    """Reads the main part, or a part with notes."""

    def __init__(self, styles: Styles, lists: Lists) -> None:
        self._styles = styles
        self._lists = lists
        self.is_word = False
        self.blocks: list[_Block] = []
        self.references: list[tuple[str, str]] = []  # to notes: the part's role and the note's id
        self.notes: dict[str, str] = {}
        self._outer: list[list[_Block]] = []  # the blocks around the current cell or note
        self._paragraphs: list[_Paragraph] = []  # nested, because a text box is inside a paragraph
        self._rows: list[list[list[_Block]]] = []
        self._tables: list[str] = []
        self._table_count = 0
        self._note = ""
        self._alternatives: list[bool] = []  # True after the first one
        self._skipping = 0
        self._properties: list[str] = []  # open tags, from w:pPr or w:rPr on
        self._hidden = self._capturing = False

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if self._skipping or tag in _SKIPPED:
            self._skipping += 1
        elif self._properties or tag in ("w:pPr", "w:rPr"):
            self._properties.append(tag)
            self._property(tag, attributes.get("val"))
        elif self._is_read_already(tag):
            self._skipping += 1
        else:
            self._content(tag, attributes)

    def _property(self, tag: str, value: str | None) -> None:
        if "w:rPr" in self._properties:
            if tag == "w:vanish":
                self._hidden = value not in ("0", "false", "off")
        elif self._paragraphs and value is not None:
            style = self._paragraphs[-1].style
            if tag == "w:pStyle":
                style.based_on = value
            else:
                style.set(tag, value)

    def _is_read_already(self, tag: str) -> bool:
        """Word writes text boxes twice: for itself, and as a fallback for other programs."""
        if tag == "mc:AlternateContent":
            self._alternatives.append(False)
        elif tag in ("mc:Choice", "mc:Fallback") and self._alternatives:
            if self._alternatives[-1]:
                return True
            self._alternatives[-1] = True
        return False

    def _content(self, tag: str, attributes: dict[str, str]) -> None:
        match tag:
            case "w:document":
                self.is_word = True
            case "w:p":
                self._paragraphs.append(_Paragraph())
            case "w:r":
                self._hidden = False
            case "w:t" | "m:t":
                self._capturing = not self._hidden
            case "w:tab" | "w:ptab" | "w:br" | "w:cr" | "w:noBreakHyphen":
                self._write(_CHARACTERS[tag])
            case "w:sym":
                self._write(_symbol(attributes.get("char", "")))
            case "w:footnoteReference" | "w:endnoteReference":
                self.references.append((_NOTES[tag], attributes.get("id", "")))
                self._write(f"[{len(self.references)}]")
            case "w:footnote" | "w:endnote":
                self._note = attributes.get("id", "") if "type" not in attributes else ""
                self._open()
            case "w:tbl":
                self._table_count += 1
                self._tables.append(f"table {self._table_count}")
            case "w:tr":
                self._rows.append([])
            case "w:tc":
                self._open()
            case "w:altChunk":
                raise Failure(
                    code=Code.UNSUPPORTED_TYPE,
                    message="The Word document embeds a part in another format (altChunk), "
                    "which only Word can merge.",
                    remedy="Open it in Word, save it as DOCX again and upload that.",
                )

    def end(self, tag: str) -> None:
        if self._skipping:
            self._skipping -= 1
            return
        if self._properties:
            self._properties.pop()
            return
        match tag:
            case "mc:AlternateContent":
                self._alternatives.pop()
            case "w:t" | "m:t":
                self._capturing = False
            case "w:p":
                self._end_paragraph(self._paragraphs.pop())
            case "w:footnote" | "w:endnote":
                if text := _in_line(self._close()):
                    self.notes[self._note] = text
            case "w:tc":
                cell = self._close()
                if self._rows:
                    self._rows[-1].append(cell)
                else:
                    self.blocks += cell
            case "w:tr":
                self._end_row(self._rows.pop())
            case "w:tbl":
                self._tables.pop()

    def text(self, characters: str) -> None:
        if self._capturing and not self._skipping:
            self._write(characters)

    def _write(self, characters: str) -> None:
        if self._paragraphs:
            self._paragraphs[-1].parts.append(characters)

    def _open(self) -> None:
        self._outer.append(self.blocks)
        self.blocks = []

    def _close(self) -> list[_Block]:
        blocks, self.blocks = self.blocks, self._outer.pop()
        return blocks

    def _end_paragraph(self, paragraph: _Paragraph) -> None:
        style = self._styles.complete(paragraph.style)
        level = style.list_level or 0
        label = ""
        if style.list_id not in (None, "0"):
            label = self._lists.label(style.list_id, level)  # an empty item is counted as well
        text = "".join(paragraph.parts).strip()
        if not text:
            return
        if style.heading:
            number = f"{label} " if label not in ("", "-") else ""
            mark = "#" * min(style.heading, 6)
            self.blocks.append(_Block(f"{mark} {number}{' '.join(text.split())}"))
        elif label:
            self.blocks.append(_Block(f"{'  ' * min(level, 8)}{label} {text}", "list"))
        else:
            self.blocks.append(_Block(text))

    def _end_row(self, cells: list[list[_Block]]) -> None:
        if len(cells) < 2 or any(len(cell) > _LAYOUT for cell in cells):
            for cell in cells:
                self.blocks += cell
        elif any(cells):
            line = " | ".join(map(_in_line, cells))
            self.blocks.append(_Block(line, self._tables[-1] if self._tables else ""))


def _in_line(blocks: list[_Block]) -> str:
    return " / ".join(line for block in blocks for line in block.text.split("\n"))


def _symbol(code: str) -> str:
    """Symbol fonts use the private use area of Unicode; most of its glyphs are bullets."""
    try:
        character = chr(int(code, 16))
    except (ValueError, OverflowError):
        return ""
    return "•" if "\ue000" <= character <= "\uf8ff" else character
