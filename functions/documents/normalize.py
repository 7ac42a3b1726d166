"""Normalizes extracted text to one form for all formats."""

import re
import unicodedata

_LINE_ENDS = re.compile("\r\n?|[\v\x85\u2028\u2029]")
_SPACES = re.compile("[\xa0\u1680\u2000-\u200a\u202f\u205f\u3000]")
# Overstriking and colours of terminals, as in manual pages and logs
_TERMINAL = re.compile("[^\n]\b|\x1b\\[[0-9;?]*[A-Za-z]|\x1b\\]8;[^\x07\x1b]*(?:\x07|\x1b\\\\)")
# Controls and invisible marks (soft hyphen, zero-width space, byte order mark, direction overrides,
# and the tag characters, which can hide instructions to a model)
_INVISIBLE = re.compile(
    "[\0-\x08\x0e-\x1f\x7f-\x9f\xad\u200b\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ufffe\uffff"
    "\U000e0000-\U000e007f]"
)
_RULES = re.compile(r"([-=_.*~#·])(?: ?\1){7,}")
_BLANK_LINES = re.compile(r"\n{3,}")


def tidy(text: str) -> str:
    """Return the text with uniform line ends and spaces, in Unicode's form NFC.

    Invisible characters and trailing blanks are removed, several blank lines become one, and rules
    and dot leaders of eight characters or more become three. Words never change.
    """
    text = _LINE_ENDS.sub("\n", text).replace("\f", "\n\n")
    if "\b" in text or "\x1b" in text:
        text = _TERMINAL.sub("", text)
    if not text.isascii():
        text = unicodedata.normalize("NFC", _SPACES.sub(" ", text))
    text = _INVISIBLE.sub("", text)
    text = _RULES.sub(r"\1\1\1", text)
    text = "\n".join(map(str.rstrip, text.split("\n")))
    return _BLANK_LINES.sub("\n\n", text).strip()
