"""`./seamless test` runs pytest on every core with any further arguments."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console

from tools.ci import quality
from tools.engine.installation import Engine

PROCESSES = ["-n", "3", "--no-loadscope-reorder"]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[str]]:
    """The arguments of the started commands, on a machine with three cores."""
    commands: list[Sequence[str]] = []

    def run(command: Sequence[str], **_: object) -> subprocess.CompletedProcess[str]:
        commands.append(command[1:])
        return subprocess.CompletedProcess(command, 7)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    return commands


@pytest.mark.parametrize("arguments", [[], ["-k", "ledger", "-q"], ["-x"], ["-n0"]])
def test_arguments_keep_the_run_parallel(
    started: list[Sequence[str]], arguments: list[str]
) -> None:
    """pytest-xdist takes the last `-n`, so that `-n0` uses one process."""
    assert quality.test(Console(), "contract", arguments) == 7

    assert started == [["-m", "pytest", "tests/contract", *PROCESSES, *arguments]]


@pytest.mark.parametrize("argument", ["--pdb", "-s"])
def test_an_argument_that_needs_the_terminal_uses_one_process(
    started: list[Sequence[str]], argument: str
) -> None:
    quality.test(Console(), "contract", ["-x", argument])

    assert started == [["-m", "pytest", "tests/contract", "-x", argument]]


def test_options_without_a_part_run_all_tests(
    started: list[Sequence[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(directory=None, version="3.232.0", source="path")
    monkeypatch.setattr(quality, "ensure_engine", lambda _: engine)
    monkeypatch.setattr(quality, "find_chromium", lambda: Path("chromium"))

    quality.test(Console(), "-k", ["ledger"])

    assert started == [["-m", "pytest", *quality.PARTS["all"], *PROCESSES, "-k", "ledger"]]
