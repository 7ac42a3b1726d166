"""Fake programs for tests of the bootstrap and the engine's installation."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.bootstrap import exclusive


def program(folder: Path, name: str, script: str) -> Path:
    """Write an executable shell script called `name` in `folder`, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@contextmanager
def waiting(
    lock: Path, what: str, command: Callable[[Callable[[str], None]], object]
) -> Iterator[list[str]]:
    """Run a block under a lock for which a command waits; the messages of the command."""
    messages: list[str] = []
    waits = threading.Event()

    def report(line: str) -> None:
        messages.append(line)
        waits.set()

    with exclusive(lock, print, what):
        second = threading.Thread(target=command, args=[report])
        second.start()
        assert waits.wait(30)
        yield messages
    second.join(30)
