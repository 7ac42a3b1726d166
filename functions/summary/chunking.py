"""Estimates the tokens of a text, and splits it into pieces that fit a token budget.

No vocabulary is shipped or downloaded: models change, and a vocabulary that is fetched at first use
slows a cold start and can fail. `estimate_tokens` counts classes of characters instead and errs on
the high side.
"""

import string

from functions.summary.split_points import last_boundary

MIN_BUDGET = 64
"""The smallest budget that `split` accepts, in tokens: fewer do not fit a sentence."""

# The rule. These numbers were fitted so that the estimate is rarely below the highest of five
# byte-level BPE vocabularies: OpenAI's cl100k_base and o200k_base, Qwen, Mistral's Tekken and
# DeepSeek, as found in the packages litellm 1.109.1, dashscope 2.0.2 and mistral-common. Measured
# in November 2026 on texts in 50 languages (Debian's installation guide and reference, GNOME's
# help, Django's translations), source code, CSV, JSON, hexadecimal, base64 and emoji, the estimate
# was 1.1 to 1.2 times the highest count for English, 1.2 to 1.5 for the large European languages,
# Chinese, Japanese and Korean, 1.3 to 1.6 for source code, and at worst 0.90 (Mongolian) and 2.0
# (Thai). Outside the Latin script o200k_base alone needs half of that or less. The rule
# underestimates words of random letters and rare Chinese characters by a third or more.

# The class of a character, by the first byte of its UTF-8 form; all other bytes are dropped.
_CLASS_OF_LEAD_BYTE = {
    " ": [*b" \t\r\f\v"],
    "\n": [*b"\n"],
    "0": [*b"0123456789"],
    "a": range(ord("a"), ord("z") + 1),
    "A": range(ord("A"), ord("Z") + 1),
    "e": range(0xC3, 0xCC),  # Latin letters with accents
    "c": range(0xD0, 0xD4),  # Cyrillic
    "g": [0xCE, 0xCF, *range(0xD7, 0xDC), 0xE3],  # Greek, Hebrew, Arabic, kana
    "h": [*range(0xE4, 0xEE), 0xEF],  # Chinese, Hangul, full-width forms
    "i": [*range(0xD4, 0xD7), *range(0xDC, 0xE1)],  # Armenian, Syriac, Indic, Thai
    "s": [0xE2],  # punctuation and symbols
    "x": [0xE1, 0xEE],  # Georgian, Khmer, Ethiopic, private use
    "z": range(0xF0, 0xF8),  # emoji and the rarest scripts: a token per byte at worst
}
_TOKENS_PER_CHARACTER = {
    ".": 0.75,  # every other character: ASCII punctuation, combining marks
    "\n": 1.0,
    "0": 1.0,  # Qwen and Mistral spend one token per digit
    "A": 0.55,  # capitals within capitals; one that begins a word is free
    "e": 0.75,
    "c": 0.7,
    "g": 1.1,
    "h": 1.5,
    "i": 2.1,
    "s": 2.3,
    "x": 3.0,
    "z": 4.0,
}
# Prefixes that need fewer tokens than their lead byte suggests: dashes, quotes, Vietnamese vowels
_DISCOUNTS = {b"\xe2\x80": 1.3, b"\xe1\xba": 2.0, b"\xe1\xbb": 2.0}

_CONTINUATION_BYTES = bytes(range(0x80, 0xC0))
_CLASSES = bytearray(b"." * 256)
for _name, _bytes in _CLASS_OF_LEAD_BYTE.items():
    for _byte in _bytes:
        _CLASSES[_byte] = ord(_name)
_CLASS_TABLE = bytes(_CLASSES)
_LETTERS = bytes(ord("a") if c in b"ae" else ord(" ") for c in range(256))
_BASE64_ALPHABET = (string.ascii_letters + string.digits + "+/").encode()
_BASE64 = bytes(ord("x") if c in _BASE64_ALPHABET else ord(" ") for c in range(256))
_ENGLISH_WORDS = (b" the ", b" and ")

# `_fitting` accepts a piece above _FULL of the budget and aims at _AIM.
_FULL, _AIM = 0.9, 0.97


def estimate_tokens(text: str) -> int:
    """Return a number of tokens that common BPE tokenizers rarely exceed for this text.

    It takes about 20 ms per million characters; see the rule above for its accuracy.
    """
    if not text:
        return 0
    encoded = f" {text} ".encode(errors="surrogatepass")  # so that words at the ends count as words
    classes = encoded.translate(_CLASS_TABLE, _CONTINUATION_BYTES)
    tokens = sum(classes.count(name.encode()) * n for name, n in _TOKENS_PER_CHARACTER.items())
    if not text.isascii():
        tokens -= sum(encoded.count(prefix) * n for prefix, n in _DISCOUNTS.items())
    tokens -= classes.count(b"Aa") * _TOKENS_PER_CHARACTER["A"]
    tokens += classes.count(b"\n ")  # indentation
    tokens += 8 * encoded.translate(_BASE64).count(b"x" * 32)  # keys, hashes, embedded images

    # Words: one token for most English ones, one for about three letters in other languages.
    letters = classes.translate(_LETTERS)
    words = letters.count(b" a")
    english = min(1.0, 13 * sum(map(encoded.count, _ENGLISH_WORDS)) / words) if words else 0.0
    if english > 0:
        tokens += english * (words + letters.count(b"a" * 8))
    if english < 1:
        tokens += (1 - english) * (0.75 * words + letters.count(b"aaa"))
    return int(tokens) + 1


def split(text: str, budget: int) -> list[str]:
    """Split text into pieces of at most `budget` estimated tokens, at the best boundaries.

    Paragraphs stay whole where possible, then sentences, then words. The pieces are in order, none
    is blank, and together they contain every character of the text except white space.

    Raises:
        ValueError: The budget is below MIN_BUDGET.
    """
    if budget < MIN_BUDGET:
        raise ValueError(
            f"budget={budget} tokens must be at least {MIN_BUDGET}; "
            "use a model with a longer context or request a shorter summary"
        )
    text = text.strip()
    if estimate_tokens(text) <= budget:
        return [text] if text else []
    pieces: list[str] = []
    start, size = 0, budget
    while start < len(text):
        size = _fitting(text, start, size, budget)
        end = start + size
        if end < len(text):
            end = last_boundary(text, start, end)
        while estimate_tokens(text[start:end].strip()) > budget:
            # A part may have a higher estimate than the whole, which contained more English.
            end = last_boundary(text, start, start + max(1, (end - start) * 3 // 4))
        if piece := text[start:end].strip():
            pieces.append(piece)
        start = end
    return pieces


def _fitting(text: str, start: int, size: int, budget: int) -> int:
    """Return the number of characters from `start` on that fill the budget, near a first guess.

    The guess is the size of the last piece: a document has a nearly constant density, so the work
    per piece is proportional to the piece.
    """
    rest = len(text) - start
    size = min(size, rest)
    tokens = estimate_tokens(text[start : start + size])
    while tokens < _FULL * budget and size < rest:
        size = min(rest, 2 * size, int(size * _AIM * budget / tokens) + 1)
        tokens = estimate_tokens(text[start : start + size])
    while tokens > budget and size > 1:
        size = max(1, int(size * _AIM * budget / tokens))
        tokens = estimate_tokens(text[start : start + size])
    return size
