"""The bundle: the application and its dependencies as one zip file per platform.

Both zips come from the same sources and the same `uv.lock`, and equal inputs give equal bytes. They
are cached by content in the user's cache folder. Why Python 3.13, whoever builds, and what happens
where there is none: docs/decisions/004-the-bundle-is-for-python-3-13.md.
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
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import pulumi
from pulumi.runtime.proto.engine_pb2_grpc import EngineStub
from pulumi.runtime.settings import get_engine

from components.shared_library import trim

PROJECT = Path(__file__).resolve().parents[1]

Platform = Literal["aws", "digitalocean"]

PYTHON = "3.13"
"""The Python of both platforms."""

ROOTS = {
    "certifi": ["certifi"],
    "chardet": ["chardet"],
    "httpx": ["httpx"],
    "msgspec": ["msgspec"],
    "obstore": ["obstore"],
    "psycopg[binary,pool]": ["psycopg", "psycopg_pool"],
    "pypdfium2": ["pypdfium2"],
    "selectolax": ["selectolax"],
    "sniffio": [],  # httpcore looks for it at every call, which costs most where it is missing
    "starlette": ["starlette"],
}
"""What the application needs, and the modules that it imports from it; `uv.lock` has the rest."""

NOT_SHIPPED = frozenset({"functions/handlers/local.py"})
"""Sources that no cloud runs: the local host stands on packages of its own."""

_USELESS = re.compile(
    r"^bin/|^\.lock$|(^|/)(__pycache__|tests?)/|(^|/)py\.typed$|\.(pyc|pyi|pyx|pxd|pxi|c|h)$"
    # importlib.metadata reads names and versions in METADATA; licences travel with what they cover
    r"|\.dist-info/(?!METADATA$|licenses/|LICEN[CS]E|COPYING|NOTICE)"
    # A command line, a plugin of pytest, another event loop, notes on how statistics were made
    r"|^pypdfium2_cli/|^anyio/(pytest_plugin|_backends/_trio)\.py$"
    r"|^chardet/models/training_metadata\.yaml$"
)
# anyio reads its own source to load its parts late: without it, an import loads them all.
_WITH_SOURCE = [("functions",), ("anyio",)]
_BUILDER = ["components/bundle.py", "components/shared_library.py"]
_INSTALL_SECONDS = 300
_KEPT_SECONDS = 30 * 24 * 3600

Report = Callable[[str], None]
"""Receives one line of progress."""


class BundleError(Exception):
    """A bundle cannot be built; the message says why and what to do about it."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a bundle is built for.

    Attributes:
        uv_platform: What uv calls the system and the machine, with the newest glibc to count on.
        python: The version of Python, such as `3.13`.
        runtime: What the platform calls that Python.
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
    """A zip file for one platform, or only its key where a plan has not built it.

    Attributes:
        path: The zip file; None where it is not built.
        key: SHA-256 of all that decides the contents. It is known before the zip is built, so it,
            and nothing read from the zip, belongs into the inputs of resources.
        bytes_packed: Size of the zip file; 0 where it is not built.
        bytes_unpacked: Size of all files in it; 0 where it is not built.
        runtime: What the platform calls the Python that runs it.
        compiled: Whether bytecode for that Python is, or would be, inside.
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
    """Return the bundle for a platform: the cached one, else a new one.

    Args:
        build: Whether to build one that is not cached; by default where a real engine runs the
            program. A preview compares what `up` would upload, and a plan never waits for a build.
        report: Receives lines of progress; by default they go to Pulumi's log.

    Raises:
        BundleError: uv is missing, or it does not install what `uv.lock` says.
    """
    target = TARGETS[platform]
    tell = report or pulumi.info
    if build is None:
        build = isinstance(get_engine(), EngineStub)
    compiler = find_python(target.python, install=False)
    path, key = _place(platform, compiler)
    if compiler is None and build and not path.is_file():
        # Once per bundle: where no Python can be had, asking takes seconds.
        compiler = find_python(target.python, install=True)
        path, key = _place(platform, compiler)
    if not path.is_file() and build:
        _forget_old(path.parent)
        started = time.monotonic()
        tell(f"bundle {platform}: building for Python {target.python}")
        if compiler is None:
            tell(
                f"bundle {platform}: without bytecode, so it starts slower: there is no Python "
                f"{target.python} on this machine. To get one: uv python install {target.python}"
            )
        write(target, path, compiler=compiler)
        tell(
            f"bundle {platform}: {path.stat().st_size / 1e6:.1f} MB packed, "
            f"{_unpacked(path) / 1e6:.1f} MB unpacked, {time.monotonic() - started:.0f} s"
        )
    built = path.is_file()
    return Bundle(
        path=path if built else None,
        key=key,
        bytes_packed=path.stat().st_size if built else 0,
        bytes_unpacked=_unpacked(path) if built else 0,
        runtime=target.runtime,
        compiled=compiler is not None,
    )


def _place(platform: Platform, compiler: Path | None) -> tuple[Path, str]:
    """Where a bundle is kept, and its key."""
    key = content_key(TARGETS[platform], compiled=compiler is not None)
    return _cache_folder() / "bundles" / f"{platform}-{key}.zip", key


def write(target: Target, path: Path, *, compiler: Path | None) -> None:
    """Build a bundle into the file `path`: packages at the root, beside `functions/`.

    Args:
        compiler: A Python of the target's version that makes bytecode; None for no bytecode.

    Raises:
        BundleError: As `bundle`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".building-") as folder:
        packages, root, archive = (Path(folder) / name for name in ("packages", "root", "zip"))
        _install(target, packages)
        found = {file.relative_to(packages).as_posix(): file for file in packages.rglob("*")}
        found |= {name: PROJECT / name for name in sources()}
        machine_code = {name.partition(".")[0] for name in found if name.endswith(".so")}
        for name, file in found.items():
            # Python takes machine code before a source of the same name.
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
    """The application's own files that are shipped, relative to the project, in order."""
    for path in sorted((PROJECT / "functions").rglob("*")):
        name = path.relative_to(PROJECT).as_posix()
        if path.is_file() and not _USELESS.search(name) and name not in NOT_SHIPPED:
            yield name


def content_key(target: Target, *, compiled: bool) -> str:
    """Return the SHA-256 of all that decides what is in a bundle, without building it."""
    digest = hashlib.sha256(f"{target} {compiled}".encode())
    for name in [*sources(), "uv.lock", *_BUILDER]:
        content = (PROJECT / name).read_bytes()
        digest.update(f"\n{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


@cache
def find_python(version: str, *, install: bool) -> Path | None:
    """Return a Python of this version, such as `3.13`: this one, else one that uv finds, else None.

    Args:
        install: Whether uv may download one where there is none, into its own folder.
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


def _install(target: Target, into: Path) -> None:
    """Install wheels of ROOTS and all that they need, as uv.lock has their versions and hashes."""
    lock = _uv("export", "--project", str(PROJECT), "--frozen", "--no-dev", "--no-emit-project")
    versions = dict(re.findall(r"^([a-z0-9-]+)==([^ ;]+)", lock, re.MULTILINE))
    roots = [f"{root}=={versions[root.partition('[')[0]]}" for root in ROOTS]
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
    """Run uv and return what it prints."""
    on_path = shutil.which("uv")
    program = Path(on_path) if on_path else max(_cache_folder().glob("uv-*/uv"), default=None)
    if program is None:
        raise BundleError(
            "uv is not on PATH, and it makes the bundle. Start with ./seamless, which gets one, "
            "or install it: https://docs.astral.sh/uv/getting-started/installation/"
        )
    # The machine's certificates, as ./seamless has it; a pyenv otherwise hides all but its default.
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
            "index answers, then run the command again: it goes on with what was downloaded"
        ) from error
    if done.returncode:
        raise BundleError(
            f"uv {arguments[0]} failed with {done.returncode}:\n{done.stderr}"
            "Check that the package index answers, and that uv.lock fits pyproject.toml (uv lock)"
        )
    return done.stdout


def _compile(python: Path, root: Path) -> None:
    """Put bytecode beside every module; it is never compared with its source again.

    One process, in sorted order, with a fixed hash seed and without the folder's name: all of these
    leave traces in bytecode.
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
            f"{python} does not compile the bundle; the code must be valid in Python {PYTHON}:\n"
            f"{done.stdout}{done.stderr}"
        )


def _drop_sources_of_packages(root: Path) -> None:
    """Leave only bytecode of packages: a traceback then names their lines without showing them."""
    for bytecode in sorted(root.rglob("__pycache__/*.pyc")):
        folder, module = bytecode.parent.parent, bytecode.name.partition(".")[0]
        if folder.relative_to(root).parts[:1] not in _WITH_SOURCE:
            (folder / f"{module}.py").unlink()
            bytecode.replace(folder / f"{module}.pyc")


def _zip(root: Path, path: Path) -> None:
    """Write all files of a folder in the order of their names, with equal times and permissions."""
    with zipfile.ZipFile(path, "w") as archive:
        files = (file for file in root.rglob("*") if file.is_file())
        for name in sorted(file.relative_to(root).as_posix() for file in files):
            info = zipfile.ZipInfo(name)  # at 1980-01-01
            info.create_system = 3  # Unix, whatever the builder's
            info.external_attr = 0o100644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, (root / name).read_bytes())


def _unpacked(path: Path) -> int:
    with zipfile.ZipFile(path) as archive:
        return sum(entry.file_size for entry in archive.infolist())


def _forget_old(folder: Path) -> None:
    """Remove bundles that are old: every change of the code makes another one."""
    for path in folder.glob("*.zip"):
        if path.stat().st_mtime < time.time() - _KEPT_SECONDS:
            path.unlink(missing_ok=True)


def _cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "seamless"
