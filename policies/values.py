"""What a policy sees of a value: the value, or that it is unknown or secret."""

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105  # Pulumi's mark of a secret, none itself
_UNKNOWN = frozenset(
    {
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)
"""Pulumi's marks of values that are unknown, by their type (pulumi-policy 1.21, proxy.py)."""


class Hidden(Enum):
    """Stands in the place of a value that a policy cannot or must not read."""

    UNKNOWN = "unknown until deployed"
    SECRET = "secret"  # noqa: S105


def from_wire(value: Any) -> Any:
    """A value of the engine's protocol as plain data; a secret's value is dropped here."""
    if isinstance(value, str):
        return Hidden.UNKNOWN if value in _UNKNOWN else value
    if isinstance(value, Mapping):
        if value.get(_SIGNATURE) == _SECRET:
            return Hidden.SECRET
        return {key: from_wire(item) for key, item in value.items() if key != _SIGNATURE}
    if isinstance(value, list):
        return [from_wire(item) for item in value]
    return value


def listed(value: Any) -> list[Any]:
    """The items of a list, the one item that stands alone, none of what is absent or hidden."""
    if value is None or isinstance(value, Hidden):
        return []
    return value if isinstance(value, list) else [value]


def mapped(value: Any) -> Mapping[str, Any]:
    """A mapping, empty when it is absent or hidden."""
    return value if isinstance(value, Mapping) else {}


def is_undecided(value: Any) -> bool:
    """True when a value, or anything in it, is hidden."""
    return any(isinstance(leaf, Hidden) for _, _, leaf in leaves(value))


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, str, Any]]:
    """Path, last key and value of everything that is no container; Pulumi's own keys left out.

    In a list of `{key or name, value}` the entry's key counts as its name.
    """
    if isinstance(value, Mapping):
        name = value.get("key") or value.get("name")
        for key, item in value.items():
            if key.startswith("__"):
                continue
            if key == "value" and isinstance(name, str):
                yield f"{path}.{name}", name, item
            else:
                yield from leaves(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, f"{path}[{index}]")
    else:
        yield path, path.rsplit(".", 1)[-1].split("[", 1)[0], value
