"""A pseudo-terminal: a program that asks a person is answered as a person would answer it."""

import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

_STYLE = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|\][^\x07\x1b]*(?:\x07|\x1b\\)|\])")
_WHERE_IS_THE_CURSOR = b"\x1b[6n"


def answer(
    command: Sequence[str],
    answers: Iterable[tuple[str, str]],
    *,
    folder: Path,
    environment: Mapping[str, str],
    seconds: float = 120,
) -> str:
    """Run a program in a folder, wait for each question in turn, type its answer.

    Args:
        answers: A part of each question, and what is typed; empty takes the default.

    Returns:
        All that the terminal showed, without colours.

    Raises:
        TimeoutError: when a question does not come, or the program does not end.
        CalledProcessError: when it ends with another status than 0.
    """
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    deadline, shown = time.monotonic() + seconds, b""
    try:
        for question, text in answers:
            since = len(shown)
            while question not in _plain(shown[since:]):
                more = _next(ours, deadline, question)
                assert more, f"It ended before it asked {question!r}:\n{_plain(shown)}"
                shown += more
            os.write(ours, f"{text}\r".encode())
        while more := _next(ours, deadline, "the end"):
            shown += more
        status = process.wait(max(0.1, deadline - time.monotonic()))
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    if status:
        raise subprocess.CalledProcessError(status, command, output=_plain(shown))
    return _plain(shown)


def _next(terminal: int, deadline: float, awaited: str) -> bytes:
    """What is shown next; nothing when the program has closed the terminal."""
    ready, _, _ = select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))
    if not ready:
        raise TimeoutError(f"The terminal never showed {awaited!r}.")
    try:
        more = os.read(terminal, 4096)
    except OSError:  # EIO is how Linux says that nobody holds the other end
        return b""
    if _WHERE_IS_THE_CURSOR in more:
        os.write(terminal, b"\x1b[1;1R")
    return more


def _plain(shown: bytes) -> str:
    return _STYLE.sub("", shown.decode(errors="replace")).replace("\r", "")
