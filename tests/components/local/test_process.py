"""Background programs: start, identification, stop and removal."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from components.local.process import Daemon, DaemonError, choose_port, plain_environment
from tests.support.local import runs, until

SLEEPER = "import pathlib, time; pathlib.Path('ready').touch(); time.sleep(600)"


def start(daemon: Daemon, program: str) -> int:
    """Start a Python program that writes a file when it is ready."""
    ready = daemon.folder / "ready"
    ready.unlink(missing_ok=True)
    daemon.folder.mkdir(parents=True, exist_ok=True)
    return daemon.start(
        [sys.executable, "-c", program], environment=plain_environment({}), ready=ready.exists
    )


@pytest.fixture
def daemon(tmp_path: Path) -> Daemon:
    return Daemon(folder=tmp_path / "data", name="sleeper")


def test_another_process_finds_a_daemon_by_its_file(daemon: Daemon) -> None:
    pid = start(daemon, SLEEPER)

    assert Daemon(folder=daemon.folder, name="sleeper").pid() == pid
    daemon.stop()
    assert daemon.pid() is None
    assert not psutil.pid_exists(pid)


def test_a_reused_process_id_is_not_the_daemons(daemon: Daemon) -> None:
    start(daemon, SLEEPER)
    daemon.stop()
    other = {"pid": os.getpid(), "started": psutil.Process().create_time() - 100}
    (daemon.folder / "run" / "sleeper.json").write_text(json.dumps(other))

    assert daemon.pid() is None
    daemon.stop()


def test_the_error_for_a_program_that_ends_at_once_has_the_end_of_its_log(daemon: Daemon) -> None:
    with pytest.raises(DaemonError, match=r"sleeper ended with status 3(.|\n)*no such thing"):
        start(daemon, "import sys; print('no such thing'); sys.exit(3)")

    assert daemon.pid() is None


def test_stop_kills_a_program_that_ignores_sigterm_and_its_children(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("components.local.process.STOP_SECONDS", 0.5)
    pid = start(
        daemon,
        "import signal, subprocess, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n{SLEEPER}",
    )
    processes = [pid, *(child.pid for child in psutil.Process(pid).children())]
    assert len(processes) == 2

    daemon.stop()

    assert [p for p in processes if runs(p)] == []


def test_a_killed_daemon_is_not_running_even_as_a_zombie(daemon: Daemon) -> None:
    pid = start(daemon, SLEEPER)
    os.kill(pid, signal.SIGKILL)

    until(lambda: True if daemon.pid() is None else None)


@pytest.mark.parametrize("other", [True, False])
def test_remove_deletes_the_files_of_a_daemon_and_keeps_others(daemon: Daemon, other: bool) -> None:
    start(daemon, SLEEPER)
    if not other:
        (daemon.folder / "ready").unlink()

    daemon.remove()

    assert daemon.folder.exists() is other
    assert list(daemon.folder.rglob("*")) == [daemon.folder / "ready"] * other


def test_a_daemon_gets_no_cloud_keys_of_the_callers_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "key-of-a-test")

    environment = plain_environment({"A": "b"})

    assert environment["A"] == "b"
    assert "PATH" in environment
    assert "AWS_SECRET_ACCESS_KEY" not in environment


def test_a_used_port_is_refused_with_the_command_that_changes_it() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(DaemonError, match=f"Port {port} .* pulumi config set page_port"):
            choose_port(port)
        assert choose_port(0, before=port) != port
    assert choose_port(0, before=port) == port


def test_a_daemon_survives_the_process_that_started_it(daemon: Daemon) -> None:
    """The engine's plugin process ends after each command."""
    daemon.folder.mkdir()
    starter = (
        "import sys; from pathlib import Path; from components.local.process import *\n"
        f"folder = Path({str(daemon.folder)!r})\n"
        "Daemon(folder=folder, name='sleeper').start([sys.executable, '-c', "
        f"{SLEEPER!r}], environment={{}}, ready=(folder / 'ready').exists)"
    )
    subprocess.run([sys.executable, "-c", starter], check=True, timeout=30)

    assert daemon.pid() is not None
    daemon.stop()
