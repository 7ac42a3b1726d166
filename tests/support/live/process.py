"""Commands of a live run, stopped in order, so that the engine loses no state."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import IO

import psutil

ROOT = Path(__file__).resolve().parents[3]

GRACE_SECONDS = 45 * 60.0
"""How long an engine may finish its operations after SIGINT; an RDS instance takes minutes."""

_FAREWELL_SECONDS = 20.0
"""How long `./seamless` may print the end of the engine's output."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(KeyboardInterrupt):
    """A signal ended the run; pytest handles it like ctrl-C."""


@contextmanager
def stoppable() -> Iterator[None]:
    """Raise `Stopped` at the first ctrl-C, SIGTERM or SIGHUP, and ignore later ones."""
    raised = False

    def handle(number: int, _: FrameType | None) -> None:
        nonlocal raised
        if raised:
            sys.stderr.write("\nThe stack is being destroyed; wait for the end.\n")
            return
        raised = True
        raise Stopped(f"by {signal.Signals(number).name}")

    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _deferred() -> Iterator[None]:
    """Handle signals that arrive in the block at its end."""
    arrived = list[int]()
    before = {
        number: signal.signal(number, lambda number, _: arrived.append(number))
        for number in _SIGNALS
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for raised in arrived:
        signal.raise_signal(raised)


def run(
    command: Sequence[str],
    *,
    hidden: Sequence[str] = (),
    stdin: str | None = None,
    stdout: IO[str] | int | None = None,
    seconds: float | None = None,
) -> int:
    """Run a program in the project, and return its status.

    Its own session keeps ctrl-C from it: `stop` signals the engine once.

    Args:
        hidden: Variables that it does not inherit.
        stdin: Its input.
        seconds: The timeout.

    Raises:
        TimeoutError: it was stopped after the timeout.
    """
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    process: subprocess.Popen[str] | None = None
    try:
        with _deferred():  # `Popen` can be interrupted when the program runs already
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment | {"PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                stdout=stdout,
                text=True,
                start_new_session=True,
            )
        process.communicate(stdin, timeout=seconds)
    except BaseException as error:
        if process is not None:
            stop(process.pid)
            process.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            raise TimeoutError(f"{' '.join(command)} took more than {seconds:.0f} s") from None
        raise
    return process.returncode


def stop(pid: int, *, grace: float = GRACE_SECONDS) -> None:
    """Send SIGINT to the engine below a process, wait for its end, then kill all of them."""
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
    with suppress(psutil.Error):
        return process.name()
    return ""


def _signal(process: psutil.Process, number: int) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)
