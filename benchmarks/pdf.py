"""Reading a PDF with every check, against PDFium's text alone."""

from io import BytesIO

import pypdfium2  # type: ignore[import-untyped]
from reportlab.lib.pagesizes import A4  # type: ignore[import-untyped]
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]

from benchmarks import corpus
from benchmarks.measure import SEED, Result, Side, compare
from functions.documents.extract import read

_LINES = 50
_LINE_CHARACTERS = 80


def measure(*, size: int = 20, rounds: int = 9) -> list[Result]:
    """Read a PDF of `size` pages; both sides must find the same words."""
    data = document(size)
    return [
        compare(
            "pdf",
            ours=Side(label=f"documents.read, {size} pages", run=lambda: read(data).text),
            peer=Side(label="pypdfium2, page by page", run=lambda: _text(data)),
            digest=str.split,
            rounds=rounds,
        )
    ]


def document(pages: int) -> bytes:
    """Return a PDF of full pages of text."""
    text = corpus.text(pages * _LINES * _LINE_CHARACTERS, seed=SEED).replace("\n", " ")
    buffer = BytesIO()
    canvas = Canvas(buffer, pagesize=A4, invariant=1)
    for page in range(pages):
        lines = canvas.beginText(50, 800)
        for line in range(page * _LINES, (page + 1) * _LINES):
            lines.textLine(text[line * _LINE_CHARACTERS : (line + 1) * _LINE_CHARACTERS])
        canvas.drawText(lines)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def _text(data: bytes) -> str:
    pages = []
    with pypdfium2.PdfDocument(data) as document:
        for page in document:
            pages.append(page.get_textpage().get_text_range())
            page.close()
    return "\n\n".join(pages)
