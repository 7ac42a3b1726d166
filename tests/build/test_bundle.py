"""The bundles hold what the application needs and no more, in equal bytes for equal inputs.

Real wheels are installed for both platforms. The application is imported from a bundle that is
built for the Python of this machine; what only the platforms' own machines can run is read.
"""

import ast
import hashlib
import json
import platform
import re
import struct
import subprocess
import sys
import tomllib
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pulumi
import pytest
from pulumi.runtime.mocks import MockEngine
from pulumi.runtime.proto.engine_pb2_grpc import EngineStub

from build import bundle as bundles
from build.bundle import (
    PROJECT,
    ROOTS,
    TARGETS,
    Bundle,
    BundleError,
    Target,
    bundle,
    content_key,
    find_python,
    sources,
    write,
)
from tests.support.engine.fakes import program

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
HERE = replace(TARGETS["digitalocean"], python=VERSION)
ON_LINUX_X86 = sys.platform == "linux" and platform.machine() == "x86_64"
BUILDER = ["build/bundle.py", "build/elf_strip.py"]
PROVIDED = {"boto3", "botocore"}
"""Modules that the platform's own runtime has."""

CLOSURE = {
    "anyio",
    "certifi",
    "chardet",
    "h11",
    "httpcore",
    "httpx",
    "idna",
    "msgspec",
    "obstore",
    "psycopg",
    "psycopg-binary",
    "psycopg-pool",
    "pypdfium2",
    "selectolax",
    "sniffio",
    "starlette",
    "typing-extensions",
}
"""All that is shipped: a new name here is a decision."""


def build(target: Target, path: Path) -> Path:
    """Build a bundle, with bytecode where there is a Python for it; the tests download none."""
    write(target, path, compiler=find_python(target.python, install=False))
    return path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Bundles that were built at the same time: for the Python that runs the tests, and for AWS."""
    targets = {"here": HERE, "here again": HERE, "aws": TARGETS["aws"]}
    paths = {name: tmp_path_factory.mktemp(name) / "zip" for name in targets}
    with ThreadPoolExecutor() as pool:
        return dict(zip(paths, pool.map(build, targets.values(), paths.values()), strict=True))


@pytest.fixture
def here(built: dict[str, Path]) -> Path:
    """A bundle for x86-64 and the Python that runs the tests."""
    return built["here"]


@pytest.fixture
def arm64(built: dict[str, Path]) -> Path:
    """The bundle for AWS."""
    return built["aws"]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, a builder that writes what it was asked for, and a Python."""

    def written(target: Target, path: Path, *, compiler: Path | None) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("target", target.uv_platform)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(bundles, "write", written)
    monkeypatch.setattr(bundles, "find_python", lambda version, *, install: tmp_path / version)
    return tmp_path


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A real engine runs the program; it is never spoken to."""
    monkeypatch.setattr(bundles, "get_engine", lambda: object.__new__(EngineStub))


def members(path: Path) -> dict[str, bytes]:
    """The files of a zip by name."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def third_party_imports() -> set[str]:
    """The packages outside the standard library that the shipped sources import."""
    found = set()
    for name in sources():
        if name.endswith(".py"):
            for node in ast.walk(ast.parse((PROJECT / name).read_bytes())):
                if isinstance(node, ast.Import):
                    found |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    found.add(node.module.partition(".")[0])
    return found - sys.stdlib_module_names - {"functions"} - PROVIDED


def test_the_roots_are_what_the_application_imports() -> None:
    """Nothing is missing from the bundle, and nothing is in it for no reason."""
    assert third_party_imports() == {module for modules in ROOTS.values() for module in modules}


def test_the_project_depends_on_every_root() -> None:
    """So the lock file has a version for each; httpx declares certifi."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    declared = {requirement.partition(">=")[0] for requirement in project["dependencies"]}

    assert set(ROOTS) - declared <= {"certifi"}


def test_the_bundle_has_the_locked_versions_of_the_closure_and_nothing_else(here: Path) -> None:
    """No web server, no Pulumi, no tool."""
    locked = {
        package["name"]: package["version"]
        for package in tomllib.loads((PROJECT / "uv.lock").read_text())["package"]
    }
    names = " ".join(members(here))
    shipped = re.findall(r"(\S+)-(\S+)\.dist-info/METADATA", names)

    assert {name.replace("_", "-"): version for name, version in shipped} == {
        name: locked[name] for name in CLOSURE
    }


def test_the_bundle_has_the_page_the_migrations_and_every_handler_of_a_cloud(here: Path) -> None:
    """The application's files are those of the project, byte for byte."""
    files = members(here)
    shipped = {name for name in files if name.startswith("functions/") and ".pyc" not in name}

    assert shipped == set(sources())
    assert {
        "functions/api/page/index.html",
        "functions/storage/migrations/0001_documents.sql",
    } <= shipped
    assert "functions/handlers/local.py" not in shipped
    assert all(files[name] == (PROJECT / name).read_bytes() for name in shipped)


@pytest.mark.skipif(not ON_LINUX_X86, reason="the bundle has machine code for Linux on x86-64")
def test_the_application_runs_from_the_bundle_alone(here: Path, tmp_path: Path) -> None:
    """No installed package helps: every module is the standard library's or the bundle's."""
    with zipfile.ZipFile(here) as archive:
        archive.extractall(tmp_path)
    handlers = [
        name.removesuffix(".py").replace("/", ".")
        for name in sources()
        if name.startswith("functions/handlers/") and name.endswith(".py")
    ]
    program = """
import importlib, json, sys
sys.path.insert(0, ".")
for handler in sys.argv[1:]:
    importlib.import_module(handler)
import functions.api.routes, functions.application, functions.documents.sandbox, psycopg, pypdfium2
from functions.summary.chunking import split
from functions.documents.extract import read
print(json.dumps({
    "text": read(b"<!doctype html><p>" + b"A house has a door. " * 30).text[:19],
    "pieces": len(list(split("A house has a door. " * 300, 500))),
    "psycopg": psycopg.pq.__impl__,
    "bytecode": functions.api.routes.__spec__.cached,
    "files": [m.__file__ for m in list(sys.modules.values()) if getattr(m, "__file__", None)],
    "standard": [sys.base_prefix],
    "early": [name for name in ("anyio.to_process", "anyio.streams.tls") if name in sys.modules],
}))
"""
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-v", "-c", program, *handlers],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    said = json.loads(run.stdout)

    assert said["text"] == "A house has a door."
    assert said["pieces"] > 1
    assert said["psycopg"] == "binary"
    assert f"matches {tmp_path}/functions/api.py" in run.stderr  # -v: bytecode was taken
    inside = [file for file in said["files"] if not file.startswith(said["standard"][0])]
    assert len(inside) > 100
    assert said["early"] == []  # anyio loads its parts late, for which it reads its own source
    assert [file for file in inside if not file.startswith(str(tmp_path))] == []


def test_two_builds_in_two_folders_at_the_same_time_have_equal_bytes(
    built: dict[str, Path],
) -> None:
    """Bytecode included; and nothing of the building is left."""
    first, second = built["here"], built["here again"]

    assert first.parent != second.parent
    assert (
        hashlib.sha256(first.read_bytes()).digest() == hashlib.sha256(second.read_bytes()).digest()
    )
    assert "functions/__pycache__/api.cpython-" in " ".join(members(first))
    assert [list(path.parent.iterdir()) for path in (first, second)] == [[first], [second]]


def test_a_bundle_says_nothing_about_the_machine_that_built_it(here: Path, arm64: Path) -> None:
    """Neither where it was built, nor where the project lies, nor when."""
    for path in (here, arm64):
        places = [str(place).encode() for place in (path.parent, PROJECT, sys.prefix)]
        for name, content in members(path).items():
            assert [place for place in places if place in content] == [], name
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
        assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
        assert {entry.external_attr for entry in entries} == {0o100644 << 16}
        assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)


@pytest.mark.parametrize(("which", "machine"), [("arm64", 183), ("here", 62)])
def test_all_machine_code_is_for_the_machine_of_the_platform(
    which: str, machine: int, request: pytest.FixtureRequest
) -> None:
    """183 is aarch64 and 62 is x86-64 in the head of an ELF file."""
    files = members(request.getfixturevalue(which))
    code = {name: content for name, content in files.items() if content.startswith(b"\x7fELF")}

    assert {name for name in files if ".so" in name} == set(code)
    assert {struct.unpack_from("<H", content, 18)[0] for content in code.values()} == {machine}
    assert len(code) > 10


def test_both_bundles_are_below_48_mb_unpacked(here: Path, arm64: Path) -> None:
    """DigitalOcean allows 48 MB, without saying of what. Lambda: 50 MB packed, 250 MB unpacked."""
    for path in (here, arm64):
        assert sum(map(len, members(path).values())) < 48_000_000
        assert path.stat().st_size < 20_000_000


def test_every_package_brings_the_licences_that_its_wheel_has(here: Path, tmp_path: Path) -> None:
    """And those of what is linked into its libraries."""
    files = members(here)
    licensed = {
        match[1].replace("_", "-")
        for name in files
        if (match := re.match(r"(\w+)-[^/]+\.dist-info/(?:licenses/|LICEN[CS]E)", name))
    }

    assert licensed == CLOSURE - {"obstore"}  # whose wheel has none; METADATA says MIT
    assert any(name.endswith("BUILD_LICENSES/freetype.txt") for name in files)


def test_packages_are_bytecode_alone_and_the_application_has_its_source(here: Path) -> None:
    """Sources of packages are as large as their bytecode, and nobody reads them there."""
    names = {name for name in members(here) if Path(name).suffix in (".py", ".pyc")}
    packages = {name for name in names if not name.startswith(("functions/", "anyio/"))}

    assert {name for name in packages if name.endswith(".py")} == {"__main__.py"}
    assert {"functions/api/routes.py", "httpx/__init__.pyc"} <= names


def test_only_the_bundle_for_functions_begins_with_a_main_module(here: Path, arm64: Path) -> None:
    """Lambda names a handler; OpenWhisk imports `__main__.py` and calls what it finds there."""
    main = members(here)["__main__.py"].decode()

    assert main == "from functions.handlers.digitalocean import main as main\n"
    assert "__main__.py" not in members(arm64)


def test_a_bundle_is_built_once_and_then_comes_from_the_cache(cache: Path) -> None:
    """The second call says nothing, and gives the same."""
    lines: list[str] = []

    first = bundle("aws", build=True, report=lines.append)
    told = list(lines)
    second = bundle("aws", build=True, report=lines.append)

    assert told == [
        "bundle aws: building for Python 3.13",
        "bundle aws: 0.0 MB packed, 0.0 MB unpacked, 0 s",
    ]
    assert lines == told
    assert second == first
    assert first.path == cache / "seamless" / "bundles" / f"aws-{first.key}.zip"
    assert first.bytes_unpacked == len("aarch64-manylinux_2_28")


@pytest.mark.usefixtures("engine")
def test_a_preview_on_a_new_machine_knows_the_bundle_that_up_deploys(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It builds what is not cached, so where nothing changed it shows no change."""
    deployed = bundle("aws", report=lambda line: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache / "of another machine"))
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: True)
    previewed = bundle("aws", report=lambda line: None)

    assert previewed.path is not None
    assert deployed.path is not None
    assert previewed.path != deployed.path
    assert previewed.path.read_bytes() == deployed.path.read_bytes()
    assert previewed == replace(deployed, path=previewed.path)


def test_a_plan_builds_nothing_and_knows_the_same_key(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes what is cached, and downloads no Python either."""
    asked: list[bool] = []

    def find(version: str, *, install: bool) -> Path:
        asked.append(install)
        return cache / version

    monkeypatch.setattr(bundles, "find_python", find)
    monkeypatch.setattr(bundles, "get_engine", lambda: MockEngine(None))
    planned = bundle("digitalocean")
    built = bundle("digitalocean", build=True, report=lambda line: None)
    again = bundle("digitalocean")

    assert planned == Bundle(
        path=None,
        key=built.key,
        bytes_packed=0,
        bytes_unpacked=0,
        runtime="python:3.13",
        compiled=True,
    )
    assert again == built
    assert built.path is not None
    assert asked == [False, False, False]


def test_a_bundle_without_bytecode_says_so_and_is_another(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the command that changes it, and asks for a Python only where it builds."""
    with_bytecode = bundle("aws", build=True, report=lambda line: None)
    asked: list[bool] = []

    def find(version: str, *, install: bool) -> None:
        asked.append(install)

    monkeypatch.setattr(bundles, "find_python", find)
    lines: list[str] = []

    without = bundle("aws", build=True, report=lines.append)

    assert asked == [False, True]
    assert bundle("aws", build=True, report=lines.append) == without
    assert asked == [False, True, False]

    assert without.key != with_bytecode.key
    assert lines[1].startswith("bundle aws: without bytecode, so it starts slower")
    assert lines[1].endswith("uv python install 3.13")


FOUND = """
case "$2" in
    install) echo x >> {log}; {install} ;;
    find) test -f {folder}/python && echo {folder}/python ;;
esac
"""


@pytest.mark.parametrize(
    ("install", "asked", "downloads", "there"),
    [
        ("touch {folder}/python", True, 1, True),
        ("touch {folder}/python", False, 0, False),
        ("exit 1", True, 1, False),
    ],
    ids=["uv gets one", "nobody asked for one", "uv cannot get one"],
)
def test_a_python_that_is_not_there_is_downloaded_where_one_builds(
    install: str,
    asked: bool,
    downloads: int,
    there: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By uv, for bytecode; where that fails the bundle is built without."""
    log = tmp_path / "log"
    log.touch()
    script = FOUND.format(log=log, folder=tmp_path, install=install.format(folder=tmp_path))
    program(tmp_path / "bin", "uv", script)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    find_python.cache_clear()

    found = find_python("3.99", install=asked)

    find_python.cache_clear()
    assert found == (tmp_path / "python" if there else None)
    assert log.read_text().count("x") == downloads


def test_a_platform_a_source_and_bytecode_each_make_another_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that changes the contents leaves the key as it was."""
    for name in [*sources(), "uv.lock", *BUILDER]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((PROJECT / name).read_bytes())
    target = TARGETS["aws"]
    key = content_key(target, compiled=True)
    monkeypatch.setattr(bundles, "PROJECT", tmp_path)
    keys = {content_key(target, compiled=True)}
    assert keys == {key}

    keys.add(content_key(target, compiled=False))
    keys.add(content_key(TARGETS["digitalocean"], compiled=True))
    for name in ("functions/api/routes.py", "functions/api/page/index.html", "uv.lock", *BUILDER):
        with (tmp_path / name).open("a") as file:
            file.write("\n")
        keys.add(content_key(target, compiled=True))
    (tmp_path / "functions" / "more.py").touch()
    keys.add(content_key(target, compiled=True))

    assert len(keys) == 9


def test_without_uv_the_error_says_where_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither on PATH nor in the cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(BundleError, match=r"uv, .* is not on PATH.*\./seamless"):
        write(HERE, tmp_path / "bundle.zip", compiler=None)
    assert list(tmp_path.iterdir()) == []


def test_what_uv_complains_about_is_in_the_error_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wheel that is not the locked one, for instance."""
    uv = tmp_path / "bin" / "uv"
    uv.parent.mkdir()
    uv.write_text("#!/bin/sh\necho 'Hash mismatch for httpx' >&2\nexit 2\n")
    uv.chmod(0o755)
    monkeypatch.setenv("PATH", f"{uv.parent}:/usr/bin:/bin")

    with pytest.raises(BundleError, match=r"(?s)uv export failed with 2:\nHash mismatch.*uv\.lock"):
        write(HERE, tmp_path / "out" / "a.zip", compiler=None)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_wheel_that_is_not_the_locked_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also a wheel of something that is only needed by a root: anyio."""
    lock = (PROJECT / "uv.lock").read_text()
    start = lock.index('name = "anyio"')
    end = lock.index("[[package]]", start)
    tampered = re.sub("sha256:[0-9a-f]{8}", "sha256:00000000", lock[start:end])
    (tmp_path / "uv.lock").write_text(lock[:start] + tampered + lock[end:])
    (tmp_path / "pyproject.toml").write_bytes((PROJECT / "pyproject.toml").read_bytes())
    monkeypatch.setattr(bundles, "PROJECT", tmp_path)

    with pytest.raises(BundleError, match=r"(?s)uv pip failed.*anyio.*sha256:00000000"):
        write(HERE, tmp_path / "bundle.zip", compiler=None)
