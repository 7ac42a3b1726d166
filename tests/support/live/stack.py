"""A live stack: created, deployed, destroyed, and found again after a killed run."""

import fcntl
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import yaml

from stacks.config_schema import KEYS
from stacks.names import full_key
from tests.support.live import names, process
from tests.support.live.accounts import INFERENCE_KEY
from tests.support.live.process import ROOT
from tools.workspace import HOME, project_name

TRIES = 3
"""Attempts to destroy: a deletion that fails often works a little later."""

FIXED = frozenset({"environment", "protect", "variant"})
"""Config that a live run sets, so that its stack can be destroyed."""

_FILE = """\
# A live run created this file and deletes it with the stack: ./seamless test live --clean
config:
  variant: {variant}
  environment: dev
  pulumi:autonaming:
    pattern: {pattern}
"""


class LiveError(Exception):
    """A step of a live run failed."""


@dataclass(frozen=True, kw_only=True)
class LiveStack:
    """A stack with a file in `stacks/` as long as a resource may exist."""

    name: str

    @property
    def file(self) -> Path:
        """The stack's file, which git ignores."""
        return ROOT / "stacks" / f"Pulumi.{self.name}.yaml"

    @property
    def variant(self) -> str:
        """The deployed variant."""
        # The engine adds the project's name to keys when it writes the file.
        config = yaml.safe_load(self.file.read_text())["config"]
        full = {full_key(project_name(), key): value for key, value in config.items()}
        return str(full[f"{project_name()}:variant"])

    @contextmanager
    def held(self) -> Iterator[bool]:
        """Lock the stack for this process; False when another process has the lock."""
        lock = HOME / "live" / f"{self.name}.lock"
        lock.parent.mkdir(parents=True, exist_ok=True)
        with lock.open("w") as opened:
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True
            if not self.file.exists():
                lock.unlink(missing_ok=True)

    def write(self, variant: str, config: Mapping[str, str] | None = None) -> None:
        """Write the file. From now on a killed run is found.

        Args:
            config: Further config by short key; none of it is secret.

        Raises:
            LiveError: the run sets a key of `config` itself, or a key is secret.
        """
        given = config or {}
        for key in given:
            name = key.rpartition(":")[2]
            if name in FIXED:
                raise LiveError(
                    f"--config {key}={given[key]}: a live run sets {name} itself. Leave it out."
                )
            if KEYS.get(name, {}).get("writeOnly"):
                raise LiveError(
                    f"--config {key}=…: {name} is secret, and the file of a live run is plain "
                    "text. Leave it out."
                )
        text = _FILE.format(variant=variant, pattern=names.AUTONAMING)
        rows = [f"  {key}: {json.dumps(value)}\n" for key, value in given.items()]
        self.file.write_text(text + "".join(rows))

    def configure(self, key: str) -> None:
        """Encrypt the inference key into the file; it goes through a pipe, not argv."""
        config = ("config", "set", "--secret", "inference_api_key")
        if _seamless("pulumi", *config, "--stack", self.name, stdin=key):
            raise LiveError(f"The key of {INFERENCE_KEY} could not be set: see above.")

    def up(self, *, seconds: float) -> None:
        """Deploy."""
        if _seamless("up", self.name, "--yes", seconds=seconds):
            raise LiveError(f"{self.name} could not be deployed: see above.")

    def is_unchanged(self, *, seconds: float) -> bool:
        """True when the cloud has what the program declares, as a refresh and a preview show."""
        return _seamless("preview", self.name, "--drift", seconds=seconds) == 0

    def write_outputs(self, file: Path) -> None:
        """Write the outputs, which have the token, to a file with mode 600."""
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
            status = _seamless("outputs", self.name, "--json", stdout=opened)
        if status or "page_url" not in json.loads(file.read_text()):
            raise LiveError(f"{self.name} has no outputs: see above.")

    def destroy(self) -> None:
        """Destroy every resource of the state, also after a killed command.

        Raises:
            LiveError: every attempt failed. The file stays for `--clean`.
        """
        for _ in range(TRIES):
            # This process has the stack, so any lock of the engine is stale.
            _seamless("pulumi", "cancel", "--yes", "--stack", self.name)
            if _seamless("down", self.name, "--yes") == 0:
                return
        raise LiveError(
            f"{self.name} could not be destroyed and still costs money. List it: "
            f"./seamless pulumi stack --stack {self.name}. Try again: ./seamless test live --clean"
        )

    def forget(self) -> None:
        """Delete the file."""
        self.file.unlink(missing_ok=True)


def all_here() -> list[LiveStack]:
    """Every live stack with a file."""
    found = (ROOT / "stacks").glob("Pulumi.live-*.yaml")
    stacks = (file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in found)
    return [LiveStack(name=name) for name in sorted(stacks) if names.PATTERN.fullmatch(name)]


def _seamless(
    *command: str,
    stdin: str | None = None,
    stdout: IO[str] | None = None,
    seconds: float | None = None,
) -> int:
    return process.run(
        [sys.executable, "-P", "-m", "tools", *command],
        hidden=[INFERENCE_KEY],
        stdin=stdin,
        stdout=stdout,
        seconds=seconds,
    )
