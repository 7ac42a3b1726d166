"""Endpoints beside the inference mode's own: their order, and invalid ones."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from analysis.plan import make
from components.contracts import Inference, application_environment
from stacks.errors import ConfigError

SPARE = {
    "name": "spare",
    "url": "https://spare.example/v1",
    "model": "spare-model",
    "context_tokens": 32_768,
}


def listed(*changes: dict[str, Any]) -> dict[str, str]:
    """Config of endpoints that are like the spare one."""
    return {"inference_endpoints": json.dumps([SPARE | change for change in changes])}


def told(stack: str, overrides: dict[str, str] | None = None) -> list[dict[str, Any]]:
    """The endpoints that the application is told of; that of a local model server has no URL before
    it runs.

    So the local model server of the local variant is replaced by an endpoint of one's own.
    """
    own = {"inference_url": "http://127.0.0.1:9/v1", "inference_model": "m"}
    resources = make(stack, (own if stack == "local" else {}) | (overrides or {})).resources
    (functions,) = (r for r in resources if r.name in ("functions-host", "functions-sweep"))
    environment = functions.inputs["environment"]
    text = environment.get("variables", environment)["INFERENCE_ENDPOINTS"]
    endpoints: list[dict[str, Any]] = json.loads(text)
    return endpoints


@pytest.fixture
def order(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, dict[str, str]], list[str]]:
    """Name, inference mode and order of each endpoint of a stack."""

    def ask(stack: str, overrides: dict[str, str]) -> list[str]:
        seen: list[str] = []

        def environment(*, inference: Sequence[Inference], **others: Any) -> Any:
            seen.extend(f"{each.name} {each.inference_mode} {each.order}" for each in inference)
            return application_environment(inference=inference, **others)

        module = {"local": "local", "split": "aws"}[stack]
        monkeypatch.setattr(f"components.{module}.functions.application_environment", environment)
        make(stack, overrides)
        return seen

    return ask


Order = Callable[[str, dict[str, str]], list[str]]


@pytest.mark.parametrize("stack", ["local", "split", "integrated"])
def test_an_endpoint_of_ones_own_follows_the_inference_modes_own_in_every_variant(
    stack: str,
) -> None:
    own, spare = told(stack, listed({}))

    assert (own["name"], own["order"]) == ("serverless", 0)
    assert spare == {
        "name": "spare",
        "inference_mode": "serverless",
        "url": "https://spare.example/v1",
        "model": "spare-model",
        "context_tokens": 32_768,
        "weight": 1,
        "order": 1,
        "ca": "",
    }


def test_another_endpoint_changes_the_environment_of_the_functions_and_nothing_else() -> None:
    before = {r.name: r for r in make("split").resources}
    after = {r.name: r for r in make("split", listed({})).resources}

    assert after.keys() == before.keys()
    assert {name for name in before if before[name] != after[name]} == {
        "functions-api",
        "functions-summarize",
        "functions-sweep",
    }


@pytest.mark.parametrize(
    ("stack", "name"),
    [
        ("integrated", "functions-sweep"),
        ("split", "functions-inference-key-version"),
        ("local", "functions-host"),
    ],
)
def test_the_keys_are_secret_in_every_variant(stack: str, name: str) -> None:
    (holder,) = (r for r in make(stack, listed({})).resources if r.name == name)

    assert {"environment.INFERENCE_API_KEYS", "secretString"} & set(holder.secret_inputs)
    assert "environment.INFERENCE_ENDPOINTS" not in holder.secret_inputs


def test_order_weight_inference_mode_and_prices_are_the_persons() -> None:
    own, first, last = told(
        "split",
        listed(
            {"name": "last", "order": "7"},
            {
                "name": "first",
                "order": 0,
                "weight": 0,
                "inference_mode": "cluster",
                "input_usd_per_million": "0.5",
            },
        ),
    )

    assert [each["order"] for each in (own, first, last)] == [0, 0, 7]
    assert (first["name"], first["weight"], first["inference_mode"]) == ("first", 0, "cluster")
    assert first["input_usd_per_million"] == 0.5
    assert "output_usd_per_million" not in first
    assert last["name"] == "last"


def test_the_outputs_name_the_first_endpoint() -> None:
    outputs = make("split", listed({})).outputs

    assert outputs["inference_url"] == "https://api.fireworks.ai/inference/v1"


# ---------------------------------------------------------------- the fallback


def test_a_dedicated_endpoint_falls_back_on_the_serverless_one_after_all_others(
    order: Order,
) -> None:
    overrides = {"inference_mode": "dedicated", "fallback": "serverless"}

    assert order("local", overrides | listed({})) == [
        "dedicated dedicated 0",
        "spare serverless 1",
        "serverless serverless 1000",
    ]


def test_without_a_fallback_only_the_inference_modes_own_answers(order: Order) -> None:
    assert order("local", {"inference_mode": "dedicated"}) == ["dedicated dedicated 0"]


def test_a_serverless_inference_mode_is_its_own_fallback(order: Order) -> None:
    assert order("local", {"fallback": "serverless"}) == ["serverless serverless 0"]


def test_an_endpoint_in_the_place_of_the_inference_modes_own_has_the_inference_modes_name(
    order: Order,
) -> None:
    overrides = {"inference_mode": "dedicated", "inference_model": "a-deployment"}

    assert order("split", overrides) == ["dedicated dedicated 0"]


def test_the_fallback_of_a_local_stack_is_a_stand_in_of_its_own() -> None:
    alone, both = ({"inference_mode": "dedicated", "fallback": f} for f in ("none", "serverless"))

    more = {r.name for r in make("local", both).resources}
    assert more - {r.name for r in make("local", alone).resources} == {
        "serverless",
        "serverless-key",
        "serverless-server",
    }


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            {"fallback": "always"},
            "Config fallback is 'always', but it must be one of none, serverless. "
            "Set it: pulumi config set fallback none",
        ),
        (
            {
                "inference_mode": "dedicated",
                "inference_model": "a-deployment",
                "fallback": "serverless",
            },
            "Config fallback is 'serverless', but there is no serverless endpoint beside the "
            "dedicated one. Set it: pulumi config set fallback none",
        ),
    ],
)
def test_a_value_that_breaks_its_rule_is_refused_with_the_line_that_mends_it(
    overrides: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        make("split", overrides)

    assert str(refused.value) == f"{message} --stack split"
