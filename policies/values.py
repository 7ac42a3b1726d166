"""Readers for input values that may be absent, secret or unknown."""

from collections.abc import Iterator, Mapping
from typing import Any

from policies.resource import Hidden


def readable(value: Any) -> str | None:
    """A text that can be read; None for a secret, for an unknown, and for anything but text."""
    return value if isinstance(value, str) and not isinstance(value, Hidden) else None


def listed(value: Any) -> list[Any]:
    """The items of a list; a single value counts as one item, an absent or hidden one as none."""
    if value is None or isinstance(value, Hidden):
        return []
    return value if isinstance(value, list) else [value]


def mapped(value: Any) -> Mapping[str, Any]:
    """A mapping; empty if it is absent or hidden."""
    return value if isinstance(value, Mapping) else {}


def is_undecided(value: Any) -> bool:
    """True if a value, or anything inside it, is secret or unknown."""
    return any(isinstance(leaf, Hidden) for _, _, leaf in leaves(value))


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, str, Any]]:
    """Path, last key and value of every value inside a value, without Pulumi's own keys.

    An entry `{key or name, value}` of a list is named by its `key` or `name`.
    """
    if isinstance(value, Mapping):
        name = readable(value.get("key") or value.get("name"))
        for key, item in value.items():
            if key.startswith("__"):
                continue
            if key == "value" and name:
                yield f"{path}.{name}", name, item
            else:
                yield from leaves(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, f"{path}[{index}]")
    else:
        yield path, path.rsplit(".", 1)[-1].split("[", 1)[0], value
