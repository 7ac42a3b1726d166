"""The endpoints of an application: those of the config beside the one of the inference mode."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from analysis.plan import make
from components.contracts import Inference, application_environment
from stacks.errors import ConfigError
from tests.support.plans import SPARE, endpoints


def planned_endpoints(stack: str, overrides: dict[str, str] | None = None) -> list[dict[str, Any]]:
    """The endpoints in the environment of the application.

    The URL of a local model server is unknown in a plan, so the local variant has another one.
    """
    external = {"inference_url": "http://127.0.0.1:9/v1", "inference_model": "m"}
    resources = make(stack, (external if stack == "local" else {}) | (overrides or {})).resources
    (functions,) = (r for r in resources if r.name in ("functions-host", "functions-sweep"))
    environment = functions.inputs["environment"]
    text = environment.get("variables", environment)["INFERENCE_ENDPOINTS"]
    found: list[dict[str, Any]] = json.loads(text)
    return found


@pytest.mark.parametrize("stack", ["local", "split", "integrated"])
def test_an_endpoint_of_the_config_follows_the_one_of_the_inference_mode(stack: str) -> None:
    first, spare = planned_endpoints(stack, endpoints({}))

    assert (first["name"], first["order"]) == ("serverless", 0)
    assert spare == {
        **SPARE,
        "inference_mode": "serverless",
        "weight": 1,
        "order": 1,
        "ca": "",
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
    (holder,) = (r for r in make(stack, endpoints({})).resources if r.name == name)

    assert {"environment.INFERENCE_API_KEYS", "secretString"} & set(holder.secret_inputs)
    assert "environment.INFERENCE_ENDPOINTS" not in holder.secret_inputs


def test_order_weight_inference_mode_and_prices_are_those_of_the_config() -> None:
    main, first, last = planned_endpoints(
        "split",
        endpoints(
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

    assert [each["order"] for each in (main, first, last)] == [0, 0, 7]
    assert (first["name"], first["weight"], first["inference_mode"]) == ("first", 0, "cluster")
    assert first["input_usd_per_million"] == 0.5
    assert "output_usd_per_million" not in first
    assert last["name"] == "last"


DEDICATED = {"inference_mode": "dedicated"}
FALLBACK = {"fallback": "serverless"}
OWN = {"inference_provider": "fireworks", "inference_model": "a-deployment"}
"""A dedicated deployment at a provider."""


@pytest.mark.parametrize(
    ("stack", "overrides", "expected"),
    [
        (
            "local",
            DEDICATED | FALLBACK | endpoints({}),
            [
                ("dedicated", "dedicated", 0),
                ("spare", "serverless", 1),
                ("serverless",) * 2 + (1000,),
            ],
        ),
        ("local", DEDICATED, [("dedicated", "dedicated", 0)]),
        ("local", FALLBACK, [("serverless", "serverless", 0)]),
        ("split", DEDICATED | OWN, [("dedicated", "dedicated", 0)]),
    ],
    ids=["fallback", "no fallback", "serverless", "another model"],
)
def test_the_endpoint_of_the_mode_is_first_and_the_fallback_is_last(
    monkeypatch: pytest.MonkeyPatch,
    stack: str,
    overrides: dict[str, str],
    expected: list[tuple[str, str, int]],
) -> None:
    found: list[tuple[str, str, int]] = []

    def environment(*, inference: Sequence[Inference], **others: Any) -> Any:
        found.extend((each.name, each.inference_mode, each.order) for each in inference)
        return application_environment(inference=inference, **others)

    module = {"local": "local", "split": "aws"}[stack]
    monkeypatch.setattr(f"components.{module}.functions.application_environment", environment)
    make(stack, overrides)

    assert found == expected


def test_the_fallback_of_a_local_stack_is_a_second_model_server() -> None:
    alone, both = ({"inference_mode": "dedicated", "fallback": f} for f in ("none", "serverless"))

    more = {r.name for r in make("local", both).resources}
    assert more - {r.name for r in make("local", alone).resources} == {
        "serverless",
        "serverless-key",
        "serverless-server",
    }


def test_a_fallback_without_a_serverless_endpoint_is_refused() -> None:
    overrides = DEDICATED | FALLBACK | OWN
    with pytest.raises(ConfigError) as refused:
        make("split", overrides)

    assert str(refused.value) == (
        "Config fallback is 'serverless', but there is no serverless endpoint beside the "
        "dedicated one. Set it: pulumi config set fallback none --stack split"
    )
