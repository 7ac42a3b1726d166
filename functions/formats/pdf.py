"""Text of a PDF, page by page, by PDFium."""

import re
from itertools import islice

import pypdfium2  # type: ignore[import-untyped]  # it ships no types
import pypdfium2.raw as pdfium  # type: ignore[import-untyped]

from functions.errors import Code, Failure
from functions.formats import signatures

_BARE_PAGE = 50  # letters; a page number and a library's stamp, but no text
_HYPHEN = "\ufffe"  # PDFium puts this where a line ends in a hyphen, and joins the lines
_LIGATURES = str.maketrans(
    {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}
)


def read(data: bytes, *, max_pages: int, max_characters: int) -> tuple[str, int]:
    """Return the text and the number of pages.

    Raises:
        Failure: ENCRYPTED, DAMAGED (cut short, or a page that cannot be read), TOO_LARGE,
            UNSUPPORTED_TYPE (a form that only Adobe shows), NO_TEXT (most pages are pictures).
    """
    _refuse_cut(data)
    document = _open(data)
    count = len(document)
    if count > max_pages:
        raise Failure(
            code=Code.TOO_LARGE,
            message=f"The PDF has {count:,} pages; the most is {max_pages:,}.",
            remedy="Split it, and upload the parts.",
        )
    pages: list[str] = []
    characters = pictures = 0
    for number in range(1, count + 1):
        try:
            text, is_picture = _read_page(document, number - 1)
        except pypdfium2.PdfiumError:
            raise Failure(
                code=Code.DAMAGED,
                message=f"Page {number:,} of {count:,} of the PDF cannot be read.",
                remedy="Open the file, save or print it as a new PDF, and upload that.",
            ) from None
        pages.append(text)
        pictures += is_picture
        characters += len(text)
        if characters > max_characters:
            raise Failure(
                code=Code.TOO_LARGE,
                message=f"The first {number:,} of {count:,} pages of the PDF hold more than "
                f"{max_characters:,} characters, the most that is read.",
                remedy="Split it, and upload the parts.",
            )
    if pictures > count / 2:
        raise Failure(
            code=Code.NO_TEXT,
            message=f"{pictures:,} of {count:,} pages of the PDF are pictures without text.",
            remedy="Run text recognition (OCR) on it, and upload the PDF that this gives.",
        )
    text = "\n\n".join(_set_paragraphs_apart(page) for page in pages)
    return _join_hyphens(text).translate(_LIGATURES), count


def _open(data: bytes) -> pypdfium2.PdfDocument:
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        raise _refusal(error.err_code, data) from None
    form = document.get_formtype()
    if form == pdfium.FORMTYPE_XFA_FULL:
        raise signatures.unsupported(
            "a PDF form that only Adobe's programs can show (XFA)",
            len(data),
            "Open it there, print it as a new PDF, and upload that.",
        )
    if form != pdfium.FORMTYPE_NONE:
        document.init_forms()
    return document


def _read_page(document: pypdfium2.PdfDocument, index: int) -> tuple[str, bool]:
    """Return the text of a page, and whether the page is a picture and hardly anything else."""
    page = document[index]
    if document.formenv and page.flatten() == pdfium.FLATTEN_SUCCESS:
        page.close()  # what people wrote into form fields is text only when the page is read anew
        page = document[index]
    textpage = page.get_textpage()
    text = textpage.get_text_range()
    is_bare = len(list(islice(filter(str.isalpha, text), _BARE_PAGE))) < _BARE_PAGE
    is_picture = is_bare and any(
        True for _ in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE], max_depth=3)
    )
    textpage.close()
    page.close()
    return text, is_picture


def _set_paragraphs_apart(page: str) -> str:
    """Insert the blank lines that a PDF does not have, judging by the lengths of lines.

    A paragraph is a run of full lines and a short one; a heading is short and stands before a full
    line. Tables and lists, where all lines are short, stay as they are.
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
    """Join words that a line end divided; keep the hyphen where it belongs to the word.

    It does where what follows is a capital or a digit, and where the document has the word with a
    hyphen elsewhere, inside a line.
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


def _refuse_cut(data: bytes) -> None:
    """PDFium repairs a PDF whose end is missing, and then silently lacks pages."""
    end = data.rfind(b"%%EOF")
    if end < 0 or re.search(rb"\d obj\b", data[end:]):
        raise Failure(
            code=Code.DAMAGED,
            message=f"The PDF is cut short: its end is missing after {len(data):,} bytes.",
            remedy="Upload the file again; if that does not help, get a fresh copy of it.",
        )


def _refusal(error: int | None, data: bytes) -> Failure:
    # Where the structure is broken, PDFium may leave the error of an earlier document standing.
    encrypted = b"/Encrypt" in data
    if encrypted and error == pdfium.FPDF_ERR_PASSWORD:
        return Failure(
            code=Code.ENCRYPTED,
            message=f"The PDF is protected by a password ({len(data):,} bytes).",
            remedy="Open it with the password, print or save it without one, and upload that.",
        )
    if encrypted and error == pdfium.FPDF_ERR_SECURITY:
        return Failure(
            code=Code.ENCRYPTED,
            message=f"The PDF is encrypted by a method that is not known ({len(data):,} bytes).",
            remedy="Open it where it can be read, print it as a new PDF, and upload that.",
        )
    return Failure(
        code=Code.DAMAGED,
        message=f"The file says that it is a PDF, but its structure is broken ({len(data):,} "
        "bytes).",
        remedy="Open the file, save or print it as a new PDF, and upload that.",
    )
