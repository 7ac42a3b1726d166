"""Which tests stay in one process of a parallel run: those of a file, or of one sequence."""

import re

import pytest
from xdist.scheduler import LoadScopeScheduling

PLACES = frozenset({"integrated", "split", "local", "lambda", "functions", "deployed"})
"""Parameters of fixtures that take long to set up: the tests of each run in their order."""

SHARED = re.compile(r"tests/contract/|tests/engine/\w+\.py")
"""Where tests share such a fixture: a folder, a file."""

LONGEST_FIRST = ("engine", "browser")
"""Marks of tests that begin first, since one that begins late prolongs the run."""


class Stories(LoadScopeScheduling):
    """Gives each process one sequence of tests after the other."""

    def _split_scope(self, nodeid: str) -> str:
        return story(nodeid)


def story(nodeid: str) -> str:
    """The name of the sequence that a test belongs to."""
    file, _, test = nodeid.partition("::")
    shared = SHARED.match(file)
    found = [word for word in re.split(r"[][-]", test) if word in PLACES]
    return f"{shared[0]}[{found[-1]}]" if shared and found else file


def sort(items: list[pytest.Item]) -> None:
    """Put the longest tests first; every sequence keeps its order."""

    def rank(item: pytest.Item) -> int:
        ranks = [at for at, mark in enumerate(LONGEST_FIRST) if item.get_closest_marker(mark)]
        return min(ranks, default=len(LONGEST_FIRST))

    items.sort(key=rank)
