"""Proves that scaling loses no request and cuts none that the drain can hold, whatever comes.

The fleet is that of `./seamless bench scaling`, with the numbers that are deployed. Hypothesis
prints the trace that breaks a rule, so that it can be played again.
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
    """Clumps of requests that come at once, as documents in parts do."""
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
def test_nothing_is_lost_or_cut_while_answers_are_shorter_than_the_drain(
    policy: Policy, given_times: Times, trace: list[Request]
) -> None:
    outcome = play(policy, trace, given_times)
    assert (outcome.lost, outcome.cut) == (0, 0)
    assert len(outcome.waits) == len(trace)
    assert min(outcome.waits, default=0) >= 0


@settings(max_examples=40, deadline=None)
@given(policies, traces(5 * DRAIN))
def test_what_is_cut_is_asked_again_and_nothing_is_lost(
    policy: Policy, trace: list[Request]
) -> None:
    outcome = play(policy, trace)
    assert outcome.lost == 0
    assert len(outcome.waits) == len(trace)


@settings(max_examples=40, deadline=None)
@given(policies, traces(DRAIN))
def test_replicas_stay_between_their_bounds(policy: Policy, trace: list[Request]) -> None:
    least, most = play(policy, trace).replicas
    assert policy.minimum <= least <= most <= policy.maximum


def test_an_answer_that_is_longer_than_the_drain_is_cut_and_then_given() -> None:
    trace = [Request(0, 1200)] * 12 + [Request(1, 9000)] * 3
    outcome = play(Policy(name="floor", minimum=1, maximum=6), trace)
    assert outcome.cut > 0
    assert (outcome.lost, len(outcome.waits)) == (0, 15)


def test_the_first_request_to_a_sleeping_fleet_waits_for_one_cold_start() -> None:
    outcome = play(ZERO, [Request(1000, 10)])
    assert TIMES.cold <= outcome.waits[0] <= TIMES.cold + POLL_SECONDS + SYNC_SECONDS
    assert outcome.replicas == (0, 1)


def test_a_sleeping_fleet_costs_nothing_after_its_last_node_went() -> None:
    worked = play(ZERO, [Request(0, 10)])
    assert 0 < worked.gpu_hours < 1
    assert play(ZERO, []).gpu_hours == 0


def test_a_warm_node_saves_its_boot_and_its_image() -> None:
    clump = [Request(600, 60)] * 40
    cold, warm = (max(play(policy, clump).waits) for policy in (FLOOR, WARM))
    assert warm < cold


def test_a_fixed_fleet_is_its_size_times_the_hours() -> None:
    assert play(FIXED, [Request(0, 10)]).gpu_hours == pytest.approx(4 * 4)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
@pytest.mark.parametrize("trace", scaling.TRACES)
def test_no_policy_loses_or_cuts_anything_in_the_first_hours_of_a_day(
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
