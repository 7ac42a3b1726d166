"""The protocol of every benchmark: two ways to the same answer, in turns, compared by medians.

Absolute times of a shared machine say little, ratios from one run say more. Every round runs our
side, the peer, and our side once more as a control: the ratio of two measurements of the same code
tells how much of the other ratio may be noise.
"""

import gc
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, Generic, Protocol, TypeVar

from tools.workspace import CommandError

SEED = 20261122
"""Of every random workload; printed with the results."""

T = TypeVar("T")

_LEAST_SECONDS = 0.05  # of CPU time in one sample: shorter runs are repeated
_MOST_LOOPS = 50
_QUIET = (0.9, 1.1)


class UnequalWork(CommandError):  # noqa: N818  # it says what is wrong
    """The two sides of a benchmark gave different answers, so their times say nothing."""


@dataclass(frozen=True, kw_only=True)
class Side(Generic[T]):
    """One way to the answer."""

    label: str
    run: Callable[[], T]


@dataclass(frozen=True, kw_only=True)
class Result:
    """What was measured.

    Attributes:
        name: The benchmark.
        ours: What our side did.
        peer: What the other side did.
        unit: Of the medians.
        ours_median: Below the peer's where ours is faster.
        peer_median: The same for the other side.
        control_median: Our side, measured a second time.
        ours_wall: Median of the wall time in ms; None where the clock is virtual.
        peer_wall: The same for the other side.
        rounds: How often each side was measured.
        seed: Of the workload.
    """

    name: str
    ours: str
    peer: str
    unit: str
    ours_median: float
    peer_median: float
    control_median: float
    ours_wall: float | None = None
    peer_wall: float | None = None
    rounds: int
    seed: int

    @property
    def ratio(self) -> float:
        """Our median over the peer's."""
        return self.ours_median / self.peer_median

    @property
    def control_ratio(self) -> float:
        """Our second median over our first: 1.0 without noise."""
        return self.control_median / self.ours_median

    @property
    def noisy(self) -> bool:
        """True when the control ratio is outside 0.9 to 1.1."""
        least, most = _QUIET
        return not least <= self.control_ratio <= most

    def as_dict(self) -> dict[str, Any]:
        """The fields and what follows from them, for JSON."""
        derived = {name: getattr(self, name) for name in ("ratio", "control_ratio", "noisy")}
        return {**asdict(self), **derived}


class Benchmark(Protocol):
    """A function that measures one thing; `size` is that of its workload, in its own unit."""

    def __call__(self, *, size: int = ..., rounds: int = ...) -> list[Result]: ...


@dataclass(kw_only=True)
class _Turn(Generic[T]):
    """What is run over and over, and the milliseconds that it took."""

    side: Side[T]
    loops: int = 1
    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)


def compare(
    name: str,
    *,
    ours: Side[T],
    peer: Side[T],
    digest: Callable[[T], object],
    per: str = "",
    count: int = 1,
    rounds: int,
    cpu_clock: Callable[[], float] = time.process_time,
) -> Result:
    """Measure the CPU and wall time of both sides, in turns.

    Args:
        name: The benchmark.
        ours: Our side.
        peer: The other side.
        digest: What all answers must have in common; it is not timed.
        per: What the times are divided by, such as "call"; empty means the whole run.
        count: How many of these one run has.
        rounds: How often each side is measured.
        cpu_clock: Returns the seconds of CPU time that were spent so far.

    Raises:
        UnequalWork: an answer differs from the first.
    """
    expected = digest(ours.run())
    turns = [_Turn(side=ours), _Turn(side=peer), _Turn(side=ours)]

    def sample(turn: _Turn[T]) -> tuple[float, float]:
        gc.collect()
        cpu, wall = cpu_clock(), time.perf_counter()
        for _ in range(turn.loops):
            answer = turn.side.run()
        cpu, wall = cpu_clock() - cpu, time.perf_counter() - wall
        if digest(answer) != expected:
            raise UnequalWork(
                f"Benchmark {name!r}: {turn.side.label!r} gave another answer than "
                f"{ours.label!r}. Times of different work cannot be compared: correct the side "
                "that is wrong."
            )
        return cpu / turn.loops, wall / turn.loops

    for turn in turns:  # not counted: these runs pay for imports, connections and bytecode
        cpu, _ = sample(turn)
        turn.loops = max(1, min(_MOST_LOOPS, math.ceil(_LEAST_SECONDS / max(cpu, 1e-9))))
    with _frozen_objects():
        for round_ in range(rounds):
            first = round_ % len(turns)  # each is first in turn, lest its place matter
            for turn in turns[first:] + turns[:first]:
                cpu, wall = sample(turn)
                turn.cpu.append(1000 * cpu / count)
                turn.wall.append(1000 * wall / count)
    ours_turn, peer_turn, control = turns
    return Result(
        name=name,
        ours=ours.label,
        peer=peer.label,
        unit=f"ms CPU per {per}" if per else "ms CPU",
        ours_median=median(ours_turn.cpu),
        peer_median=median(peer_turn.cpu),
        control_median=median(control.cpu),
        ours_wall=median(ours_turn.wall),
        peer_wall=median(peer_turn.wall),
        rounds=rounds,
        seed=SEED,
    )


@contextmanager
def _frozen_objects() -> Iterator[None]:
    """Spare both sides the garbage collector's way through what this process held before."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
