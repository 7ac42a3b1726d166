"""Facts about a resource type that no SDK has: form of names, ids and outputs; replacement."""

import hashlib
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from analysis.replacement import REPLACING

ACCOUNT = "123456789012"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One row of a cloud's table. Texts are templates: inputs by name, and `Facts.words`."""

    id: str
    replace: tuple[str, ...] = ()
    """Inputs whose change replaces the resource; a dot leads into an input: `nodePool.size`.

    `analysis.replacement` overrides it."""
    outputs: Mapping[str, Any] = field(default_factory=dict)
    given: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Outputs that exist only when an input is true: `{input: outputs}`."""
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The only valid values of an input."""
    between: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """The lowest and the highest valid number of an input."""
    sizes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Values of an input in order: an update may only increase it."""
    stored: Callable[[Mapping[str, Any]], dict[str, Any]] = lambda _: {}
    """Inputs that the cloud stores with another value than the given one, which is a difference in
    every preview."""
    waits: tuple[str, ...] = ()
    """Inputs whose change waits for the maintenance window unless `applyImmediately` is true."""
    refused: Callable[[Mapping[str, Any]], Mapping[str, str]] = lambda _: {}
    """Reasons by input for which the cloud rejects these inputs."""
    name: str = "name"
    """The input for which the provider generates a name."""
    unique: bool = False
    """True when another account may have the name."""


def looked_up(kinds: Mapping[str, Kind]) -> dict[str, Kind]:
    """The rows, each with what `analysis.replacement` says that replaces its type."""
    return {
        token: replace(kind, replace=REPLACING[token].inputs) if token in REPLACING else kind
        for token, kind in kinds.items()
    }


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Facts that determine the outputs of one resource."""

    token: str
    logical: str
    region: str
    inputs: Mapping[str, Any]
    salt: int = 0

    def words(self) -> dict[str, Any]:
        """The words of a template: every text input, and values of the cloud."""
        digest = hashlib.sha256(
            repr((self.token, self.logical, sorted(self.inputs.items()), self.salt)).encode()
        ).hexdigest()
        given = {key: value for key, value in self.inputs.items() if isinstance(value, str)}
        prefix = given.get("namePrefix")
        return {
            "name": f"{prefix}{digest[:26]}" if prefix else self.logical,
            "region": self.region,
            **given,
            "account": ACCOUNT,
            "hex": digest[:17],
            "uuid": str(uuid.UUID(digest[:32])),
            "logical": self.logical,
        }


def at(inputs: Mapping[str, Any], path: str) -> Any:
    """The value at a path such as `spec.selector`, or None."""
    found: Any = inputs
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def fill(template: Any, words: Mapping[str, Any]) -> Any:
    """Fill the texts of a template, at any depth.

    Raises:
        KeyError: when a template needs an input that was not given.
    """
    if isinstance(template, str):
        return template.format_map(words)
    if isinstance(template, Mapping):
        return {key: fill(value, words) for key, value in template.items()}
    if isinstance(template, list):
        return [fill(value, words) for value in template]
    return template
