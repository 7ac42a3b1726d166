"""A background process on this machine, which runs on after the command that started it."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

START_SECONDS = 60.0
STOP_SECONDS = 15.0


_STARTED: list[subprocess.Popen[bytes]] = []
"""Children of this process. Python warns when a running child is garbage-collected."""


class DaemonError(RuntimeError):
    """A program did not start or stop; the message has the end of its log."""


@dataclass(frozen=True, kw_only=True)
class Daemon:
    """A named program with its process file `run/NAME.json` and its log `log/NAME.log`.

    The process file has the process id and the start time, because ids are reused.
    """

    folder: Path
    name: str
    stop_signal: signal.Signals = signal.SIGTERM

    @property
    def log(self) -> Path:
        """The program's standard output and error."""
        return self.folder / "log" / f"{self.name}.log"

    @property
    def _identity(self) -> Path:
        return self.folder / "run" / f"{self.name}.json"

    def pid(self) -> int | None:
        """The process id; None if the program does not run."""
        process = self._process()
        return process.pid if process else None

    def start(
        self,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str],
        ready: Callable[[], bool],
        directory: Path | None = None,
    ) -> int:
        """Start the program, wait until it is ready, and return its process id.

        Raises:
            DaemonError: It ended, or was not ready within a minute and has been stopped.
        """
        self.stop()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._identity.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [str(part) for part in command],
                env=dict(environment),
                cwd=directory or self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _STARTED.append(process)
        self._identity.write_text(
            json.dumps({"pid": process.pid, "started": psutil.Process(process.pid).create_time()})
        )
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            ended = process.poll()
            if ended is not None or time.monotonic() > deadline:
                self.stop()
                what = (
                    f"ended with status {ended}" if ended is not None else "was not ready in time"
                )
                raise DaemonError(f"{self.name} {what}. The end of {self.log}:\n{self._tail()}")
            time.sleep(0.05)
        return process.pid

    def stop(self) -> None:
        """Stop the program and its child processes; no error if it does not run."""
        process = self._process()
        if process:
            family = [process, *process.children(recursive=True)]
            process.send_signal(self.stop_signal)
            for running in _wait(family):
                running.kill()
            if _wait(family):
                raise DaemonError(f"{self.name} (process {process.pid}) cannot be stopped.")
        _STARTED[:] = [child for child in _STARTED if child.poll() is None]
        self._identity.unlink(missing_ok=True)

    def remove(self) -> None:
        """Stop the program and remove its files."""
        self.stop()
        self.log.unlink(missing_ok=True)
        remove_if_empty(self.log.parent, self._identity.parent, self.folder)

    def _process(self) -> psutil.Process | None:
        try:
            identity = json.loads(self._identity.read_text())
            process = psutil.Process(identity["pid"])
            same = process.create_time() == identity["started"]
        except (FileNotFoundError, psutil.NoSuchProcess):
            return None
        return process if same and _runs(process) else None

    def _tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])


def _wait(family: Sequence[psutil.Process]) -> list[psutil.Process]:
    """Wait for processes to end; return those that still run. A zombie counts as ended."""
    deadline = time.monotonic() + STOP_SECONDS
    alive = list(family)
    while True:
        _, alive = psutil.wait_procs(alive, timeout=0.05)
        alive = [process for process in alive if _runs(process)]
        if not alive or time.monotonic() > deadline:
            return alive


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def choose_port(wanted: int, *, before: int = 0) -> int:
    """Return a port of 127.0.0.1: the wanted one; if that is 0, the previous one or any free one.

    Raises:
        DaemonError: The wanted port is in use.
    """
    for port in (wanted,) if wanted else (before, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            chosen: int = probe.getsockname()[1]
            return chosen
    raise DaemonError(
        f"Port {wanted} of 127.0.0.1 is in use. Choose another: pulumi config set page_port PORT, "
        "or 0 for any free one."
    )


def remove_if_empty(*folders: Path) -> None:
    """Remove the folders that exist and are empty, in this order."""
    for folder in folders:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def plain_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """A minimal environment: paths and locale of the caller, and `extra`."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")
    return {name: os.environ[name] for name in kept if name in os.environ} | dict(extra)
