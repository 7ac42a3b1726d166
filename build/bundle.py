"""The bundle: the application and its dependencies as one zip file per platform.

Both zips come from the same sources and the same `uv.lock`, and equal inputs give equal bytes. They
are cached by content in the user's cache folder. The choice of Python 3.13, and a build without it:
docs/decisions/004-the-bundle-is-for-python-3-13.md.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import pulumi
from pulumi.runtime.proto.engine_pb2_grpc import EngineStub
from pulumi.runtime.settings import get_engine

from build.elf_strip import trim

PROJECT = Path(__file__).resolve().parents[1]

Platform = Literal["aws", "digitalocean"]

PYTHON = "3.13"
"""Version of Python on both platforms."""

ROOTS = {
    "certifi": ["certifi"],
    "chardet": ["chardet"],
    "httpx": ["httpx"],
    "msgspec": ["msgspec"],
    "obstore": ["obstore"],
    "psycopg[binary,pool]": ["psycopg", "psycopg_pool"],
    "pypdfium2": ["pypdfium2"],
    "selectolax": ["selectolax"],
    "sniffio": [],  # httpcore imports it at every call, which is slow if it is missing
    "starlette": ["starlette"],
}
"""The application's direct dependencies with their modules; `uv.lock` has the transitive ones."""

NOT_SHIPPED = frozenset({"functions/handlers/local.py"})
"""Sources that no cloud runs: the local host needs packages that are not in the bundle."""

_USELESS = re.compile(
    r"^bin/|^\.lock$|(^|/)(__pycache__|tests?)/|(^|/)py\.typed$|\.(pyc|pyi|pyx|pxd|pxi|c|h)$"
    # importlib.metadata reads names and versions in METADATA; licences stay with their packages
    r"|\.dist-info/(?!METADATA$|licenses/|LICEN[CS]E|COPYING|NOTICE)"
    # A command line, a pytest plugin, another event loop, notes on training data
    r"|^pypdfium2_cli/|^anyio/(pytest_plugin|_backends/_trio)\.py$"
    r"|^chardet/models/training_metadata\.yaml$"
)
# anyio reads its own source for lazy imports; without it, an import loads all its modules.
_WITH_SOURCE = [("functions",), ("anyio",)]
_BUILDER = ["build/bundle.py", "build/elf_strip.py"]
_INSTALL_SECONDS = 300
_KEPT_SECONDS = 30 * 24 * 3600

Report = Callable[[str], None]
"""Receives one line of progress."""


class BundleError(Exception):
    """A bundle cannot be built; the message has the cause and the remedy."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """The platform of a bundle.

    Attributes:
        uv_platform: uv's name of operating system, machine and the platform's glibc version.
        python: The version of Python, such as `3.13`.
        runtime: The platform's name of that Python.
        entry: Text of `__main__.py` at the root; empty for none.
    """

    uv_platform: str
    python: str
    runtime: str
    entry: str


TARGETS: dict[Platform, Target] = {
    "aws": Target(
        uv_platform="aarch64-manylinux_2_28", python=PYTHON, runtime=f"python{PYTHON}", entry=""
    ),
    "digitalocean": Target(
        uv_platform="x86_64-manylinux_2_28",
        python=PYTHON,
        runtime=f"python:{PYTHON}",
        # Functions run on OpenWhisk, whose Python runtime imports `__main__.py`.
        entry="from functions.handlers.digitalocean import main as main\n",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A zip file for one platform, or only its key in a plan.

    Attributes:
        path: The zip file; None in a plan.
        key: SHA-256 of everything that determines the contents. It is known before the zip is
            built, so inputs of resources use it, and nothing that is read from the zip.
        bytes_packed: Size of the zip file; 0 in a plan.
        bytes_unpacked: Size of all files in it; 0 in a plan.
        runtime: The platform's name of the Python that runs it.
        compiled: True if the zip has, or would have, bytecode for that Python.
    """

    path: Path | None
    key: str
    bytes_packed: int
    bytes_unpacked: int
    runtime: str
    compiled: bool


def bundle(
    platform: Platform, *, build: bool | None = None, report: Report | None = None
) -> Bundle:
    """Return the cached bundle of a platform, or build it.

    Args:
        build: True builds a bundle that is not cached; the default is True if a real engine runs
            the program. False returns the key alone, so that a plan waits for no build and does not
            depend on the cache.
        report: Receives lines of progress; by default they go to Pulumi's log.

    Raises:
        BundleError: uv is missing, or cannot install the packages of `uv.lock`.
    """
    target = TARGETS[platform]
    log = report or pulumi.info
    if build is None:
        build = isinstance(get_engine(), EngineStub)
    compiler = find_python(target.python, install=False)
    path, key = _place(platform, compiler)
    if compiler is None and build and not path.is_file():
        # Only if the bundle must be built: a failing installation takes seconds.
        compiler = find_python(target.python, install=True)
        path, key = _place(platform, compiler)
    if not path.is_file() and build:
        _forget_old(path.parent)
        started = time.monotonic()
        log(f"bundle {platform}: building for Python {target.python}")
        if compiler is None:
            log(
                f"bundle {platform}: without bytecode, so it starts slower: there is no Python "
                f"{target.python} on this machine. Install it: uv python install {target.python}"
            )
        write(target, path, compiler=compiler)
        log(
            f"bundle {platform}: {path.stat().st_size / 1e6:.1f} MB packed, "
            f"{_unpacked(path) / 1e6:.1f} MB unpacked, {time.monotonic() - started:.0f} s"
        )
    return Bundle(
        path=path if build else None,
        key=key,
        bytes_packed=path.stat().st_size if build else 0,
        bytes_unpacked=_unpacked(path) if build else 0,
        runtime=target.runtime,
        compiled=compiler is not None,
    )


def _place(platform: Platform, compiler: Path | None) -> tuple[Path, str]:
    """The path of a bundle in the cache, and its key."""
    key = content_key(TARGETS[platform], compiled=compiler is not None)
    return _cache_folder() / "bundles" / f"{platform}-{key}.zip", key


def write(target: Target, path: Path, *, compiler: Path | None) -> None:
    """Build a bundle into the file `path`: packages at the root, beside `functions/`.

    Args:
        compiler: A Python of the target's version that compiles bytecode; None for no bytecode.

    Raises:
        BundleError: As `bundle`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".building-") as folder:
        packages, root, archive = (Path(folder) / name for name in ("packages", "root", "zip"))
        install(target, packages, ROOTS)
        files = {file.relative_to(packages).as_posix(): file for file in packages.rglob("*")}
        files |= {name: PROJECT / name for name in sources()}
        machine_code = {name.partition(".")[0] for name in files if name.endswith(".so")}
        for name, file in files.items():
            # Python prefers an extension module to a source file of the same name.
            shadowed = name.endswith(".py") and name.removesuffix(".py") in machine_code
            if file.is_file() and not shadowed and not _USELESS.search(name):
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_bytes(trim(file.read_bytes()))
        if compiler:
            _compile(compiler, root)
            _drop_sources_of_packages(root)
        if target.entry:
            (root / "__main__.py").write_text(target.entry)
        _zip(root, archive)
        archive.replace(path)


def sources() -> Iterator[str]:
    """The application's own files in the bundle, relative to the project, in order."""
    for path in sorted((PROJECT / "functions").rglob("*")):
        name = path.relative_to(PROJECT).as_posix()
        if path.is_file() and not _USELESS.search(name) and name not in NOT_SHIPPED:
            yield name


def content_key(target: Target, *, compiled: bool) -> str:
    """Return the SHA-256 of everything that determines a bundle's contents, without building it."""
    digest = hashlib.sha256(f"{target} {compiled}".encode())
    for name in [*sources(), "uv.lock", *_BUILDER]:
        content = (PROJECT / name).read_bytes()
        digest.update(f"\n{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


@cache
def find_python(version: str, *, install: bool) -> Path | None:
    """Return a Python of this version, such as `3.13`: the running one, one that uv finds, or None.

    Args:
        install: True lets uv download one into its own folder if there is none.
    """
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return Path(sys.executable)
    find = ("python", "find", version, "--no-project", "--no-python-downloads")
    with suppress(BundleError):
        return Path(_uv(*find).strip())
    if install:
        with suppress(BundleError):
            _uv("python", "install", version, "--no-bin")
            return Path(_uv(*find).strip())
    return None


def install(target: Target, into: Path, names: Iterable[str], *, development: bool = False) -> None:
    """Install the wheels of packages and their dependencies, with versions and hashes of uv.lock.

    Args:
        names: Packages, with extras such as `psycopg[binary,pool]`.
        development: True allows packages that only the repository's tests need.

    Raises:
        BundleError: uv is missing, or cannot install a package.
    """
    groups = () if development else ("--no-dev",)
    lock = _uv("export", "--project", str(PROJECT), "--frozen", *groups, "--no-emit-project")
    versions = dict(re.findall(r"^([a-z0-9-]+)==([^ ;]+)", lock, re.MULTILINE))
    roots = [f"{name}=={versions[name.partition('[')[0]]}" for name in names]
    constraints, requirements = into.with_name("lock.txt"), into.with_name("roots.txt")
    constraints.write_text(lock)
    requirements.write_text("\n".join(roots))
    _uv(
        *("pip", "install", "--python", sys.executable, "--target", str(into)),
        *("--python-platform", target.uv_platform, "--python-version", target.python),
        *("--only-binary", ":all:", "--require-hashes"),
        *("--requirements", str(requirements), "--constraints", str(constraints)),
    )


def _uv(*arguments: str) -> str:
    """Run uv and return its output."""
    on_path = shutil.which("uv")
    program = Path(on_path) if on_path else max(_cache_folder().glob("uv-*/uv"), default=None)
    if program is None:
        raise BundleError(
            "uv, which builds the bundle, is not on PATH. Run ./seamless, which installs it, or "
            "install it: https://docs.astral.sh/uv/getting-started/installation/"
        )
    # The machine's certificates, as in ./seamless; pyenv hides all versions but its default.
    environment = {"UV_SYSTEM_CERTS": "true", "PYENV_VERSION": PYTHON, **os.environ}
    environment.pop("VIRTUAL_ENV", None)
    try:
        done = subprocess.run(
            [program, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=_INSTALL_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise BundleError(
            f"uv {arguments[0]} took longer than {_INSTALL_SECONDS} s. Check that the package "
            "index is reachable, then run the command again: it continues with the downloaded files"
        ) from error
    if done.returncode:
        raise BundleError(
            f"uv {arguments[0]} failed with {done.returncode}:\n{done.stderr}"
            "Check that the package index is reachable, and that uv.lock matches pyproject.toml "
            "(uv lock)"
        )
    return done.stdout


def _compile(python: Path, root: Path) -> None:
    """Compile every module to bytecode, which Python does not compare with its source.

    One process, in sorted order, with a fixed hash seed and without the folder's name: each of
    these would change the bytecode.
    """
    command = [str(python), "-m", "compileall", "-q", "-s", str(root), str(root)]
    done = subprocess.run(
        [*command, "--invalidation-mode", "unchecked-hash"],
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise BundleError(
            f"{python} cannot compile the bundle; the code must be valid in Python {PYTHON}:\n"
            f"{done.stdout}{done.stderr}"
        )


def _drop_sources_of_packages(root: Path) -> None:
    """Keep only the bytecode of packages: a traceback has their line numbers without source."""
    for bytecode in sorted(root.rglob("__pycache__/*.pyc")):
        folder, module = bytecode.parent.parent, bytecode.name.partition(".")[0]
        if folder.relative_to(root).parts[:1] not in _WITH_SOURCE:
            (folder / f"{module}.py").unlink()
            bytecode.replace(folder / f"{module}.pyc")


def _zip(root: Path, path: Path) -> None:
    """Write all files of a folder in order of name, with fixed times and permissions."""
    with zipfile.ZipFile(path, "w") as archive:
        files = (file for file in root.rglob("*") if file.is_file())
        for name in sorted(file.relative_to(root).as_posix() for file in files):
            info = zipfile.ZipInfo(name)  # at 1980-01-01
            info.create_system = 3  # Unix on every machine
            info.external_attr = 0o100644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, (root / name).read_bytes())


def _unpacked(path: Path) -> int:
    with zipfile.ZipFile(path) as archive:
        return sum(entry.file_size for entry in archive.infolist())


def _forget_old(folder: Path) -> None:
    """Remove old bundles: every change of the code creates another one."""
    for path in folder.glob("*.zip"):
        if path.stat().st_mtime < time.time() - _KEPT_SECONDS:
            path.unlink(missing_ok=True)


def _cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "seamless"
