"""A secret that is made once, where the program runs, and kept in the stack's encrypted state."""

import secrets
from typing import Any

import pulumi
from pulumi import dynamic

BEGINNING = "smls_"
"""Of each value: policies find it, and no command line takes it for an option, as one with "-"."""


class _Provider(dynamic.ResourceProvider):
    # The class is pickled by name and holds nothing, so there is nothing to hide in it.
    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        size = int(props["bytes"])
        value = f"{BEGINNING}{secrets.token_urlsafe(size)}"
        return dynamic.CreateResult(secrets.token_hex(8), {"bytes": size, "value": value})

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        changed = olds["bytes"] != news["bytes"]
        return dynamic.DiffResult(changes=changed, replaces=["bytes"] if changed else [])


class GeneratedSecret(dynamic.Resource, module="local", name="GeneratedSecret"):
    """Random text, URL-safe. It changes only when it is replaced."""

    value: pulumi.Output[str]
    """Secret."""

    def __init__(
        self, name: str, *, size: int = 24, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Args: size: In bytes of randomness."""
        super().__init__(
            _Provider(),
            name,
            {"bytes": size, "value": None},
            pulumi.ResourceOptions.merge(
                opts, pulumi.ResourceOptions(additional_secret_outputs=["value"])
            ),
        )
