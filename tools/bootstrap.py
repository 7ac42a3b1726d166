"""Install `uv.lock` into `.venv`, on a machine that may have only Python.

`./seamless` runs this file with the Python that it found, so it uses only the standard library:
Debian's Python has no pip, venv or ensurepip.
"""

import fcntl
import hashlib
import io
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urljoin

ROOT = Path(__file__).resolve().parent.parent
"""The repository."""

UV_VERSION = "0.13.9"
UV_MINIMUM = (0, 8)
"""An older uv on PATH is ignored: it may not read our `uv.lock`."""

WHEELS = {
    ("Linux", "x86_64"): (
        "uv-0.13.9-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        "d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19",
    ),
    ("Linux", "aarch64"): (
        "uv-0.13.9-py3-none-manylinux_2_28_aarch64.whl",
        "ecb6028d79dc96fbeafffe5c8af62a7099487ebc05a701e76714eebcffd06375",
    ),
    ("Darwin", "arm64"): (
        "uv-0.13.9-py3-none-macosx_11_0_arm64.whl",
        "66c512266d633bef48384a1f53003f41f2a8e7b36fe6e7fbfd3e0fd52d96fa63",
    ),
    ("Darwin", "x86_64"): (
        "uv-0.13.9-py3-none-macosx_10_12_x86_64.whl",
        "c16ed11e013557536b3e60065f1b912f6407bd6518e041b961e23ef9e6b4fbf5",
    ),
}
"""The wheel of uv and its SHA-256, by system and machine (PyPI, 2026-11-22)."""

PROGRESS_SECONDS = 10.0
"""Longest time without a line of progress."""

Report = Callable[[str], None]
"""Receives one line of progress."""


class BootstrapError(Exception):
    """A prerequisite is missing; the message has the remedy."""


def cache_folder() -> Path:
    """The cache folder that all clones of a user share; it may not exist yet."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "seamless"


@contextmanager
def exclusive(lock: Path, report: Report, what: str) -> Iterator[None]:
    """Hold the file lock `lock`; report if another process must finish `what` first.

    The kernel releases the lock of a process that ends, killed ones included.

    Raises:
        BootstrapError: The folder of `lock` is not writable.
    """
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("w")
    except OSError as error:
        raise BootstrapError(
            f"cannot write {lock}: {error.strerror}. Set XDG_CACHE_HOME to a folder that you own"
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report(f"waiting for another process: {what}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def find_uv() -> Path | None:
    """A uv that is new enough: on PATH, else in the cache, else None."""
    found = shutil.which("uv")
    if found and _version(found) >= UV_MINIMUM:
        return Path(found)
    return _cached_uv() if _cached_uv().is_file() else None


def ensure_uv(report: Report) -> Path:
    """Return a uv; download the pinned one from PyPI into the cache if there is none.

    Raises:
        BootstrapError: PyPI did not answer, or the wheel has another hash.
    """
    if found := find_uv():
        return found
    target = _cached_uv()
    with exclusive(cache_folder() / "uv.lock", report, "downloading uv"):
        if target.is_file():
            return target
        started = time.monotonic()
        report(f"downloading uv {UV_VERSION} from PyPI")
        with tempfile.TemporaryDirectory(dir=cache_folder(), prefix=".uv-") as staging:
            binary = _uv_by_pip(Path(staging)) or _uv_by_wheel(Path(staging))
            target.parent.mkdir(parents=True, exist_ok=True)
            binary.rename(target)
        report(f"uv is ready after {time.monotonic() - started:.0f} s")
    return target


def uv_environment() -> dict[str, str]:
    """The environment of a uv that trusts this machine's certificates."""
    environment = {"UV_SYSTEM_CERTS": "true", **os.environ}
    environment["UV_PROJECT_ENVIRONMENT"] = str(ROOT / ".venv")
    environment.pop("VIRTUAL_ENV", None)
    return environment


def stamp() -> bytes:
    """The content of the stamp of an up-to-date `.venv`; `./seamless` compares it, too."""
    sources = [ROOT / "pyproject.toml", ROOT / "uv.lock"]
    return b"".join([f"{ROOT}\n".encode(), *(source.read_bytes() for source in sources)])


def in_step() -> bool:
    """Whether `.venv` is up to date with `uv.lock`."""
    written = ROOT / ".venv" / "seamless.stamp"
    python = ROOT / ".venv" / "bin" / "python"
    return python.exists() and written.is_file() and written.read_bytes() == stamp()


def sync(report: Report) -> None:
    """Install `uv.lock` into `.venv`, and write the stamp.

    Raises:
        BootstrapError: uv cannot be downloaded, or the packages do not install.
    """
    with exclusive(cache_folder() / "sync.lock", report, "making a virtual environment"):
        if in_step():
            return  # another process did it
        uv = ensure_uv(report)
        started = time.monotonic()
        report("installing the packages of uv.lock into .venv")
        written = ROOT / ".venv" / "seamless.stamp"
        written.unlink(missing_ok=True)
        # Resolved: a link such as /usr/bin/python3 may point to another Python tomorrow.
        python = os.path.realpath(sys.executable)
        _run([str(uv), "sync", "--locked", "--project", str(ROOT), "--python", python], report)
        written.write_bytes(stamp())
        report(f".venv is ready after {time.monotonic() - started:.0f} s")


def _run(command: list[str], report: Report) -> None:
    """Run uv: with its progress bars in a terminal, else with a line every few seconds."""
    shown = sys.stderr.isatty()
    started = time.monotonic()
    with subprocess.Popen(
        command, env=uv_environment(), stderr=None if shown else subprocess.PIPE, text=True
    ) as process:
        while True:
            try:
                _, errors = process.communicate(timeout=None if shown else PROGRESS_SECONDS)
                break
            except subprocess.TimeoutExpired:
                report(f"still installing after {time.monotonic() - started:.0f} s")
    if process.returncode:
        raise BootstrapError(
            f"uv sync failed with {process.returncode}:\n{errors or ''}"
            "Check the network and the free space, then run the command again"
        )


def _cached_uv() -> Path:
    return cache_folder() / f"uv-{UV_VERSION}" / "uv"


def _version(uv: str) -> tuple[int, ...]:
    """The first two numbers of a uv's version; () if it does not run."""
    try:
        answer = subprocess.run([uv, "--version"], capture_output=True, text=True, timeout=20)
        return tuple(int(part) for part in answer.stdout.split()[1].split(".")[:2])
    except (OSError, subprocess.SubprocessError, IndexError, ValueError):
        return ()


def _uv_by_pip(staging: Path) -> Path | None:
    """Install uv with pip, which uses the user's index; None if pip is missing or fails."""
    if find_spec("pip") is None:
        return None
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", "--target", str(staging / "pip")]
    outcome = subprocess.run([*command, f"uv=={UV_VERSION}"], capture_output=True)
    binary = staging / "pip" / "bin" / "uv"
    return binary if outcome.returncode == 0 and binary.is_file() else None


def _uv_by_wheel(staging: Path) -> Path:
    """Download the pinned wheel from the package index and unpack uv."""
    system = (platform.system(), platform.machine())
    if system not in WHEELS:
        raise BootstrapError(
            f"no uv is pinned for {' '.join(system)}; put uv {UV_VERSION} on PATH yourself: "
            "https://docs.astral.sh/uv/getting-started/installation/"
        )
    name, digest = WHEELS[system]
    wheel = _download(name)
    actual = hashlib.sha256(wheel).hexdigest()
    if actual != digest:
        raise BootstrapError(
            f"{name} has SHA-256 {actual}, but {digest} is pinned. Ask the operator of your "
            "package index, or put uv on PATH yourself"
        )
    binary = staging / "uv"
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        binary.write_bytes(archive.read(f"uv-{UV_VERSION}.data/scripts/uv"))
    binary.chmod(0o755)
    return binary


def _download(name: str) -> bytes:
    """The wheel `name` from the package index, by its JSON page (PEP 691)."""
    settings = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")
    named = [os.environ.get(setting, "") for setting in settings]
    # Only pip and uv handle an index with a password.
    index = next((url for url in named if url and "@" not in url), "https://pypi.org/simple")
    page = f"{index.rstrip('/')}/uv/"
    try:
        body, page = _get(page, accept="application/vnd.pypi.simple.v1+json")
        urls = {file["filename"]: file["url"] for file in json.loads(body)["files"]}
        return _get(urljoin(page, urls[name]), accept="*/*")[0]
    except (OSError, ValueError, KeyError) as error:
        raise BootstrapError(
            f"could not download {name} from the package index: {error}. Check the network, set "
            "UV_DEFAULT_INDEX to another index, or put uv on PATH yourself"
        ) from error


def _get(url: str, *, accept: str) -> tuple[bytes, str]:
    """The body at `url`, and the URL after redirects."""
    request = urllib.request.Request(url, headers={"Accept": accept})  # noqa: S310  # user's index
    with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310
        return answer.read(), answer.url


def main() -> int:
    """Run `sync` for `./seamless`, with progress on standard error."""
    try:
        sync(lambda line: print(f"seamless: {line}", file=sys.stderr, flush=True))
    except (BootstrapError, OSError) as error:
        print(f"seamless: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
