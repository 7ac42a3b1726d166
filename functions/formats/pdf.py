"""Text of a PDF, page by page, by PDFium."""

import re

from functions.errors import Code, Failure

_PAGE_BREAK = "\n\n"
_BARE_PAGE = 50  # letters; a page number and a library's stamp, but no text
_HYPHEN = "\ufffe"  # PDFium puts this where a line ends in a hyphen, and joins the lines
_LIGATURES = str.maketrans(
    {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}
)


def read(data: bytes, *, max_pages: int, max_characters: int) -> tuple[str, int]:
    """Return the text and the number of pages.

    Raises:
        Failure: ENCRYPTED, DAMAGED (cut short, or a page that cannot be read), TOO_LARGE, or
            NO_TEXT (most pages are pictures).
    """
    _refuse_cut(data)
    import pypdfium2  # late: the library takes longer to load than a text file to read

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        raise _refusal(error.err_code, len(data)) from None
    count = len(document)
    if count > max_pages:
        raise Failure(
            code=Code.TOO_LARGE,
            message=f"The PDF has {count:,} pages; the most is {max_pages:,}.",
            remedy="Split it, and upload the parts.",
        )
    if document.get_formtype() != pypdfium2.raw.FORMTYPE_NONE:
        document.init_forms()  # what people wrote into form fields is text, too

    pages: list[str] = []
    characters = pictures = 0
    for number in range(1, count + 1):
        try:
            text, is_picture = _read_page(document, number)
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
    return _join_hyphens(_PAGE_BREAK.join(pages)).translate(_LIGATURES), count


def _refuse_cut(data: bytes) -> None:
    """PDFium repairs a PDF whose end is missing, and then silently lacks pages."""
    end = data.rfind(b"%%EOF")
    if end < 0 or re.search(rb"\d obj\b", data[end:]):
        raise Failure(
            code=Code.DAMAGED,
            message=f"The PDF is cut short: its end is missing after {len(data):,} bytes.",
            remedy="Upload the file again; if that does not help, get a fresh copy of it.",
        )


def _refusal(error: int | None, size: int) -> Failure:
    import pypdfium2.raw as pdfium

    if error == pdfium.FPDF_ERR_PASSWORD:
        return Failure(
            code=Code.ENCRYPTED,
            message=f"The PDF is protected by a password ({size:,} bytes).",
            remedy="Open it with the password, print or save it without one, and upload that.",
        )
    if error == pdfium.FPDF_ERR_SECURITY:
        return Failure(
            code=Code.ENCRYPTED,
            message=f"The PDF is encrypted by a method that is not known ({size:,} bytes).",
            remedy="Open it where it can be read, print it as a new PDF, and upload that.",
        )
    return Failure(
        code=Code.DAMAGED,
        message=f"The file says that it is a PDF, but its structure is broken ({size:,} bytes).",
        remedy="Open the file, save or print it as a new PDF, and upload that.",
    )
