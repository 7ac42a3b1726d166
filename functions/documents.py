"""Text from the bytes of a document, whatever its format: decided by content, never by name."""

import re
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from functions.errors import Code, Failure
from functions.formats import plain, signatures
from functions.formats.tidy import tidy
from functions.schema import MAX_DOCUMENT_BYTES

Kind = Literal["pdf", "docx", "html", "markdown", "text"]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a document may be, and what reading it may take."""

    max_bytes: int = MAX_DOCUMENT_BYTES
    max_pages: int = 2_000
    """Pages of a PDF."""
    max_characters: int = 20_000_000
    """Characters of text, some seven thousand printed pages."""
    memory_bytes: int = 1 << 30
    """Address space of the process that reads; this and the times hold in `isolation` only."""
    cpu_seconds: int = 60
    wall_seconds: float = 90.0


@dataclass(frozen=True, kw_only=True)
class Document:
    """What was read.

    Attributes:
        text: Never blank. Line ends are newlines, Unicode is in form NFC.
        kind: What the bytes are.
        pages: Pages of a PDF; None where the format has none.
    """

    text: str
    kind: Kind
    pages: int | None


DEFAULT_LIMITS = Limits()
_LETTER = re.compile(r"[^\W\d_]")
_LEAST_LETTERS = 20
_UNREADABLE = re.compile("[\ufffd\ue000-\uf8ff]")  # glyphs whose characters a PDF does not tell


def read(data: bytes, *, limits: Limits = DEFAULT_LIMITS) -> Document:
    """Return the text of a PDF, a DOCX, an HTML page, Markdown or plain text.

    It parses untrusted bytes in this process: servers call `isolation.read_isolated` instead.

    Raises:
        Failure: The bytes are no such document, damaged, encrypted, too large, or without text.
    """
    refuse_size(len(data), limits)
    text, kind, pages = _extract(data, limits)
    if len(text) > limits.max_characters:
        raise Failure(
            code=Code.TOO_LARGE,
            message=f"The {kind} file holds {len(text):,} characters; "
            f"the most is {limits.max_characters:,}.",
            remedy="Split it, and upload the parts.",
        )
    text = tidy(text)
    size = f"{len(data):,} bytes" if pages is None else f"{pages:,} page{'s' * (pages != 1)}"
    _refuse_nothing(text, f"{kind} file of {size}")
    return Document(text=text, kind=kind, pages=pages)


def refuse_size(size: int, limits: Limits = DEFAULT_LIMITS) -> None:
    """Raise the failure for a file that is empty or too large, which needs no look inside."""
    if size == 0:
        raise Failure(
            code=Code.EMPTY_DOCUMENT,
            message="The file is empty: 0 bytes.",
            remedy="Check the file, and upload it again.",
        )
    if size > limits.max_bytes:
        raise Failure(
            code=Code.TOO_LARGE,
            message=f"The file has {size:,} bytes; the most is {limits.max_bytes:,}.",
            remedy="Split it, and upload the parts.",
        )


def _extract(data: bytes, limits: Limits) -> tuple[str, Kind, int | None]:
    # Each reader is imported when it is needed: a text file does not pay for PDFium.
    container = signatures.container(data)
    if container == "pdf":
        from functions.formats import pdf

        text, pages = pdf.read(
            data, max_pages=limits.max_pages, max_characters=limits.max_characters
        )
        return text, "pdf", pages
    if container == "zip":
        from functions.formats import docx

        return docx.read(data), "docx", None
    text = plain.decode(data)
    if plain.is_html(text):
        from functions.formats import html

        return html.read(text), "html", None
    return text, "markdown" if plain.is_markdown(text) else "text", None


def _refuse_nothing(text: str, what: str) -> None:
    """Nothing comes from nothing: a summary of no text would be invented."""
    letters = sum(1 for _ in islice(_LETTER.finditer(text), _LEAST_LETTERS))
    if letters < _LEAST_LETTERS:
        raise Failure(
            code=Code.NO_TEXT,
            message=f"The {what} holds {letters} letters; "
            f"the least that can be summarized is {_LEAST_LETTERS}.",
            remedy="Upload a document that holds text; run text recognition (OCR) on a scan first.",
        )
    unreadable = len(text) - len(_UNREADABLE.sub("", text))
    if unreadable > len(text) / 10:
        raise Failure(
            code=Code.UNDECODABLE,
            message=f"The {what} shows glyphs but does not tell their characters: "
            f"{unreadable:,} of {len(text):,} are unknown.",
            remedy="Run text recognition (OCR) on it, and upload the PDF or text this gives.",
        )
