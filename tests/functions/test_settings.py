"""The settings are complete or refused, hide secrets, and are what the components set.

What a real platform hands to a process is not shown here; see `test_local_host`.
"""

import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, Literal

import pulumi
import pytest
from psycopg.conninfo import conninfo_to_dict

from components.contracts import ExternalInference, application_environment
from functions.inference.endpoint import Endpoint
from functions.settings import Settings, SettingsError, variable_names

KNOBS = {
    "CANARY_INTERVAL_SECONDS",
    "INFERENCE_CONCURRENCY",
    "INFERENCE_TIMEOUT_SECONDS",
    "DOCUMENT_DEADLINE_SECONDS",
    "SWEEP_INTERVAL_SECONDS",
}
"""What no component sets: their defaults hold in every variant."""

LEAST = {
    "VARIANT": "split",
    "INFERENCE_MODE": "serverless",
    "API_TOKEN": "token-8f1c",
    "STORE_URL": "s3://documents",
    "DATABASE_HOST": "db.example",
    "DATABASE_PORT": "5432",
    "DATABASE_NAME": "ledger",
    "DATABASE_USER": "app",
    "DATABASE_PASSWORD": "password-77aa",
    "INFERENCE_ENDPOINTS": '[{"name": "dedicated", "inference_mode": "dedicated", '
    '"model": "some-model", '
    '"url": "https://inference.example/v1", "context_tokens": 8192}]',
    "INFERENCE_API_KEYS": '{"dedicated": "key-51d0"}',
}
"""The variables that have no default."""


def test_what_has_no_default_is_enough() -> None:
    settings = Settings.read(LEAST)

    assert settings == Settings(
        variant="split",
        inference_mode="serverless",
        api_token="token-8f1c",
        store_url="s3://documents",
        store_endpoint="",
        store_region="",
        store_access_key_id="",
        store_secret_access_key="",
        database_host="db.example",
        database_port=5432,
        database_name="ledger",
        database_user="app",
        database_password="password-77aa",
        database_sslmode="verify-full",
        inference_endpoints=(
            Endpoint(
                name="dedicated",
                inference_mode="dedicated",
                url="https://inference.example/v1",
                model="some-model",
                context_tokens=8192,
                input_usd_per_million=None,
                output_usd_per_million=None,
                weight=1,
                order=0,
                ca="",
            ),
        ),
        inference_api_keys={"dedicated": "key-51d0"},
        inference_concurrency=8,
        inference_timeout_seconds=120.0,
        canary_interval_seconds=240.0,
        document_deadline_seconds=600.0,
        sweep_interval_seconds=60.0,
    )


def test_numbers_are_read_as_numbers() -> None:
    settings = Settings.read(
        {**LEAST, "INFERENCE_CONCURRENCY": "3", "INFERENCE_TIMEOUT_SECONDS": "2.5"}
    )

    assert settings.inference_concurrency == 3
    assert settings.inference_timeout_seconds == 2.5


def test_an_empty_environment_is_refused_with_every_missing_name() -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.read({})

    missing = {problem.removesuffix(" is not set") for problem in _problems(refused.value)}
    assert missing == set(LEAST)


def test_an_empty_variable_is_no_value() -> None:
    with pytest.raises(SettingsError, match=r"complete: API_TOKEN is not set\.$"):
        Settings.read({**LEAST, "API_TOKEN": "", "STORE_REGION": ""})


def test_all_problems_are_named_at_once() -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.read(
            {
                **LEAST,
                "INFERENCE_MODE": "gpu",
                "DATABASE_PORT": "54x2",
                "DATABASE_SSLMODE": "prefer",
                "INFERENCE_CONCURRENCY": "0",
                "INFERENCE_ENDPOINTS": "[]",
                "STORE_URL": "",
            }
        )

    assert _problems(refused.value) == [
        "INFERENCE_MODE='gpu': must be one of serverless, dedicated, cluster",
        "STORE_URL is not set",
        "DATABASE_PORT='54x2': must be a whole number, more than 0",
        "DATABASE_SSLMODE='prefer': must be one of disable, require, verify-full",
        "INFERENCE_ENDPOINTS='[]': must name at least one endpoint",
        "INFERENCE_CONCURRENCY='0': must be a whole number, more than 0",
    ]


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "-0.5", "0", "1e999", "soon", "9" * 5000])
def test_a_duration_that_is_no_positive_number_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match=r"DOCUMENT_DEADLINE_SECONDS=.*a number, more than 0"):
        Settings.read({**LEAST, "DOCUMENT_DEADLINE_SECONDS": text})


@pytest.mark.parametrize(
    "value", ["hidden-77\n", " hidden-77", "hidden 77", "hidden-77\0", "hüdden"]
)
@pytest.mark.parametrize("many", [False, True], ids=["token", "key"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_shown(value: str, many: bool) -> None:
    name = "INFERENCE_API_KEYS" if many else "API_TOKEN"
    text = json.dumps({"dedicated": value}) if many else value
    with pytest.raises(SettingsError, match=f"{name}: .*must be visible ASCII") as refused:
        Settings.read({**LEAST, name: text})

    assert "dden" not in str(refused.value)


def test_no_secret_is_shown() -> None:
    settings = Settings.read({**LEAST, "STORE_SECRET_ACCESS_KEY": "secret-3e3e"})

    for shown in (repr(settings), str(settings), f"{settings}"):
        assert shown.count("***") == 4
        for secret in ("token-8f1c", "password-77aa", "key-51d0", "secret-3e3e"):
            assert secret not in shown
    assert "model='some-model'" in repr(settings)


def test_settings_can_be_a_key_of_a_cache() -> None:
    other = Settings.read({**LEAST, "INFERENCE_API_KEYS": '{"dedicated": "another"}'})

    assert hash(Settings.read(LEAST)) == hash(Settings.read(LEAST))
    assert Settings.read(LEAST) != other


def test_the_connection_string_survives_any_password() -> None:
    password = "a b'c\\d=é"
    settings = Settings.read({**LEAST, "DATABASE_PASSWORD": password})

    assert conninfo_to_dict(settings.database_conninfo) == {
        "host": "db.example",
        "port": "5432",
        "dbname": "ledger",
        "user": "app",
        "password": password,
        "sslmode": "verify-full",
        "sslrootcert": "system",
        "connect_timeout": "10",
    }


def test_no_certificate_is_looked_for_without_verification() -> None:
    settings = Settings.read({**LEAST, "DATABASE_SSLMODE": "disable"})

    assert "sslrootcert" not in conninfo_to_dict(settings.database_conninfo)


# ---------------------------------------------------------------- what the components set


@dataclass(frozen=True, kw_only=True)
class Store:
    """A component's outputs, each with a value of its own."""

    url: pulumi.Output[str]
    bucket: pulumi.Output[str]
    endpoint: pulumi.Output[str]
    region: pulumi.Output[str]
    access_key_id: pulumi.Output[str]
    secret_access_key: pulumi.Output[str]


@dataclass(frozen=True, kw_only=True)
class Database:
    """A component's outputs, each with a value of its own."""

    host: pulumi.Output[str]
    port: pulumi.Output[int]
    name: pulumi.Output[str]
    user: pulumi.Output[str]
    password: pulumi.Output[str]
    sslmode: Literal["disable", "require", "verify-full"]


@pytest.mark.anyio
async def test_every_setting_is_what_the_component_said() -> None:
    environment = await _environment()

    assert Settings.read(environment) == Settings(
        variant="integrated",
        inference_mode="dedicated",
        api_token="token",
        store_url="s3://bucket",
        store_endpoint="https://store.example",
        store_region="nyc3",
        store_access_key_id="access",
        store_secret_access_key="secret",
        database_host="db.example",
        database_port=25_060,
        database_name="ledger",
        database_user="app",
        database_password="password",
        database_sslmode="require",
        inference_endpoints=(
            Endpoint(
                name="dedicated",
                inference_mode="dedicated",
                url="https://inference.example/v1",
                model="some-model",
                context_tokens=32_768,
                input_usd_per_million=0.15,
                output_usd_per_million=0.6,
                weight=70,
                ca="-----BEGIN CERTIFICATE-----",
                replicas_url="https://inference.example/replicas",
            ),
            Endpoint(
                name="spare",
                inference_mode="serverless",
                url="https://spare.example/v1",
                model="spare-model",
                context_tokens=8192,
                order=3,
            ),
        ),
        inference_api_keys={"dedicated": "key", "spare": "spare-key"},
    )


@pytest.mark.anyio
async def test_components_set_every_variable_that_is_no_knob_and_no_other() -> None:
    assert set(await _environment()) == variable_names() - KNOBS


def test_what_no_component_sets_has_a_default() -> None:
    defaults = {f.name.upper() for f in fields(Settings) if f.default is not MISSING}

    assert defaults >= KNOBS


def test_what_a_component_may_leave_empty_has_a_default() -> None:
    # A folder has no key and no region; a price may be unknown.
    left_out = {name for name in variable_names() - KNOBS if name not in LEAST}

    assert left_out == {
        "STORE_ENDPOINT",
        "STORE_REGION",
        "STORE_ACCESS_KEY_ID",
        "STORE_SECRET_ACCESS_KEY",
        "DATABASE_SSLMODE",
    }


@pytest.mark.anyio
async def test_only_an_endpoint_with_an_examiner_says_where_it_is() -> None:
    own, spare = json.loads((await _environment())["INFERENCE_ENDPOINTS"])

    assert own["replicas_url"] == "https://inference.example/replicas"
    assert "replicas_url" not in spare


@pytest.mark.anyio
async def test_the_keys_are_secret_and_what_else_is_known_of_endpoints_is_not() -> None:
    variables = _variables()

    async def is_secret(name: str) -> bool:
        return await pulumi.Output.from_input(variables[name]).is_secret()

    assert await is_secret("INFERENCE_API_KEYS")
    assert not await is_secret("INFERENCE_ENDPOINTS")
    assert "key" not in (await _environment())["INFERENCE_ENDPOINTS"]


async def _environment() -> dict[str, str]:
    values: dict[str, Any] = {
        name: await pulumi.Output.from_input(value).future() for name, value in _variables().items()
    }
    return values


def _variables() -> Mapping[str, pulumi.Input[str]]:
    def out(value: str) -> pulumi.Output[str]:
        return pulumi.Output.from_input(value)

    return application_environment(
        variant="integrated",
        inference_mode="dedicated",
        api_token=out("token"),
        store=Store(
            url=out("s3://bucket"),
            bucket=out("bucket"),
            endpoint=out("https://store.example"),
            region=out("nyc3"),
            access_key_id=out("access"),
            secret_access_key=out("secret"),
        ),
        database=Database(
            host=out("db.example"),
            # The engine hands every number over as a float.
            port=pulumi.Output.from_input(25_060.0),  # type: ignore[arg-type]
            name=out("ledger"),
            user=out("app"),
            password=out("password"),
            sslmode="require",
        ),
        inference=[
            ExternalInference(
                name="dedicated",
                inference_mode="dedicated",
                url="https://inference.example/v1",
                model="some-model",
                api_key=out("key"),
                context_tokens=32_768,
                input_usd_per_million=0.15,
                output_usd_per_million=0.6,
                ca="-----BEGIN CERTIFICATE-----",
                replicas_url="https://inference.example/replicas",
                weight=70,
            ),
            ExternalInference(
                name="spare",
                inference_mode="serverless",
                url="https://spare.example/v1",
                model="spare-model",
                api_key=pulumi.Output.secret("spare-key"),
                context_tokens=8192,
                order=3,
            ),
        ],
    )


def _problems(error: SettingsError) -> list[str]:
    return str(error).removeprefix("The environment is not complete: ").rstrip(".").split("; ")
