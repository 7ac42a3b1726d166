"""A function in AWS Lambda's own runtime: its emulator, its Python client, and a bundle.

The emulator is AWS's Go program, the client is `awslambdaric` of `uv.lock`, which is the runtime
of Lambda's Python images. Of Lambda they lack the processor (arm64), the memory limit and the role.
"""

import os
import platform
import re
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import psutil

from build.bundle import TARGETS, find_python, install, write
from components.local.process import plain_environment
from tests.support import local
from tools.programs.lambda_emulator import LAMBDA_EMULATOR

Json = dict[str, Any]

INVOKE = "/2015-03-31/functions/function/invocations"
"""Path of Lambda's Invoke API; the emulator has one function."""

PROVIDED = ("awslambdaric", "botocore", "boto3")
"""Packages that Lambda's Python runtime has."""


@dataclass(frozen=True, kw_only=True)
class Image:
    """What a function's process can load.

    Attributes:
        python: The Python of the bundle.
        code: The unpacked bundle, `/var/task` on Lambda.
        runtime: Packages that Lambda provides, `/var/runtime` on Lambda.
    """

    python: Path
    code: Path
    runtime: Path


def image(folder: Path) -> Image:
    """The bundle for this machine's processor, unpacked beside Lambda's own packages."""
    python = find_python(TARGETS["aws"].python, install=True) or Path(sys.executable)
    version = subprocess.run(
        [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
        capture_output=True,
        check=True,
        text=True,
    ).stdout.strip()
    machine = "aarch64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"
    target = replace(TARGETS["aws"], uv_platform=f"{machine}-manylinux_2_28", python=version)
    write(target, folder / "bundle.zip", compiler=python)
    with zipfile.ZipFile(folder / "bundle.zip") as archive:
        archive.extractall(folder / "code")
    install(target, folder / "runtime", PROVIDED, development=True)
    return Image(python=python, code=folder / "code", runtime=folder / "runtime")


@dataclass(frozen=True, kw_only=True)
class Invoked:
    """A response of the Invoke API.

    Attributes:
        payload: The decoded response; the text of a timeout, which is no JSON.
    """

    status: int
    payload: Any


class Function:
    """One execution environment of a function."""

    def __init__(self, url: str, process: psutil.Popen, log: Path) -> None:
        self._url, self._process, self._log = url, process, log

    def invoke(self, event: Json) -> Invoked:
        """Call the function and wait for its response."""
        response = httpx.post(f"{self._url}{INVOKE}", json=event, timeout=280)
        try:
            payload = response.json()
        except ValueError:
            payload = response.text
        return Invoked(status=response.status_code, payload=payload)

    def pid(self) -> int:
        """The process with the handler."""
        (runtime,) = self._process.children()
        return int(runtime.pid)

    def cpu_seconds(self) -> float:
        """CPU time of the process with the handler."""
        (runtime,) = self._process.children()
        times = runtime.cpu_times()
        return float(times.user + times.system)

    def kill(self) -> None:
        """Kill the process with the handler, as Lambda does to one without memory."""
        (runtime,) = self._process.children()
        runtime.kill()

    def log(self) -> str:
        """Output of the emulator and of the handler."""
        return self._log.read_text()

    def init_milliseconds(self) -> list[float]:
        """The duration of each cold start, as Lambda's report lines state it."""
        return [float(found) for found in re.findall(r"Init Duration: ([\d.]+) ms", self.log())]


@contextmanager
def function(
    image: Image, handler: str, environment: Mapping[str, str], *, seconds: int, log: Path
) -> Iterator[Function]:
    """Start the emulator; the first call initializes the function."""
    program = f"{LAMBDA_EMULATOR.ensure(print) / 'aws-lambda-rie'}"
    http, api = (f"127.0.0.1:{_free_port()}" for _ in range(2))
    command = [
        *(program, "--runtime-interface-emulator-address", http, "--runtime-api-address", api),
        *(f"{image.python}", "-m", "awslambdaric", handler),
    ]
    variables = plain_environment(
        {
            **environment,
            "AWS_LAMBDA_FUNCTION_TIMEOUT": f"{seconds}",
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
            "AWS_LAMBDA_LOG_LEVEL": "INFO",
            "LAMBDA_TASK_ROOT": f"{image.code}",
            "PYTHONPATH": f"{image.code}{os.pathsep}{image.runtime}",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
    )
    with log.open("w") as output:
        process = psutil.Popen(
            command, cwd=image.code, env=variables, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        local.until(lambda: _listens(http) or None)
        yield Function(f"http://{http}", process, log)
    finally:
        for child in [*process.children(recursive=True), process]:
            child.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0
