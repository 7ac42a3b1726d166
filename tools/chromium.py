"""Find a Chromium for the browser tests, and install Debian's where none is there."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")
"""Programs that will do, best first."""

ARGUMENTS = (
    "--no-sandbox",  # root, as in most containers, cannot start the sandbox
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""What to start it with: quiet, and without a call to anyone but the page under test."""


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
            f"CHROMIUM is {named!r}, which is no program; name one that can be started, or unset it"
        )
    return None


def ensure(report: Callable[[str], None]) -> Path | None:
    """Return a Chromium, installing Debian's package when there is none and this user can.

    None means that there is none and that it cannot be installed from here; the reason was
    reported. `report` receives one line of progress at a time.
    """
    if found := find():
        return found
    if reason := _why_not():
        report(f"no Chromium, and {reason}")
        return None
    _apt_get(("update",), report)  # a list that cannot be refreshed may still be good enough
    _apt_get(("install", "--yes", "--no-install-recommends", "chromium"), report)
    return find()


def _why_not() -> str | None:
    """Say why Debian's package cannot be installed here, or None when it can."""
    if shutil.which("apt-get") is None or not Path("/etc/debian_version").exists():
        return "only Debian's package is installed automatically: install chromium, or set CHROMIUM"
    if os.geteuid() != 0:
        return "installing it needs root: sudo apt-get install chromium"
    return None


def _apt_get(command: tuple[str, ...], report: Callable[[str], None]) -> None:
    """Run one apt-get command; its lines, and a failure, are reported."""
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
        assert process.stdout is not None  # noqa: S101  # a pipe was asked for
        for output in process.stdout:
            report(output.rstrip())
    if process.returncode != 0:
        report(f"{' '.join(line)} ended with exit status {process.returncode}")
