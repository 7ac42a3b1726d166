"""A reader's path: every command that the documents show, tried in order in one clean clone.

A line is in the story of its document, with what it has to print, or in the table of those that
are not executed, with the reason; the first test holds that, and needs no engine.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tests.conftest import GONE
from tests.support import documents
from tests.support.documents import PAGES, Line
from tests.support.engine import clone as clones
from tests.support.engine.clone import PROJECT, Clone
from tests.support.engine.scenarios import KEY, NOT_EXECUTED, SET_TOGETHER, STORIES, Ran, plans
from tests.support.history import commit, git

pytestmark = [
    pytest.mark.timeout(1200),
    pytest.mark.skipif(bool(GONE), reason="a fork's documents are its own"),
]


def why_not(line: Line) -> list[tuple[str, str]]:
    """The rows of the table that say why a line is not executed."""
    return [
        row
        for row in NOT_EXECUTED
        if fnmatchcase(line.document, row[0])
        and fnmatchcase(line.text.replace("[", "("), row[1].replace("[", "("))
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_line_is_executed_in_its_place_or_says_why_not(page: Path) -> None:
    """A new line of a document needs a row here: in its story, or in the table."""
    found = documents.lines(page)

    executed = [line.text for line in found if not why_not(line)]

    story = STORIES.get(page.relative_to(PROJECT).as_posix(), [])
    assert executed == [ran.text for ran in story]


def test_no_row_is_about_a_line_that_no_document_shows_any_more() -> None:
    matched = {row for page in PAGES for line in documents.lines(page) for row in why_not(line)}

    assert matched == NOT_EXECUTED.keys()
    assert STORIES.keys() <= {page.relative_to(PROJECT).as_posix() for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_block_without_a_language_holds_commands_only(page: Path) -> None:
    """What is no command says what it is, ```text or ```json, so that nothing is overlooked."""
    others = [
        line
        for language, content in documents.blocks(page)
        if not language
        for line in content.splitlines()
        if line and line.split()[0] not in documents.PROGRAMS
    ]

    assert others == []


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """A clean clone with a history, two documents of the reader's, and its packages installed."""
    with clones.clone(tmp_path_factory.mktemp("reader"), "local") as copy:
        _install(copy)
        shutil.copy2(copy.root / "samples" / "river-report.pdf", copy.root / "report.pdf")
        shutil.copy2(copy.root / "samples" / "general-meeting.docx", copy.root / "minutes.docx")
        commit(copy.root, "Everything")
        yield copy


def _install(copy: Clone) -> None:
    """Give the clone a `.venv` that `./seamless` takes for its own, so that it fetches nothing."""
    venv = copy.root / ".venv"
    venv.unlink()
    venv.mkdir()
    for part in ("bin", "lib", "include", "pyvenv.cfg"):
        (venv / part).symlink_to(PROJECT / ".venv" / part)
    made_from = [copy.root / "pyproject.toml", copy.root / "uv.lock"]
    (venv / "seamless.stamp").write_bytes(
        f"{copy.root}\n".encode() + b"".join(file.read_bytes() for file in made_from)
    )


@pytest.mark.engine
@pytest.mark.parametrize("document", STORIES)
def test_what_a_document_shows_works_in_its_order(reader: Clone, document: str) -> None:
    """Each line in a shell; the values that it sets are taken together, and then taken back."""
    for ran in STORIES[document]:
        printed = _typed(reader, ran)
        for words in ran.prints:
            assert words in printed, printed
        if ran.sample:
            for line in _sample(document, ran.sample, reader):
                assert line.search(printed), f"{line.pattern} is not in\n{printed}"
    if document in SET_TOGETHER:
        _typed(reader, plans(f"./seamless plan {SET_TOGETHER[document]}"))
    git(reader.root, "checkout", "--quiet", "stacks")


def _typed(reader: Clone, ran: Ran) -> str:
    """Type a line in a shell; all that it printed, with single spaces."""
    text = f"./seamless {ran.text}" if ran.text.startswith("pulumi ") else ran.text
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PULUMI_", "PYTHON"))}
    done = subprocess.run(
        ["sh", "-c", text],
        cwd=reader.root,
        env=environment | {"PULUMI_HOME": str(reader.root / "home"), "COLUMNS": "250"},
        input=f"{ran.answer}\n",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == ran.status, f"{ran.text}\n{done.stdout}"
    assert "Traceback" not in done.stdout
    assert KEY not in done.stdout
    return " ".join(done.stdout.split())


def _sample(document: str, begin: str, reader: Clone) -> Iterator[re.Pattern[str]]:
    """The lines of a block of a document, as they are on this machine; numbers are any numbers."""
    (block,) = [
        content
        for language, content in documents.blocks(PROJECT / document)
        if language == "text" and content.startswith(begin)
    ]
    for line in block.replace("/home/you/seamless", str(reader.root)).splitlines():
        words = " ".join(line.removesuffix("...").split())
        yield re.compile(re.sub(r"\d+", r"\\d+", re.escape(words)))
