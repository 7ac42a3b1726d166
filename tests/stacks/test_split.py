"""The split stack's plan: relations of inputs, what a config value changes, and invalid values.

tests/stacks/inventories has the defaults, tests/stacks/test_tear_down.py the protection. No engine
runs: whether AWS accepts these inputs is not shown here.
"""

import json
from functools import cache
from typing import Any

import pytest

from analysis.plan import Plan, make
from policies.resource import UNKNOWN, Resource
from stacks.errors import ConfigError
from tests.support.planned import used
from tests.support.plans import endpoints, names


@cache
def plan(**overrides: str) -> Plan:
    return make("split", overrides)


def by_name(planned: Plan) -> dict[str, Resource]:
    """The resources of a plan by name, which is unique in the serverless mode."""
    return {resource.name: resource for resource in planned.resources}


def inputs(name: str, **overrides: str) -> dict[str, Any]:
    return by_name(plan(**overrides))[name].inputs


def test_only_secrets_manager_has_secret_inputs() -> None:
    holders = {r.name: r.secret_inputs for r in plan().resources if r.secret_inputs}

    assert holders == {
        "functions-api-token-version": ["secretString"],
        "functions-inference-key-version": ["secretString"],
        "database-role-version": ["secretString"],
    }


def test_prod_has_a_second_zone_and_longer_retention() -> None:
    database = inputs("database-instance", environment="prod")
    assert database["multiAz"] is True
    assert database["instanceClass"] == "db.t4g.small"
    assert database["backupRetentionPeriod"] == 14
    (rule,) = inputs("store-lifecycle", environment="prod")["rules"]
    assert rule["noncurrentVersionExpiration"] == {"noncurrentDays": 90}
    for group in ("functions-api-logs", "functions-http-requests"):
        assert inputs(group, environment="prod")["retentionInDays"] == 90
    arrivals = inputs("functions-arrivals", environment="prod")
    assert arrivals["scalingConfig"] == {"maximumConcurrency": 16}


def test_policy_documents_are_known_in_a_plan() -> None:
    """Only the names in them are unknown, so that our policies can check the rest."""
    kinds = ("RolePolicy", "BucketPolicy", "QueuePolicy")
    documents = [r.inputs["policy"] for r in plan().resources if r.type.endswith(kinds)]
    assert len(documents) == 10
    assert UNKNOWN not in documents
    (statement,) = inputs("store-policy")["policy"]["Statement"]
    assert statement["Resource"] == [UNKNOWN, UNKNOWN]


def test_the_worker_stops_a_document_before_its_timeout() -> None:
    worker = inputs("functions-summarize")

    deadline = float(worker["environment"]["variables"]["DOCUMENT_DEADLINE_SECONDS"])
    assert deadline < worker["timeout"] - 15


def test_another_region_is_the_region_of_all_resources() -> None:
    moved = plan(region="eu-central-1")

    assert [r.name for r in moved.resources if "us-east-1" in str(r.inputs)] == []
    assert inputs("aws", region="eu-central-1")["region"] == "eu-central-1"
    assert inputs("network-private-b", region="eu-central-1")["availabilityZone"] == "eu-central-1b"


def egress(planned: Plan) -> dict[str, tuple[str, int]]:
    """Address and port of every egress rule to addresses, by name."""
    return {
        rule.name: (rule.inputs["cidrIpv4"], rule.inputs["fromPort"])
        for rule in planned.resources
        if rule.type.endswith("SecurityGroupEgressRule") and "cidrIpv4" in rule.inputs
    }


@pytest.mark.parametrize(
    ("url", "rules"),
    [
        ("https://api.example.com/v1", {}),
        ("https://10.20.3.4/v1", {}),
        ("http://api.example.com/v1", {"0-0-0-0-80": ("0.0.0.0/0", 80)}),
        ("https://api.example.com:8443/v1", {"0-0-0-0-8443": ("0.0.0.0/0", 8443)}),
        ("http://10.20.3.4:8000/v1", {"10-20-3-4-8000": ("10.20.3.4/32", 8000)}),
    ],
)
def test_an_endpoint_on_another_port_than_443_has_an_egress_rule(
    url: str, rules: dict[str, tuple[str, int]]
) -> None:
    """The group of all functions opens port 443 to every address."""
    planned = plan(inference_url=url, inference_model="some-model")

    assert egress(planned) == {
        "network-functions-https": ("0.0.0.0/0", 443),
        **{f"functions-inference-{name}": rule for name, rule in rules.items()},
    }


def test_only_the_workers_reach_an_endpoint_on_another_port() -> None:
    planned = by_name(plan(inference_url="http://10.20.3.4:8000/v1", inference_model="some-model"))
    groups = {
        role: used(planned[f"functions-{role}"], "vpcConfig")
        for role in ("api", "summarize", "sweep")
    }

    assert "functions-inference" not in groups["api"]
    assert "functions-inference" in groups["summarize"]
    assert groups["summarize"] == groups["sweep"]


def test_any_number_of_endpoints_needs_one_security_group() -> None:
    """An interface takes five groups, so a group for each endpoint would limit their number."""
    ports = [8001, 8002, 8003, 8004, 8005, 8005]
    urls = [f"http://10.20.3.4:{port}/v1" for port in ports]
    changes = [{"name": f"spare-{index}", "url": url} for index, url in enumerate(urls)]
    planned = plan(**endpoints(*changes))

    assert len(egress(planned)) == 1 + len(set(ports))
    assert names(planned) - names(plan()) == {
        "functions-inference",
        *(f"functions-inference-10-20-3-4-{port}" for port in ports),
    }


LONG = [
    {"name": f"spare-{index}", "model": "accounts/fireworks/models/gpt-oss-120b"}
    for index in range(9)
]


def test_an_environment_with_the_most_endpoints_is_within_the_limit_of_lambda() -> None:
    """An ARN with a version, which a plan does not know, has less than 160 characters."""
    function = by_name(plan(**endpoints(*LONG)))["functions-summarize"]
    variables = {
        name: "x" * 160 if value == UNKNOWN else value
        for name, value in function.inputs["environment"]["variables"].items()
    }

    assert 3000 < len(json.dumps(variables, separators=(",", ":"))) <= 4096


def test_endpoints_that_exceed_the_environment_of_a_function_are_refused() -> None:
    with pytest.raises(ConfigError) as refused:
        make("split", endpoints(*LONG, *({"name": f"more-{i}"} for i in range(9))))

    message = str(refused.value)
    assert message.startswith("Config inference_endpoints is 19 endpoints in ")
    assert "Lambda takes 4 KB of environment, which leaves 2400 bytes for them" in message
    assert message.endswith("pulumi config set inference_endpoints '[]' --stack split")


def test_the_access_log_has_no_header_and_no_query() -> None:
    """Tokens are in headers."""
    settings = inputs("functions-http-stage")["accessLogSettings"]
    expected = (
        "requestTime requestId identity.sourceIp httpMethod path status responseLength "
        "responseLatency error.message integrationErrorMessage"
    )

    variables = set(json.loads(settings["format"]).values())
    assert variables == {f"$context.{name}" for name in expected.split()}


def test_the_access_log_needs_no_room_in_the_accounts_policy_for_log_delivery() -> None:
    """API Gateway adds every log group with another name to a policy of 5,120 characters."""
    stage, group = (by_name(plan())[f"functions-http-{name}"] for name in ("stage", "requests"))

    assert used(stage, "accessLogSettings") == [group.name]
    assert group.inputs["namePrefix"].startswith("/aws/vendedlogs/")


def test_requests_that_open_the_database_without_the_token_have_a_low_throttle() -> None:
    stage = inputs("functions-http-stage")
    routes = {r.inputs["routeKey"] for r in plan().resources if r.type.endswith(":Route")}

    assert routes == {"$default", "ANY /healthz"}
    assert stage["routeSettings"] == [
        {"routeKey": "ANY /healthz", "throttlingBurstLimit": 5, "throttlingRateLimit": 2}
    ]
    assert stage["defaultRouteSettings"]["throttlingRateLimit"] == 20


def test_another_cidr_is_the_range_of_the_network_and_its_subnets() -> None:
    chosen = {"network_cidr": "172.20.16.0/20", "network_peers": "10.0.0.0/8 172.31.0.0/16"}
    blocks = {
        r.name: r.inputs["cidrBlock"] for r in plan(**chosen).resources if "cidrBlock" in r.inputs
    }

    assert blocks == {
        "network-vpc": "172.20.16.0/20",
        "network-private-a": "172.20.16.0/22",
        "network-private-b": "172.20.20.0/22",
        "network-public-a": "172.20.28.0/24",
        "network-public-b": "172.20.29.0/24",
    }


def test_alarms_have_the_address_and_the_budget_of_the_config() -> None:
    config = {"alert_email": "ops@example.com", "monthly_budget_usd": "50"}

    email = inputs("monitoring-email", **config)
    assert (email["protocol"], email["endpoint"]) == ("email", "ops@example.com")
    assert inputs("monitoring-budget", **config)["limitAmount"] == "50"


@pytest.mark.parametrize(
    "overrides",
    [
        {
            "inference_provider": "fireworks",
            "inference_model": "accounts/fireworks/models/gpt-oss-120b#accounts/me/deployments/1",
        },
        {"inference_url": "https://model-1.example.com/v1", "inference_model": "mine"},
    ],
)
def test_a_dedicated_deployment_is_another_model_or_another_url(overrides: dict[str, str]) -> None:
    planned = make("split", {"inference_mode": "dedicated", **overrides})

    assert planned.inference_mode == "dedicated"
    assert planned.outputs["inference_model"] == overrides["inference_model"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            {"region": "mars-north-1"},
            r"Config region is 'mars-north-1', but split runs in af-south-1, .*, us-west-2\. "
            r"Set it: pulumi config set region us-east-1",
        ),
        (
            {"inference_mode": "dedicated", "inference_provider": "fireworks"},
            r"Config inference_model is not set, but dedicated needs your own deployment, and "
            r"accounts/fireworks/models/gpt-oss-120b is shared\. Set it: pulumi config set "
            r"inference_model 'accounts/fireworks/models/gpt-oss-120b#"
            r"accounts/ACCOUNT/deployments/ID'",
        ),
        (
            {
                "inference_mode": "dedicated",
                "inference_provider": "fireworks",
                "inference_model": "accounts/fireworks/models/gpt-oss-120b",
            },
            r"Config inference_model is 'accounts/fireworks/models/gpt-oss-120b', but dedicated "
            r"needs your own deployment, .*",
        ),
        (
            {"inference_mode": "dedicated"},
            r"Config inference_url is not set, but a dedicated deployment at baseten has its own "
            r"URL\. Set it: pulumi config set inference_url https://HOST/v1",
        ),
        (
            {"inference_api_key": ""},
            r"Config inference_api_key is not set, but https://inference\.baseten\.co/v1 needs "
            r"a key\. Set it: pulumi config set --secret inference_api_key",
        ),
        (
            {"network_cidr": "10.20.0.1/16"},
            r"Config network_cidr is '10\.20\.0\.1/16', but it must be an IPv4 network without "
            r"host bits, such as 10\.20\.0\.0/16\. Set it: pulumi config set network_cidr "
            r"10\.0\.0\.0/16",
        ),
        (
            {"network_cidr": "52.0.0.0/16"},
            r"Config network_cidr is '52\.0\.0\.0/16', but it must lie in 10\.0\.0\.0/8, "
            r"172\.16\.0\.0/12, 192\.168\.0\.0/16\. "
            r"Set it: pulumi config set network_cidr 10\.0\.0\.0/16",
        ),
        (
            {"network_cidr": "10.20.0.0/24"},
            r"Config network_cidr is '10\.20\.0\.0/24', but it must be from /16, the largest for "
            r"AWS, to /20, the smallest for the subnets\. "
            r"Set it: pulumi config set network_cidr 10\.0\.0\.0/16",
        ),
        (
            {"network_peers": "10.0.0.0/12, 10.20.128.0/17"},
            r"Config network_cidr is '10\.20\.0\.0/16', but it must not overlap 10\.20\.128\.0/17 "
            r"of network_peers\. Set it: pulumi config set network_cidr 10\.16\.0\.0/16",
        ),
        (
            {
                "network_peers": "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16",
                "network_cidr": "10.0.0.0/28",
            },
            r"Config network_peers is '10\.0\.0\.0/8, 172\.16\.0\.0/12, 192\.168\.0\.0/16', but "
            r"they leave no private range for network_cidr: name only networks that are peered\. "
            r"Set it: pulumi config set network_peers ''",
        ),
        (
            {
                "network_peers": "10.0.0.0/8,172.16.0.0/12,192.168.16.0/20,192.168.32.0/19,"
                "192.168.64.0/18,192.168.128.0/17"
            },
            r"Config network_cidr is '10\.20\.0\.0/16', but it must not overlap 10\.0\.0\.0/8 of "
            r"network_peers\. Set it: pulumi config set network_cidr 192\.168\.0\.0/20",
        ),
    ],
)
def test_an_invalid_value_is_refused_with_its_rule_and_a_remedy(
    overrides: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError, match=f"^{message} --stack split$"):
        make("split", overrides)
