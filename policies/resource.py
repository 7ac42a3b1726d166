"""The one type for a resource of a stack, with its URN and its inputs.

Plans, policies, cost and preflight checks all read this type. It stands here, without any
dependency, because the policies also run alone inside Pulumi's engine.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

SIGNATURE = "4dabf18193072939515e22adb298388d"
"""Key that marks a secret, an asset or an archive (pulumi.runtime.rpc._special_sig_key)."""

_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105  # the value of SIGNATURE in a secret
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
"""Values that mark an unknown, one for each type of value (pulumi-policy 1.21, proxy.py)."""


class Hidden(str):
    """Replaces a value that is secret or unknown. It is a string so that JSON can hold it."""

    __slots__ = ()


SECRET = Hidden("[secret]")
UNKNOWN = Hidden("[unknown until deployed]")


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One resource of a stack.

    Attributes:
        urn: `urn:pulumi:STACK::PROJECT::PARENTTYPE$TYPE::NAME`, as the engine makes it.
        inputs: Input properties; `SECRET` and `UNKNOWN` replace what cannot be shown. Inside the
            engine's stack validation these are the outputs.
        parent: URN of the parent; None below the stack itself.
        protect: True if the engine refuses to delete it.
        uses: By input, the URNs of the resources that the input is made from.
        ignores: Paths of inputs in `ignore_changes`.
        replaced_by: Paths of inputs in `replace_on_changes`.
        aliases: URNs that the resource had in former releases.
    """

    urn: str
    inputs: dict[str, Any]
    parent: str | None = None
    protect: bool = False
    uses: dict[str, list[str]] = field(default_factory=dict)
    ignores: Sequence[str] = ()
    replaced_by: Sequence[str] = ()
    aliases: Sequence[str] = ()

    @property
    def type(self) -> str:
        """Pulumi's type token."""
        return type_of(self.urn)

    @property
    def name(self) -> str:
        """Logical name. It is unique only among resources of one type and one kind of parent."""
        return name_of(self.urn)

    @property
    def secret_inputs(self) -> list[str]:
        """Paths of the secrets in the inputs, at any depth: `environment.variables.API_KEY`."""
        return list(_secrets(self.inputs))

    def as_dict(self) -> dict[str, Any]:
        """The resource as plain data, for JSON."""
        derived = {"type": self.type, "name": self.name, "secret_inputs": self.secret_inputs}
        return {**asdict(self), **derived}


def make_urn(stack: str, project: str, type_: str, name: str, parent: str | None = None) -> str:
    """The URN of a resource: the types of all its ancestors except the stack are part of it.

    Source: https://www.pulumi.com/docs/iac/concepts/resources/names/#urns (2026-11-22).
    """
    qualified = f"{parent.split('::', 3)[2]}${type_}" if parent else type_
    return f"urn:pulumi:{stack}::{project}::{qualified}::{name}"


def type_of(urn: str) -> str:
    """The type token in a URN."""
    return urn.split("::", 3)[2].rsplit("$", 1)[-1]


def name_of(urn: str) -> str:
    """The logical name in a URN."""
    return urn.split("::", 3)[3]


def from_wire(value: Any) -> Any:
    """Convert a value of the engine's protocol to plain data. The value of a secret is dropped."""
    if isinstance(value, str):
        return UNKNOWN if value in _UNKNOWN else value
    if isinstance(value, Mapping):
        if value.get(SIGNATURE) == _SECRET:
            return SECRET
        return {key: from_wire(item) for key, item in value.items()}
    if isinstance(value, list):
        return [from_wire(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)  # the protocol knows no integers
    return value


def _secrets(value: Any, path: str = "") -> Iterator[str]:
    if value == SECRET:
        yield path
    elif isinstance(value, Mapping):
        for key, item in sorted(value.items()):
            yield from _secrets(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _secrets(item, f"{path}[{index}]")
