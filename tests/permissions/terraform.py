"""Runs Terraform with the AWS provider of a plugin folder against moto, and reads its log."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.support.local import until

PROVIDER = "registry.terraform.io/hashicorp/aws"
PLUGINS = "SEAMLESS_TERRAFORM_PLUGINS"
"""Variable with the folder of a filesystem mirror of providers; unset takes the registry."""

VERSION = "5.100.0"

_ENTRY = re.compile(r"^(?=\d{4}-\d\d-\d\dT[\d:.]+Z? )", re.MULTILINE)
_FIELD = re.compile(r'(?<=\s)([\w.]+)=(?:"([^"]*)"|(\S+))')


@dataclass(frozen=True, kw_only=True, order=True)
class Call:
    """A call of an AWS API.

    Attributes:
        kind: Terraform's type of the resource; empty for the provider's own calls.
        reads: The provider read the resource, as in every refresh.
        service: SDK's name.
        verb: HTTP method; only API Gateway's actions depend on it.
    """

    kind: str
    reads: bool
    service: str
    operation: str
    verb: str = ""


class Terraform:
    """A working folder with a configuration."""

    def __init__(self, folder: Path, endpoint: str) -> None:
        self._folder = folder
        self._environment = {
            **os.environ,
            "AWS_ENDPOINT_URL": endpoint,
            "CHECKPOINT_DISABLE": "1",
            "TF_CLI_CONFIG_FILE": os.devnull,
            "TF_IN_AUTOMATION": "1",
        }

    def configure(self, document: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        """Write the configuration, with the tags that every resource gets."""
        provider = {
            "region": "us-east-1",
            "access_key": "of-a-test",
            "secret_key": "of-a-test",
            "s3_use_path_style": True,
            "max_retries": 2,
            "default_tags": [{"tags": dict(tags)}],
        }
        required = {"aws": {"source": "hashicorp/aws", "version": VERSION}}
        whole = {
            "terraform": {"required_providers": required},
            "provider": {"aws": provider},
            **document,
        }
        (self._folder / "main.tf.json").write_text(json.dumps(whole, indent=1))

    def init(self) -> None:
        """Install the provider."""
        folder = os.environ.get(PLUGINS)
        self.run("init", *([f"-plugin-dir={folder}"] if folder else []))

    def schemas(self) -> dict[str, Any]:
        """Schemas by resource type."""
        found = json.loads(self.run("providers", "schema", "-json"))
        schemas: dict[str, Any] = found["provider_schemas"][PROVIDER]["resource_schemas"]
        return schemas

    def calls(self, *arguments: str) -> list[Call]:
        """Run a command, and return the provider's calls in order."""
        log = self._folder / f"{arguments[0]}.log"
        log.unlink(missing_ok=True)
        logging = {"TF_LOG_PROVIDER": "DEBUG", "TF_LOG_PATH": str(log)}
        self.run(*arguments, "-input=false", "-parallelism=20", **logging)
        return list(read_log(log.read_text()))

    def run(self, *arguments: str, **variables: str) -> str:
        """Run a command.

        Raises:
            RuntimeError: it failed.
        """
        done = subprocess.run(
            ["terraform", *arguments, *([] if "-json" in arguments else ["-no-color"])],
            cwd=self._folder,
            env=self._environment | variables,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"terraform {arguments[0]} failed:\n{done.stderr[-6000:]}")
        return done.stdout


def terraform_version() -> str:
    """The version of the command on PATH."""
    done = subprocess.run(
        ["terraform", "version", "-json"],
        env={**os.environ, "CHECKPOINT_DISABLE": "1", "TF_CLI_CONFIG_FILE": os.devnull},
        capture_output=True,
        text=True,
        check=True,
    )
    return str(json.loads(done.stdout)["terraform_version"])


def read_log(text: str) -> Iterator[Call]:
    """The calls in a provider's log."""
    for entry in _ENTRY.split(text):
        if "HTTP Request Sent" in entry.partition("\n")[0]:
            found = {name: quoted or plain for name, quoted, plain in _FIELD.findall(entry)}
            service = found["rpc.service"]
            yield Call(
                kind=found.get("tf_resource_type", ""),
                reads=found.get("tf_rpc") == "ReadResource",
                service=service,
                operation=found["rpc.method"],
                verb=found["http.method"] if service == "ApiGatewayV2" else "",
            )


@contextmanager
def moto() -> Iterator[str]:
    """A moto server with AWS's managed policies, whose Lambda runs nothing."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [Path(sys.executable).with_name("moto_server"), "-H", "127.0.0.1", "-p", str(port)],
        env={**os.environ, "MOTO_IAM_LOAD_MANAGED_POLICIES": "true"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: _answers(url), seconds=60)
        httpx.post(f"{url}/moto-api/config", json={"lambda": {"use_docker": False}})
        yield url
    finally:
        server.terminate()
        server.wait()


def _answers(url: str) -> bool | None:
    try:
        return httpx.get(f"{url}/moto-api/data.json", timeout=30).is_success or None
    except httpx.TransportError:
        return None
