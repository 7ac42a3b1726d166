"""`./seamless` starts at once when `.venv` matches the lock, and else installs the packages.

The package index is on 127.0.0.1; Python, uv and its wheel are small fakes.
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

from tests.support.engine.fakes import program, waiting
from tools import bootstrap

SYSTEM = "/usr/bin:/bin"
WHEEL = "uv-for-this-machine.whl"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give every test its own cache folder, and no real package index."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/simple")
    return tmp_path / "cache" / "seamless"


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Create a clone with the real `./seamless`; its Python prints how it was started."""
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
    environment = {"PATH": path, "PYTHONPATH": "/elsewhere"}
    command = [str(seamless), *arguments]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    return done.stdout + done.stderr


def test_a_matching_stamp_starts_without_bootstrap_in_any_folder_and_through_links(
    clone: Path, tmp_path: Path
) -> None:
    (clone / ".venv" / "seamless.stamp").write_bytes(bootstrap.stamp())
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "seamless").symlink_to("../clone/seamless")
    (tmp_path / "s").symlink_to("links/seamless")

    output = start(tmp_path / "s", "plan", "local", "two words", cwd=tmp_path)

    assert output == f"{tmp_path}|{clone}:/elsewhere|-P -m tools plan local two words\n"


@pytest.mark.parametrize("changed", ["uv.lock", "pyproject.toml", ""])
def test_a_changed_lock_or_project_or_folder_runs_the_bootstrap_first(
    clone: Path, tmp_path: Path, changed: str
) -> None:
    (clone / ".venv" / "seamless.stamp").write_bytes(bootstrap.stamp())
    if changed:
        (clone / changed).write_text("changed\n")
    else:
        clone = clone.rename(tmp_path / "moved")

    lines = start(clone / "seamless", cwd=clone).splitlines()

    assert lines == ["bootstrap", f"{clone}|{clone}:/elsewhere|-P -m tools"]


def test_after_a_failed_bootstrap_no_command_starts(clone: Path) -> None:
    (clone / "tools" / "bootstrap.py").write_text("raise SystemExit('no network')\n")

    assert start(clone / "seamless", cwd=clone) == "no network\n"


def test_an_old_python_is_an_error_with_the_command_that_installs_a_new_one(
    clone: Path, tmp_path: Path
) -> None:
    for tool in ("dirname", "readlink", "cat", "cmp", "sh"):
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / tool).symlink_to(str(shutil.which(tool)))
    program(tmp_path / "bin", "python3", '[ "$1" = --version ] && echo Python 3.9.2')

    output = start(clone / "seamless", cwd=clone, path=str(tmp_path / "bin"))

    assert output.splitlines() == [
        "seamless: Python 3.11 or newer is needed, and PATH has Python 3.9.2.",
        "On Debian or Ubuntu: sudo apt-get install python3",
    ]


def fake_uv(folder: Path, version: str, sync: str = "exit 3") -> Path:
    return program(folder, "uv", f'[ "$1" = --version ] && echo "uv {version}" && exit\n{sync}')


def test_a_sync_writes_the_stamp_that_seamless_expects(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_uv(tmp_path / "bin", "0.13.9", 'echo "$1 $2" > "$UV_PROJECT_ENVIRONMENT/called"')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{SYSTEM}")
    messages: list[str] = []

    bootstrap.sync(messages.append)

    assert (clone / ".venv" / "called").read_text() == "sync --locked\n"
    assert messages == ["installing the packages of uv.lock into .venv", ".venv is ready after 0 s"]
    assert start(clone / "seamless", cwd=clone).startswith(f"{clone}|")


def test_a_failed_sync_shows_the_output_of_uv_and_leaves_no_stamp(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_uv(tmp_path / "bin", "0.13.9", "echo 'the lockfile needs an update' >&2; exit 2")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{SYSTEM}")
    (clone / ".venv" / "seamless.stamp").write_text("of an older lock")

    with pytest.raises(bootstrap.BootstrapError, match="with 2:\nthe lockfile needs an update"):
        bootstrap.sync(print)

    assert not (clone / ".venv" / "seamless.stamp").exists()


def test_a_second_sync_waits_for_the_first_and_then_does_nothing(clone: Path, cache: Path) -> None:
    what = "making a virtual environment"
    with waiting(cache / "sync.lock", what, bootstrap.sync) as messages:
        (clone / ".venv" / "seamless.stamp").write_bytes(bootstrap.stamp())

    assert messages == [f"waiting for another process: {what}"]


def test_a_cached_uv_is_used_instead_of_an_old_one_on_path(
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
    """A wheel with a program in its scripts folder, like uv's."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(f"uv-{bootstrap.UV_VERSION}.data/scripts/uv", "#!/bin/sh\necho uv 1.2.3\n")
    return content.getvalue()


@contextmanager
def index(body: bytes) -> Iterator[str]:
    """Serve a package index with one wheel on 127.0.0.1."""
    page = json.dumps({"files": [{"filename": WHEEL, "url": f"../../files/{WHEEL}"}]}).encode()
    answers = {"/simple/uv/": page, f"/files/{WHEEL}": body}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answers[self.path])

        def log_message(self, *arguments: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/simple"
        server.shutdown()
        thread.join()


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove uv and pip."""
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setattr(bootstrap, "find_spec", lambda name: None)


def pin(digest: str, monkeypatch: pytest.MonkeyPatch) -> None:
    system = (platform.system(), platform.machine())
    monkeypatch.setattr(bootstrap, "WHEELS", {system: (WHEEL, digest)})


@pytest.mark.usefixtures("bare")
def test_without_uv_and_pip_the_pinned_wheel_is_unpacked_in_the_cache(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin(hashlib.sha256(wheel()).hexdigest(), monkeypatch)
    messages: list[str] = []
    with index(wheel()) as url:
        monkeypatch.setenv("UV_DEFAULT_INDEX", url)
        uv = bootstrap.ensure_uv(messages.append)

    assert uv == cache / "uv-0.13.9" / "uv"
    assert subprocess.check_output([str(uv)], env={"PATH": SYSTEM}) == b"uv 1.2.3\n"
    assert messages == ["downloading uv 0.13.9 from PyPI", "uv is ready after 0 s"]


@pytest.mark.usefixtures("bare")
def test_a_wheel_with_another_hash_is_an_error_and_is_not_kept(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin("0" * 64, monkeypatch)
    with index(wheel()) as url:
        monkeypatch.setenv("UV_DEFAULT_INDEX", url)
        with pytest.raises(bootstrap.BootstrapError, match=f"but {'0' * 64} is pinned"):
            bootstrap.ensure_uv(print)

    assert [path.name for path in cache.iterdir()] == ["uv.lock"]


@pytest.mark.usefixtures("bare")
def test_without_an_index_or_a_wheel_the_error_has_a_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(bootstrap.BootstrapError, match=r"Connection refused.*put uv on PATH"):
        bootstrap.ensure_uv(print)
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(bootstrap.BootstrapError, match=r"riscv64; put uv 0\.13\.9 on PATH"):
        bootstrap.ensure_uv(print)
