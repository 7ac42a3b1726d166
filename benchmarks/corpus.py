"""Generated English text, the same for the same seed."""

from random import Random

# Common words are repeated, so that they are chosen more often.
_TEXT = (
    "the the the the the and and and of of of to to in in a a is it that was for on as with at by "
    "harbour engine summary report year between government several increase station company water "
    "through development different market however important river weather country question result "
    "energy building another system population children history small large service evidence under "
    "treatment keeper lamp granite winter vessel accounting responsibility particularly"
)
_WORDS = _TEXT.split()


def paragraphs(count: int, *, seed: int) -> list[str]:
    """Return `count` paragraphs of three to eight sentences."""
    random = Random(seed)
    return [_paragraph(random) for _ in range(count)]


def text(characters: int, *, seed: int) -> str:
    """Return a text of exactly `characters` characters, in paragraphs."""
    random = Random(seed)
    found: list[str] = []
    size = 0
    while size < characters:
        found.append(_paragraph(random))
        size += len(found[-1]) + 2
    return "\n\n".join(found)[:characters]


def _paragraph(random: Random) -> str:
    return " ".join(_sentence(random) for _ in range(random.randint(3, 8)))


def _sentence(random: Random) -> str:
    words = random.choices(_WORDS, k=random.randint(6, 22))
    return f"{' '.join(words).capitalize()}."
