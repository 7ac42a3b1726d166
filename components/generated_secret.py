"""A secret that is generated once and stored in the stack's encrypted state."""

import secrets
from typing import Any

import pulumi
from pulumi import dynamic

from components.dynamic_provider import DynamicProvider

PREFIX = "smls_"
"""Start of each value: policies recognize it, and a value never starts with "-", which a command
line would read as an option."""


class _Provider(DynamicProvider):
    inputs = replacing = ("bytes",)

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        size = int(props["bytes"])
        value = f"{PREFIX}{secrets.token_urlsafe(size)}"
        return dynamic.CreateResult(secrets.token_hex(8), {"bytes": size, "value": value})


class GeneratedSecret(dynamic.Resource, module="seamless", name="GeneratedSecret"):
    """Random URL-safe text. It changes only when the resource is replaced."""

    value: pulumi.Output[str]
    """Secret."""

    def __init__(
        self, name: str, *, size: int = 24, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Args: size: Random bytes in the value."""
        super().__init__(
            _Provider(),
            name,
            {"bytes": size, "value": None},
            pulumi.ResourceOptions.merge(
                opts, pulumi.ResourceOptions(additional_secret_outputs=["value"])
            ),
        )
