"""The blocks and commands of the project's documents, in order."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.engine.clone import PROJECT

PAGES = (
    PROJECT / "README.md",
    PROJECT / "CONTRIBUTING.md",
    *(page for page in sorted(PROJECT.glob("docs/*.md")) if page.name != "traps.md"),
)
"""Documents with commands."""

PROGRAMS = {"./seamless", "pulumi", "git", "export", "mkdir", "perl", "rm", "aws", "doctl"}
"""First words of the lines in blocks without a language."""

ANY_STACK = "integrated"
"""Replaces the word STACK."""

_BLOCK = r"^```(?P<language>\w*)\n(?P<content>.*?)^```"
_INLINE = r"`(?P<inline>(?:\./seamless [^`\s]+|pulumi config) [^`\n]+)`"
_GENERATED = re.compile(r"<!-- begin (?P<name>[\w-]+) -->.*?<!-- end (?P=name) -->", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Line:
    """A command of a document, without its comment."""

    document: str
    text: str


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """Language and content of every fenced block of a page."""
    for block in re.finditer(_BLOCK, page.read_text(), re.MULTILINE | re.DOTALL):
        yield block["language"], block["content"]


def lines(page: Path) -> list[Line]:
    """Every command of a page, in order, of blocks without a language and of sentences.

    A command of a sentence that is elsewhere in the page is left out, and so are generated parts.
    """
    text = _GENERATED.sub("", page.read_text()).replace("STACK", ANY_STACK)
    typed = [line for language, content in blocks(page) if not language for line in _typed(content)]
    typed = [line.replace("STACK", ANY_STACK) for line in typed]
    found: list[str] = []
    for shown in re.finditer(f"{_BLOCK}|{_INLINE}", text, re.MULTILINE | re.DOTALL):
        if shown["inline"]:
            found += [shown["inline"]] if shown["inline"] not in [*typed, *found] else []
        elif not shown["language"]:
            found += _typed(shown["content"])
    document = page.relative_to(PROJECT).as_posix()
    return [Line(document=document, text=text) for text in found]


def _typed(block: str) -> list[str]:
    commands = (re.sub(r"\s+# .*", "", line) for line in block.splitlines())
    return [line for line in commands if line]
