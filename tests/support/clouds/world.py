"""The resources of a simulated cloud, in a JSON file that tests read and change."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

FOLDER = "SIMULATED_CLOUDS"
"""The environment variable with the folder of the files."""

Operation = Literal["create", "update", "delete"]


@dataclass(frozen=True, kw_only=True)
class World:
    """One cloud's resources, in a folder that several plugin processes may share."""

    folder: Path
    cloud: str

    @classmethod
    def here(cls, cloud: str) -> "World":
        """The world that the environment names."""
        return cls(folder=Path(os.environ[FOLDER]), cloud=cloud)

    @property
    def file(self) -> Path:
        """Where the resources are."""
        return self.folder / f"{self.cloud}.json"

    def resources(self) -> dict[str, dict[str, Any]]:
        """What exists, by `TYPE ID`: each has `type`, `name`, `id` and `outputs`."""
        found: dict[str, dict[str, Any]] = _load(self.file, {})
        return found

    @contextmanager
    def change(self) -> Iterator[dict[str, dict[str, Any]]]:
        """Change the resources under a lock; an error changes nothing."""
        with self._alone():
            resources = self.resources()
            yield resources
            _save(self.file, resources)

    def fail(
        self,
        what: str,
        operation: Operation,
        message: str,
        *,
        times: int = 1,
        after: bool = False,
    ) -> None:
        """Let the next operations on a type, on a logical name, or on `TYPE NAME` fail.

        Args:
            after: A creation fails after its effect.
        """
        row = {"what": what, "operation": operation, "message": message, "times": times}
        with self._alone():
            _save(self._failures, [*_load(self._failures, []), {**row, "after": after}])

    def failure(
        self, token: str, name: str, operation: Operation, *, after: bool = False
    ) -> str | None:
        """The message with which this operation must fail, or None."""
        with self._alone():
            planned = _load(self._failures, [])
            for row in planned:
                meant = row["what"] in (token, name, f"{token} {name}")
                meant = meant and row["after"] == after
                if meant and row["operation"] == operation and row["times"]:
                    row["times"] -= 1
                    _save(self._failures, planned)
                    return str(row["message"])
        return None

    def answer(self, what: str, **outputs: Any) -> None:
        """Let resources of a type or with a logical name have these outputs when they are made."""
        with self._alone():
            _save(self._answers, _load(self._answers, {}) | {what: outputs})

    def answers(self, token: str, name: str) -> dict[str, Any]:
        """The outputs that a test set for a resource."""
        answers = _load(self._answers, {})
        return {**answers.get(token, {}), **answers.get(name, {})}

    @contextmanager
    def left(self) -> Iterator[dict[str, Any]]:
        """Change under a lock what deletions left behind; an error changes nothing."""
        with self._alone():
            left = _load(self._left, {})
            yield left
            _save(self._left, left)

    def take(self, name: str) -> None:
        """Let another account own a globally unique name."""
        with self._alone():
            _save(self._taken, [*_load(self._taken, []), name])

    def is_taken(self, name: str) -> bool:
        """True when another account owns the name."""
        return name in _load(self._taken, [])

    @property
    def _left(self) -> Path:
        return self.folder / f"{self.cloud}.left.json"

    @property
    def _failures(self) -> Path:
        return self.folder / f"{self.cloud}.failures.json"

    @property
    def _answers(self) -> Path:
        return self.folder / f"{self.cloud}.answers.json"

    @property
    def _taken(self) -> Path:
        return self.folder / f"{self.cloud}.taken.json"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with (self.folder / f"{self.cloud}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _load(file: Path, otherwise: Any) -> Any:
    return json.loads(file.read_text()) if file.exists() else otherwise


def _save(file: Path, content: Any) -> None:
    # In one step, since a test may read at any time.
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps(content, indent=1, sort_keys=True))
    fresh.replace(file)
