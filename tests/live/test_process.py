"""A signal or a timeout stops a command of a live run in order.

The engine is a program called `pulumi` that writes a file after SIGINT; a killed one writes none.
Like the real engine it handles SIGINT even where SIGINT was ignored, as below `nohup … &`.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import local
from tests.support.live import process

PULUMI = f"""#!{sys.executable} -IS
import os, signal, sys, time

def finish(*_):
    time.sleep(0.05)
    with open(sys.argv[1], "w") as file:
        print("finished", file=file)
    raise SystemExit(1)

signal.signal(signal.SIGINT, finish)
with open(sys.argv[1] + ".new", "w") as file:
    print(os.getpid(), file=file)
os.rename(sys.argv[1] + ".new", sys.argv[1] + ".pid")
while True:
    signal.pause()
"""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[list[str]]:
    """A program whose child is an engine that runs until SIGINT, or until the test ends."""
    pulumi = tmp_path / "pulumi"
    pulumi.write_text(PULUMI)
    pulumi.chmod(0o755)
    script = f"import subprocess; subprocess.run([{str(pulumi)!r}, {str(tmp_path / 'done')!r}])"
    yield [sys.executable, "-c", script]
    started = tmp_path / "done.pid"
    if started.exists() and local.runs(pid := int(started.read_text())):
        os.kill(pid, signal.SIGKILL)


def test_after_a_timeout_the_engine_finishes_before_the_command_ends(
    engine: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def expire(running: subprocess.Popen[str], _: str | None, timeout: float) -> None:
        local.until(lambda: (tmp_path / "done.pid").exists() or None, seconds=100)
        raise subprocess.TimeoutExpired(running.args, timeout)

    monkeypatch.setattr(subprocess.Popen, "communicate", expire)

    with pytest.raises(TimeoutError, match="took more than 1 s"):
        process.run(engine, seconds=1)

    assert (tmp_path / "done").read_text() == "finished\n"
    assert not local.runs(int((tmp_path / "done.pid").read_text()))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_after_a_signal_the_engine_finishes_before_the_run_ends(
    engine: list[str], tmp_path: Path, number: signal.Signals
) -> None:
    script = (
        "import os, sys, time\n"
        f"while not os.path.exists({str(tmp_path / 'done.pid')!r}): time.sleep(0.02)\n"
        f"os.kill({os.getpid()}, {int(number)})\n"
    )
    with process.stoppable():
        messenger = subprocess.Popen([sys.executable, "-c", script])
        try:
            with pytest.raises(process.Stopped, match=f"by {number.name}"):
                process.run(engine)
        finally:
            messenger.kill()
            messenger.wait()
            os.kill(os.getpid(), number)  # a second signal does not interrupt the clean-up

    assert (tmp_path / "done").read_text() == "finished\n"


def test_a_signal_during_the_start_stops_the_engine_too(
    engine: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine the engine can be up before the call that started it returns."""
    start, started = subprocess.Popen, list[subprocess.Popen[str]]()

    def interrupted(*args: Any, **options: Any) -> subprocess.Popen[str]:
        started.append(start(*args, **options))
        local.until(lambda: (tmp_path / "done.pid").exists() or None, seconds=100)
        os.kill(os.getpid(), signal.SIGTERM)
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", interrupted)
    try:
        with process.stoppable(), pytest.raises(process.Stopped, match="by SIGTERM"):
            process.run(engine)
        assert (tmp_path / "done").read_text() == "finished\n"
    finally:
        for program in started:
            program.kill()
            program.wait()


def test_a_command_reads_its_input_from_a_pipe_and_inherits_no_hidden_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIDDEN", "key")
    script = "import os, sys; print(sys.stdin.read(), os.environ.get('HIDDEN')); sys.exit(3)"

    with (tmp_path / "out").open("w") as out:
        status = process.run(
            [sys.executable, "-c", script], hidden=["HIDDEN"], stdin="secret", stdout=out
        )

    assert status == 3
    assert (tmp_path / "out").read_text() == "secret None\n"


def test_stop_ignores_a_process_that_has_ended() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()

    process.stop(ended.pid)

    assert not local.runs(ended.pid)
