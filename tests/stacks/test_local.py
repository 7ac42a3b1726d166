"""The local stack's plan: what it consists of, and what a config value changes. No engine runs."""

import json

import pytest

from analysis.plan import make
from policies.resource import name_of
from stacks.errors import ConfigError
from tests.support.plans import names


def test_the_inference_mode_changes_the_endpoint_and_the_environment_and_nothing_else() -> None:
    """Store, database and the functions' own identity stay what they are."""
    before, after = make("local"), make("local", {"inference_mode": "dedicated"})

    assert names(before) - names(after) == {"serverless", "serverless-key", "serverless-server"}
    assert names(after) - names(before) == {"dedicated", "dedicated-key", "dedicated-server"}
    shared = names(before) & names(after)
    old = {r.name: r for r in before.resources if r.name in shared}
    new = {r.name: r for r in after.resources if r.name in shared}
    assert {name for name in shared if old[name] != new[name]} == {"functions-host"}
    told = new["functions-host"].inputs["environment"]
    assert told == {**old["functions-host"].inputs["environment"], "INFERENCE_MODE": "dedicated"}


def test_an_endpoint_of_ones_own_takes_the_place_of_the_stand_in() -> None:
    """No inference resource is left, and the key is secret."""
    plan = make(
        "local",
        {
            "inference_url": "http://127.0.0.1:11434/v1",
            "inference_model": "llama3.2",
            "inference_api_key": "ollama",
            "inference_context_tokens": "32768",
            "inference_input_usd_per_million": "0.1",
            "inference_output_usd_per_million": "0.7",
        },
    )

    (host,) = (r for r in plan.resources if r.name == "functions-host")
    assert not any("LocalInference" in resource.type for resource in plan.resources)
    assert plan.outputs["inference_url"] == "http://127.0.0.1:11434/v1"
    assert plan.outputs["inference_model"] == "llama3.2"
    assert host.inputs["environment"]["INFERENCE_API_KEYS"] == "[secret]"
    (told,) = json.loads(host.inputs["environment"]["INFERENCE_ENDPOINTS"])
    assert (told["name"], told["context_tokens"]) == ("serverless", 32_768)
    assert (told["input_usd_per_million"], told["output_usd_per_million"]) == (0.1, 0.7)


def test_a_plan_needs_no_key() -> None:
    """Only a deployment does."""
    plan = make("local", {"inference_url": "http://127.0.0.1:9/v1", "inference_model": "m"})

    (host,) = (r for r in plan.resources if r.name == "functions-host")
    assert host.inputs["environment"]["INFERENCE_API_KEYS"] == "[secret]"


def test_in_prod_what_holds_data_is_protected() -> None:
    """And nothing else is."""
    plan = make("local", {"environment": "prod"})

    assert {r.name for r in plan.resources if r.protect} == {"store-folder", "database-server"}
    assert plan.policies == []


def test_in_dev_the_only_advice_is_to_protect_what_holds_data() -> None:
    """It refuses nothing."""
    found = [(v.id, v.enforcement, name_of(v.resource)) for v in make("local").policies]

    assert found == [
        ("X-01", "advisory", "database-server"),
        ("X-01", "advisory", "store-folder"),
    ]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            {"inference_mode": "cluster"},
            "Config inference_mode is 'cluster', but local has no GPU node pool: it has serverless "
            "and dedicated. Set it: pulumi config set inference_mode serverless",
        ),
        (
            {"inference_url": "http://127.0.0.1:11434/v1"},
            "Config inference_model is not set, but inference_url needs the name of a model. "
            "Set it: pulumi config set inference_model openai-gpt-oss-120b",
        ),
        (
            {
                "inference_url": "http://127.0.0.1:11434/v1",
                "inference_model": "m",
                "inference_api_key": "",
            },
            "Config inference_api_key is not set, but http://127.0.0.1:11434/v1 needs a key. "
            "Set it: pulumi config set --secret inference_api_key",
        ),
    ],
)
def test_a_value_that_breaks_its_rule_is_refused_with_the_line_that_mends_it(
    overrides: dict[str, str], message: str
) -> None:
    """The message names the key, the value, the rule and the remedy."""
    with pytest.raises(ConfigError) as refused:
        make("local", overrides)

    assert str(refused.value) == f"{message} --stack local"
