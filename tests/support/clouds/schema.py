"""Inputs and outputs of a resource type, from the installed SDK.

Its sources are read as text, since the import of a provider takes longer than a test.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_PROPERTY = re.compile(
    r'@pulumi\.getter(?:\(name="(?P<wire>\w+)"\))?\n'
    r'(?:    @_utilities\.deprecated\(""".*?"""\)\n)?'
    r"    def (?P<name>\w+)\(self\) -> pulumi\.Output\[(?P<type>.+)\]:\n"
)
_INPUT = re.compile(r'__props__\.__dict__\["(\w+)"\] = (?!None\n)')
_REQUIRED = re.compile(r"Missing required property '(\w+)'")
_CASE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_EMPTY: dict[str, Any] = {"bool": False, "int": 1, "float": 1.0, "Sequence": [], "Mapping": {}}


class UnknownTypeError(LookupError):
    """The installed SDK has no such resource type."""


@dataclass(frozen=True, kw_only=True)
class Schema:
    """The properties of a resource type, by their names in the engine's protocol."""

    required: frozenset[str]
    inputs: frozenset[str]
    always: Mapping[str, str]
    """Python type of every property that a resource always has."""

    def filler(self, name: str, text: str) -> Any:
        """A value of the right type for a computed property."""
        kind = self.always[name].removeprefix("_builtins.")
        if kind == "str":
            return text
        return next((empty for start, empty in _EMPTY.items() if kind.startswith(start)), {})


@cache
def schema(token: str) -> Schema:
    """Read the schema of a type such as `aws:sqs/queue:Queue`.

    Raises:
        UnknownTypeError: when the SDK has no such type.
    """
    package, path, _ = token.split(":")
    module, _, name = path.partition("/")
    file = _snake(name)
    if module == "index":
        places = [f"{file}.py"]
    else:
        places = [f"{module}/{file}.py", f"{module}_/{file}.py"]
    for place in places:
        source = sdk(package) / place
        mark = f'@pulumi.type_token("{token}")'
        if source.is_file() and mark in (text := source.read_text()):
            return _read(text.split(mark, 1)[1])
    raise UnknownTypeError(f"The installed SDK pulumi_{package} has no resource type {token}.")


def sdk(package: str) -> Path:
    """The folder of a provider's installed SDK."""
    found = find_spec(f"pulumi_{package}")
    if found is None or not found.origin:
        raise UnknownTypeError(f"The SDK pulumi_{package} is not installed.")
    return Path(found.origin).parent


def _read(text: str) -> Schema:
    wire = {m["name"]: m["wire"] or m["name"] for m in _PROPERTY.finditer(text)}
    # `get` takes any property.
    constructor = text.split("    @staticmethod\n    def get(", 1)[0]
    return Schema(
        required=frozenset(wire[name] for name in _REQUIRED.findall(constructor)),
        inputs=frozenset(wire[name] for name in _INPUT.findall(constructor) if name in wire),
        always={
            wire[m["name"]]: m["type"]
            for m in _PROPERTY.finditer(text)
            if not m["type"].startswith("Optional")
        },
    )


def _snake(name: str) -> str:
    return _CASE.sub("_", name).lower()
