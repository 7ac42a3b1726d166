"""Reads a ZIP archive of XML parts (OOXML) with limits on entries, size and compression ratio."""

import posixpath
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import NoReturn
from xml.parsers import expat

from functions.errors import Code, Failure

MAX_ENTRIES = 2_000
MAX_BYTES = 200_000_000
"""Limit of all unpacked parts together."""
MAX_RATIO = 100
_RATIO_COUNTS_FROM = 1_000_000  # unpacked bytes; small parts full of blanks are harmless
_BLOCK = 1 << 16

_SAVE_AGAIN = "Open it in a word processor, save it as DOCX or PDF and upload that."
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError)

_PREFIXES = {  # the usual and the strict namespaces
    "http://schemas.openxmlformats.org/wordprocessingml/2006/main": "w:",
    "http://purl.oclc.org/ooxml/wordprocessingml/main": "w:",
    "http://schemas.openxmlformats.org/officeDocument/2006/math": "m:",
    "http://purl.oclc.org/ooxml/officeDocument/math": "m:",
    "http://schemas.openxmlformats.org/markup-compatibility/2006": "mc:",
    "http://schemas.openxmlformats.org/package/2006/relationships": "r:",
}


Start = Callable[[str, dict[str, str]], None]
"""Receives a tag, such as "w:p", and the attributes by name without namespace."""


class Archive:
    """The parts of an Office document."""

    def __init__(self, data: bytes) -> None:
        try:
            self._zip = zipfile.ZipFile(BytesIO(data))
        except _BROKEN:
            raise _damaged(
                f"The file is a truncated or broken ZIP archive (such as DOCX): "
                f"its directory is missing after {len(data):,} bytes."
            ) from None
        entries = self._zip.infolist()
        unpacked = sum(entry.file_size for entry in entries)
        if len(entries) > MAX_ENTRIES:
            raise _bomb(f"contains {len(entries):,} entries; the limit is {MAX_ENTRIES:,}")
        if unpacked > MAX_BYTES:
            raise _bomb(f"unpacks to {unpacked:,} bytes; the limit is {MAX_BYTES:,}")
        if unpacked > max(_RATIO_COUNTS_FROM, MAX_RATIO * len(data)):
            ratio = unpacked // len(data)
            raise _bomb(f"unpacks to {ratio:,} times its size; the limit is {MAX_RATIO}")
        if any(entry.flag_bits & 1 for entry in entries):
            raise Failure(
                code=Code.ENCRYPTED,
                message=f"The ZIP archive is password-protected ({len(data):,} bytes).",
                remedy="Save the document without a password and upload that.",
            )
        self.names = {entry.filename for entry in entries}
        if len(self.names) < len(entries):
            raise _damaged("Two parts of the DOCX have the same name.")
        self._left = MAX_BYTES

    def parse(
        self,
        name: str,
        start: Start,
        end: Callable[[str], None] | None = None,
        text: Callable[[str], None] | None = None,
        *,
        only: frozenset[str] | None = None,
    ) -> None:
        """Parse an XML part and call the callbacks in order; `only` limits the tags of `start`.

        Raises:
            Failure: DAMAGED (missing, truncated, not well-formed, or with a DOCTYPE, which attacks
                use and Office programs never write) or PARSER_LIMIT.
        """
        if name not in self.names:
            raise _damaged(f"Part {name} of the document is missing.")
        tags, locals_ = _Tags(), _LocalNames()

        def start_element(qualified: str, attributes: dict[str, str]) -> None:
            tag = tags[qualified]
            if only is None or tag in only:
                start(tag, {locals_[key]: value for key, value in attributes.items()})

        def refuse(*_: object) -> NoReturn:
            raise _damaged(f"Part {name} of the document has a DOCTYPE, which attacks use.")

        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = start_element
        parser.EndElementHandler = end and (lambda qualified: end(tags[qualified]))
        parser.CharacterDataHandler = text
        parser.StartDoctypeDeclHandler = refuse
        try:
            self._feed(name, parser)
        except (expat.ExpatError, LookupError):  # LookupError: an unknown encoding
            raise _damaged(
                f"Part {name} of the document is not well-formed XML "
                f"(line {parser.CurrentLineNumber:,})."
            ) from None
        except _BROKEN:
            raise _damaged(f"Part {name} of the document is truncated or broken.") from None

    def _feed(self, name: str, parser: expat.XMLParserType) -> None:
        with self._zip.open(name) as part:
            while block := part.read(_BLOCK):
                self._left -= len(block)  # the declared sizes may be wrong
                if self._left < 0:
                    raise _bomb(f"unpacks to more than {MAX_BYTES:,} bytes")
                parser.Parse(block, False)
        parser.Parse(b"", True)

    def relations(self, part: str) -> dict[str, str]:
        """Return the parts that a part ("" is the archive) references, by relationship type."""
        folder, base = posixpath.split(part)
        targets: dict[str, str] = {}

        def start(tag: str, attributes: dict[str, str]) -> None:
            if attributes.get("TargetMode") != "External":
                role = attributes.get("Type", "").rpartition("/")[2]
                target = posixpath.join("/", folder, attributes.get("Target", ""))
                targets.setdefault(role, posixpath.normpath(target).lstrip("/"))

        name = posixpath.join(folder, "_rels", base + ".rels")
        if name in self.names:
            self.parse(name, start, only=frozenset(["r:Relationship"]))
        return targets


class _Tags(dict[str, str]):
    """Tags by expat's qualified names; empty in namespaces without text."""

    def __missing__(self, qualified: str) -> str:
        namespace, _, local = qualified.rpartition(" ")
        tag = self[qualified] = _PREFIXES[namespace] + local if namespace in _PREFIXES else ""
        return tag


class _LocalNames(dict[str, str]):
    """Names of attributes without their namespaces, by their qualified names."""

    def __missing__(self, qualified: str) -> str:
        local = self[qualified] = qualified.rpartition(" ")[2]
        return local


def _damaged(message: str) -> Failure:
    return Failure(code=Code.DAMAGED, message=message, remedy=_SAVE_AGAIN)


def _bomb(problem: str) -> Failure:
    return Failure(
        code=Code.PARSER_LIMIT,
        message=f"The file is a ZIP archive (such as DOCX) that {problem}.",
        remedy="Remove large images or split the document, and upload it again.",
    )
