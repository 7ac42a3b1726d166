"""The name of a live stack, which says when it was made and marks all that belongs to it."""

import re
import secrets
from datetime import UTC, datetime, timedelta

PATTERN = re.compile(r"live-(\d{8}t\d{4})-[a-z2-7]{6}")
"""Finds the name wherever a cloud shows it: in a tag, a label, or the name of a resource."""

AUTONAMING = "${stack}-${name}-${hex(7)}"
"""How Pulumi names what our program does not: with the stack, so that it can be found."""

_TIME = "%Y%m%dt%H%M"
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"


def new(now: datetime | None = None) -> str:
    """A name that no other live stack has."""
    drawn = "".join(secrets.choice(_LETTERS) for _ in range(6))
    return f"live-{(now or datetime.now(UTC)).strftime(_TIME)}-{drawn}"


def find(text: str) -> str | None:
    """The live stack that a text names, or None."""
    found = PATTERN.search(text)
    return found[0] if found else None


def age(name: str, now: datetime | None = None) -> timedelta:
    """How long ago a live stack was named.

    Raises:
        ValueError: for a name that is no live stack's.
    """
    found = PATTERN.fullmatch(name)
    if found is None:
        raise ValueError(f"{name!r} is no live stack: they are named as {new()!r} is.")
    return (now or datetime.now(UTC)) - datetime.strptime(found[1], _TIME).replace(tzinfo=UTC)
