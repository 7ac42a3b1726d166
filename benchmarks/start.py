"""A new process that imports the application, against one that imports nothing."""

import os
import resource
import subprocess
import sys

from benchmarks.measure import Result, Side, compare
from tools.workspace import ROOT

_MODULE = "functions.handlers.local"


def measure(*, size: int = 1, rounds: int = 6) -> list[Result]:
    """Start `size` processes per sample, one after the other, with compiled bytecode."""
    return [
        compare(
            "start",
            ours=Side(label=f"python, import {_MODULE}", run=lambda: _start(_MODULE, size)),
            peer=Side(label="python alone", run=lambda: _start("sys", size)),
            digest=str,
            per="process",
            count=size,
            rounds=rounds,
            cpu_clock=_cpu_of_children,
        )
    ]


def _start(module: str, processes: int) -> str:
    # The bundle has bytecode, so the first run must write it.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", f"import {module}; print('ready')"]
    said = ""
    for _ in range(processes):
        said += subprocess.run(
            command,
            cwd=ROOT,
            env={**environment, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        ).stdout
    return said


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
