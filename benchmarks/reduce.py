"""Merging summaries as soon as a group is complete, against a barrier after every level.

The clock is virtual: it jumps to the next timer, so that a run takes no time and has no noise. It
shows the schedule of the calls, not the cost of the code.
"""

import asyncio
import math
import re
import selectors
from collections.abc import Coroutine
from dataclasses import dataclass, field
from random import Random
from statistics import median
from typing import Any

from benchmarks.measure import SEED, Result, UnequalWork
from functions.inference.usage import Summary, Usage
from functions.summary.summarize import FAN_IN, SummaryPlan, summarize

MEDIAN_SECONDS = 0.2
"""Median latency of a call; the distribution is lognormal."""

SIGMA = 0.6
CONCURRENCIES = (8, 32)


@dataclass(frozen=True, order=True)
class Call:
    """A call for the summary of the parts from `first` to `last`."""

    first: int
    last: int
    seconds: float


@dataclass(kw_only=True)
class Simulated:
    """A model whose answer names the parts of its prompt, and whose latency depends on them."""

    concurrency: int
    seed: int
    calls: list[Call] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(self.concurrency)

    async def complete(
        self, *, system: str, user: str, max_tokens: int, deadline: float
    ) -> Summary:
        """Sleep, and answer."""
        numbers = [int(number) for number in re.findall(r"\d+", user)]
        first, last = numbers[0], numbers[-1]
        random = Random(f"{self.seed} {first} {last}")
        call = Call(first, last, random.lognormvariate(math.log(MEDIAN_SECONDS), SIGMA))
        self.calls.append(call)
        async with self._slots:
            await asyncio.sleep(call.seconds)
        usage = Usage(
            model="simulated",
            inference_mode="serverless",
            endpoint="simulated",
            endpoints=["simulated"],
            replicas=[],
            prompt_tokens=0,
            completion_tokens=0,
            calls=1,
            cost_usd=None,
        )
        return Summary(text=f"{first} to {last}", usage=usage)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The answer, the calls in order of their parts, and the seconds that all took together."""

    text: str
    calls: list[Call]
    seconds: float

    def bound(self, concurrency: int) -> float:
        """Seconds that no schedule of these calls can beat."""
        longest = max(
            sum(call.seconds for call in self.calls if call.first <= part <= call.last)
            for part in range(1 + max(call.last for call in self.calls))
        )
        return max(sum(call.seconds for call in self.calls) / concurrency, longest)


def measure(*, size: int = 178, rounds: int = 9) -> list[Result]:
    """Summarize `size` parts in each round with other latencies, at two concurrencies."""
    results = []
    for concurrency in CONCURRENCIES:
        draws = range(SEED, SEED + rounds)
        ours = [streamed(size, concurrency, seed) for seed in draws]
        again = [streamed(size, concurrency, seed) for seed in draws]
        peers = [with_barriers(size, concurrency, seed) for seed in draws]
        for mine, theirs in zip(ours, peers, strict=True):
            if (mine.text, mine.calls) != (theirs.text, theirs.calls):
                raise UnequalWork("Benchmark 'reduce': the barriers led to other calls.")
        for label, seconds in {
            "the same calls, a barrier after every level": [o.seconds for o in peers],
            "the bound max(total / calls at once, longest chain)": [
                o.bound(concurrency) for o in ours
            ],
        }.items():
            results.append(
                Result(
                    name="reduce",
                    ours=f"summarize, {size} parts, {concurrency} calls at once",
                    peer=label,
                    unit="s, virtual",
                    ours_median=median(o.seconds for o in ours),
                    peer_median=median(seconds),
                    control_median=median(o.seconds for o in again),
                    rounds=rounds,
                    seed=SEED,
                )
            )
    return results


def streamed(parts: int, concurrency: int, seed: int) -> Outcome:
    """Summarize as the application does."""

    async def work(model: Simulated) -> str:
        async def progress(done: int) -> None: ...

        plan = SummaryPlan(parts=[str(part) for part in range(parts)], calls=0, fan_in=FAN_IN)
        return (await summarize(model, plan, deadline=math.inf, progress=progress)).text

    model = Simulated(concurrency=concurrency, seed=seed)
    return _run(work(model), model)


def with_barriers(parts: int, concurrency: int, seed: int) -> Outcome:
    """Make the same calls, but none of a level before all of the level below are answered."""

    async def work(model: Simulated) -> str:
        async def ask(texts: list[str]) -> str:
            user = "\n".join(texts)
            return (await model.complete(system="", user=user, max_tokens=0, deadline=0)).text

        level = await asyncio.gather(*(ask([str(part)]) for part in range(parts)))
        while len(level) > 1:
            groups = [level[start : start + FAN_IN] for start in range(0, len(level), FAN_IN)]
            lone = groups.pop() if len(groups[-1]) == 1 else []
            level = [*await asyncio.gather(*map(ask, groups)), *lone]
        return level[0]

    model = Simulated(concurrency=concurrency, seed=seed)
    return _run(work(model), model)


def _run(work: Coroutine[Any, Any, str], model: Simulated) -> Outcome:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        text = runner.run(work)
        seconds = runner.get_loop().time()
    return Outcome(text=text, calls=sorted(model.calls), seconds=seconds)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only by waiting, and then at once."""

    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        return self._skipping.now


class _Skipping(selectors.SelectSelector):
    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now += timeout or 0.0
        return super().select(0)
