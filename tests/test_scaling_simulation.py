"""Scaling loses no request, and cuts none that is shorter than the drain.

The fleet is that of `./seamless bench scaling`, with the deployed numbers. Hypothesis prints the
trace that breaks a rule.
"""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from benchmarks import scaling
from benchmarks.fleet import SYNC_SECONDS, Fleet, Outcome, Policy, Request, Times
from benchmarks.scaling import FIXED, FLOOR, POLICIES, TIMES, WARM, ZERO, simulate
from components.kubernetes.scheduling.autoscaling import POLL_SECONDS
from components.kubernetes.serving.model_server import DRAIN_SECONDS, PRE_STOP_SECONDS

DRAIN = PRE_STOP_SECONDS + DRAIN_SECONDS
HOUR = 3600

policies = st.builds(
    lambda minimum, more, room: Policy(
        name="any", minimum=minimum, maximum=max(1, minimum + more), headroom=room
    ),
    st.integers(0, 3),
    st.integers(0, 4),
    st.integers(0, 2),
)
times = st.builds(Times, boot=st.floats(0, 1200), image=st.floats(0, 600), load=st.floats(0, 600))


def traces(longest: float) -> st.SearchStrategy[list[Request]]:
    """Groups of simultaneous requests, as the parts of a document cause them."""
    clump = st.tuples(st.floats(0, 3 * HOUR), st.integers(1, 60), st.floats(0.1, longest))
    return st.lists(clump, max_size=12).map(
        lambda clumps: [
            Request(at, seconds) for at, count, seconds in sorted(clumps) for _ in range(count)
        ]
    )


def play(policy: Policy, trace: list[Request], given_times: Times = TIMES) -> Outcome:
    return Fleet(policy, given_times, concurrency=4).play(trace, seconds=4 * HOUR)


@settings(max_examples=60, deadline=None)
@given(policies, times, traces(DRAIN))
def test_no_request_shorter_than_the_drain_is_lost_or_cut(
    policy: Policy, given_times: Times, trace: list[Request]
) -> None:
    outcome = play(policy, trace, given_times)
    assert (outcome.lost, outcome.cut) == (0, 0)
    assert len(outcome.waits) == len(trace)
    assert min(outcome.waits, default=0) >= 0
    least, most = outcome.replicas
    assert policy.minimum <= least <= most <= policy.maximum


@settings(max_examples=40, deadline=None)
@given(policies, traces(5 * DRAIN))
def test_a_request_that_is_cut_is_repeated_and_not_lost(
    policy: Policy, trace: list[Request]
) -> None:
    outcome = play(policy, trace)
    assert outcome.lost == 0
    assert len(outcome.waits) == len(trace)


def test_a_request_longer_than_the_drain_is_cut_and_then_answered() -> None:
    trace = [Request(0, 1200)] * 12 + [Request(1, 9000)] * 3
    outcome = play(Policy(name="floor", minimum=1, maximum=6), trace)
    assert outcome.cut > 0
    assert (outcome.lost, len(outcome.waits)) == (0, 15)


def test_the_first_request_to_a_fleet_without_replicas_waits_for_one_cold_start() -> None:
    outcome = play(ZERO, [Request(1000, 10)])
    assert TIMES.cold <= outcome.waits[0] <= TIMES.cold + POLL_SECONDS + SYNC_SECONDS
    assert outcome.replicas == (0, 1)


def test_gpu_hours_are_those_of_the_nodes_that_exist() -> None:
    assert 0 < play(ZERO, [Request(0, 10)]).gpu_hours < 1
    assert play(ZERO, []).gpu_hours == 0
    assert play(FIXED, [Request(0, 10)]).gpu_hours == pytest.approx(4 * 4)


def test_a_warm_node_shortens_the_longest_wait() -> None:
    clump = [Request(600, 60)] * 40
    cold, warm = (max(play(policy, clump).waits) for policy in (FLOOR, WARM))
    assert warm < cold


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
@pytest.mark.parametrize("trace", scaling.TRACES)
def test_no_policy_loses_or_cuts_a_request_in_the_first_hours_of_a_day(
    policy: Policy, trace: str
) -> None:
    outcome = simulate(policy, trace, seconds=10 * HOUR)
    assert (outcome.lost, outcome.cut) == (0, 0)
    assert outcome.gpu_hours <= simulate(FIXED, trace, seconds=10 * HOUR).gpu_hours * 1.25


def test_the_table_has_a_row_for_every_policy_on_every_day(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert scaling.run(Console(), as_json=True, seconds=HOUR) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["seed"] == 20261122
    assert len(printed["results"]) == len(POLICIES) * len(scaling.TRACES)
    assert {row["lost"] for row in printed["results"]} == {0}
    assert scaling.run(Console(width=160), as_json=False, seconds=HOUR) == 0
    assert "GPU-hours" in capsys.readouterr().out
