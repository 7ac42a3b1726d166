"""Decodes text in any common encoding, and recognizes HTML and Markdown."""

import codecs
import re
from contextlib import suppress

from functions.documents import file_type
from functions.errors import Code, Failure

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark is its prefix
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Candidates for detection by statistics: the defaults of Windows, Unix, macOS and DOS. Mainframe
# and rare regional encodings are left out, because every candidate adds errors.
_ENCODINGS = """
    ascii utf-8 utf-16-le utf-16-be utf-32-le utf-32-be
    cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258 cp874 koi8-r koi8-u
    iso8859-1 iso8859-2 iso8859-5 iso8859-7 iso8859-8 iso8859-9 iso8859-13 iso8859-15
    cp932 shift_jis_2004 euc_jis_2004 iso2022_jp_2 iso2022_jp_ext gb18030 big5hkscs cp949
    mac-roman mac-cyrillic cp437 cp850 cp852 cp866
""".split()  # noqa: SIM905

# Declared encodings, and the superset that browsers use instead
_LARGER = {
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "us-ascii": "cp1252",
    "iso-8859-9": "cp1254",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "x-sjis": "cp932",
    "euc-kr": "cp949",
}
_DECLARED = re.compile(
    rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w-]{2,40})"
    rb"|<\?xml[^>]{0,100}?encoding\s*=\s*[\"']([\w-]{2,40})",
    re.IGNORECASE,
)

_SNIFFED = 4096  # characters; a licence comment may precede the first tag
_PROLOGUE = re.compile(r"<!--.*?-->|<\?.*?\?>|\s+", re.DOTALL)
_PAGE = re.compile(
    r"<(!doctype\s+html|html|head|body|title|meta|link|script|style|frameset)\b", re.IGNORECASE
)
_PART = re.compile(
    r"<(div|p|h[1-6]|table|ul|ol|dl|section|article|main|span|font|center)\b", re.IGNORECASE
)
_MARKDOWN = tuple(
    re.compile(pattern, re.MULTILINE)
    for pattern in (
        r"^#{1,6} \S",  # a heading
        r"^\S.*\n(===+|---+)$",  # a heading, underlined
        r"^ {0,3}(```|~~~)",  # code
        r"\[[^\]\n]{1,200}\]\([^)\s]{1,200}\)",  # a link
        r"^\|?[ :]*---+[ :]*\|",  # a table
        r"\*\*\w[^*\n]{0,200}\*\*",  # bold
        r"^[-*+] \S",  # a list
        r"`[^`\n]{1,200}`",  # code in a line
    )
)

_CONTROLS = re.compile(r"[\x00-\x06\x0e-\x1a\x1c-\x1f\x7f-\x84\x86-\x9f]")
_ESCAPED = re.compile("[\udc80-\udcff]")  # Python's surrogates for bytes that are not UTF-8
_NOT_ASCII = re.compile(r"[^\0-\x7f]")
_SAVE_AS_UTF8 = "Open it in an editor, save it with the encoding UTF-8 and upload that."


def decode(data: bytes) -> str:
    """Decode by byte order mark, as UTF-8, by the declared encoding, or by statistics.

    UTF-8 precedes a page's declaration: text in other encodings is rarely valid UTF-8, but
    declarations are often outdated.

    Raises:
        Failure: UNDECODABLE, or UNSUPPORTED_TYPE for binary data.
    """
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return _strictly(data[len(mark) :], encoding, "as its byte order mark says")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = _decode_legacy(data)
    else:
        # UTF-16 and the Japanese ISO-2022 may be valid UTF-8, but have characteristic bytes
        if _count(_CONTROLS, text) > len(text) / 5 or b"\x1b$" in data:
            text = _decode_legacy(data)
    if _count(_CONTROLS, text) > len(text) / 50:
        raise file_type.unsupported("binary data of an unknown type", len(data))
    return text


def is_html(text: str) -> bool:
    """True for a page or a part of one, False for Markdown and other text with tags."""
    head = text[:_SNIFFED]
    start = 0
    while match := _PROLOGUE.match(head, start):
        start = match.end()
    return bool(_PAGE.match(head, start)) or (
        bool(_PART.match(head, start)) and not is_markdown(text)
    )


def is_markdown(text: str) -> bool:
    """True for text with two different marks: a single one also occurs in logs and code."""
    sample = text[:100_000]
    return sum(1 for mark in _MARKDOWN if mark.search(sample)) >= 2


def _decode_legacy(data: bytes) -> str:
    if match := _DECLARED.search(data[:_SNIFFED]):
        name = (match[1] or match[2]).decode("ascii", "replace").lower()
        with suppress(LookupError, UnicodeError):  # not a text encoding, or not the right one
            return data.decode(_LARGER.get(name, name))
    import chardet  # late: it loads statistics that most files, which are UTF-8, do not need

    guess = chardet.detect(data, max_bytes=len(data), include_encodings=_ENCODINGS)
    if guess["encoding"] is None:
        raise file_type.unsupported("binary data of an unknown type", len(data))
    _refuse_broken_utf8(data)
    return _strictly(data, guess["encoding"], "as its bytes suggest")


def _refuse_broken_utf8(data: bytes) -> None:
    """Refuse UTF-8 with a few invalid bytes: another encoding would decode it wrongly."""
    text = data.decode(errors="surrogateescape")
    broken = _count(_ESCAPED, text)
    if (first := _ESCAPED.search(text)) and broken < _count(_NOT_ASCII, text) - broken:
        place = len(text[: first.start()].encode())
        raise Failure(
            code=Code.UNDECODABLE,
            message=f"The text is UTF-8, but {broken:,} of its {len(data):,} bytes are not valid; "
            f"the first is byte {place:,} (0x{data[place]:02x}).",
            remedy=_SAVE_AS_UTF8,
        )


def _strictly(data: bytes, encoding: str, reason: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise Failure(
            code=Code.UNDECODABLE,
            message=f"The text cannot be read as {encoding}, {reason}: "
            f"byte {error.start:,} of {len(data):,} does not fit.",
            remedy=_SAVE_AS_UTF8,
        ) from None


def _count(characters: re.Pattern[str], text: str) -> int:
    return len(text) - len(characters.sub("", text))  # a list of matches would take gigabytes
