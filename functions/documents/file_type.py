"""Detects the type of a file by its first bytes, never by its name."""

import re
from typing import Literal

from functions.errors import Code, Failure

Container = Literal["pdf", "zip", "text"]

_CONVERT = "Save or export it as PDF, DOCX, HTML, Markdown or plain text and upload that."
_RECOGNIZE = "Run text recognition (OCR) on it and upload the resulting PDF or text."
_UNPACK = "Unpack it and upload the documents in it."
_NO_DOCUMENT = "Upload a PDF, DOCX, HTML, Markdown or plain text file."

# Offset, bytes, type, remedy
_SIGNATURES = (
    (0, b"\x89PNG\r\n", "a PNG image", _RECOGNIZE),
    (0, b"\xff\xd8\xff", "a JPEG image", _RECOGNIZE),
    (0, b"GIF8", "a GIF image", _RECOGNIZE),
    (0, b"II*\0", "a TIFF image", _RECOGNIZE),
    (0, b"MM\0*", "a TIFF image", _RECOGNIZE),
    (8, b"WEBP", "a WebP image", _RECOGNIZE),
    (4, b"ftypheic", "a HEIC image", _RECOGNIZE),
    (0, b"AT&TFORM", "a DjVu document", _CONVERT),
    (0, rb"{\rtf", "a Rich Text (RTF) document", _CONVERT),
    (0, b"%!PS", "a PostScript document", _CONVERT),
    (0, b"\x1f\x8b", "a gzip archive", _UNPACK),
    (0, b"BZh", "a bzip2 archive", _UNPACK),
    (0, b"\xfd7zXZ\0", "an xz archive", _UNPACK),
    (0, b"\x28\xb5\x2f\xfd", "a Zstandard archive", _UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK),
    (0, b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (257, b"ustar", "a tar archive", _UNPACK),
    (4, b"ftyp", "a video or audio file", _NO_DOCUMENT),
    (0, b"ID3", "an audio file", _NO_DOCUMENT),
    (0, b"OggS", "an audio or video file", _NO_DOCUMENT),
    (8, b"WAVE", "an audio file", _NO_DOCUMENT),
    (0, b"\x1aE\xdf\xa3", "a Matroska or WebM video", _NO_DOCUMENT),
    (0, b"\x7fELF", "a program (ELF)", _NO_DOCUMENT),
    (0, b"\xca\xfe\xba\xbe", "a program (Java or macOS)", _NO_DOCUMENT),
    (0, b"\xcf\xfa\xed\xfe", "a program (macOS)", _NO_DOCUMENT),
    (0, b"\0asm", "a program (WebAssembly)", _NO_DOCUMENT),
    (0, b"SQLite format 3\0", "an SQLite database", _NO_DOCUMENT),
    (0, b"PAR1", "a Parquet table", _NO_DOCUMENT),
)

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# The stream names of an OLE file identify its type
_OLE_KINDS = (
    ("WordDocument", "an old Word document (.doc)"),
    ("Workbook", "an old Excel workbook (.xls)"),
    ("PowerPoint Document", "an old PowerPoint presentation (.ppt)"),
    ("__substg1.0_", "an Outlook message (.msg)"),
)


def container(data: bytes) -> Container:
    """Return the container format; "text" is everything without a known signature.

    Raises:
        Failure: UNSUPPORTED_TYPE or ENCRYPTED for a known type that cannot be read.
    """
    if _is_pdf(data):
        return "pdf"
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    if data.startswith(_OLE):
        raise _ole(data)
    if data.startswith(b"MZ") and b"PE\0\0" in data[:4096]:
        raise unsupported("a program (Windows)", len(data), _NO_DOCUMENT)
    for offset, mark, kind, remedy in _SIGNATURES:
        if data.startswith(mark, offset):
            raise unsupported(kind, len(data), remedy)
    return "text"


def unsupported(kind: str, size: int, remedy: str = _CONVERT) -> Failure:
    """The failure for a file of a known, but not supported type."""
    return Failure(
        code=Code.UNSUPPORTED_TYPE,
        message=f"The file is {kind}, {size:,} bytes.",
        remedy=remedy,
    )


def _is_pdf(data: bytes) -> bool:
    """Readers allow a kilobyte of other bytes before the mark, but a text may also mention it."""
    if data[:64].lstrip(b"\xef\xbb\xbf\r\n\t ").startswith(b"%PDF-"):
        return True
    return bool(re.search(rb"%PDF-[12]\.\d[\r\n]", data[:1024])) and b"startxref" in data[-2048:]


def _ole(data: bytes) -> Failure:
    if "EncryptedPackage".encode("utf-16-le") in data:
        return Failure(
            code=Code.ENCRYPTED,
            message=f"The Office document is password-protected ({len(data):,} bytes).",
            remedy="Open it with the password, save a copy without one and upload that.",
        )
    names = (kind for name, kind in _OLE_KINDS if name.encode("utf-16-le") in data)
    return unsupported(next(names, "an old Office file (OLE)"), len(data))
