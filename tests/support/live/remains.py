"""Resources that live stacks left in a cloud, and the commands that delete them."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from tests.support.live import names


@dataclass(frozen=True, kw_only=True, order=True)
class Remain:
    """A resource that a live stack left: stack, kind and name, command that deletes it."""

    stack: str
    what: str
    delete: str


Look = Callable[[], Iterable[Remain]]
"""Lists the resources of all live stacks in a cloud."""


def of(stack: str, look: Look) -> list[Remain]:
    """The resources of one stack."""
    return sorted(remain for remain in look() if remain.stack == stack)


def settled(stack: str, look: Look, *, seconds: float, pause: float) -> list[Remain]:
    """The resources of one stack, polled until there are none: clouds list deleted ones."""
    deadline = time.monotonic() + seconds
    while (left := of(stack, look)) and time.monotonic() < deadline:
        time.sleep(pause)
    return left


def abandoned(look: Look, *, known: Iterable[str], older: timedelta) -> list[Remain]:
    """Resources of stacks without a file here that are too old for a run on another machine."""
    here = set(known)
    return sorted(r for r in look() if r.stack not in here and names.age(r.stack) > older)


def lines(left: Iterable[Remain]) -> Iterator[str]:
    """A line for each resource, and below it the command."""
    for remain in left:
        yield f"{remain.stack} left {remain.what}"
        yield f"    {remain.delete}"
