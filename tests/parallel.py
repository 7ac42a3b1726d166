"""What stays together when several processes share a run: the tests of a file, or of a story."""

import re

import pytest
from xdist.scheduler import LoadScopeScheduling

PLACES = frozenset({"integrated", "split", "local", "lambda", "functions", "deployed"})
"""Parameters of what takes long to set up: the tests of each are a story of their own."""

SHARED = re.compile(r"tests/contract/|tests/engine/\w+\.py")
"""What such a parameter is shared in: a folder, a file."""

ALONE = ("tests/tools/test_fork.py",)
"""Files of few tests, of which some take long, and none needs another."""

LONGEST_FIRST = ("engine", "workflow", "browser")
"""Marks of tests; whatever begins late is waited for at the end."""


class Stories(LoadScopeScheduling):
    """Gives each process one story after the other."""

    def _split_scope(self, nodeid: str) -> str:
        return story(nodeid)


def story(nodeid: str) -> str:
    """What a test is to run with, in order: one name for all of them."""
    file, _, test = nodeid.partition("::")
    if file in ALONE:
        return nodeid
    shared = SHARED.match(file)
    found = [word for word in re.split(r"[][-]", test) if word in PLACES]
    return f"{shared[0]}[{found[-1]}]" if shared and found else file


def sort(items: list[pytest.Item]) -> None:
    """Put what takes longest first; the rest, and every story, keeps its order."""

    def rank(item: pytest.Item) -> int:
        ranks = [at for at, mark in enumerate(LONGEST_FIRST) if item.get_closest_marker(mark)]
        return min(ranks, default=len(LONGEST_FIRST))

    items.sort(key=rank)
