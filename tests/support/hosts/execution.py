"""A function on a platform: its own process, one call at a time, a time limit."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from components.local.process import plain_environment
from components.local.server import PROJECT

Json = dict[str, Any]


class ExecutionError(RuntimeError):
    """A call without a result: the handler raised an error, or its process ended."""


class Execution:
    """The process starts at the first call, and again after its end."""

    def __init__(
        self,
        handler: str,
        *,
        name: str,
        seconds: float,
        environment: Mapping[str, str],
        folder: Path,
    ) -> None:
        """Args:
        handler: `module:function`.
        name: The platform's name of the function.
        seconds: The timeout of a call.
        environment: The environment of the process.
        folder: For the log and temporary files.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._command = [sys.executable, "-m", "tests.support.hosts.runtime", handler, name]
        self._environment = plain_environment(
            {**environment, "PYTHONPATH": str(PROJECT), "TMPDIR": str(folder)}
        )
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self.seconds = seconds
        self.log = folder / "log"

    def call(self, event: Json) -> Any:
        """The result of the handler, or an `ExecutionError`."""
        with self._lock:
            process = self._started()
            assert process.stdin is not None
            assert process.stdout is not None
            timer = threading.Timer(self.seconds, process.kill)
            timer.start()
            try:
                process.stdin.write(json.dumps({"event": event, "seconds": self.seconds}) + "\n")
                process.stdin.flush()
                line = process.stdout.readline()
            except BrokenPipeError:
                line = ""
            finally:
                timer.cancel()
                timer.join()
        if not line:
            raise ExecutionError("the process ended")
        answer = json.loads(line)
        if "error" in answer:
            raise ExecutionError(answer["error"])
        return answer["result"]

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Let every call wait meanwhile."""
        with self._lock:
            yield

    def kill(self) -> None:
        """Kill the process."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """Kill the process and close its pipes."""
        self.kill()
        with self._lock:
            self._forget()

    def _started(self) -> subprocess.Popen[str]:
        if self._process and self._process.poll() is None:
            return self._process
        self._forget()
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=self._environment,
                cwd=self.log.parent,
            )
        return self._process

    def _forget(self) -> None:
        process, self._process = self._process, None
        if process:
            with suppress(BrokenPipeError), process:  # waits, and closes the pipes
                pass
