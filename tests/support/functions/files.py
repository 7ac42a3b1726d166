"""Documents for tests: valid, damaged, and malicious ones."""

import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from xml.sax.saxutils import escape

from PIL import Image
from reportlab.lib.pdfencrypt import StandardEncryption  # type: ignore[import-untyped]
from reportlab.lib.utils import ImageReader  # type: ignore[import-untyped]
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(64)
ELF = b"\x7fELF\x02\x01\x01" + bytes(100)
RTF = rb"{\rtf1\ansi Hello, this is text in a Rich Text document.\par}"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)
OLD_WORD = OLE + "WordDocument".encode("utf-16-le") + bytes(64)
ENCRYPTED_OFFICE = OLE + "EncryptedPackage".encode("utf-16-le") + bytes(64)

_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_MC = "http://schemas.openxmlformats.org/markup-compatibility/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"


def pdf(pages: Sequence[str], *, encryption: StandardEncryption | None = None) -> bytes:
    """Return a PDF with these texts, a page each; line ends are kept."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, invariant=1, encrypt=encryption)
    for page in pages:
        text = canvas.beginText(50, 790)
        text.textLines(page, trim=0)
        canvas.drawText(text)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def encrypted_pdf(*, owner_only: bool = False) -> bytes:
    """Return a PDF with a password for reading, or, with owner_only, for changes only."""
    user = "" if owner_only else "open sesame"
    encryption = StandardEncryption(user, ownerPassword="open sesame", strength=128)
    return pdf(["The text behind the password is confidential."], encryption=encryption)


def image_only_pdf(pages: int = 3, *, stamp: str = "") -> bytes:
    """Return a PDF of scanned pages; the stamp is their only text."""
    picture = ImageReader(Image.new("L", (60, 80), 128))
    buffer = io.BytesIO()
    canvas = Canvas(buffer, invariant=1)
    for _ in range(pages):
        canvas.drawImage(picture, 0, 0, 595, 842)
        canvas.drawString(50, 20, stamp)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def form_pdf(value: str) -> bytes:
    """Return a PDF form with one field, filled in."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, invariant=1)
    canvas.drawString(50, 700, "Name of the applicant:")
    canvas.acroForm.textfield(name="applicant", value=value, x=50, y=650, width=300, height=20)
    canvas.save()
    return buffer.getvalue()


def raw_pdf(objects: Iterable[bytes]) -> bytes:
    """Return a PDF of these objects, numbered from 1; the first is the catalog."""
    out = b"%PDF-1.4\n"
    offsets = []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(offsets) + 1
    return out + (
        b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<</Size %d/Root 1 0 R>>\n"
        b"startxref\n%d\n%%%%EOF\n" % (size, table, size, len(out))
    )


def page_pdf(content: bytes, *, filters: bytes = b"", unicode_map: bytes = b"") -> bytes:
    """Return a PDF of one page with this content stream, in Helvetica as font F."""
    stream = b"<<%s/Length %d>>stream\n%s\nendstream"
    font = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/ToUnicode 6 0 R>>"
    return raw_pdf(
        [
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R"
            b"/Resources<</Font<</F 5 0 R>>>>>>",
            stream % (filters, len(content), content),
            font if unicode_map else font.replace(b"/ToUnicode 6 0 R", b""),
            stream % (b"", len(unicode_map), unicode_map),
        ]
    )


def run(text: str, properties: str = "") -> str:
    """Return WordprocessingML for a run of text."""
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{escape(text)}</w:t></w:r>'


def paragraph(*content: str, properties: str = "") -> str:
    """Return WordprocessingML for a paragraph; content without markup becomes a run."""
    runs = (part if part.startswith("<") else run(part) for part in content)
    return f"<w:p><w:pPr>{properties}</w:pPr>{''.join(runs)}</w:p>"


def table(*rows: Sequence[str]) -> str:
    """Return WordprocessingML for a table; cells without markup become a paragraph."""
    lines = (
        "".join(f"<w:tc>{c if c.startswith('<') else paragraph(c)}</w:tc>" for c in row)
        for row in rows
    )
    return f"<w:tbl>{''.join(f'<w:tr>{line}</w:tr>' for line in lines)}</w:tbl>"


def part(root: str, content: str) -> str:
    """Return an XML part of a Word document."""
    return f'<?xml version="1.0"?><w:{root} xmlns:w="{_W}" xmlns:mc="{_MC}">{content}</w:{root}>'


def docx(paragraphs: Iterable[str], **parts: str) -> bytes:
    """Return a Word document: a paragraph each, or markup; and parts such as styles=…."""
    body = "".join(p if p.startswith("<") else paragraph(p) for p in paragraphs)
    relations = "".join(
        f'<Relationship Id="{name}" Type="{_OFFICE}/{name}" Target="{name}.xml"/>' for name in parts
    )
    return archive(
        {
            "_rels/.rels": f'<Relationships xmlns="{_RELATIONS}"><Relationship Id="main" '
            f'Type="{_OFFICE}/officeDocument" Target="word/document.xml"/></Relationships>',
            "word/_rels/document.xml.rels": f'<Relationships xmlns="{_RELATIONS}">{relations}'
            "</Relationships>",
            "word/document.xml": part("document", f"<w:body>{body}</w:body>"),
        }
        | {f"word/{name}.xml": part(name, content) for name, content in parts.items()}
    )


def archive(entries: Mapping[str, str | bytes]) -> bytes:
    """Return a ZIP archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries.items():
            file.writestr(name, content)
    return buffer.getvalue()


def zip_bomb_docx(unpacked_bytes: int = 150_000_000) -> bytes:
    """Return a small Word document that unpacks to a large one."""
    return archive({"word/document.xml": bytes(unpacked_bytes)})


def lying_zip_bomb_docx(unpacked_bytes: int = 150_000_000) -> bytes:
    """Return a ZIP bomb with an unpacked size of 100 bytes in its directory."""
    bomb = bytearray(zip_bomb_docx(unpacked_bytes))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = bomb.index(signature) + offset
        bomb[start : start + 4] = (100).to_bytes(4, "little")
    return bytes(bomb)
