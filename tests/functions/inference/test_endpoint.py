"""The list of endpoints: validation, and the order in which a document calls them."""

from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.inference.endpoint import Endpoint, preferred, read_endpoints
from tests.support import local

DOCUMENTS = [f"document {number}" for number in range(10_000)]


def weighted(**weights: int) -> list[Endpoint]:
    """Endpoints of one order."""
    return [local.endpoint(name=name, weight=weight) for name, weight in weights.items()]


def names(endpoints: list[Endpoint], document: str) -> list[str]:
    """The endpoints in the order of a document."""
    return [endpoint.name for endpoint in preferred(endpoints, document)]


# ---------------------------------------------------------------- order


def test_documents_are_shared_by_weight() -> None:
    endpoints = weighted(a=70, b=20, c=10)

    first = Counter(names(endpoints, document)[0] for document in DOCUMENTS)

    # Three standard deviations of 10,000 draws are 137, 120 and 90.
    assert abs(first["a"] - 7_000) < 137
    assert abs(first["b"] - 2_000) < 120
    assert abs(first["c"] - 1_000) < 90


def test_second_choices_are_shared_by_weight() -> None:
    endpoints = weighted(a=1, b=3, c=96)

    second = Counter(
        order[1] for document in DOCUMENTS if (order := names(endpoints, document))[0] == "c"
    )

    assert second["b"] / second["a"] == pytest.approx(3, rel=0.1)


@given(st.text(), st.permutations(["a", "b", "c"]))
def test_the_order_of_a_document_does_not_depend_on_the_list(
    document: str, order: list[str]
) -> None:
    endpoints = weighted(a=5, b=3, c=1)
    shuffled = [next(e for e in endpoints if e.name == name) for name in order]

    assert names(shuffled, document) == names(endpoints, document)


def test_removing_an_endpoint_moves_only_its_documents() -> None:
    before, after = weighted(a=2, b=1, c=1), weighted(a=2, b=1)

    moved = {names(before, d)[0] for d in DOCUMENTS if names(before, d)[0] != names(after, d)[0]}

    assert moved == {"c"}


def test_a_lower_order_comes_first_with_any_weight() -> None:
    endpoints = [
        local.endpoint(name="last", order=9, weight=100),
        local.endpoint(name="first", order=0, weight=1),
        local.endpoint(name="middle", order=5, weight=100),
    ]

    assert all(
        names(endpoints, document) == ["first", "middle", "last"] for document in DOCUMENTS[:100]
    )


def test_a_weight_of_zero_comes_last_in_its_order() -> None:
    endpoints = [*weighted(drained=0, a=1, b=1), local.endpoint(name="later", order=1)]

    assert {tuple(names(endpoints, document)[2:]) for document in DOCUMENTS[:100]} == {
        ("drained", "later")
    }


# ---------------------------------------------------------------- the list


def listed(*changes: dict[str, Any]) -> str:
    """The list as JSON."""
    least = {
        "name": "a",
        "inference_mode": "serverless",
        "url": "https://a.example/v1",
        "model": "m",
        "context_tokens": 8192,
    }
    return msgspec.json.encode([least | change for change in changes]).decode()


def test_the_default_order_is_the_place_in_the_list() -> None:
    endpoints = read_endpoints(listed({}, {"name": "b", "order": 0}, {"name": "c"}))

    assert [(endpoint.name, endpoint.order) for endpoint in endpoints] == [
        ("a", 0),
        ("b", 0),
        ("c", 2),
    ]


def test_the_list_is_sorted_by_order() -> None:
    endpoints = read_endpoints(listed({"order": 2}, {"name": "b", "order": 1}))

    assert [endpoint.name for endpoint in endpoints] == ["b", "a"]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("[]", "must name at least one endpoint"),
        ("{}", "must be a JSON list of endpoints"),
        ("nonsense", "must be a JSON list of endpoints"),
        (listed({}, {}), "repeats the name 'a'"),
        (listed({"name": "A b"}), r"\[0\]\.name"),
        (listed({}, {"name": "b", "url": "ftp://a"}), r"\[1\]\.url"),
        (listed({"model": ""}), r"\[0\]\.model"),
        (listed({"context_tokens": 0}), r"\[0\]\.context_tokens"),
        (listed({"weight": 101}), r"\[0\]\.weight"),
        (listed({"weight": -1}), r"\[0\]\.weight"),
        (listed({"inference_mode": "gpu"}), r"\[0\]\.inference_mode"),
        (listed({"input_usd_per_million": -1}), r"\[0\]\.input_usd_per_million"),
        (listed({"replicas_url": "/replicas"}), r"\[0\]\.replicas_url"),
        (listed({"replicas_url": "http://b.example/replicas"}), "must be at the host of url"),
        (listed({"key": "k"}), "unknown field `key`"),
    ],
)
def test_an_invalid_list_is_refused_with_the_rule(text: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        read_endpoints(text)


# ---------------------------------------------------------------- one endpoint


def test_the_cost_is_the_sum_over_both_prices() -> None:
    endpoint = local.endpoint(input_usd_per_million=0.5, output_usd_per_million=2.0)

    assert endpoint.cost_usd(1_000_000, 100_000) == pytest.approx(0.7)


@pytest.mark.parametrize("known", ["input", "output"])
def test_the_cost_is_unknown_if_one_price_is(known: str) -> None:
    assert local.endpoint(**{f"{known}_usd_per_million": 1.0}).cost_usd(1000, 1000) is None


def test_only_url_and_model_change_the_fingerprint() -> None:
    one = local.endpoint()

    assert local.endpoint(name="b", weight=5, order=3).fingerprint == one.fingerprint
    assert local.endpoint(model="other").fingerprint != one.fingerprint
    assert local.endpoint(url="https://other.example/v1").fingerprint != one.fingerprint
