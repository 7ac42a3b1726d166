"""Every command of the documents, executed in order in one clean clone.

A line is in the story of its document with its output, or in the table of lines that are not
executed, with the reason.
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
    """The rows with the reason why a line is not executed."""
    return [
        row
        for row in NOT_EXECUTED
        if fnmatchcase(line.document, row[0])
        and fnmatchcase(line.text.replace("[", "("), row[1].replace("[", "("))
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_line_is_executed_or_has_a_reason(page: Path) -> None:
    found = documents.lines(page)

    executed = [line.text for line in found if not why_not(line)]

    story = STORIES.get(page.relative_to(PROJECT).as_posix(), [])
    assert executed == [ran.text for ran in story]


def test_every_row_is_about_a_line_of_a_document() -> None:
    matched = {row for page in PAGES for line in documents.lines(page) for row in why_not(line)}

    assert matched == NOT_EXECUTED.keys()
    assert STORIES.keys() <= {page.relative_to(PROJECT).as_posix() for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_block_without_a_language_has_commands_only(page: Path) -> None:
    """Other blocks are marked ```text or ```json."""
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
    """A clean clone with a history, two documents and installed packages."""
    with clones.clone(tmp_path_factory.mktemp("reader"), "local") as copy:
        _install(copy)
        shutil.copy2(copy.root / "samples" / "river-report.pdf", copy.root / "report.pdf")
        shutil.copy2(copy.root / "samples" / "general-meeting.docx", copy.root / "minutes.docx")
        commit(copy.root, "Everything")
        yield copy


def _install(copy: Clone) -> None:
    """Give the clone a `.venv` with a valid stamp, so that nothing is downloaded."""
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
def test_the_commands_of_a_document_work_in_their_order(reader: Clone, document: str) -> None:
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
    """Run a line in a shell; its output with single spaces."""
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
    """Patterns for the lines of a block of a document, with any numbers."""
    (block,) = [
        content
        for language, content in documents.blocks(PROJECT / document)
        if language == "text" and content.startswith(begin)
    ]
    for line in block.replace("/home/you/seamless", str(reader.root)).splitlines():
        words = " ".join(line.removesuffix("...").split())
        yield re.compile(re.sub(r"\d+", r"\\d+", re.escape(words)))
