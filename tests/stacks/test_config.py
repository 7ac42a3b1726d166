"""An invalid value is refused with its key, the value, the rule, and a command that corrects it."""

import asyncio
import json
import re
import shlex
from collections.abc import Mapping
from typing import Any

import pulumi
import pytest
from pulumi.runtime.config import set_all_config

from stacks.config import StackConfig
from stacks.config_schema import KEYS, project_config, read
from stacks.errors import ConfigError
from tests.support.plans import endpoints

SECRETS = ["inference_api_key", "inference_endpoint_keys", "hugging_face_token", "log_destinations"]


def listed(*changes: dict[str, Any]) -> dict[str, str]:
    return endpoints(*changes) | {"inference_endpoint_keys": '{"spare": "key-51d0"}'}


@pytest.fixture(autouse=True)
def _stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi, "get_stack", lambda: "dev")


def config(values: Mapping[str, str], secrets: list[str] = SECRETS) -> StackConfig:
    async def program() -> StackConfig:  # outputs need a loop
        full = {f"project:{key}": value for key, value in values.items()}
        set_all_config(full, [f"project:{key}" for key in secrets])
        return read(pulumi.Config("project"))

    return asyncio.run(program())


def test_the_defaults_of_pulumi_are_the_defaults_of_the_schema() -> None:
    written = {
        key: json.dumps(entry["default"])
        if isinstance(entry["default"], list | dict)
        else str(entry["default"])
        for key, entry in project_config().items()
    }

    assert config(written, secrets=[]) == StackConfig()
    assert written.keys() == KEYS.keys()


def test_values_have_the_types_of_the_schema() -> None:
    found = config(
        {
            "protect": "true",
            "gpu_minimum": "0",
            "inference_input_usd_per_million": "0.5",
            "network_peers": "10.0.0.0/16, 10.1.0.0/16",
            "region": " tor1 ",
        }
        | listed({"context_tokens": "8192"})
    )

    assert (found.protect, found.gpu_minimum, found.region) == (True, 0, "tor1")
    assert found.inference_input_usd_per_million == 0.5
    assert [str(peer) for peer in found.network_peers] == ["10.0.0.0/16", "10.1.0.0/16"]
    assert [(e.context_tokens, e.order) for e in found.inference_endpoints] == [(8192, 1)]


INVALID = [
    (
        {"variant": "moon"},
        "variant is 'moon', but it must be one of integrated, local, split. "
        "Set it: pulumi config set variant local",
    ),
    (
        {"protect": "perhaps"},
        "protect is 'perhaps', but it must be true or false. "
        "Set it: pulumi config set protect true",
    ),
    (
        {"page_port": "99999"},
        "page_port is '99999', but it must be a whole number from 0 to 65535. "
        "Set it: pulumi config set page_port 0",
    ),
    (
        {"gpu_concurrency": "eight"},
        "gpu_concurrency is 'eight', but it must be a whole number from 1 to 4096. "
        "Set it: pulumi config set gpu_concurrency 8",
    ),
    (
        {"gpu_minimum": "3"},
        "gpu_minimum is 3, but it must not be above gpu_maximum, which is 2. "
        "Set it: pulumi config set gpu_minimum 2",
    ),
    (
        {"inference_url": "http://127.0.0.1:11434"},
        "inference_url is 'http://127.0.0.1:11434', but it must be an http or https URL with a "
        "valid host and port that ends in /v1. "
        "Set it: pulumi config set inference_url https://inference.do-ai.run/v1",
    ),
    *(
        (
            {"inference_url": url},
            f"inference_url is {url!r}, but it must be an http or https URL with a valid host and "
            "port that ends in /v1. "
            "Set it: pulumi config set inference_url https://inference.do-ai.run/v1",
        )
        for url in (
            *("https://a:99999/v1", "https://a:foo/v1", "https://a:0/v1", "https://a:/v1"),
            *("https://[::1/v1", "https://[:::]/v1", "https://[1:2:3:4::5:6:7:8]/v1"),
            *("https://a\u2100b/v1", "https://a?b/v1"),
        )
    ),
    (
        {"inference_input_usd_per_million": "nan"},
        "inference_input_usd_per_million is 'nan', but it must be a number from 0 to below 100000. "
        "Set it: pulumi config set inference_input_usd_per_million 0.15",
    ),
    (
        {"inference_api_key": "key-51d0"},
        "inference_api_key is in plain text, but it must be encrypted. "
        "Set it: pulumi config set --secret inference_api_key",
    ),
    (
        {"inference_provider": "acme"},
        "inference_provider is 'acme', but it must be one of digitalocean, fireworks, baseten, "
        "together, bedrock. Set it: pulumi config set inference_provider ''",
    ),
    (
        {"cluster_api_cidrs": "192.0.2.7/32, 10.0.0.1/8"},
        "cluster_api_cidrs is '10.0.0.1/8', but each must be an IPv4 CIDR without host bits. "
        "Set it: pulumi config set cluster_api_cidrs 192.0.2.7/32",
    ),
    *(
        (
            {"inference_endpoints": text},
            f"inference_endpoints is not valid, but inference_endpoints{rule}. "
            "Remove it: pulumi config rm inference_endpoints",
        )
        for text, rule in (
            *((text, " must be a list") for text in ("foo", '{"a": 1}', "[" * 2000)),
            *((text, "[0] must be an object") for text in ("[1]", '["x"]', "[[]]")),
        )
    ),
    (
        {"inference_endpoints": "[{}]"},
        "inference_endpoints[0].name is not set, but it must be a name of a-z, 0-9 and -. "
        "Set it: pulumi config set --path 'inference_endpoints[0].name' spare",
    ),
    (
        listed({"name": "spare\n"}),
        "inference_endpoints[0].name is 'spare\\n', but it must be a name of a-z, 0-9 and -. "
        "Set it: pulumi config set --path 'inference_endpoints[0].name' spare",
    ),
    (
        listed({}, {}),
        "inference_endpoints[1].name is 'spare', but names are unique, and serverless, dedicated, "
        "cluster are taken. Set it: pulumi config set --path 'inference_endpoints[1].name' spare-2",
    ),
    (
        listed({"url": "https://spare.example"}),
        "inference_endpoints[0].url is 'https://spare.example', but it must be an http or https "
        "URL with a valid host and port that ends in /v1. Set it: "
        "pulumi config set --path 'inference_endpoints[0].url' https://inference.do-ai.run/v1",
    ),
    (
        listed({"model": None}),
        "inference_endpoints[0].model is not set, but it must be a text that is not empty. "
        "Set it: pulumi config set --path 'inference_endpoints[0].model' openai-gpt-oss-120b",
    ),
    (
        listed({"weight": 101}),
        "inference_endpoints[0].weight is 101, but it must be a whole number from 0 to 100. "
        "Set it: pulumi config set --path 'inference_endpoints[0].weight' 1",
    ),
    (
        listed({"inference_mode": "gpu"}),
        "inference_endpoints[0].inference_mode is 'gpu', but it must be one of cluster, dedicated, "
        "serverless. "
        "Set it: pulumi config set --path 'inference_endpoints[0].inference_mode' serverless",
    ),
    (
        listed({"api_key": "key-51d0"}),
        "inference_endpoints[0].api_key is set, but an endpoint has only name, inference_mode, "
        "url, model, successor, "
        "context_tokens, input_usd_per_million, output_usd_per_million, weight, order, ca, "
        "replicas_url. Remove it: pulumi config rm --path 'inference_endpoints[0].api_key'",
    ),
    (
        listed({"a.b": "x"}),
        'inference_endpoints[0]["a.b"] is set, but an endpoint has only name, inference_mode, '
        "url, model, successor, "
        "context_tokens, input_usd_per_million, output_usd_per_million, weight, order, ca, "
        "replicas_url. Remove it: pulumi config rm --path 'inference_endpoints[0][\"a.b\"]'",
    ),
    *(
        (
            listed({"replicas_url": url}),
            f"inference_endpoints[0].replicas_url is {url!r}, but it must be an http or https URL "
            "with a valid host and port. "
            "Remove it: pulumi config rm --path 'inference_endpoints[0].replicas_url'",
        )
        for url in ("foo", "https://[::1")
    ),
    (
        listed({"replicas_url": "https://other.example/replicas"}),
        "inference_endpoints[0].replicas_url is not valid, but replicas_url "
        "'https://other.example/replicas' must be at the host of url 'https://spare.example/v1'. "
        "Remove it: pulumi config rm --path 'inference_endpoints[0].replicas_url'",
    ),
    *(
        (
            listed({}) | {"inference_endpoint_keys": keys},
            "inference_endpoint_keys.spare is not set, but the endpoint needs a key. "
            "Set it: pulumi config set --secret --path inference_endpoint_keys.spare",
        )
        for keys in ("{}", "key-51d0", '["key-51d0"]', '{"spare": ""}', "null")
    ),
    *(
        (
            listed({}) | {"inference_endpoint_keys": json.dumps({"spare": key})},
            "inference_endpoint_keys.spare is not valid, but it must be visible ASCII characters "
            "only, without spaces or line ends. "
            "Set it: pulumi config set --secret --path inference_endpoint_keys.spare",
        )
        for key in ("key 51d0", "key-51d0\n", ["key-51d0", 1])
    ),
    (
        {"hugging_face_token": "key 51d0"},
        "hugging_face_token is not valid, but it must be visible ASCII characters only, without "
        "spaces or line ends. Set it: pulumi config set --secret hugging_face_token",
    ),
    (
        {"cluster_region": "tor1"},
        "cluster_region is 'tor1', but it must be one of nyc2, atl1. "
        "Set it: pulumi config set cluster_region ''",
    ),
    (
        {"cluster_prometheus": "foo"},
        "cluster_prometheus is 'foo', but it must be an http or https URL with a valid host and "
        "port. Set it: pulumi config set cluster_prometheus ''",
    ),
    (
        {"alert_email": "a b"},
        "alert_email is 'a b', but it must be an e-mail address. "
        "Set it: pulumi config set alert_email ''",
    ),
]


@pytest.mark.parametrize(("values", "message"), INVALID)
def test_an_invalid_value_is_refused_with_its_rule_and_a_remedy(
    values: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        config(values, SECRETS[1:])

    assert str(refused.value) == f"Config {message} --stack dev"
    assert "key-51d0" not in str(refused.value)


@pytest.mark.parametrize(("values", "message"), INVALID)
def test_the_remedy_corrects_the_value(values: dict[str, str], message: str) -> None:
    words = shlex.split(message.partition("it: pulumi config ")[2])
    action, flags = words.pop(0), [words.pop(0) for word in words[:] if word.startswith("--")]
    value = "key-51d0" if "--secret" in flags else "".join(words[1:])
    corrected = dict(values)
    if "--path" in flags:
        key, *rest = re.findall(r'(?<=\[")[^"]+|[\w-]+', words[0])
        corrected[key] = json.dumps(_changed(action, values[key], rest, value))
    else:
        corrected[words[0]] = value

    problem = ""  # the next one, if there is one
    try:
        config(corrected)
    except ConfigError as error:
        problem = str(error)
    assert f"{words[0]} is" not in problem


def _changed(action: str, text: str, path: list[str], value: str) -> Any:
    """The JSON after `pulumi config set` or `rm` at a path of keys and indices."""
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        found = None
    if len(path) == 1:
        found = found if isinstance(found, dict) else {}
        found.pop(path[0], None)
        return found if action == "rm" else {**found, path[0]: value}
    index = int(path[0])
    found[index] = _changed(action, json.dumps(found[index]), path[1:], value)
    return found
