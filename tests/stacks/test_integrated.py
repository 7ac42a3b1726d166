"""The integrated stack's plan: what it consists of, and what a config value changes."""

import pytest

from analysis.plan import make
from policies.resource import SECRET, Resource
from stacks.errors import ConfigError
from tests.support.plans import names


def planned(name: str, overrides: dict[str, str] | None = None) -> Resource:
    """One resource of the plan."""
    (found,) = (r for r in make("integrated", overrides).resources if r.name == name)
    return found


def test_prod_protects_the_data_and_takes_two_nodes_and_changes_nothing_else_but_names() -> None:
    """One place decides it."""
    plan = make("integrated", {"environment": "prod"})

    assert {r.name for r in plan.resources if r.protect} == {
        "store-bucket",
        "database-cluster",
        "database-database",
    }
    cluster = planned("database-cluster", {"environment": "prod"}).inputs
    assert (cluster["size"], cluster["nodeCount"]) == ("db-s-2vcpu-4gb", 2)
    assert planned("database-pool", {"environment": "prod"}).inputs["size"] == 90
    assert planned("store-bucket", {"environment": "prod"}).inputs["forceDestroy"] is False
    assert names(plan) == names(make("integrated"))


def test_an_address_for_alarms_adds_the_alarms_and_nothing_else() -> None:
    """Without one there is nobody to tell."""
    before, after = make("integrated"), make("integrated", {"alert_email": "you@example.com"})

    assert names(after) - names(before) == {
        "monitoring-down",
        "monitoring-database-cpu",
        "monitoring-database-disk",
        "monitoring-database-memory",
    }
    assert names(before) <= names(after)


def test_a_bucket_name_of_ones_own_is_the_bucket_s() -> None:
    """It is unique in the region, so only a person can choose it."""
    assert planned("store-bucket", {"bucket_name": "our-documents"}).inputs["name"] == (
        "our-documents"
    )


def test_another_region_moves_everything() -> None:
    """Nothing stays behind in the default."""
    resources = make("integrated", {"region": "ams3"}).resources

    regions = {r.inputs["region"] for r in resources if isinstance(r.inputs.get("region"), str)}
    assert regions == {"ams3"}
    told = planned("functions-api", {"region": "ams3"}).inputs["environment"]
    assert told["STORE_ENDPOINT"] == "https://ams3.digitaloceanspaces.com"


LOGS = '[{"name": "logs", "logtail": {"token": "token-of-a-test"}}]'


def test_log_destinations_are_told_to_every_function_and_to_nobody_as_plain_text() -> None:
    """Without them there is no such variable."""
    before, after = make("integrated"), make("integrated", {"log_destinations": LOGS})

    told = {
        r.name: r.inputs["environment"] for r in after.resources if r.type.endswith(":Function")
    }
    assert {name: variables["LOG_DESTINATIONS"] for name, variables in told.items()} == {
        "functions-api": SECRET,
        "functions-summarize": SECRET,
        "functions-sweep": SECRET,
    }
    assert "LOG_DESTINATIONS" not in str(before.resources)
    assert "token-of-a-test" not in str(after)


def test_a_budget_that_somebody_sets_is_said_to_have_no_effect(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The default is nobody's wish, so nothing is said of it."""
    make("integrated")
    silent = caplog.messages[:]
    make("integrated", {"monthly_budget_usd": "50"})

    assert silent == []
    assert [m.partition(":")[0] for m in caplog.messages] == ["monthly_budget_usd has no effect"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            {"region": "nyc2"},
            "Config region is 'nyc2', but DigitalOcean runs Functions only in ams3, blr1, fra1, "
            "lon1, nyc1, sfo3, sgp1, syd1, tor1. Set it: pulumi config set region tor1",
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
def test_a_value_that_breaks_its_rule_is_refused_with_the_line_that_mends_it(
    overrides: dict[str, str], message: str
) -> None:
    """Before anything is created: key, value, rule and remedy."""
    with pytest.raises(ConfigError) as refused:
        make("integrated", overrides)

    assert str(refused.value) == f"{message} --stack integrated"
