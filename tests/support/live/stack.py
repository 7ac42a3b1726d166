"""A live stack: made, deployed, destroyed, and found again when its run was killed."""

import fcntl
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import yaml

from stacks.names import full_key
from tests.support.live import names, process
from tests.support.live.accounts import INFERENCE_KEY
from tests.support.live.process import ROOT
from tools.workspace import HOME, project_name

TRIES = 3
"""How often a destroy is begun: what a cloud refuses at first it often allows a little later."""

_FILE = """\
# Made by a live run and removed when nothing is left of it: ./seamless test live --clean
config:
  variant: {variant}
  environment: dev
  pulumi:autonaming:
    pattern: {pattern}
"""


class LiveError(Exception):
    """A step of a live run failed; the message says which, and what is left."""


@dataclass(frozen=True, kw_only=True)
class LiveStack:
    """A stack with a file in `stacks/` for as long as anything may be left of it."""

    name: str

    @property
    def file(self) -> Path:
        """The stack's file, which git does not see."""
        return ROOT / "stacks" / f"Pulumi.{self.name}.yaml"

    @property
    def variant(self) -> str:
        """What was deployed."""
        # The engine puts the project's name before the keys when it writes one of its own.
        config = yaml.safe_load(self.file.read_text())["config"]
        full = {full_key(project_name(), key): value for key, value in config.items()}
        return str(full[f"{project_name()}:variant"])

    @contextmanager
    def held(self) -> Iterator[bool]:
        """Hold the stack while this process lives; False when another living one does."""
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

    def write(self, variant: str) -> None:
        """Make the file. From now on a killed run is found."""
        self.file.write_text(_FILE.format(variant=variant, pattern=names.AUTONAMING))

    def configure(self, key: str) -> None:
        """Encrypt the key of the inference into the file; it is written to a pipe, never to argv.

        Raises:
            LiveError: when the engine does not take it.
        """
        config = ("config", "set", "--secret", "inference_api_key")
        if _seamless("pulumi", *config, "--stack", self.name, stdin=key):
            raise LiveError(f"The key of {INFERENCE_KEY} could not be set: see above.")

    def up(self, *, seconds: float) -> None:
        """Deploy.

        Raises:
            LiveError: when that fails.
            TimeoutError: when it takes longer.
        """
        if _seamless("up", self.name, "--yes", seconds=seconds):
            raise LiveError(f"{self.name} could not be deployed: see above.")

    def write_outputs(self, file: Path) -> None:
        """Write the outputs, the token among them, for this user's eyes only.

        Raises:
            LiveError: when there are none.
        """
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
            status = _seamless("outputs", self.name, "--json", stdout=opened)
        if status or "page_url" not in json.loads(file.read_text()):
            raise LiveError(f"{self.name} has no outputs: see above.")

    def destroy(self) -> None:
        """Destroy all that the state knows, also when another command was cut off in the middle.

        Raises:
            LiveError: when something refuses again and again. The file stays, so that
                `--clean` tries again.
        """
        for _ in range(TRIES):
            # Nobody else works on it: we hold it. So whatever lock there is, is a dead one's.
            _seamless("pulumi", "cancel", "--yes", "--stack", self.name)
            if _seamless("down", self.name, "--yes") == 0:
                return
        raise LiveError(
            f"{self.name} could not be destroyed and goes on to cost money. What is left: "
            f"./seamless pulumi stack --stack {self.name}. Again: ./seamless test live --clean"
        )

    def forget(self) -> None:
        """Remove the file: nothing is left."""
        self.file.unlink(missing_ok=True)


def all_here() -> list[LiveStack]:
    """Every live stack with a file: those that run, and those whose run was killed."""
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
