"""The local stack's plan: another endpoint, and invalid values. No engine runs."""

import json

import pytest

from analysis.plan import make
from stacks.errors import ConfigError


def test_an_external_endpoint_replaces_the_local_model_server() -> None:
    """A plan needs no key, and the variable is secret."""
    plan = make(
        "local",
        {
            "inference_url": "http://127.0.0.1:11434/v1",
            "inference_model": "llama3.2",
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
    (endpoint,) = json.loads(host.inputs["environment"]["INFERENCE_ENDPOINTS"])
    assert (endpoint["name"], endpoint["context_tokens"]) == ("serverless", 32_768)
    assert endpoint["input_usd_per_million"] == 0.1
    assert endpoint["output_usd_per_million"] == 0.7


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            {"data_folder": "~nosuchuser/x"},
            "Config data_folder is '~nosuchuser/x', but there is no such user. "
            "Set it: pulumi config set data_folder ''",
        ),
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
def test_an_invalid_value_is_refused_with_its_rule_and_a_remedy(
    overrides: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        make("local", overrides)

    assert str(refused.value) == f"{message} --stack local"
