"""What a cloud still has of live stacks, and how to delete it by hand."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from tests.support.live import names


@dataclass(frozen=True, kw_only=True, order=True)
class Remain:
    """Something that a live stack left.

    Attributes:
        stack: Whose it is.
        what: Kind and name, as the cloud calls it.
        delete: The command that deletes it.
    """

    stack: str
    what: str
    delete: str


Look = Callable[[], Iterable[Remain]]
"""Asks a cloud for everything that any live stack has there."""


def of(stack: str, look: Look) -> list[Remain]:
    """What one stack left."""
    return sorted(remain for remain in look() if remain.stack == stack)


def settled(stack: str, look: Look, *, seconds: float, pause: float) -> list[Remain]:
    """What one stack left, asked again until there is nothing: clouds list the dead for a while."""
    deadline = time.monotonic() + seconds
    while (left := of(stack, look)) and time.monotonic() < deadline:
        time.sleep(pause)
    return left


def abandoned(look: Look, *, known: Iterable[str], older: timedelta) -> list[Remain]:
    """What is nobody's: of stacks without a file here, too old to be a run on another machine."""
    mine = set(known)
    return sorted(r for r in look() if r.stack not in mine and names.age(r.stack) > older)


def lines(left: Iterable[Remain]) -> Iterator[str]:
    """What to tell a person: each thing, and below it the command."""
    for remain in left:
        yield f"{remain.stack} left {remain.what}"
        yield f"    {remain.delete}"
