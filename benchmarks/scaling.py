"""Savings and costs of autoscaling: four policies on three simulated days.

`./seamless bench scaling`. The times for a node, an image and the weights are assumptions, printed
with the table; every other number is the deployed one.
"""

import json
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from benchmarks.fleet import Fleet, Outcome, Policy, Request, Times
from benchmarks.measure import SEED
from components.kubernetes.serving.model_server import DRAIN_SECONDS

DAY = 86_400
CONCURRENCY = 16
PEAK_PER_SECOND = 3.5
"""The load of about three and a half replicas."""
MEAN_SECONDS = 12.0
LONGEST_SECONDS = 110.0
"""Shorter than the drain: a longer request may be cut and repeated."""

TIMES = Times(boot=240, image=150, load=90)

FIXED, FLOOR, ZERO, WARM = (
    Policy(name="fixed at the peak", minimum=4, maximum=4),
    Policy(name="floor 1", minimum=1, maximum=5),
    Policy(name="to zero, queue in front", minimum=0, maximum=5),
    Policy(name="floor 1, one warm node", minimum=1, maximum=5, headroom=1),
)
POLICIES = (FIXED, FLOOR, ZERO, WARM)


def _day(second: float) -> float:
    """Low at night, highest in the early afternoon."""
    return 0.05 + 0.75 * max(0.0, math.sin(math.pi * (second / DAY * 24 - 6) / 14)) ** 2


def _bursts(second: float) -> float:
    """Low, and the peak for ten minutes every four hours."""
    return 1.0 if second % 14_400 < 600 else 0.08


def _office(second: float) -> float:
    """Only from nine to five."""
    return 0.6 if 9 <= second / DAY * 24 % 24 < 17 else 0.0


TRACES: dict[str, Callable[[float], float]] = {
    "day": _day,
    "bursts": _bursts,
    "office hours": _office,
}
"""Share of the peak, 0 to 1, at a second of the day."""


def requests(shape: Callable[[float], float], *, seed: int, seconds: float) -> Iterator[Request]:
    """Random arrivals at the rate of the shape; most requests are short."""
    chance = random.Random(seed)
    now = 0.0
    while (now := now + chance.expovariate(PEAK_PER_SECOND)) < seconds:
        if chance.random() < shape(now):
            length = min(LONGEST_SECONDS, chance.lognormvariate(math.log(MEAN_SECONDS) - 0.32, 0.8))
            yield Request(now, length)


def simulate(policy: Policy, trace: str, *, seed: int = SEED, seconds: float = DAY) -> Outcome:
    """Simulate one policy on one day."""
    fleet = Fleet(policy, TIMES, concurrency=CONCURRENCY)
    return fleet.play(requests(TRACES[trace], seed=seed, seconds=seconds), seconds=seconds)


def run(console: Console, *, as_json: bool, seconds: float = DAY) -> int:
    """Simulate every policy on every day, print the outcomes and return 0."""
    outcomes = {
        (trace, policy.name): simulate(policy, trace, seconds=seconds)
        for trace in TRACES
        for policy in POLICIES
    }
    if as_json:
        rows = [
            {"trace": trace, "policy": policy, **_row(outcome)}
            for (trace, policy), outcome in outcomes.items()
        ]
        print(json.dumps({"seed": SEED, "times": asdict(TIMES), "results": rows}, indent=2))
        return 0
    console.print(
        f"{CONCURRENCY} requests at a time per replica, {MEAN_SECONDS:g} s each, at most"
        f" {LONGEST_SECONDS:g} s, {PEAK_PER_SECOND:g}/s at the peak; drain {DRAIN_SECONDS} s;"
        f" seed {SEED}\nassumed: node {TIMES.boot:g} s, image {TIMES.image:g} s, weights"
        f" {TIMES.load:g} s"
    )
    table = Table("trace", "policy", box=None, pad_edge=False)
    for heading in ("requests", "replicas", "GPU-hours", "of fixed", "p50 s", "p95 s", "max s"):
        table.add_column(heading, justify="right")
    for heading in ("cut", "lost"):
        table.add_column(heading, justify="right")
    for (trace, policy), outcome in outcomes.items():
        fixed = outcomes[trace, FIXED.name].gpu_hours
        row = _row(outcome)
        table.add_row(
            trace if policy == FIXED.name else "",
            policy,
            str(row["requests"]),
            "{}-{}".format(*outcome.replicas),
            f"{outcome.gpu_hours:.1f}",
            f"{outcome.gpu_hours / fixed:.0%}",
            *(f"{row[key]:.1f}" for key in ("p50", "p95", "longest")),
            str(outcome.cut),
            str(outcome.lost),
            end_section=policy == WARM.name,
        )
    console.print(table)
    return 0


def _row(outcome: Outcome) -> dict[str, float]:
    return {
        "requests": len(outcome.waits) + outcome.lost,
        "gpu_hours": round(outcome.gpu_hours, 2),
        "p50": round(outcome.wait(0.5), 2),
        "p95": round(outcome.wait(0.95), 2),
        "longest": round(max(outcome.waits, default=0.0), 2),
        "cut": outcome.cut,
        "lost": outcome.lost,
    }
