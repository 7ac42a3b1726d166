"""The name of a live stack: it has the time of the run and is part of every resource's name."""

import re
import secrets
from datetime import UTC, datetime, timedelta

PATTERN = re.compile(r"live-(\d{8}t\d{4})-[a-z2-7]{6}")
"""Matches the name in a tag, a label, or the name of a resource."""

AUTONAMING = "${stack}-${name}-${hex(7)}"
"""Generated names have the stack's name, so that the resources can be found."""

_TIME = "%Y%m%dt%H%M"
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"


def new(now: datetime | None = None) -> str:
    """A new unique name."""
    drawn = "".join(secrets.choice(_LETTERS) for _ in range(6))
    return f"live-{(now or datetime.now(UTC)).strftime(_TIME)}-{drawn}"


def find(text: str) -> str | None:
    """The live stack that a text names, or None."""
    found = PATTERN.search(text)
    return found[0] if found else None


def age(name: str, now: datetime | None = None) -> timedelta:
    """Time since a live stack was named.

    Raises:
        ValueError: the name is not a live stack's.
    """
    found = PATTERN.fullmatch(name)
    if found is None:
        raise ValueError(f"{name!r} is not a live stack; one is named like {new()!r}.")
    return (now or datetime.now(UTC)) - datetime.strptime(found[1], _TIME).replace(tzinfo=UTC)
