"""The integrated stack's plan: what a config value changes, and invalid values.

tests/stacks/inventories has the defaults, tests/stacks/test_tear_down.py the protection.
"""

import pytest

from analysis.plan import make
from policies.resource import SECRET, Resource
from stacks.errors import ConfigError


def planned(name: str, overrides: dict[str, str] | None = None) -> Resource:
    (found,) = (r for r in make("integrated", overrides).resources if r.name == name)
    return found


def test_prod_has_a_larger_database_with_two_nodes() -> None:
    cluster = planned("database-cluster", {"environment": "prod"}).inputs

    assert (cluster["size"], cluster["nodeCount"]) == ("db-s-2vcpu-4gb", 2)
    assert planned("database-pool", {"environment": "prod"}).inputs["size"] == 90


def test_another_region_is_the_region_of_all_resources() -> None:
    resources = make("integrated", {"region": "ams3"}).resources

    regions = {r.inputs["region"] for r in resources if isinstance(r.inputs.get("region"), str)}
    assert regions == {"ams3"}
    environment = planned("functions-api", {"region": "ams3"}).inputs["environment"]
    assert environment["STORE_ENDPOINT"] == "https://ams3.digitaloceanspaces.com"


def test_a_page_behind_a_proxy_uploads_and_loads_scripts_from_there_only() -> None:
    proxy = {"page_url": "https://docs.example.org/summaries/"}

    (rule,) = planned("store-cors", proxy).inputs["corsRules"]
    assert rule["allowedOrigins"] == ["https://docs.example.org"]
    environment = planned("functions-api", proxy).inputs["environment"]
    assert environment["SHARED_PAGE_URL"] == "https://docs.example.org/summaries/"
    assert make("integrated", proxy).outputs["page_url"] == "https://docs.example.org/summaries/"


LOGS = '[{"name": "logs", "logtail": {"token": "token-of-a-test"}}]'


def test_log_destinations_are_a_secret_variable_of_every_function() -> None:
    before, after = make("integrated"), make("integrated", {"log_destinations": LOGS})

    functions = [r for r in after.resources if r.type.endswith(":Function")]
    assert [r.inputs["environment"]["LOG_DESTINATIONS"] for r in functions] == [SECRET] * 3
    assert "LOG_DESTINATIONS" not in str(before.resources)
    assert "token-of-a-test" not in str(after)


def test_a_budget_in_the_config_is_warned_of_as_without_effect(
    caplog: pytest.LogCaptureFixture,
) -> None:
    make("integrated")
    assert caplog.messages == []
    make("integrated", {"monthly_budget_usd": "50"})

    assert [m.partition(":")[0] for m in caplog.messages] == ["monthly_budget_usd has no effect"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        *(
            (
                {"region": region},
                f"Config region is {region!r}, but {lack}. DigitalOcean offers Functions, Spaces, "
                "Managed PostgreSQL together only in ams3, blr1, fra1, lon1, sfo3, sgp1, syd1, "
                "tor1. Set it: pulumi config set region tor1",
            )
            for region, lack in [
                ("nyc1", "nyc1 has no Spaces"),
                ("nyc2", "nyc2 has no Functions and no Spaces"),
            ]
        ),
        (
            {"inference_api_key": ""},
            "Config inference_api_key is not set, but https://inference.do-ai.run/v1 needs a key. "
            "Set it: pulumi config set --secret inference_api_key",
        ),
        (
            {"log_destinations": '[{"syslog": {"token": "token-of-a-test"}}]'},
            "Config log_destinations is not valid, but it must be a JSON list of destinations, "
            "each with one of datadog, logtail, papertrail; the error is at $[0]. "
            "Set it: pulumi config set --secret "
            """log_destinations '[{"name": "logs", "logtail": {"token": "TOKEN"}}]'""",
        ),
    ],
)
def test_an_invalid_value_is_refused_with_its_rule_and_a_remedy(
    overrides: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        make("integrated", overrides)

    assert str(refused.value) == f"{message} --stack integrated"
