"""Extracts the text of a document. The format is detected from the content, not from the name."""

import re
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from functions.documents import file_type
from functions.documents.formats import plain_text
from functions.documents.memory import PARSER_MEBIBYTES
from functions.documents.normalize import tidy
from functions.errors import Code, Failure

Kind = Literal["pdf", "docx", "html", "markdown", "text"]

MAX_DOCUMENT_BYTES = 100 * 1024 * 1024
"""Largest document, in bytes."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of a document, and of the process that reads it."""

    max_bytes: int = MAX_DOCUMENT_BYTES
    max_pages: int = 2_000
    """Pages of a PDF."""
    max_characters: int = 20_000_000
    """Characters of text: about seven thousand printed pages."""
    memory_bytes: int = PARSER_MEBIBYTES << 20
    """Address space of the reading process; memory and times are enforced in `sandbox` only."""
    cpu_seconds: int = 60
    wall_seconds: float = 90.0


@dataclass(frozen=True, kw_only=True)
class ExtractedText:
    """The text of a document.

    Attributes:
        text: Not blank. Line ends are newlines, Unicode is in form NFC.
        kind: Format of the document.
    """

    text: str
    kind: Kind


DEFAULT_LIMITS = Limits()
_LETTER = re.compile(r"[^\W\d_]")
_MIN_LETTERS = 20
_UNREADABLE = re.compile("[\ufffd\ue000-\uf8ff]")  # glyphs that a PDF does not map to characters


def read(data: bytes, *, limits: Limits = DEFAULT_LIMITS) -> ExtractedText:
    """Return the text of a PDF, a DOCX, an HTML page, Markdown or plain text.

    This parses untrusted bytes in the calling process: servers call `sandbox.read_isolated`.

    Raises:
        Failure: The type is not supported, or the file is damaged, encrypted, too large or without
            text.
    """
    refuse_size(len(data), limits)
    text, kind, pages = _extract(data, limits)
    if len(text) > limits.max_characters:
        raise Failure(
            code=Code.TOO_LARGE,
            message=f"The {kind} file contains {len(text):,} characters; "
            f"the limit is {limits.max_characters:,}.",
            remedy="Split the document and upload its parts.",
        )
    text = tidy(text)
    size = f"{len(data):,} bytes" if pages is None else f"{pages:,} page{'s' * (pages != 1)}"
    _require_text(text, f"{kind} file of {size}")
    return ExtractedText(text=text, kind=kind)


def refuse_size(size: int, limits: Limits = DEFAULT_LIMITS) -> None:
    """Raise `Failure` for an empty or too large file, before its content is read."""
    if size == 0:
        raise Failure(
            code=Code.EMPTY_DOCUMENT,
            message="The file is empty: 0 bytes.",
            remedy="Check the file and upload it again.",
        )
    if size > limits.max_bytes:
        raise Failure(
            code=Code.TOO_LARGE,
            message=f"The file has {size:,} bytes; the limit is {limits.max_bytes:,}.",
            remedy="Split the document and upload its parts.",
        )


def _extract(data: bytes, limits: Limits) -> tuple[str, Kind, int | None]:
    # Each reader is imported on demand: a text file does not load PDFium.
    container = file_type.container(data)
    if container == "pdf":
        from functions.documents.formats import pdf

        text, pages = pdf.read(
            data, max_pages=limits.max_pages, max_characters=limits.max_characters
        )
        return text, "pdf", pages
    if container == "zip":
        from functions.documents.formats import docx

        return docx.read(data), "docx", None
    text = plain_text.decode(data)
    if plain_text.is_html(text):
        from functions.documents.formats import html

        return html.read(text), "html", None
    return text, "markdown" if plain_text.is_markdown(text) else "text", None


def _require_text(text: str, what: str) -> None:
    """Refuse a file without readable text: a model would invent its summary."""
    letters = sum(1 for _ in islice(_LETTER.finditer(text), _MIN_LETTERS))
    if letters < _MIN_LETTERS:
        raise Failure(
            code=Code.NO_TEXT,
            message=f"The {what} contains {letters} letters; "
            f"a summary needs at least {_MIN_LETTERS}.",
            remedy="Upload a document with text; run text recognition (OCR) on a scan first.",
        )
    unreadable = len(text) - len(_UNREADABLE.sub("", text))
    if unreadable > len(text) / 10:
        raise Failure(
            code=Code.UNDECODABLE,
            message=f"The {what} does not map its glyphs to characters: "
            f"{unreadable:,} of {len(text):,} are unknown.",
            remedy="Run text recognition (OCR) on it and upload the resulting PDF or text.",
        )
