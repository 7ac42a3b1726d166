"""The fixture of the tests of the simulated clouds."""

import asyncio
import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.clouds import launch
from tests.support.clouds.small import Small
from tests.support.local import until


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Small]:
    """A stack for each test; it closes the event loops that the SDK leaves open after an error."""
    loops: list[asyncio.AbstractEventLoop] = []

    def made_loop() -> asyncio.AbstractEventLoop:
        loops.append(make_loop())
        return loops[-1]

    make_loop = asyncio.new_event_loop
    monkeypatch.setattr(asyncio, "new_event_loop", made_loop)
    made = Small(folder=tmp_path, environment=launch.environment(tmp_path))
    yield made
    made.close()
    until(lambda: not any(loop.is_running() for loop in loops) or None)
    for loop in loops:
        loop.close()
    gc.collect()
