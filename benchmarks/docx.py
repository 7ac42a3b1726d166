"""Reading a Word document, against python-docx."""

from io import BytesIO

from docx import Document

from benchmarks import corpus
from benchmarks.measure import SEED, Result, Side, compare
from functions.documents.extract import read


def measure(*, size: int = 600, rounds: int = 9) -> list[Result]:
    """Read a document of `size` paragraphs; both sides must find the same words."""
    data = document(size)
    return [
        compare(
            "docx",
            ours=Side(label=f"documents.read, {size} paragraphs", run=lambda: read(data).text),
            peer=Side(label="python-docx, paragraph by paragraph", run=lambda: _text(data)),
            digest=str.split,
            rounds=rounds,
        )
    ]


def document(paragraphs: int) -> bytes:
    """Return a Word document; the first word of every paragraph is bold."""
    made = Document()
    for text in corpus.paragraphs(paragraphs, seed=SEED):
        first, space, rest = text.partition(" ")
        paragraph = made.add_paragraph()
        paragraph.add_run(first).bold = True
        paragraph.add_run(space + rest)
    buffer = BytesIO()
    made.save(buffer)
    return buffer.getvalue()


def _text(data: bytes) -> str:
    return "\n".join(paragraph.text for paragraph in Document(BytesIO(data)).paragraphs)
