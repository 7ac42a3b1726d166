"""What the tests of the simulated clouds share."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clouds import launch
from tests.clouds.small import Small


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Small]:
    """A stack of its own for each test."""
    made = Small(folder=tmp_path, environment=launch.environment(tmp_path))
    yield made
    made.close()
    gc.collect()  # what the SDK left behind is no later test's business
