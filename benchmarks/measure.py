"""The protocol of every benchmark: two ways to the same result, in turns, compared by medians.

Absolute times on a shared machine vary too much to compare; ratios from one run vary less. Every
round runs our side, the peer, and our side again as a control: the ratio of two measurements of the
same code shows how much of the other ratio may be noise.
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
"""Seed of every random workload; printed with the results."""

T = TypeVar("T")

_LEAST_SECONDS = 0.05  # of CPU time in one sample: shorter runs are repeated
_MOST_LOOPS = 50
_QUIET = (0.9, 1.1)


class UnequalWork(CommandError):  # noqa: N818  # its name is the error
    """The two sides of a benchmark gave different results, so their times cannot be compared."""


@dataclass(frozen=True, kw_only=True)
class Side(Generic[T]):
    """One way to the result."""

    label: str
    run: Callable[[], T]


@dataclass(frozen=True, kw_only=True)
class Result:
    """Medians of one benchmark.

    Attributes:
        name: Of the benchmark.
        ours: Label of our side.
        peer: Label of the other side.
        unit: Of the medians.
        ours_median: Of our side.
        peer_median: Of the other side.
        control_median: Of our side, measured a second time.
        ours_wall: Wall time of our side in ms; None where the clock is virtual.
        peer_wall: Wall time of the other side.
        rounds: Measurements of each side.
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
        """The fields and the properties, for JSON."""
        derived = {name: getattr(self, name) for name in ("ratio", "control_ratio", "noisy")}
        return {**asdict(self), **derived}


class Benchmark(Protocol):
    """A function that measures one workload; the unit of `size` is its own."""

    def __call__(self, *, size: int = ..., rounds: int = ...) -> list[Result]: ...


@dataclass(kw_only=True)
class _Turn(Generic[T]):
    """A side, and the milliseconds of each of its runs."""

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
        name: Of the benchmark.
        ours: Our side.
        peer: The other side.
        digest: Must be equal for all results; it is not timed.
        per: Divides the times, such as "call"; empty means the whole run.
        count: Calls (or other units of `per`) in one run.
        rounds: Measurements of each side.
        cpu_clock: Returns the CPU time used so far, in seconds.

    Raises:
        UnequalWork: a result differs from the first.
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
                f"Benchmark {name!r}: {turn.side.label!r} gave another result than "
                f"{ours.label!r}. Times of different work cannot be compared: correct the side "
                "that is wrong."
            )
        return cpu / turn.loops, wall / turn.loops

    for turn in turns:  # warm-up: these runs include imports, connections and bytecode
        cpu, _ = sample(turn)
        turn.loops = max(1, min(_MOST_LOOPS, math.ceil(_LEAST_SECONDS / max(cpu, 1e-9))))
    with _frozen_objects():
        for round_ in range(rounds):
            first = round_ % len(
                turns
            )  # each side starts a round in turn, so that the order has no effect
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
    """Exclude the objects that exist already from garbage collection."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
