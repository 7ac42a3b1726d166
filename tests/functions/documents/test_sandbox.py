"""The sandbox: the child process has no secrets, and each of its crashes is a failure.

The sandbox does not isolate the network or other files, so no test is about them.
"""

import asyncio
import sys
import time
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from functions.documents import sandbox
from functions.documents.extract import MAX_DOCUMENT_BYTES, Limits, read
from functions.documents.memory import parser_mebibytes
from functions.documents.sandbox import read_isolated
from functions.errors import Code, Failure
from functions.handlers.digitalocean_limits import MAX_MEGABYTES
from tests.support.functions import files

pytestmark = pytest.mark.anyio

TEXT = "The quick brown fox jumps over the lazy dog."
SLOW = b"<html>" + b"<div>" * 200_000  # the HTML parser needs minutes for it


async def refusal(data: bytes, limits: Limits) -> Failure:
    """The failure of reading a document."""
    with pytest.raises(Failure) as caught:
        await read_isolated(data, limits=limits)
    return caught.value


@pytest.mark.parametrize(
    "data", [files.pdf([TEXT, "Page two."]), files.docx([TEXT]), "Größe. ".encode("utf-16") * 9]
)
async def test_the_child_reads_the_same_text_as_the_parent(data: bytes) -> None:
    assert await read_isolated(data) == read(data)


async def test_a_failure_of_the_child_is_raised_unchanged() -> None:
    failure = await refusal(files.encrypted_pdf(), Limits())

    assert failure.code is Code.ENCRYPTED
    assert failure.message.startswith("The PDF is password-protected")
    assert failure.remedy.startswith("Open it with the password")


async def test_an_empty_or_too_large_document_starts_no_child(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent")

    assert (await refusal(b"12345", Limits(max_bytes=4))).code is Code.TOO_LARGE
    assert (await refusal(b"", Limits())).code is Code.EMPTY_DOCUMENT


async def test_too_much_memory_is_a_parser_limit() -> None:
    limits = Limits(memory_bytes=100 << 20)
    failure = await refusal(b"many words " * 4_000_000, limits)

    assert failure.code is Code.PARSER_LIMIT
    assert failure.message == "Reading the document needs more than 100 MiB of memory."


async def test_a_large_document_is_read_where_a_function_has_one_gigabyte() -> None:
    limits = Limits(memory_bytes=parser_mebibytes(worker=MAX_MEGABYTES) << 20)
    text = "many words " * 900_000  # ten million characters: half of the limit

    assert (await read_isolated(text.encode(), limits=limits)).text == text.rstrip()


async def test_a_document_beyond_a_function_of_one_gigabyte_is_a_parser_limit() -> None:
    limits = Limits(memory_bytes=parser_mebibytes(worker=MAX_MEGABYTES) << 20)
    failure = await refusal(bytes(MAX_DOCUMENT_BYTES), limits)

    assert limits.memory_bytes >> 20 == 608
    assert failure.code is Code.PARSER_LIMIT


async def test_the_parent_needs_no_copy_of_a_document_to_send_it() -> None:
    data = b"many words " * (MAX_DOCUMENT_BYTES // 11)
    tracemalloc.start()
    try:
        failure = await refusal(data, Limits())
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert failure.code is Code.TOO_LARGE
    assert most < len(data) / 3  # a copy would be the whole


async def test_a_crash_is_a_parser_limit() -> None:
    one = f"BT /F 12 Tf 50 700 Td ({TEXT}) Tj ET\n".encode()
    bomb = files.page_pdf(zlib.compress(zlib.compress(one * 1_000_000)), filters=_TWICE)
    failure = await refusal(bomb, Limits(memory_bytes=200 << 20))

    assert failure.code is Code.PARSER_LIMIT
    assert "crashes the reader (SIG" in failure.message


async def test_too_much_processor_time_is_a_parser_limit() -> None:
    failure = await refusal(SLOW, Limits(cpu_seconds=1))

    assert failure.code is Code.PARSER_LIMIT
    assert failure.message == "Reading the document needs more than 1 seconds of processor time."


async def test_too_much_time_is_a_parser_limit_and_ends_the_child() -> None:
    failure = await refusal(SLOW, Limits(wall_seconds=0.3))

    assert failure.code is Code.PARSER_LIMIT
    assert failure.message == "Reading the document takes longer than 0.3 seconds."
    assert await _children_are_gone()


async def test_the_child_is_killed_when_the_caller_is_cancelled() -> None:
    reading = asyncio.create_task(read_isolated(SLOW))
    await _until(lambda: bool(_children()))
    reading.cancel()

    with pytest.raises(asyncio.CancelledError):
        await reading
    assert await _children_are_gone()


async def test_the_child_has_no_secret_and_cannot_write_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", "swordfish")
    reading = asyncio.create_task(read_isolated(SLOW))
    await _until(lambda: bool(_children()) and _children()[0].cpu_times().user > 0.3)
    (child,) = _children()
    environment = child.environ()
    files_open = [file.path for file in child.open_files() if not file.path.endswith(".pyc")]
    limits = {kind: child.rlimit(kind)[0] for kind in (psutil.RLIMIT_FSIZE, psutil.RLIMIT_AS)}
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading

    assert set(environment) <= {"PYTHONPATH", "LD_LIBRARY_PATH", "PYTHONHOME", "LC_CTYPE"}
    assert "swordfish" not in str(environment)
    assert files_open == []
    assert limits == {psutil.RLIMIT_FSIZE: 0, psutil.RLIMIT_AS: 1 << 30}


async def test_the_child_imports_its_code_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "functions.py").write_text("raise SystemExit('the wrong code')")
    monkeypatch.chdir(tmp_path)

    assert (await read_isolated(TEXT.encode())).text == TEXT


async def test_a_child_that_does_not_start_is_an_internal_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "_PACKAGE_FOLDER", str(tmp_path))
    monkeypatch.setattr(sys, "path", [])
    failure = await refusal(TEXT.encode(), Limits())

    assert failure.code is Code.INTERNAL
    assert "exit status 1" in failure.message


async def test_eight_documents_are_read_concurrently() -> None:
    data = [files.pdf([f"{TEXT} Number {number}."]) for number in range(8)]
    documents = await asyncio.gather(*map(read_isolated, data))

    assert [document.text[-2] for document in documents] == list("01234567")


_TWICE = b"/Filter[/FlateDecode/FlateDecode]"


def _children() -> list[psutil.Process]:
    return [c for c in psutil.Process().children() if "functions.documents.sandbox" in c.cmdline()]


async def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def _children_are_gone() -> bool:
    await _until(lambda: not _children())
    return True
