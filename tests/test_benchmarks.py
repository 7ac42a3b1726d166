"""The benchmarks run, report what they measured, and compare equal work.

No test depends on speed; `./seamless bench` measures it.
"""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx
import pytest
from rich.console import Console
from typer.testing import CliRunner

import benchmarks
from benchmarks import corpus, endpoint, measure, reduce
from benchmarks.measure import Result, Side, UnequalWork, compare
from tools.__main__ import app
from tools.workspace import CommandError

TINY = {
    "chunk": 100_000,
    "docx": 3,
    "pdf": 2,
    "waves": 10,
    "reduce": 9,
    "start": 1,
    "cold_start": 1,
}


def result(control: float) -> Result:
    """A result with a control median; the median of ours is 3."""
    return Result(
        name="sort",
        ours="ours",
        peer="theirs",
        unit="ms CPU",
        ours_median=3.0,
        peer_median=2.0,
        control_median=control,
        ours_wall=4.0,
        peer_wall=2.5,
        rounds=5,
        seed=7,
    )


class Work:
    """Two sides that take CPU time of a simulated clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.order = ""

    def side(self, label: str, seconds: float, answer: str) -> Side[str]:
        def run() -> str:
            self.now += seconds
            self.order += label
            return answer

        return Side(label=label, run=run)

    def compare(self, a: float, b: float, answer: str = "same", **options: Any) -> Result:
        return compare(
            "sort",
            ours=self.side("A", a, "same"),
            peer=self.side("B", b, answer),
            digest=str,
            cpu_clock=lambda: self.now,
            **options,
        )


@pytest.mark.nightly  # it runs every benchmark
@pytest.mark.parametrize("name", benchmarks.BENCHMARKS)
def test_a_benchmark_compares_equal_work(name: str) -> None:
    """`compare` and `reduce` raise an error for unequal answers."""
    results = benchmarks.BENCHMARKS[name](size=TINY[name], rounds=1)

    assert {(r.name, r.rounds, r.seed) for r in results} == {(name, 1, measure.SEED)}
    assert all(r.ours_median > 0 and r.peer_median > 0 and r.control_median > 0 for r in results)


def test_unequal_answers_are_an_error() -> None:
    with pytest.raises(UnequalWork, match=r"Benchmark 'sort': 'B' gave another result than 'A'"):
        Work().compare(1, 0.1, answer="nothing", rounds=1)


def test_the_sides_alternate_and_each_is_first_in_turn() -> None:
    work = Work()

    work.compare(1, 1, rounds=4)

    expected_answer, warm_up, rounds = "A", "ABA", "ABA BAA AAB ABA".replace(" ", "")
    assert work.order == expected_answer + warm_up + rounds


def test_medians_are_milliseconds_per_counted_unit() -> None:
    found = Work().compare(0.6, 0.2, per="call", count=10, rounds=3)

    assert found.unit == "ms CPU per call"
    assert (found.ours_median, found.peer_median) == pytest.approx((60, 20))
    assert (found.ratio, found.control_ratio) == pytest.approx((3, 1))


def test_short_runs_are_repeated_within_a_sample() -> None:
    work = Work()

    found = work.compare(0.03, 0.06, rounds=1)

    assert work.order.endswith("AA" + "B" + "AA")
    assert found.ours_median == pytest.approx(30)


@pytest.mark.parametrize(
    ("control", "noisy"), [(2.69, True), (2.71, False), (3.29, False), (3.31, True)]
)
def test_a_control_that_differs_by_more_than_a_tenth_is_noisy(control: float, noisy: bool) -> None:
    assert result(control).noisy is noisy


def test_an_unknown_name_is_an_error_that_lists_the_benchmarks() -> None:
    with pytest.raises(CommandError) as error:
        benchmarks.run(Console(), "speed", as_json=False)

    assert str(error.value) == (
        "Unknown benchmark 'speed'. Choose one of: chunk, docx, pdf, waves, reduce, start, "
        "cold_start, scaling."
    )


def test_json_has_all_results_and_describes_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = {name: benchmarks.BENCHMARKS[name] for name in ("docx", "reduce")}
    tiny = {name: partial(measured, size=9, rounds=1) for name, measured in chosen.items()}
    monkeypatch.setattr(benchmarks, "BENCHMARKS", tiny)

    outcome = CliRunner().invoke(app, ["bench", "--json"])

    assert outcome.exit_code == 0
    printed = json.loads(outcome.stdout)
    assert printed.keys() == {"python", "system", "cpus", "load_average", "packages", "results"}
    assert [result["name"] for result in printed["results"]] == ["docx", *["reduce"] * 4]
    for result in printed["results"]:
        assert result.keys() >= {
            *("name", "ours", "peer", "unit", "ours_median", "peer_median"),
            *("ratio", "control_ratio", "noisy", "rounds", "seed"),
        }


@pytest.mark.parametrize(("control", "shown"), [(3.0, "1.00"), (4.5, "1.50 noisy")])
def test_the_table_shows_both_sides_the_ratio_and_the_control(
    control: float, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmarks, "BENCHMARKS", {"sort": lambda: [result(control)]})
    console = Console(record=True, width=120)

    status = benchmarks.run(console, "sort", as_json=False)

    rows = [line.split() for line in console.export_text().splitlines()]
    assert status == 0
    assert ["sort", "ours", "ms", "CPU", "3", "4", "1.50", *shown.split(), "5", "7"] in rows
    assert ["theirs", "2", "2.5"] in rows


def test_a_seed_and_a_size_determine_the_text() -> None:
    text = corpus.text(5_000, seed=1)

    assert len(text) == 5_000
    assert text == corpus.text(5_000, seed=1)
    assert text != corpus.text(5_000, seed=2)


def test_the_fake_endpoint_gives_different_answers_to_different_requests() -> None:
    bodies = [{"model": "fake", "messages": [{"role": "user", "content": c}]} for c in "aab"]

    with endpoint.running() as port, httpx.Client(trust_env=False) as client:
        url = f"http://127.0.0.1:{port}/v1/chat/completions"
        first, again, other = (client.post(url, json=body).json() for body in bodies)

    assert first == again
    assert first["choices"][0]["message"]["content"] != other["choices"][0]["message"]["content"]
    assert len(first["choices"][0]["message"]["content"]) == endpoint.ANSWER_CHARACTERS


@pytest.mark.parametrize("parts", [1, 2, 8, 9, 17, 65, 178])
def test_barriers_do_not_change_the_calls(parts: int) -> None:
    streamed = reduce.streamed(parts, 8, seed=1)
    with_barriers = reduce.with_barriers(parts, 8, seed=1)

    assert (streamed.text, streamed.calls) == (with_barriers.text, with_barriers.calls)
    assert (streamed.calls[0].first, max(call.last for call in streamed.calls)) == (0, parts - 1)


@pytest.mark.parametrize("schedule", [reduce.streamed, reduce.with_barriers])
@pytest.mark.parametrize("concurrency", [1, 8, 1000])
def test_no_schedule_is_faster_than_the_bound(
    schedule: Callable[[int, int, int], reduce.Outcome], concurrency: int
) -> None:
    outcome = schedule(178, concurrency, 1)

    assert outcome.seconds >= outcome.bound(concurrency) - 1e-9


@pytest.mark.parametrize("concurrency", [1, 1000])
def test_the_bound_is_reached_with_one_call_at_a_time_or_all_at_once(concurrency: int) -> None:
    outcome = reduce.streamed(178, concurrency, 1)

    assert outcome.seconds == pytest.approx(outcome.bound(concurrency))
