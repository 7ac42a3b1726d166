"""The split stack's plan: what it consists of, and what a config value changes.

No engine runs and no account is asked: a plan fails at the first question that only AWS can answer.
That AWS takes these inputs is not shown here.
"""

import json
from functools import cache
from typing import Any

import pytest

from analysis.plan import Plan, make
from functions.settings import variable_names
from policies.resource import UNKNOWN, Resource
from stacks.errors import ConfigError
from tests.support.planned import used
from tests.support.plans import names


@cache
def plan(**overrides: str) -> Plan:
    """The plan with these config values."""
    return make("split", overrides)


def by_name(planned: Plan) -> dict[str, Resource]:
    """The resources of a plan by name, which is unique in the serverless mode."""
    return {resource.name: resource for resource in planned.resources}


def inputs(name: str, **overrides: str) -> dict[str, Any]:
    """Inputs of one resource."""
    return by_name(plan(**overrides))[name].inputs


def test_no_function_is_told_a_secret_but_each_where_it_lies() -> None:
    """And what they are told are the application's variables, and nothing else."""
    told = [inputs(f"functions-{what}")["environment"]["variables"] for what in _FUNCTIONS]

    assert told[0].pop("ARRIVALS_URL") == UNKNOWN  # the api alone asks the worker
    assert told[0] == told[1] == told[2]
    assert "[secret]" not in told[0].values()
    references = {name for name in told[0] if name.endswith("_SECRET_ARN")}
    assert references == {
        "API_TOKEN_SECRET_ARN",
        "DATABASE_PASSWORD_SECRET_ARN",
        "INFERENCE_API_KEYS_SECRET_ARN",
    }
    known = {name.removesuffix("_SECRET_ARN") for name in told[0]}
    assert known <= variable_names()


def test_secrets_are_in_nothing_but_secrets_manager() -> None:
    holders = {r.name: r.secret_inputs for r in plan().resources if r.secret_inputs}

    assert holders == {
        "functions-api-token-version": ["secretString"],
        "functions-inference-key-version": ["secretString"],
        "database-role-version": ["secretString"],
    }


def test_in_prod_what_holds_data_is_protected() -> None:
    protected = {r.name for r in plan(environment="prod").resources if r.protect}

    assert protected == {"store-bucket", "store-key", "database-instance"}
    assert not any(r.protect for r in plan().resources)


def test_prod_has_a_second_zone_longer_memory_and_a_record_of_traffic() -> None:
    before, after = plan(), plan(environment="prod")

    assert names(after) - names(before) == {
        "network-flow",
        "network-flow-logs",
        "network-flow-policy",
        "network-flow-role",
    }
    assert names(before) - names(after) == set()
    database = inputs("database-instance", environment="prod")
    assert database["multiAz"] is True
    assert database["instanceClass"] == "db.t4g.small"
    assert database["backupRetentionPeriod"] == 14
    assert database["deletionProtection"] is True
    assert database["skipFinalSnapshot"] is False
    assert "finalSnapshotIdentifier" in database
    assert inputs("store-bucket", environment="prod")["forceDestroy"] is False
    (rule,) = inputs("store-lifecycle", environment="prod")["rules"]
    assert rule["noncurrentVersionExpiration"] == {"noncurrentDays": 90}
    assert inputs("functions-api-logs", environment="prod")["retentionInDays"] == 90
    assert inputs("functions-api-token-secret", environment="prod")["recoveryWindowInDays"] == 30
    assert inputs("functions-arrivals", environment="prod")["scalingConfig"] == {
        "maximumConcurrency": 16
    }


def test_the_database_is_open_to_the_functions_group_and_nothing_else() -> None:
    rules = [r for r in plan().resources if r.type.endswith("SecurityGroupIngressRule")]

    assert [r.name for r in rules] == ["network-database-postgres"]
    assert "referencedSecurityGroupId" in rules[0].inputs
    assert "cidrIpv4" not in rules[0].inputs
    assert "cidrIpv6" not in rules[0].inputs


def test_the_plan_shows_who_may_do_what_before_any_name_is_known() -> None:
    """Only the names are unknown: the policies can read the rest."""
    (statement,) = inputs("store-policy")["policy"]["Statement"]
    assert statement == {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [UNKNOWN, UNKNOWN],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    (statement,) = inputs("store-arrivals-policy")["policy"]["Statement"]
    assert statement["Principal"] == {"Service": "s3.amazonaws.com"}
    assert statement["Condition"]["ArnEquals"] == {"aws:SourceArn": UNKNOWN}
    documents = [r.inputs["policy"] for r in plan().resources if r.type.endswith("RolePolicy")]
    assert len(documents) == 4
    assert UNKNOWN not in documents


def test_a_queue_waits_six_times_as_long_as_the_worker_works() -> None:
    worker = inputs("functions-summarize")

    assert inputs("store-arrivals-queue")["visibilityTimeoutSeconds"] == 6 * worker["timeout"]
    deadline = float(worker["environment"]["variables"]["DOCUMENT_DEADLINE_SECONDS"])
    assert deadline < worker["timeout"] - 15


def test_a_region_moves_everything_that_names_one() -> None:
    moved = plan(region="eu-central-1")

    named = {
        r.name
        for r in moved.resources
        if "us-east-1" in str(r.inputs) and r.name != "functions-token"
    }
    assert named == set()
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
        (
            "https://api.example.com:8443/v1",
            {"functions-inference-0-0-0-0-8443": ("0.0.0.0/0", 8443)},
        ),
        (
            "http://10.20.3.4:8000/v1",
            {"functions-inference-10-20-3-4-8000": ("10.20.3.4/32", 8000)},
        ),
    ],
)
def test_an_endpoint_on_another_port_than_443_has_an_egress_rule(
    url: str, rules: dict[str, tuple[str, int]]
) -> None:
    """The group of all functions opens port 443 to every address."""
    planned = plan(inference_url=url, inference_model="some-model")

    assert egress(planned) == {"network-functions-https": ("0.0.0.0/0", 443), **rules}


def test_only_the_workers_reach_an_endpoint_on_another_port() -> None:
    planned = by_name(plan(inference_url="http://10.20.3.4:8000/v1", inference_model="some-model"))
    groups = {what: used(planned[f"functions-{what}"], "vpcConfig") for what in _FUNCTIONS}

    assert "functions-inference" not in groups["api"]
    assert "functions-inference" in groups["summarize"]
    assert groups["summarize"] == groups["sweep"]


def test_any_number_of_endpoints_needs_one_security_group() -> None:
    """An interface takes five groups, so a group for each endpoint would limit their number."""
    ports = [8001, 8002, 8003, 8004, 8005, 8005]
    endpoints = [
        {
            "name": f"spare-{index}",
            "url": f"http://10.20.3.4:{port}/v1",
            "model": "some-model",
            "context_tokens": 8192,
        }
        for index, port in enumerate(ports)
    ]
    planned = plan(inference_endpoints=json.dumps(endpoints))

    assert len(egress(planned)) == 1 + len(set(ports))
    assert names(planned) - names(plan()) == {
        "functions-inference",
        *(f"functions-inference-10-20-3-4-{port}" for port in ports),
    }


def test_the_log_of_requests_holds_no_header_and_no_query() -> None:
    """A token travels in a header; the page has nothing to hide in a path."""
    settings = inputs("functions-http-stage")["accessLogSettings"]

    variables = set(json.loads(settings["format"]).values())
    assert variables == {
        "$context.requestTime",
        "$context.requestId",
        "$context.identity.sourceIp",
        "$context.httpMethod",
        "$context.path",
        "$context.status",
        "$context.responseLength",
        "$context.responseLatency",
        "$context.error.message",
        "$context.integrationErrorMessage",
    }
    assert inputs("functions-http-requests", environment="prod")["retentionInDays"] == 90


def test_a_range_of_ones_own_moves_the_network_and_every_subnet() -> None:
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


def test_a_bucket_name_of_ones_own_is_the_bucket_s() -> None:
    assert inputs("store-bucket", bucket_name="our-documents")["bucket"] == "our-documents"


def test_an_address_hears_of_alarms() -> None:
    before, after = plan(), plan(alert_email="ops@example.com", monthly_budget_usd="50")

    assert names(after) - names(before) == {"monitoring-email"}
    email = by_name(after)["monitoring-email"]
    assert (email.inputs["protocol"], email.inputs["endpoint"]) == ("email", "ops@example.com")
    assert by_name(after)["monitoring-budget"].inputs["limitAmount"] == "50"


def test_another_provider_changes_what_the_functions_are_told_and_nothing_else() -> None:
    before, after = by_name(plan()), by_name(plan(inference_provider="baseten"))

    assert {name for name in before if before[name] != after[name]} == {
        f"functions-{what}" for what in _FUNCTIONS
    }


@pytest.mark.parametrize(
    "overrides",
    [
        {"inference_model": "accounts/fireworks/models/gpt-oss-120b#accounts/me/deployments/1"},
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
            {"inference_mode": "dedicated"},
            r"Config inference_model is not set, but dedicated needs your own deployment, and "
            r"accounts/fireworks/models/gpt-oss-120b is shared\. Set it: pulumi config set "
            r"inference_model 'accounts/fireworks/models/gpt-oss-120b#"
            r"accounts/ACCOUNT/deployments/ID'",
        ),
        (
            {
                "inference_mode": "dedicated",
                "inference_model": "accounts/fireworks/models/gpt-oss-120b",
            },
            r"Config inference_model is 'accounts/fireworks/models/gpt-oss-120b', but dedicated "
            r"needs your own deployment, .*",
        ),
        (
            {"inference_mode": "dedicated", "inference_provider": "baseten"},
            r"Config inference_url is not set, but a dedicated deployment at baseten has its own "
            r"URL\. Set it: pulumi config set inference_url https://HOST/v1",
        ),
        (
            {"inference_api_key": ""},
            r"Config inference_api_key is not set, but https://api.fireworks.ai/inference/v1 needs "
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
def test_a_value_that_breaks_its_rule_is_refused_before_anything_is_planned(
    overrides: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError, match=f"^{message} --stack split$"):
        make("split", overrides)


_FUNCTIONS = ("api", "summarize", "sweep")
