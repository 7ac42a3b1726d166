"""A command of a live run is stopped in order: by a signal, and when its time is over.

The engine here is a program called `pulumi` that goes on for a moment after SIGINT, so that one
that is killed at once leaves no trace. As the real one it handles SIGINT also where that was
ignored when it began, as below `nohup … &`.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

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
def engine(tmp_path: Path) -> list[str]:
    """A program whose child is an engine that works until it is told to stop."""
    pulumi = tmp_path / "pulumi"
    pulumi.write_text(PULUMI)
    pulumi.chmod(0o755)
    script = f"import subprocess; subprocess.run([{str(pulumi)!r}, {str(tmp_path / 'done')!r}])"
    return [sys.executable, "-c", script]


def test_a_command_that_takes_too_long_is_stopped_when_the_engine_has_finished(
    engine: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its time is over as soon as the engine runs, however long that took."""

    def expire(running: subprocess.Popen[str], _: str | None, timeout: float) -> None:
        local.until(lambda: (tmp_path / "done.pid").exists() or None, seconds=100)
        raise subprocess.TimeoutExpired(running.args, timeout)

    monkeypatch.setattr(subprocess.Popen, "communicate", expire)

    with pytest.raises(TimeoutError, match="took more than 1 s"):
        process.run(engine, seconds=1)

    assert (tmp_path / "done").read_text() == "finished\n"
    assert not local.runs(int((tmp_path / "done.pid").read_text()))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_the_engine_in_order_and_then_the_run(
    engine: list[str], tmp_path: Path, number: signal.Signals
) -> None:
    telling = (
        "import os, sys, time\n"
        f"while not os.path.exists({str(tmp_path / 'done.pid')!r}): time.sleep(0.02)\n"
        f"os.kill({os.getpid()}, {int(number)})\n"
    )
    destroyed = False

    with process.stoppable():
        messenger = subprocess.Popen([sys.executable, "-c", telling])
        try:
            with pytest.raises(process.Stopped, match=f"by {number.name}"):
                process.run(engine)
        finally:
            messenger.wait()
            os.kill(os.getpid(), number)  # the second one does not stop the clean-up
            destroyed = True

    assert (tmp_path / "done").read_text() == "finished\n"
    assert destroyed


def test_input_comes_through_a_pipe_and_hidden_variables_are_not_inherited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIDDEN", "key")
    script = "import os, sys; print(sys.stdin.read(), os.environ.get('HIDDEN'), len(sys.argv))"

    with (tmp_path / "out").open("w") as out:
        status = process.run(
            [sys.executable, "-c", script], hidden=["HIDDEN"], stdin="secret", stdout=out
        )

    assert status == 0
    assert (tmp_path / "out").read_text() == "secret None 1\n"


def test_the_status_of_a_command_is_returned() -> None:
    assert process.run([sys.executable, "-c", "raise SystemExit(3)"]) == 3


def test_stopping_a_process_that_has_ended_does_nothing() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()

    process.stop(ended.pid)

    assert not local.runs(ended.pid)
