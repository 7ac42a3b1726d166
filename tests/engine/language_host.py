"""A stand-in for the vendor's Python language host, as far as `pulumi new` asks one.

The vendor's is no Go module of today's version, so that no build of ours has it: it would make a
virtual environment with uv. This one is told the same, writes down what it was told, and links the
environment that is there. Run as a program it is the host.
"""

import json
import os
import shlex
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]  # it ships no types
from google.protobuf import json_format
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

NAME = "pulumi-language-python"

_PROJECT = Path(__file__).resolve().parents[2]


class Host(language_pb2_grpc.LanguageRuntimeServicer):
    """Answers the questions of `pulumi new`, and no others."""

    def __init__(self, told: Path) -> None:
        self._told = told

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Say that it is there."""
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Say which version it is."""
        return plugin_pb2.PluginInfo(version="3.0.0")

    def RuntimeOptionsPrompts(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Ask nothing more: `Pulumi.yaml` names the toolchain."""
        return language_pb2.RuntimeOptionsResponse()

    def InstallDependencies(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        """Write down how, and link the environment that is there."""
        options = json_format.MessageToDict(request.info.options)
        self._told.write_text(json.dumps(options))
        venv = Path(request.info.root_directory) / options["virtualenv"]
        venv.symlink_to(_PROJECT / ".venv")
        yield language_pb2.InstallDependenciesResponse(stdout=b"linked\n")


def launcher(folder: Path) -> Path:
    """Write the program that an engine starts, into a folder for PATH; return what it tells."""
    told = folder / "told.json"
    program = folder / NAME
    folder.mkdir(parents=True)
    program.write_text(
        f"#!/bin/sh\nPYTHONPATH={shlex.quote(str(_PROJECT))} "
        f"exec {shlex.quote(sys.executable)} -P -m tests.engine.language_host "
        f"{shlex.quote(str(told))}\n"
    )
    program.chmod(0o755)
    return told


def _serve(told: Path) -> None:
    """Serve until the engine ends this process; prints the port, as the engine expects."""
    server = grpc.server(ThreadPoolExecutor(max_workers=2))
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(Host(told), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    os.write(1, f"{port}\n".encode())
    with suppress(KeyboardInterrupt):  # which is how the engine ends it
        server.wait_for_termination()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
