"""Commands of a live run: stopped in time and in order, so that the engine loses nothing."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO

import psutil

ROOT = Path(__file__).resolve().parents[3]

GRACE_SECONDS = 45 * 60.0
"""How long an engine that is told to stop may take for what it has begun: an RDS instance takes
minutes, and one that is given up half made is in nobody's state."""

_FAREWELL_SECONDS = 20.0
"""For our own program, to say what the engine said."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(KeyboardInterrupt):
    """Somebody asked the run to end; pytest takes it for ctrl-C."""


@contextmanager
def stoppable() -> Iterator[None]:
    """Let the first ctrl-C, SIGTERM or SIGHUP raise `Stopped`, and say to later ones to wait."""
    raised = False

    def handle(number: int, _: FrameType | None) -> None:
        nonlocal raised
        if raised:
            sys.stderr.write("\nThe stack is being destroyed: let it come to its end.\n")
            return
        raised = True
        raise Stopped(f"by {signal.Signals(number).name}")

    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run(
    command: Sequence[str],
    *,
    hidden: Sequence[str] = (),
    stdin: str | None = None,
    stdout: IO[str] | int | None = None,
    seconds: float | None = None,
) -> int:
    """Run a program in the project, and return its status.

    It gets a session of its own, so that ctrl-C reaches only us: the engine is told by us, once.

    Args:
        hidden: Variables that it does not inherit.
        stdin: What it reads; nothing otherwise.
        seconds: After which it is stopped.

    Raises:
        TimeoutError: when it was stopped because it took too long.
    """
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
        stdout=stdout,
        text=True,
        start_new_session=True,
    )
    try:
        process.communicate(stdin, timeout=seconds)
    except subprocess.TimeoutExpired:
        stop(process.pid)
        process.wait()
        raise TimeoutError(f"{' '.join(command)} took more than {seconds:.0f} s") from None
    except BaseException:
        stop(process.pid)
        process.wait()
        raise
    return process.returncode


def stop(pid: int, *, grace: float = GRACE_SECONDS) -> None:
    """Tell the engine below a process to finish what it has begun, then end all of them.

    The engine takes SIGINT as a request to end in order; ours and the providers do not know it.
    """
    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    engines = [process for process in family if _name(process) == "pulumi"]
    for process in engines:
        _signal(process, signal.SIGINT)
    psutil.wait_procs(engines, timeout=grace)
    psutil.wait_procs(family, timeout=_FAREWELL_SECONDS if engines else 0)
    for process in family:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(family[1:], timeout=10)


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.Error:
        return ""


def _signal(process: psutil.Process, number: int) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return  # it ended by itself, which is what was wanted
