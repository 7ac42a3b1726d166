"""`./seamless` starts at once when `.venv` is in step, and makes it so when it is not.

Everything here is real but the network: the shell script, the stamp, the lock, the package index
(on 127.0.0.1). Python, uv and its wheel are small stand-ins.
"""

import hashlib
import io
import json
import platform
import shutil
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.engine.fakes import program
from tools import bootstrap

SYSTEM = "/usr/bin:/bin"
WHEEL = "uv-for-this-machine.whl"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give every test a cache folder of its own, and no way to a real package index."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/simple")
    return tmp_path / "cache" / "seamless"


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a clone with the real front door, whose Python tells how it was started."""
    root = tmp_path / "clone"
    (root / "tools").mkdir(parents=True)
    shutil.copy(bootstrap.ROOT / "seamless", root / "seamless")
    (root / "pyproject.toml").write_text("[project]\n")
    (root / "uv.lock").write_text("version = 1\n")
    (root / "tools" / "bootstrap.py").write_text("print('bootstrap')\n")
    program(root / ".venv" / "bin", "python", 'echo "$PWD|$PYTHONPATH|$*"')
    monkeypatch.setattr(bootstrap, "ROOT", root)
    return root


def start(seamless: Path, *arguments: str, cwd: Path, path: str = SYSTEM) -> str:
    outcome = subprocess.run(
        [str(seamless), *arguments],
        cwd=cwd,
        env={"PATH": path, "PYTHONPATH": "/elsewhere"},
        capture_output=True,
        text=True,
    )
    return outcome.stdout + outcome.stderr


def test_a_stamp_that_matches_starts_without_bootstrap_and_without_uv(clone: Path) -> None:
    (clone / ".venv" / "seamless.stamp").write_bytes(bootstrap.stamp())

    said = start(clone / "seamless", "plan", "local", "two words", cwd=clone)

    assert said == f"{clone}|{clone}:/elsewhere|-P -m tools plan local two words\n"


def test_the_front_door_opens_through_a_link_and_stays_where_the_user_stands(
    clone: Path, tmp_path: Path
) -> None:
    (clone / ".venv" / "seamless.stamp").write_bytes(bootstrap.stamp())
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "seamless").symlink_to("../clone/seamless")
    (tmp_path / "s").symlink_to("links/seamless")

    said = start(tmp_path / "s", "summarize", "a.pdf", cwd=tmp_path)

    assert said == f"{tmp_path}|{clone}:/elsewhere|-P -m tools summarize a.pdf\n"


@pytest.mark.parametrize("changed", ["uv.lock", "pyproject.toml"])
def test_a_changed_lock_or_project_runs_the_bootstrap_first(clone: Path, changed: str) -> None:
    (clone / ".venv" / "seamless.stamp").write_bytes(bootstrap.stamp())
    (clone / changed).write_text("changed\n")

    said = start(clone / "seamless", cwd=clone)

    assert said.splitlines() == ["bootstrap", f"{clone}|{clone}:/elsewhere|-P -m tools"]


def test_a_clone_that_was_moved_runs_the_bootstrap_first(clone: Path, tmp_path: Path) -> None:
    (clone / ".venv" / "seamless.stamp").write_bytes(bootstrap.stamp())
    moved = clone.rename(tmp_path / "moved")

    assert start(moved / "seamless", cwd=moved).startswith("bootstrap\n")


def test_a_bootstrap_that_fails_starts_nothing(clone: Path) -> None:
    (clone / "tools" / "bootstrap.py").write_text("raise SystemExit('no network')\n")

    assert start(clone / "seamless", cwd=clone) == "no network\n"


def test_an_old_python_is_named_with_the_command_that_gets_a_new_one(
    clone: Path, tmp_path: Path
) -> None:
    for tool in ("dirname", "readlink", "cat", "cmp", "sh"):
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / tool).symlink_to(str(shutil.which(tool)))
    program(tmp_path / "bin", "python3", '[ "$1" = --version ] && echo Python 3.9.2')

    said = start(clone / "seamless", cwd=clone, path=str(tmp_path / "bin"))

    assert said.splitlines() == [
        "seamless: Python 3.11 or newer is needed, and PATH has Python 3.9.2.",
        "On Debian or Ubuntu: sudo apt-get install python3",
    ]


def fake_uv(folder: Path, version: str, sync: str = "exit 3") -> Path:
    return program(folder, "uv", f'[ "$1" = --version ] && echo "uv {version}" && exit\n{sync}')


def test_a_sync_stamps_what_the_front_door_accepts(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_uv(tmp_path / "bin", "0.13.9", 'echo "$1 $2" > "$UV_PROJECT_ENVIRONMENT/asked"')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{SYSTEM}")
    said: list[str] = []

    bootstrap.sync(said.append)

    assert (clone / ".venv" / "asked").read_text() == "sync --locked\n"
    assert said == [
        "installing the packages of uv.lock into .venv",
        ".venv is ready after 0 s",
    ]
    assert start(clone / "seamless", cwd=clone).startswith(f"{clone}|")


def test_a_sync_that_fails_says_what_uv_said_and_leaves_no_stamp(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_uv(tmp_path / "bin", "0.13.9", "echo 'the lockfile needs an update' >&2; exit 2")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{SYSTEM}")
    (clone / ".venv" / "seamless.stamp").write_text("of an older lock")

    with pytest.raises(bootstrap.BootstrapError, match="with 2:\nthe lockfile needs an update"):
        bootstrap.sync(print)

    assert not (clone / ".venv" / "seamless.stamp").exists()


def test_a_second_first_run_waits_for_the_first_and_then_has_nothing_to_do(
    clone: Path, cache: Path
) -> None:
    said: list[str] = []
    waiting = threading.Event()

    def report(line: str) -> None:
        said.append(line)
        waiting.set()

    with bootstrap.exclusive(cache / "sync.lock", print, "making a virtual environment"):
        second = threading.Thread(target=bootstrap.sync, args=[report])
        second.start()
        assert waiting.wait(30)
        (clone / ".venv" / "seamless.stamp").write_bytes(bootstrap.stamp())
    second.join(30)

    assert said == ["waiting for another process: making a virtual environment"]


def test_a_cache_that_cannot_be_written_is_an_error_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))

    with (
        pytest.raises(bootstrap.BootstrapError, match="Set XDG_CACHE_HOME to a folder"),
        bootstrap.exclusive(bootstrap.cache_folder() / "lock", print, "nothing"),
    ):
        pass


def test_a_uv_on_path_that_is_too_old_is_passed_over_for_the_cached_one(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = fake_uv(tmp_path / "bin", "0.4.30 (61ed2a236 2024-11-04)")
    monkeypatch.setenv("PATH", f"{old.parent}:{SYSTEM}")
    assert bootstrap.find_uv() is None

    cached = fake_uv(cache / f"uv-{bootstrap.UV_VERSION}", bootstrap.UV_VERSION)
    assert bootstrap.find_uv() == cached

    new = fake_uv(tmp_path / "bin", "0.13.2")
    assert bootstrap.find_uv() == new


def wheel() -> bytes:
    """A wheel like uv's: a zip with the program in its scripts folder."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(f"uv-{bootstrap.UV_VERSION}.data/scripts/uv", "#!/bin/sh\necho uv 1.2.3\n")
    return content.getvalue()


@contextmanager
def index(body: bytes) -> Iterator[str]:
    """Serve a package index on 127.0.0.1 that has one wheel, by a relative link."""
    page = json.dumps({"files": [{"filename": WHEEL, "url": f"../../files/{WHEEL}"}]}).encode()
    answers = {"/simple/uv/": page, f"/files/{WHEEL}": body}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answers[self.path])

        def log_message(self, *arguments: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/simple"
        server.shutdown()
        thread.join()


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take uv and pip away."""
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setattr(bootstrap, "find_spec", lambda name: None)


def pin(digest: str, monkeypatch: pytest.MonkeyPatch) -> None:
    system = (platform.system(), platform.machine())
    monkeypatch.setattr(bootstrap, "WHEELS", {system: (WHEEL, digest)})


@pytest.mark.usefixtures("bare")
def test_without_uv_and_pip_the_pinned_wheel_is_unpacked_into_the_cache(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin(hashlib.sha256(wheel()).hexdigest(), monkeypatch)
    said: list[str] = []
    with index(wheel()) as url:
        monkeypatch.setenv("UV_DEFAULT_INDEX", url)
        uv = bootstrap.ensure_uv(said.append)

    assert uv == cache / "uv-0.13.9" / "uv"
    assert subprocess.check_output([str(uv)], env={"PATH": SYSTEM}) == b"uv 1.2.3\n"
    assert said == ["downloading uv 0.13.9 from PyPI", "uv is ready after 0 s"]


@pytest.mark.usefixtures("bare")
def test_a_wheel_with_another_hash_is_refused_and_leaves_nothing(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin("0" * 64, monkeypatch)
    with index(wheel()) as url:
        monkeypatch.setenv("UV_DEFAULT_INDEX", url)
        with pytest.raises(bootstrap.BootstrapError, match=f"but {'0' * 64} is pinned"):
            bootstrap.ensure_uv(print)

    assert [path.name for path in cache.iterdir()] == ["uv.lock"]


@pytest.mark.usefixtures("bare")
def test_an_index_that_does_not_answer_is_an_error_with_its_remedy() -> None:
    with pytest.raises(bootstrap.BootstrapError, match=r"Connection refused.*put uv on PATH"):
        bootstrap.ensure_uv(print)


@pytest.mark.usefixtures("bare")
def test_a_machine_without_a_pinned_wheel_is_told_to_bring_its_own_uv(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(bootstrap.BootstrapError, match=r"riscv64; put uv 0\.13\.9 on PATH"):
        bootstrap.ensure_uv(print)
