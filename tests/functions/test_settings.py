"""The settings: complete or refused, without secrets in their text, and set by the components."""

import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest
from psycopg.conninfo import conninfo_to_dict

from components.contracts import ExternalInference, application_environment
from functions.inference.endpoint import Endpoint
from functions.settings import Settings, SettingsError
from tests.support.functions.variables import VARIABLES

TUNING = {
    "CANARY_INTERVAL_SECONDS",
    "INFERENCE_CONCURRENCY",
    "INFERENCE_TIMEOUT_SECONDS",
    "STORE_SESSION_TOKEN",
    "DOCUMENT_DEADLINE_SECONDS",
    "SWEEP_INTERVAL_SECONDS",
    "PARSER_MEMORY_MEBIBYTES",  # of one platform
}
"""Variables that no component sets; the session token is the function's own at AWS."""

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
"""All variables without a default."""


def test_an_empty_environment_is_refused_with_every_missing_name() -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.read({})

    missing = {problem.removesuffix(" is not set") for problem in _problems(refused.value)}
    assert missing == set(LEAST)


def test_an_empty_variable_is_not_set() -> None:
    with pytest.raises(SettingsError, match=r"complete: API_TOKEN is not set\.$"):
        Settings.read({**LEAST, "API_TOKEN": "", "STORE_REGION": ""})


def test_the_error_names_all_problems() -> None:
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
def test_a_duration_must_be_a_positive_number(text: str) -> None:
    with pytest.raises(SettingsError, match=r"DOCUMENT_DEADLINE_SECONDS=.*a number, more than 0"):
        Settings.read({**LEAST, "DOCUMENT_DEADLINE_SECONDS": text})


@pytest.mark.parametrize(
    "value", ["hidden-77\n", " hidden-77", "hidden 77", "hidden-77\0", "hüdden"]
)
@pytest.mark.parametrize("many", [False, True], ids=["token", "key"])
def test_a_key_that_is_no_valid_header_is_refused_and_not_shown(value: str, many: bool) -> None:
    name = "INFERENCE_API_KEYS" if many else "API_TOKEN"
    text = json.dumps({"dedicated": value}) if many else value
    with pytest.raises(SettingsError, match=f"{name}: .*must be visible ASCII") as refused:
        Settings.read({**LEAST, name: text})

    assert "dden" not in str(refused.value)


def test_no_secret_is_shown() -> None:
    settings = Settings.read({**LEAST, "STORE_SECRET_ACCESS_KEY": "secret-3e3e"})

    for shown in (repr(settings), str(settings), f"{settings}"):
        assert shown.count("***") == 5
        for secret in ("token-8f1c", "password-77aa", "key-51d0", "secret-3e3e"):
            assert secret not in shown
    assert "model='some-model'" in repr(settings)


def test_settings_can_be_a_key_of_a_cache() -> None:
    other = Settings.read({**LEAST, "INFERENCE_API_KEYS": '{"dedicated": "another"}'})

    assert hash(Settings.read(LEAST)) == hash(Settings.read(LEAST))
    assert Settings.read(LEAST) != other


def test_the_connection_string_escapes_the_password_and_verifies_the_server() -> None:
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
    unverified = Settings.read({**LEAST, "DATABASE_SSLMODE": "disable"})
    assert "sslrootcert" not in conninfo_to_dict(unverified.database_conninfo)


# ---------------------------------------------------------------- environment of the components


@pytest.mark.anyio
async def test_the_settings_have_the_values_of_the_components() -> None:
    environment = await _environment()

    assert Settings.read(environment) == Settings(
        variant="integrated",
        inference_mode="dedicated",
        api_token="token",
        shared_page_url="https://faas.example/api/",
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
async def test_components_set_all_variables_but_the_tuning_ones() -> None:
    assert set(await _environment()) == VARIABLES - TUNING


@pytest.mark.anyio
async def test_the_keys_of_endpoints_are_secret_and_their_other_fields_are_not() -> None:
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
        shared_page_url=out("https://faas.example/api/"),
        store=SimpleNamespace(
            url=out("s3://bucket"),
            bucket=out("bucket"),
            endpoint=out("https://store.example"),
            region=out("nyc3"),
            access_key_id=out("access"),
            secret_access_key=out("secret"),
        ),
        database=SimpleNamespace(
            host=out("db.example"),
            # The engine passes every number as a float.
            port=pulumi.Output.from_input(25_060.0),
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
