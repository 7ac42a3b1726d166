"""How values of the config are read: what is absent has a default, what is wrong is refused."""

from typing import TypeVar

import pulumi

from stacks.errors import SettingsError

Choice = TypeVar("Choice", bound=str)


def text(config: pulumi.Config, key: str) -> str:
    """A text without the blanks around it; empty when it is absent."""
    return (config.get(key) or "").strip()


def choice(config: pulumi.Config, key: str, allowed: tuple[Choice, ...], default: Choice) -> Choice:
    """One of the texts that are allowed.

    Raises:
        SettingsError: for another one.
    """
    value = text(config, key) or default
    for one in allowed:
        if value == one:
            return one
    raise SettingsError(key, repr(value), f"it must be one of {', '.join(allowed)}", allowed[0])


def integer(config: pulumi.Config, key: str, low: int, high: int, *, default: int) -> int:
    """A whole number within its bounds.

    Raises:
        SettingsError: for anything else.
    """
    value = text(config, key) or str(default)
    if not value.isdecimal() or not low <= int(value) <= high:
        raise SettingsError(
            key, repr(value), f"it must be a whole number from {low} to {high}", str(default)
        )
    return int(value)


def boolean(config: pulumi.Config, key: str, *, default: bool) -> bool:
    """True or false.

    Raises:
        SettingsError: for anything else.
    """
    value = text(config, key).lower() or str(default).lower()
    if value not in ("true", "false"):
        raise SettingsError(key, repr(value), "it must be true or false", "true")
    return value == "true"


def price(config: pulumi.Config, key: str, default: float | None) -> float | None:
    """A price in US dollars.

    Raises:
        SettingsError: for what is none.
    """
    value = text(config, key)
    if not value:
        return default
    try:
        amount = float(value)
    except ValueError:
        amount = -1.0
    if not 0 <= amount < 100_000:
        raise SettingsError(key, repr(value), "it must be a price in US dollars, 0 or more", "0.15")
    return amount
