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
    """A daemon that is not running yet."""
    return Daemon(folder=tmp_path / "data", name="sleeper")


def test_a_daemon_is_known_to_another_process_by_its_file(daemon: Daemon) -> None:
    """The file is all that a later `up` has."""
    pid = start(daemon, SLEEPER)

    assert Daemon(folder=daemon.folder, name="sleeper").pid() == pid
    daemon.stop()
    assert daemon.pid() is None
    assert not psutil.pid_exists(pid)


def test_a_process_id_that_was_given_to_another_process_is_not_taken_for_ours(
    daemon: Daemon,
) -> None:
    """Process ids are reused."""
    start(daemon, SLEEPER)
    daemon.stop()
    stranger = {"pid": os.getpid(), "started": psutil.Process().create_time() - 100}
    (daemon.folder / "run" / "sleeper.json").write_text(json.dumps(stranger))

    assert daemon.pid() is None
    daemon.stop()


def test_a_program_that_ends_at_once_is_refused_with_the_end_of_its_log(daemon: Daemon) -> None:
    """The message has what a person needs to know."""
    with pytest.raises(DaemonError, match=r"sleeper ended with status 3(.|\n)*no such thing"):
        start(daemon, "import sys; print('no such thing'); sys.exit(3)")

    assert daemon.pid() is None


def test_stop_takes_the_children_too_and_a_program_that_does_not_listen(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGTERM first, then SIGKILL."""
    monkeypatch.setattr("components.local.process.STOP_SECONDS", 0.5)
    pid = start(
        daemon,
        "import signal, subprocess, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n{SLEEPER}",
    )
    family = [pid, *(child.pid for child in psutil.Process(pid).children())]
    assert len(family) == 2

    daemon.stop()

    assert [p for p in family if runs(p)] == []


def test_a_killed_daemon_is_not_running_even_as_a_zombie(daemon: Daemon) -> None:
    """Nobody may have waited for it yet."""
    pid = start(daemon, SLEEPER)
    os.kill(pid, signal.SIGKILL)

    until(lambda: True if daemon.pid() is None else None)


def test_remove_leaves_nothing(daemon: Daemon) -> None:
    """Neither its files nor an empty folder."""
    start(daemon, SLEEPER)
    (daemon.folder / "ready").unlink()

    daemon.remove()

    assert not daemon.folder.exists()


def test_remove_keeps_what_is_not_its_own(daemon: Daemon) -> None:
    """A file of somebody else stays, with its folder."""
    start(daemon, SLEEPER)

    daemon.remove()

    assert [path.name for path in daemon.folder.iterdir()] == ["ready"]


def test_nothing_of_the_callers_environment_reaches_a_daemon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Above all no cloud keys."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "do not tell")

    environment = plain_environment({"A": "b"})

    assert environment["A"] == "b"
    assert "PATH" in environment
    assert "AWS_SECRET_ACCESS_KEY" not in environment


def test_a_wanted_port_that_is_taken_is_refused_with_the_line_that_mends_it() -> None:
    """Another one would break what people have bookmarked."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(DaemonError, match=f"Port {port} .* pulumi config set page_port"):
            choose_port(port)
        assert choose_port(0, before=port) != port
    assert choose_port(0, before=port) == port


def test_a_daemon_survives_the_process_that_started_it(daemon: Daemon) -> None:
    """As it must survive the engine's plugin process."""
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
