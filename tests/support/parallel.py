"""The sequences of tests that stay in one process of a parallel run."""

import re

import pytest
from xdist.scheduler import LoadScopeScheduling

PLACES = frozenset({"integrated", "split", "local", "lambda", "functions", "deployed"})
"""Parameters of slow fixtures; the tests of each run in order."""

SHARED = re.compile(r"tests/contract/|tests/engine/\w+\.py")
"""Folders and files whose tests share such a fixture."""

LONGEST_FIRST = ("engine", "browser")
"""Marks of the slowest tests, which begin first."""


class Stories(LoadScopeScheduling):
    """Gives each process one sequence of tests at a time."""

    def _split_scope(self, nodeid: str) -> str:
        return story(nodeid)


def story(nodeid: str) -> str:
    """The name of a test's sequence."""
    file, _, test = nodeid.partition("::")
    shared = SHARED.match(file)
    found = [word for word in re.split(r"[][-]", test) if word in PLACES]
    return f"{shared[0]}[{found[-1]}]" if shared and found else file


def sort(items: list[pytest.Item]) -> None:
    """Put the slowest tests first; every sequence keeps its order."""

    def rank(item: pytest.Item) -> int:
        ranks = [at for at, mark in enumerate(LONGEST_FIRST) if item.get_closest_marker(mark)]
        return min(ranks, default=len(LONGEST_FIRST))

    items.sort(key=rank)
