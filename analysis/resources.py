"""A resource in a plan, and the marks that stand for what a plan cannot or must not show."""

from dataclasses import dataclass, field
from typing import Any

SECRET = "[secret]"  # noqa: S105  # what is shown in place of one
UNKNOWN = "[unknown until deployed]"


@dataclass(frozen=True, kw_only=True)
class PlannedResource:
    """One resource that the program asks for.

    Attributes:
        type: Pulumi's type token.
        name: Logical name, unique for its type.
        parent: Logical name of the parent, None at the top.
        inputs: Exact inputs; a secret is shown as `[secret]`, what only the cloud knows as unknown.
        protect: True refuses to delete it.
        secret_inputs: Names of the inputs that hold a secret, at any depth, as paths.
        uses: Logical names of the resources that an input is made from, by input.
        ignores: Paths of the inputs whose changes the program tells the engine to pass over.
        replaced_by: Paths of the inputs whose changes the program or the SDK lets replace it.
    """

    type: str
    name: str
    parent: str | None
    inputs: dict[str, Any]
    protect: bool
    secret_inputs: list[str]
    uses: dict[str, list[str]] = field(default_factory=dict)
    ignores: list[str] = field(default_factory=list)
    replaced_by: list[str] = field(default_factory=list)
