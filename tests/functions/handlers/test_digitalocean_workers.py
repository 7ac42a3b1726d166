"""The starts of workers at DigitalOcean within the time of a sweep, on a real PostgreSQL."""

import asyncio
from dataclasses import dataclass, field

import httpx
import pytest

from functions.handlers import digitalocean_workers
from functions.handlers.digitalocean_limits import SWEEP_SECONDS
from functions.handlers.digitalocean_workers import MAX_WORKERS, START_SECONDS, Workers
from functions.storage.ledger import Ledger
from tests.functions.storage.test_worker_starts import queued

pytestmark = pytest.mark.anyio


@dataclass
class Platform:
    """Accepts each start after `seconds` of a simulated clock, or gives no answer at all."""

    seconds: float
    answers: bool
    now: float = 0.0
    started: list[str] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one start."""
        self.now += self.seconds
        self.started.append(request.content.decode())
        if not self.answers:
            raise httpx.ReadTimeout("", request=request)
        return httpx.Response(202)


@pytest.mark.parametrize("answers", [True, False])
async def test_slow_starts_end_within_half_of_the_sweeps_time(
    ledger: Ledger, answers: bool
) -> None:
    ids = await queued(ledger, MAX_WORKERS)
    platform = Platform(seconds=START_SECONDS, answers=answers)
    workers = Workers(
        "http://a/x", "a:b", transport=httpx.MockTransport(platform), clock=lambda: platform.now
    )

    assert await workers.start_due(ledger.worker_starts) == (24 if answers else 0)

    assert (len(platform.started), platform.now) == (24, SWEEP_SECONDS / 2)
    # The others are free for the next sweep at once.
    assert await ledger.worker_starts.reserve(workers=MAX_WORKERS) == ids[24:]


async def test_a_start_without_an_end_is_left_after_its_time(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(digitalocean_workers, "START_SECONDS", 0.01)
    await queued(ledger, 1)
    workers = Workers("http://a/x", "a:b", transport=httpx.MockTransport(silent))

    async with asyncio.timeout(20):
        assert await workers.start_due(ledger.worker_starts) == 0
