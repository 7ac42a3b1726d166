"""A Python program of this project that serves HTTP on 127.0.0.1, as a resource."""

import hashlib
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
from pulumi import dynamic

from components.dynamic_provider import DynamicProvider
from components.local.process import Daemon, choose_port, plain_environment

PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, kw_only=True)
class Program:
    """`python -m MODULE --host 127.0.0.1 --port PORT`, healthy when its `/healthz` returns ok.

    Attributes:
        environment: Its configuration, secrets included; the command line has none.
    """

    name: str
    module: str
    folder: Path
    environment: Mapping[str, str] = field(repr=False)

    @property
    def daemon(self) -> Daemon:
        """The process."""
        return Daemon(folder=self.folder, name=self.name)

    def start(self, *, wanted_port: int = 0, port_before: int = 0) -> int:
        """Start the program and return its port.

        Raises:
            DaemonError: It does not become healthy, or the wanted port is in use.
        """
        port = choose_port(wanted_port, before=port_before)
        self.daemon.start(
            [sys.executable, "-m", self.module, "--host", "127.0.0.1", "--port", str(port)],
            environment=plain_environment(
                {**self.environment, "PYTHONPATH": str(PROJECT), "PYTHONUNBUFFERED": "1"}
            ),
            ready=lambda: _healthy(port),
        )
        return port


class _Provider(DynamicProvider):
    inputs = ("module", "environment", "folder", "wanted_port", "code")
    replacing = ("folder",)
    delete_before_replace = True

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        return dynamic.CreateResult(props["name"], _start(props))

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        return dynamic.ReadResult(id_, {**props, "pid": _program(props).daemon.pid() or 0})

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        diff = super().diff(_id, olds, news)
        diff.changes = diff.changes or _program(olds).daemon.pid() is None
        return diff

    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        _program(olds).daemon.stop()
        return dynamic.UpdateResult(_start(news, port_before=int(olds["port"])))

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        _program(props).daemon.remove()


class Server(dynamic.Resource, module="local", name="Server"):
    """A `Program` as a resource."""

    url: pulumi.Output[str]
    """`http://127.0.0.1:PORT`, without a slash at the end."""
    port: pulumi.Output[int]
    pid: pulumi.Output[int]

    def __init__(
        self,
        name: str,
        *,
        module: str,
        folder: Path,
        environment: Mapping[str, pulumi.Input[str]],
        port: int = 0,
        code: Sequence[Path],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        module: Module that `python -m` runs.
        folder: Folder for its log and its process file.
        environment: Its configuration; values may be secret.
        port: 0 takes a free port at the first start, and keeps it.
        code: Files and folders; a change of their content restarts the program.
        """
        super().__init__(
            _Provider(),
            name,
            {
                "name": name,
                "module": module,
                "folder": str(folder),
                "environment": dict(environment),
                "wanted_port": port,
                "code": fingerprint(code),
                "url": None,
                "port": None,
                "pid": None,
            },
            opts,
        )


def fingerprint(paths: Sequence[Path]) -> str:
    """A hash over the content of files and folders without compiled Python."""
    digest = hashlib.sha256()
    for path in paths:
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"{file.relative_to(PROJECT)}\n".encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _program(props: dict[str, Any]) -> Program:
    return Program(
        name=props["name"],
        module=props["module"],
        folder=Path(props["folder"]),
        environment=props["environment"],
    )


def _start(props: dict[str, Any], *, port_before: int = 0) -> dict[str, Any]:
    program = _program(props)
    port = program.start(wanted_port=int(props["wanted_port"]), port_before=port_before)
    inputs = {name: props[name] for name in ("name", *_Provider.inputs)}
    pid = program.daemon.pid() or 0
    return {**inputs, "url": f"http://127.0.0.1:{port}", "port": port, "pid": pid}


def _healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:
            return answer.status == 200 and b'"ok"' in answer.read()
    except (urllib.error.URLError, OSError):
        return False
