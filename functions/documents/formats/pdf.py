"""The text of a PDF, page by page, by PDFium."""

import re
from itertools import islice

import pypdfium2  # type: ignore[import-untyped]  # it ships no types
import pypdfium2.raw as pdfium  # type: ignore[import-untyped]

from functions.documents import file_type
from functions.errors import Code, Failure

_MIN_LETTERS = 50  # letters; fewer are a page number or a library's stamp
_HYPHEN = "\ufffe"  # PDFium joins lines and replaces a hyphen at their end by this
_LIGATURES = str.maketrans(
    {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}
)


def read(data: bytes, *, max_pages: int, max_characters: int) -> tuple[str, int]:
    """Return the text and the number of pages.

    Raises:
        Failure: ENCRYPTED, DAMAGED (truncated, or an unreadable page), TOO_LARGE, UNSUPPORTED_TYPE
            (a form for Adobe software only), NO_TEXT (most pages are images).
    """
    _refuse_truncated(data)
    document = _open(data)
    count = len(document)
    if count > max_pages:
        raise Failure(
            code=Code.TOO_LARGE,
            message=f"The PDF has {count:,} pages; the limit is {max_pages:,}.",
            remedy="Split the document and upload its parts.",
        )
    pages: list[str] = []
    characters = images = 0
    for number in range(1, count + 1):
        try:
            text, is_image = _read_page(document, number - 1)
        except pypdfium2.PdfiumError:
            raise Failure(
                code=Code.DAMAGED,
                message=f"Page {number:,} of {count:,} of the PDF cannot be read.",
                remedy="Open the file, save or print it as a new PDF and upload that.",
            ) from None
        pages.append(text)
        images += is_image
        characters += len(text)
        if characters > max_characters:
            raise Failure(
                code=Code.TOO_LARGE,
                message=f"The first {number:,} of {count:,} pages of the PDF contain more than "
                f"{max_characters:,} characters, the limit.",
                remedy="Split the document and upload its parts.",
            )
    if images > count / 2:
        raise Failure(
            code=Code.NO_TEXT,
            message=f"{images:,} of {count:,} pages of the PDF are images without text.",
            remedy="Run text recognition (OCR) on it and upload the resulting PDF.",
        )
    text = "\n\n".join(_separate_paragraphs(page) for page in pages)
    return _join_hyphens(text).translate(_LIGATURES), count


def _open(data: bytes) -> pypdfium2.PdfDocument:
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        raise _refusal(error.err_code, data) from None
    form = document.get_formtype()
    if form == pdfium.FORMTYPE_XFA_FULL:
        raise file_type.unsupported(
            "a PDF form that only Adobe software can display (XFA)",
            len(data),
            "Open it in Adobe Acrobat, print it as a new PDF and upload that.",
        )
    if form != pdfium.FORMTYPE_NONE:
        document.init_forms()
    return document


def _read_page(document: pypdfium2.PdfDocument, index: int) -> tuple[str, bool]:
    """Return the text of a page, and True for a page that is an image with almost no text."""
    page = document[index]
    if document.formenv and page.flatten() == pdfium.FLATTEN_SUCCESS:
        page.close()  # flattened form fields become text when the page is loaded again
        page = document[index]
    textpage = page.get_textpage()
    text = textpage.get_text_range()
    is_bare = len(list(islice(filter(str.isalpha, text), _MIN_LETTERS))) < _MIN_LETTERS
    is_image = is_bare and any(
        True for _ in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE], max_depth=3)
    )
    textpage.close()
    page.close()
    return text, is_image


def _separate_paragraphs(page: str) -> str:
    """Insert blank lines between paragraphs, which a PDF does not mark, by the lengths of lines.

    A paragraph is a run of full lines and a short one; a heading is a short line before a full one.
    Tables and lists, where all lines are short, do not change.
    """
    lines = page.replace("\r\n", "\n").replace("\r", "").split("\n")
    width = sorted(map(len, lines))[len(lines) * 9 // 10]
    is_full = [len(line) >= 0.8 * width for line in lines]
    result = lines[:1]
    for index in range(1, len(lines)):
        was_last = not is_full[index - 1] and index > 1 and is_full[index - 2]
        was_heading = not is_full[index - 1] and is_full[index]
        if (was_last or was_heading) and not lines[index][:1].islower():
            result.append("")
        result.append(lines[index])
    return "\n".join(result)


def _join_hyphens(text: str) -> str:
    """Join words that were hyphenated at a line end; keep hyphens that belong to the word.

    A hyphen is kept before a capital or a digit, and when the document contains the hyphenated word
    elsewhere inside a line.
    """
    if _HYPHEN not in text:
        return text
    compounds = set(re.findall(r"\w+-\w+", text))

    def join(match: re.Match[str]) -> str:
        before, after = match.groups()
        compound = f"{before}-{after}"
        divided = before[-1:].isalpha() and after[:1].islower() and compound not in compounds
        return before + after if divided else compound

    return re.sub(rf"(\w*){_HYPHEN}(\w*)", join, text)


def _refuse_truncated(data: bytes) -> None:
    """Refuse a PDF without its end: PDFium would repair it and silently drop pages."""
    end = data.rfind(b"%%EOF")
    if end < 0 or re.search(rb"\d obj\b", data[end:]):
        raise Failure(
            code=Code.DAMAGED,
            message=f"The PDF is truncated: its end is missing after {len(data):,} bytes.",
            remedy="Upload the file again; if that fails, get a new copy of it.",
        )


def _refusal(error: int | None, data: bytes) -> Failure:
    # For a broken structure, PDFium may return the error of an earlier document.
    encrypted = b"/Encrypt" in data
    if encrypted and error == pdfium.FPDF_ERR_PASSWORD:
        return Failure(
            code=Code.ENCRYPTED,
            message=f"The PDF is password-protected ({len(data):,} bytes).",
            remedy="Open it with the password, save or print it without one and upload that.",
        )
    if encrypted and error == pdfium.FPDF_ERR_SECURITY:
        return Failure(
            code=Code.ENCRYPTED,
            message=f"The PDF is encrypted by an unknown method ({len(data):,} bytes).",
            remedy="Open it in a program that can read it, print it as a new PDF and upload that.",
        )
    return Failure(
        code=Code.DAMAGED,
        message=f"The PDF is damaged: its structure is broken ({len(data):,} bytes).",
        remedy="Open the file, save or print it as a new PDF and upload that.",
    )
