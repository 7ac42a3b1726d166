"""Find a Chromium for the browser tests, or install Debian's."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")
"""Suitable programs, best first."""

ARGUMENTS = (
    "--no-sandbox",  # root, as in most containers, cannot start the sandbox
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""Arguments of the browser: no network calls except to the page under test."""


def find() -> Path | None:
    """Return the Chromium that `CHROMIUM` names, else the first on PATH, else None.

    Raises:
        FileNotFoundError: `CHROMIUM` is set and names no program.
    """
    named = os.environ.get("CHROMIUM")
    for name in (named,) if named else NAMES:
        if program := shutil.which(name):
            return Path(program)
    if named:
        raise FileNotFoundError(
            f"CHROMIUM is {named!r}, which is not a program on PATH. Set it to one, or unset it"
        )
    return None


def ensure(report: Callable[[str], None]) -> Path | None:
    """Return a Chromium; install Debian's package if there is none.

    Returns None, after reporting the reason, if it cannot be installed. `report` receives one line
    of progress at a time.
    """
    if found := find():
        return found
    if reason := _why_not():
        report(f"Chromium is missing: {reason}")
        return None
    _apt_get(("update",), report)  # the install may work with an old list
    _apt_get(("install", "--yes", "--no-install-recommends", "chromium"), report)
    return find()


def _why_not() -> str | None:
    """The reason why Debian's package cannot be installed; None if it can."""
    if shutil.which("apt-get") is None or not Path("/etc/debian_version").exists():
        return "only Debian's package is installed automatically; install chromium or set CHROMIUM"
    if os.geteuid() != 0:
        return "installing it needs root: sudo apt-get install chromium"
    return None


def _apt_get(command: tuple[str, ...], report: Callable[[str], None]) -> None:
    """Run an apt-get command; report its output and a failure."""
    line = ("apt-get", *command)
    report(" ".join(line))
    with subprocess.Popen(
        line,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None  # noqa: S101  # stdout=PIPE
        for output in process.stdout:
            report(output.rstrip())
    if process.returncode != 0:
        report(f"{' '.join(line)} failed with exit code {process.returncode}")
