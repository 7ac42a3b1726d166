"""The bundles have exactly what the application needs, in equal bytes for equal inputs.

Real wheels are installed for both platforms. The application runs from a bundle for the Python of
this machine.
"""

import ast
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
    *("anyio", "certifi", "chardet", "h11", "httpcore", "httpx", "idna", "msgspec", "obstore"),
    *("psycopg", "psycopg-binary", "psycopg-pool", "pypdfium2", "selectolax", "sniffio"),
    *("starlette", "typing-extensions"),
}
"""All packages of a bundle."""


def build(target: Target, path: Path) -> Path:
    """Build a bundle, with bytecode if its Python is installed."""
    write(target, path, compiler=find_python(target.python, install=False))
    return path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Bundles for the Python of the tests and for AWS, built at the same time."""
    targets = {"here": HERE, "here again": HERE, "aws": TARGETS["aws"]}
    paths = {name: tmp_path_factory.mktemp(name) / "zip" for name in targets}
    with ThreadPoolExecutor() as pool:
        return dict(zip(paths, pool.map(build, targets.values(), paths.values()), strict=True))


@pytest.fixture
def here(built: dict[str, Path]) -> Path:
    return built["here"]


@pytest.fixture
def arm64(built: dict[str, Path]) -> Path:
    return built["aws"]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, and a builder that writes only the name of the platform."""

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
    """The program runs as under a real engine."""
    monkeypatch.setattr(bundles, "get_engine", lambda: object.__new__(EngineStub))


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def third_party_imports() -> set[str]:
    found = set()
    for name in sources():
        if name.endswith(".py"):
            for node in ast.walk(ast.parse((PROJECT / name).read_bytes())):
                if isinstance(node, ast.Import):
                    found |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    found.add(node.module.partition(".")[0])
    return found - sys.stdlib_module_names - {"functions"} - PROVIDED


def test_the_roots_are_the_imports_of_the_application() -> None:
    assert third_party_imports() == {module for modules in ROOTS.values() for module in modules}


def test_the_project_depends_on_every_root() -> None:
    """So the lock file has a version for each; httpx declares certifi."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    declared = {requirement.partition(">=")[0] for requirement in project["dependencies"]}

    assert set(ROOTS) - declared <= {"certifi"}


def test_the_bundle_has_only_the_locked_versions_of_the_closure(here: Path) -> None:
    locked = {
        package["name"]: package["version"]
        for package in tomllib.loads((PROJECT / "uv.lock").read_text())["package"]
    }
    names = " ".join(members(here))
    shipped = re.findall(r"(\S+)-(\S+)\.dist-info/METADATA", names)

    assert {name.replace("_", "-"): version for name, version in shipped} == {
        name: locked[name] for name in CLOSURE
    }


def test_the_bundle_has_the_sources_of_the_application(here: Path) -> None:
    files = members(here)
    shipped = {name for name in files if name.startswith("functions/") and ".pyc" not in name}

    assert shipped == set(sources())
    assert all(files[name] == (PROJECT / name).read_bytes() for name in shipped)


@pytest.mark.skipif(not ON_LINUX_X86, reason="the bundle has machine code for Linux on x86-64")
def test_the_application_runs_from_the_bundle_without_installed_packages(
    here: Path, tmp_path: Path
) -> None:
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
    output = json.loads(run.stdout)

    assert output["text"] == "A house has a door."
    assert output["pieces"] > 1
    assert output["psycopg"] == "binary"
    assert f"matches {tmp_path}/functions/api/routes.py" in run.stderr  # -v: the bytecode is used
    inside = [file for file in output["files"] if not file.startswith(output["standard"][0])]
    assert len(inside) > 100
    assert output["early"] == []
    assert [file for file in inside if not file.startswith(str(tmp_path))] == []


def test_two_builds_at_the_same_time_have_equal_bytes(built: dict[str, Path]) -> None:
    first, second = built["here"], built["here again"]

    assert first.parent != second.parent
    assert first.read_bytes() == second.read_bytes()
    assert "functions/api/__pycache__/routes.cpython-" in " ".join(members(first))
    assert [list(path.parent.iterdir()) for path in (first, second)] == [[first], [second]]


def test_a_bundle_has_no_path_and_no_time_of_the_build(here: Path, arm64: Path) -> None:
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
def test_machine_code_is_for_the_processor_of_the_platform(
    which: str, machine: int, request: pytest.FixtureRequest
) -> None:
    """In the header of an ELF file 183 is aarch64 and 62 is x86-64."""
    files = members(request.getfixturevalue(which))
    code = {name: content for name, content in files.items() if content.startswith(b"\x7fELF")}

    assert {name for name in files if ".so" in name} == set(code)
    assert {struct.unpack_from("<H", content, 18)[0] for content in code.values()} == {machine}
    assert len(code) > 10


def test_both_bundles_are_below_48_mb_unpacked(here: Path, arm64: Path) -> None:
    """The limit is 48 MB at DigitalOcean; at Lambda 50 MB packed and 250 MB unpacked."""
    for path in (here, arm64):
        assert sum(map(len, members(path).values())) < 48_000_000
        assert path.stat().st_size < 20_000_000


def test_a_bundle_has_the_licences_of_its_packages(here: Path, tmp_path: Path) -> None:
    files = members(here)
    licensed = {
        match[1].replace("_", "-")
        for name in files
        if (match := re.match(r"(\w+)-[^/]+\.dist-info/(?:licenses/|LICEN[CS]E)", name))
    }

    assert licensed == CLOSURE - {"obstore"}  # its wheel has none; METADATA has MIT
    assert any(name.endswith("BUILD_LICENSES/freetype.txt") for name in files)


def test_packages_are_bytecode_and_the_application_has_its_source(here: Path) -> None:
    names = {name for name in members(here) if Path(name).suffix in (".py", ".pyc")}
    packages = {name for name in names if not name.startswith(("functions/", "anyio/"))}

    assert {name for name in packages if name.endswith(".py")} == {"__main__.py"}
    assert {"functions/api/routes.py", "httpx/__init__.pyc"} <= names


def test_only_the_bundle_for_functions_has_a_main_module(here: Path, arm64: Path) -> None:
    """Lambda has the name of a handler; OpenWhisk imports `__main__.py`."""
    main = members(here)["__main__.py"].decode()

    assert main == "from functions.handlers.digitalocean import main as main\n"
    assert "__main__.py" not in members(arm64)


def test_a_bundle_is_built_once_and_cached(cache: Path) -> None:
    lines: list[str] = []

    first = bundle("aws", build=True, report=lines.append)
    reported = list(lines)
    second = bundle("aws", build=True, report=lines.append)

    assert reported == [
        "bundle aws: building for Python 3.13",
        "bundle aws: 0.0 MB packed, 0.0 MB unpacked, 0 s",
    ]
    assert lines == reported
    assert second == first
    assert first.path == cache / "seamless" / "bundles" / f"aws-{first.key}.zip"
    assert first.bytes_unpacked == len("aarch64-manylinux_2_28")


@pytest.mark.usefixtures("engine")
def test_a_preview_on_another_machine_builds_the_deployed_bundle(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed = bundle("aws", report=lambda line: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache / "of another machine"))
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: True)
    previewed = bundle("aws", report=lambda line: None)

    assert previewed.path is not None
    assert deployed.path is not None
    assert previewed.path != deployed.path
    assert previewed.path.read_bytes() == deployed.path.read_bytes()
    assert previewed == replace(deployed, path=previewed.path)


def test_a_plan_builds_no_bundle_and_has_its_key(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installs: list[bool] = []

    def find(version: str, *, install: bool) -> Path:
        installs.append(install)
        return cache / version

    monkeypatch.setattr(bundles, "find_python", find)
    monkeypatch.setattr(bundles, "get_engine", lambda: MockEngine(None))
    planned = bundle("digitalocean")
    built = bundle("digitalocean", build=True, report=lambda line: None)
    again = bundle("digitalocean")

    assert planned == replace(built, path=None, bytes_packed=0, bytes_unpacked=0)
    assert (built.runtime, built.compiled) == ("python:3.13", True)
    assert again == planned
    assert built.path is not None
    assert installs == [False, False, False]


def test_a_bundle_without_bytecode_has_another_key_and_a_warning(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_bytecode = bundle("aws", build=True, report=lambda line: None)
    installs: list[bool] = []

    def find(version: str, *, install: bool) -> None:
        installs.append(install)

    monkeypatch.setattr(bundles, "find_python", find)
    lines: list[str] = []

    without = bundle("aws", build=True, report=lines.append)

    assert installs == [False, True]
    assert bundle("aws", build=True, report=lines.append) == without
    assert installs == [False, True, False]

    assert without.key != with_bytecode.key
    assert lines[1].startswith("bundle aws: without bytecode, so it starts slower")
    assert lines[1].endswith("uv python install 3.13")


UV = """
case "$2" in
    install) echo x >> {log}; {install} ;;
    find) test -f {folder}/python && echo {folder}/python ;;
esac
"""


@pytest.mark.parametrize(
    ("script", "install", "downloads", "found"),
    [
        ("touch {folder}/python", True, 1, True),
        ("touch {folder}/python", False, 0, False),
        ("exit 1", True, 1, False),
    ],
    ids=["installed", "not requested", "failed"],
)
def test_uv_installs_a_missing_python_for_a_build(
    script: str,
    install: bool,
    downloads: int,
    found: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = tmp_path / "log"
    log.touch()
    install_script = script.format(folder=tmp_path)
    program(tmp_path / "bin", "uv", UV.format(log=log, folder=tmp_path, install=install_script))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    find_python.cache_clear()

    python = find_python("3.99", install=install)

    find_python.cache_clear()
    assert python == (tmp_path / "python" if found else None)
    assert log.read_text().count("x") == downloads


def test_the_key_depends_on_platform_sources_lock_file_builder_and_bytecode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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


def test_the_error_for_a_missing_uv_has_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(BundleError, match=r"uv, .* is not on PATH.*\./seamless"):
        write(HERE, tmp_path / "bundle.zip", compiler=None)
    assert list(tmp_path.iterdir()) == []


def test_the_error_has_the_output_of_uv_and_no_file_remains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "bin", "uv", "echo 'Hash mismatch for httpx' >&2; exit 2")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")

    with pytest.raises(BundleError, match=r"(?s)uv export failed with 2:\nHash mismatch.*uv\.lock"):
        write(HERE, tmp_path / "out" / "a.zip", compiler=None)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_wheel_with_another_hash_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = (PROJECT / "uv.lock").read_text()
    start = lock.index('name = "anyio"')
    end = lock.index("[[package]]", start)
    tampered = re.sub("sha256:[0-9a-f]{8}", "sha256:00000000", lock[start:end])
    (tmp_path / "uv.lock").write_text(lock[:start] + tampered + lock[end:])
    (tmp_path / "pyproject.toml").write_bytes((PROJECT / "pyproject.toml").read_bytes())
    monkeypatch.setattr(bundles, "PROJECT", tmp_path)

    with pytest.raises(BundleError, match=r"(?s)uv pip failed.*anyio.*sha256:00000000"):
        write(HERE, tmp_path / "bundle.zip", compiler=None)
