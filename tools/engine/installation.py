"""Find a Pulumi engine, or install or build one that every clone of this user shares."""

import os
import re
import shutil
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Literal

from tools.bootstrap import ROOT, BootstrapError, cache_folder, exclusive, find_uv
from tools.engine import build

MINIMUM = (3, 200, 0)
"""An older `pulumi` on PATH is ignored."""

INSTALLER = "https://get.pulumi.com/install.sh"
DYNAMIC = "pulumi-resource-pulumi-python"
"""The program that runs dynamic providers; the vendor ships it beside `pulumi`."""

Source = Literal["path", "installer", "build"]


class EngineError(Exception):
    """No engine is available; the message has the cause and the remedy."""


@dataclass(frozen=True, kw_only=True)
class Engine:
    """A Pulumi engine that can run this project.

    Attributes:
        directory: The folder with `bin/pulumi`, for `PulumiCommand(root=...)`; None for the
            engine on PATH.
        version: Without a `v`: `3.232.0`.
        source: How it was obtained.
    """

    directory: Path | None
    version: str
    source: Source

    @property
    def command(self) -> Path:
        """The `pulumi` program."""
        if self.directory:
            return self.directory / "bin" / "pulumi"
        found = shutil.which("pulumi")
        if found is None:
            raise EngineError("pulumi is no longer on PATH; run the command again")
        return Path(found)

    def environment(self, *, language_host: bool = False) -> dict[str, str]:
        """The environment variables to run this engine with our virtual environment.

        Args:
            language_host: Add the Python language host, which a plain `pulumi up` needs and the
                Automation API does not. Our own build then runs no policy pack, since its host is
                older than policy packs with a host.
        """
        venv = ROOT / ".venv"
        # First, because our language host takes the first Python on PATH (docs/traps.md).
        programs = [venv / "bin"]
        modules = [ROOT]
        if self.directory:
            programs.append(self.directory / "bin")
        if language_host and self.directory and self.source == "build":
            programs.append(self.directory / "host")
            modules.append(self.directory / "host" / "site")
        elif language_host and (uv := find_uv()):
            programs.append(uv.parent)  # for `toolchain: uv` in Pulumi.yaml
        return {
            "PATH": _before("PATH", programs),
            "PULUMI_RUNTIME_VIRTUALENV": str(venv),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            # A dynamic provider is pickled by reference: its process imports components.*.
            "PYTHONPATH": _before("PYTHONPATH", modules),
        }


def find() -> Engine | None:
    """The engine on PATH if it is new enough, else the newest cached one, else None."""
    return _on_path() or _cached()


def ensure(report: Callable[[str], None]) -> Engine:
    """Return an engine: an existing one, else from the vendor's installer, else built here.

    Args:
        report: Receives one line of progress at a time.

    Raises:
        EngineError: none of the three worked; has the end of the log and the remedy.
    """
    if engine := find():
        return engine
    try:
        with exclusive(_folder() / "lock", report, "installing the Pulumi engine"):
            return _cached() or _install(report) or _build(report)
    except BootstrapError as error:
        raise EngineError(str(error)) from error


def _before(variable: str, folders: list[Path]) -> str:
    """A search path: `folders`, then those of `variable`, each once."""
    present = os.environ.get(variable, "").split(os.pathsep)
    return os.pathsep.join(dict.fromkeys([*map(str, folders), *filter(None, present)]))


def _folder() -> Path:
    return cache_folder() / "engine"


def _on_path() -> Engine | None:
    found = shutil.which("pulumi")
    if found is None or Path(found).resolve().is_relative_to(_folder().resolve()):
        return None  # our own cached engine: `_cached` returns it
    beside = str(Path(found).resolve().parent)
    if not shutil.which(DYNAMIC) and not shutil.which(DYNAMIC, path=beside):
        return None
    try:
        answer = subprocess.run(
            [found, "version"],
            capture_output=True,
            text=True,
            timeout=20,
            env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"},
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
    if _numbers(answer) < MINIMUM:
        return None
    return Engine(directory=None, version=answer.removeprefix("v"), source="path")


def _cached() -> Engine | None:
    """The newest engine in the cache; a folder gets its name when it is complete."""
    folders = [folder for folder in _folder().glob("v*") if (folder / "bin" / "pulumi").is_file()]
    if not folders:
        return None
    newest = max(folders, key=lambda folder: _numbers(folder.name))
    source: Source = "build" if (newest / "host").is_dir() else "installer"
    return Engine(directory=newest, version=newest.name.removeprefix("v"), source=source)


def _numbers(version: str) -> tuple[int, ...]:
    """The numbers of `v3.232.0`; () for anything else."""
    match = re.match(r"v?(\d+)\.(\d+)\.(\d+)", version)
    return tuple(map(int, match.groups())) if match else ()


def _install(report: Callable[[str], None]) -> Engine | None:
    """Run the vendor's installer; None if it is unreachable or fails."""
    if not _answers(INSTALLER, seconds=3):
        report("the vendor's installer does not answer; building the engine from Go modules")
        return None
    version = installed_version("pulumi")
    code = "import sys; from pulumi.automation import PulumiCommand as P; P.install(sys.argv[1])"
    try:
        with build.staging(_folder()) as folder:
            build.logged(
                [sys.executable, "-c", code, str(folder)],
                what=f"installing Pulumi {version} with the vendor's installer",
                log=_folder() / "install.log",
                report=report,
                seconds=600,
            )
            return _finished(folder, version, "installer")
    except build.StepError as error:
        report(f"{error}\nbuilding the engine from Go modules instead")
        return None


def _build(report: Callable[[str], None]) -> Engine:
    try:
        with build.staging(_folder()) as folder:
            build.build(folder, report)
            return _finished(folder, build.VERSION, "build")
    except build.StepError as error:
        raise EngineError(
            f"{error}\nThe engine was not built. Fix the cause and run the command again (it keeps "
            "what was downloaded), or put Pulumi's own CLI on PATH: "
            "https://www.pulumi.com/docs/install/"
        ) from error


def _finished(folder: Path, version: str, source: Source) -> Engine:
    """Rename a complete folder to the name that `_cached` looks for."""
    target = _folder() / f"v{version}"
    shutil.rmtree(target, ignore_errors=True)
    folder.rename(target)
    return Engine(directory=target, version=version, source=source)


def _answers(url: str, *, seconds: float) -> bool:
    """Whether `url` answers in time. In a thread, since a DNS lookup has no timeout."""
    answers: list[int] = []

    def ask() -> None:
        request = urllib.request.Request(url, method="HEAD")  # noqa: S310  # a constant https URL
        try:
            with urllib.request.urlopen(request, timeout=seconds) as answer:  # noqa: S310
                answers.append(answer.status)
        except (OSError, ValueError):
            answers.clear()

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    return answers == [200]
