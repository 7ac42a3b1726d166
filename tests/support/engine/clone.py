"""A copy of the project for the tests that run the real engine on one of its stacks."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml

from tools.workspace import project_name

PROJECT = Path(__file__).resolve().parents[3]

NEW = "digest" if project_name() != "digest" else "notes"
"""Another name than the project's; a renamed copy runs these tests, too."""


@dataclass(frozen=True, kw_only=True)
class Clone:
    """A copy of the project, and its commands."""

    root: Path
    stack: str
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    checkpoints: bool = False
    """True where a test kills the engine, which then writes the state at each step, not once."""

    def run(self, *command: str, expect: int = 0, seconds: float = 400) -> str:
        """Run `./seamless COMMAND`, check its status and return its output."""
        environment = {k: v for k, v in self.environment.items() if not k.startswith("PULUMI_")}
        # Not the login of the user.
        environment |= {"PYTHONPATH": str(self.root), "PULUMI_HOME": str(self.root / "home")}
        if not self.checkpoints:
            environment |= {"PULUMI_EXPERIMENTAL": "true", "PULUMI_SKIP_CHECKPOINTS": "true"}
        done = subprocess.run(
            [sys.executable, "-P", "-m", "tools", *command],
            cwd=self.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == expect, f"exit code {done.returncode}\n{done.stdout}"
        return done.stdout

    @property
    def config(self) -> Path:
        """The stack's file."""
        return self.root / "stacks" / f"Pulumi.{self.stack}.yaml"

    def configure(self, key: str, value: object, *, secret: bool = False) -> None:
        """Set a config value of the stack, or remove it with None.

        Only a secret needs the engine; its key may be a path, as `inference_endpoint_keys.spare`.
        """
        if secret and value is not None:
            setting = ("config", "set", "--secret", "--path", key, str(value))
            self.run("pulumi", *setting, "--stack", self.stack)
            return
        content = yaml.safe_load(self.config.read_text())
        content["config"].pop(key, None)
        content["config"].pop(f"{project_name()}:{key}", None)
        content["config"] |= {} if value is None else {key: value}
        self.config.write_text(yaml.safe_dump(content))

    def outputs(self) -> dict[str, str]:
        """The stack's outputs, secrets included."""
        found: dict[str, str] = json.loads(self.run("outputs", self.stack, "--json"))
        return found

    def state(self) -> list[dict[str, Any]]:
        """The resources in the stack's state; none when there is no such stack."""
        folder = self.root / ".seamless" / "state" / ".pulumi" / "stacks" / project_name()
        file = folder / f"{self.stack}.json"
        latest = json.loads(file.read_text())["checkpoint"]["latest"] if file.exists() else {}
        resources: list[dict[str, Any]] = (latest or {}).get("resources") or []
        return resources

    def resources(self) -> dict[str, dict[str, Any]]:
        """The resources in the stack's state, by logical name."""
        return {resource["urn"].rsplit("::", 1)[-1]: resource for resource in self.state()}

    def pid(self, name: str) -> int:
        """The process of a program of this stack."""
        identity: dict[str, Any] = json.loads((self.data / "run" / f"{name}.json").read_text())
        return int(identity["pid"])

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.root / ".seamless" / "stacks" / self.stack

    def processes(self) -> list[psutil.Process]:
        """Every process whose command line or folder is in this clone."""
        found = []
        for process in psutil.process_iter(["cmdline", "cwd"]):
            where = [*(process.info["cmdline"] or []), process.info["cwd"] or ""]
            if any(str(self.root) in part for part in where):
                found.append(process)
        return found

    def kill(self) -> None:
        """Kill every process of this clone."""
        for process in self.processes():
            process.kill()

    def documents(self) -> list[dict[str, Any]]:
        """The application's documents, newest first."""
        outputs = self.outputs()
        answer = httpx.get(
            f"{outputs['page_url']}api/documents",
            headers={"Authorization": f"Bearer {outputs['api_token']}"},
            timeout=60,
        )
        documents: list[dict[str, Any]] = answer.json()["documents"]
        return documents

    def health(self) -> dict[str, str]:
        """The application's health."""
        found: dict[str, str] = httpx.get(f"{self.outputs()['page_url']}healthz", timeout=60).json()
        return found


@contextmanager
def clone(root: Path, stack: str, environment: Mapping[str, str] | None = None) -> Iterator[Clone]:
    """Copy the files of git to a folder, and kill the clone's processes at the end.

    Only the table of inference providers differs: no test may call one of them.

    Args:
        root: The folder.
        stack: The stack of the tests.
        environment: The commands' environment; this process's by default.
    """
    if not (PROJECT / "stacks" / f"Pulumi.{stack}.yaml").is_file():
        raise FileNotFoundError(f"There is no stack {stack!r} to copy the project for.")
    copy_files(root)
    (root / ".venv").symlink_to(PROJECT / ".venv")
    _replace_providers(root / "catalog" / "providers.yaml")
    given = os.environ if environment is None else environment
    copy = Clone(root=root, stack=stack, environment=given)
    try:
        yield copy
    finally:
        copy.kill()


def copy_files(root: Path) -> None:
    """Copy the files of git and new ones to a folder, as they are now."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (PROJECT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, root / name)


def _replace_providers(table: Path) -> None:
    """Replace the URL of every inference provider by a closed port of this machine."""
    text, count = re.subn(
        r"base_url: https://[^/\n]+", "base_url: http://127.0.0.1:9", table.read_text()
    )
    assert count
    table.write_text(text)
