"""The dynamic resources of DigitalOcean Functions against the documented API, without an engine.

Creation, update, refresh and deletion, failed calls and lost responses, and secrets that must not
be in the state.
"""

import base64
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import dill  # type: ignore[import-untyped]  # it has no types
import psycopg
import pytest
from pulumi.dynamic import ResourceProvider
from pulumi.dynamic.dynamic import serialize_provider

from components.digitalocean.functions_api import (
    certificate,
    database_owner,
    function,
    invocation_key,
    namespace,
    trigger,
)
from components.digitalocean.functions_api.client import FunctionsApi, MissingTokenError
from components.digitalocean.functions_api.http import TRIES, ApiError
from tests.support import local
from tests.support.accounts import digitalocean as clouds
from tests.support.accounts.digitalocean import Cloud

MODULES = [certificate, function, invocation_key, namespace, database_owner, trigger]

Props = dict[str, Any]


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """An account and its environment, without pauses before retries."""
    with clouds.running() as cloud:
        monkeypatch.setenv("DIGITALOCEAN_TOKEN", cloud.token)
        monkeypatch.setenv("DIGITALOCEAN_API_URL", cloud.url)
        monkeypatch.setattr("components.digitalocean.functions_api.http.LONGEST_WAIT", 0.0)
        yield cloud


@pytest.fixture
def space(cloud: Cloud) -> str:
    """The id of a namespace with a package."""
    return made(namespace, {"label": "seamless-dev", "region": "tor1", "package": "summarizer"})[0]


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A bundle."""
    path = tmp_path / "bundle.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("__main__.py", "def main(event, context): return {}\n")
    return path


def provider(module: Any) -> ResourceProvider:
    """The dynamic provider of a module."""
    fresh: ResourceProvider = module._Provider()
    return fresh


def made(module: Any, inputs: Props) -> tuple[str, Props]:
    """Id and outputs of `create`."""
    created = provider(module).create(inputs)
    assert created.outs is not None
    return created.id, dict(created.outs)


def seen(module: Any, id_: str, props: Props) -> tuple[str | None, Props]:
    """Id and outputs of `read`, as in a refresh."""
    found = provider(module).read(id_, props)
    return found.id, dict(found.outs or {})


def difference(module: Any, olds: Props, news: Props) -> tuple[bool | None, list[str]]:
    """Whether `diff` finds a change, and the properties that replace the resource."""
    found = provider(module).diff("id", olds, news)
    return found.changes, found.replaces or []


def refused(module: Any, inputs: Props) -> dict[str, str]:
    """Failures of `check`, by property."""
    failures = provider(module).check({}, inputs).failures or []
    return {failure.property: failure.reason for failure in failures}


def inputs_of_a_function(space: str, code: Path, **changes: Any) -> Props:
    """Inputs of the resource."""
    return {
        "namespace": space,
        "package": "summarizer",
        "name": "api",
        "kind": "python:3.13",
        "main": "main",
        "code_path": str(code),
        "code_key": "key-of-the-bundle",
        "web": "raw",
        "timeout_ms": 30_000,
        "memory_mb": 256,
        "logs_kb": 64,
        "environment": {"API_TOKEN": "token-of-a-test", "INFERENCE_MODE": "serverless"},
        **changes,
    }


def inputs_of_a_trigger(space: str, **changes: Any) -> Props:
    """Inputs of the resource."""
    return {
        "namespace": space,
        "name": "sweep",
        "function": "summarizer/api",
        "cron": "*/5 * * * *",
        "enabled": True,
        **changes,
    }


@pytest.mark.parametrize("module", MODULES)
def test_a_pickled_provider_is_its_name_and_nothing_else(module: Any) -> None:
    """So the state has no secret and no code, and a changed provider is no change."""
    pickled = base64.b64decode(serialize_provider(provider(module)))

    assert module.__name__.encode() in pickled
    assert len(pickled) < 150
    assert type(dill.loads(pickled)) is module._Provider  # noqa: S301  # our own, made above


def test_without_a_token_the_message_says_where_to_get_one(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DIGITALOCEAN_TOKEN")

    inputs = {"label": "a", "region": "tor1", "package": "summarizer"}
    for step in (refused, made):  # so that a preview says it already
        with pytest.raises(MissingTokenError, match="DIGITALOCEAN_TOKEN is not set"):
            step(namespace, inputs)

    assert cloud.calls == []


def test_a_wrong_token_is_refused_with_its_remedy_and_is_not_shown(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGITALOCEAN_TOKEN", "dop_v1_wrong")

    with pytest.raises(ApiError) as error:
        made(namespace, {"label": "a", "region": "tor1", "package": "summarizer"})

    assert str(error.value) == (
        "GET /v2/functions/namespaces answered 401: Unable to authenticate you. "
        "Check DIGITALOCEAN_TOKEN: it is wrong, expired or revoked."
    )


def test_a_call_without_a_connection_is_repeated_whatever_its_method() -> None:
    """It had no effect, so even a POST may be repeated."""
    waited: list[float] = []
    api = FunctionsApi("token", base_url="http://127.0.0.1:9", sleep=waited.append)

    with closing(api), pytest.raises(ApiError, match="got no response: ConnectError"):
        api.create_trigger("fn-1", name="sweep", function="a/b", cron="* * * * *")

    assert waited == [1.0, 2.0, 4.0, 8.0]


class TestNamespace:
    """A namespace with its package."""

    INPUTS = {"label": "seamless-dev", "region": "tor1", "package": "summarizer"}

    def test_it_is_made_with_its_package_and_keeps_its_key_to_itself(self, cloud: Cloud) -> None:
        id_, outputs = made(namespace, self.INPUTS)

        (there,) = cloud.namespaces.values()
        assert (id_, outputs) == (there.info["namespace"], {**self.INPUTS, "api_host": cloud.url})
        assert list(there.packages) == ["summarizer"]
        assert there.info["key"] not in str(outputs)
        assert seen(namespace, id_, outputs) == (id_, outputs)
        assert difference(namespace, outputs, self.INPUTS) == (False, [])

    @pytest.mark.parametrize(
        "change", [{"label": "another"}, {"region": "ams3"}, {"package": "another"}]
    )
    def test_every_other_value_replaces_it(self, cloud: Cloud, change: Props) -> None:
        _, outputs = made(namespace, self.INPUTS)

        assert difference(namespace, outputs, {**self.INPUTS, **change}) == (True, list(change))

    def test_a_label_that_is_taken_is_refused_and_the_other_namespace_stays(
        self, cloud: Cloud
    ) -> None:
        made(namespace, self.INPUTS)

        with pytest.raises(ApiError, match=r"'seamless-dev' answered 409: it exists already"):
            made(namespace, self.INPUTS)

        assert len(cloud.namespaces) == 1

    def test_the_account_s_limit_is_named(self, cloud: Cloud) -> None:
        for n in range(clouds.MAX_NAMESPACES):
            made(namespace, {**self.INPUTS, "label": f"label-{n}"})

        with pytest.raises(ApiError, match="answered 422: namespace limit reached"):
            made(namespace, self.INPUTS)

    def test_a_namespace_without_its_package_is_deleted_again(self, cloud: Cloud) -> None:
        cloud.fail("PUT /api/v1/namespaces/_/packages/summarizer", 500, times=TRIES)

        with pytest.raises(ApiError, match="answered 500"):
            made(namespace, self.INPUTS)

        assert cloud.namespaces == {}

    def test_a_create_whose_answer_is_lost_is_found_by_its_label(self, cloud: Cloud) -> None:
        cloud.fail("POST /v2/functions/namespaces", 0, after=True)

        id_, _ = made(namespace, self.INPUTS)

        assert list(cloud.namespaces) == [id_]
        assert cloud.calls.count("POST /v2/functions/namespaces") == 1

    def test_too_many_calls_wait_as_long_as_they_are_told_and_then_go_on(
        self, cloud: Cloud
    ) -> None:
        waited: list[float] = []
        cloud.fail("GET /v2/functions/namespaces", 429, headers={"Retry-After": "7"}, times=2)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("components.digitalocean.functions_api.http.LONGEST_WAIT", 60.0)
            api = FunctionsApi(cloud.token, base_url=cloud.url, sleep=waited.append)
            with closing(api):
                assert api.find_namespace("nobody") is None

        assert waited == [7.0, 7.0]

    def test_one_that_was_deleted_by_hand_is_seen(self, cloud: Cloud, space: str) -> None:
        cloud.namespaces.clear()

        assert seen(namespace, space, self.INPUTS) == ("", {})

    def test_a_package_that_was_deleted_by_hand_is_seen_and_made_again(
        self, cloud: Cloud, space: str
    ) -> None:
        cloud.namespaces[space].packages.clear()

        _, outputs = seen(namespace, space, self.INPUTS)
        assert difference(namespace, outputs, self.INPUTS) == (True, [])
        provider(namespace).update(space, outputs, self.INPUTS)

        assert list(cloud.namespaces[space].packages) == ["summarizer"]

    def test_deleting_twice_is_fine(self, cloud: Cloud, space: str) -> None:
        provider(namespace).delete(space, self.INPUTS)
        provider(namespace).delete(space, self.INPUTS)

        assert cloud.namespaces == {}

    def test_a_region_without_functions_is_refused_before_any_call(self, cloud: Cloud) -> None:
        assert refused(namespace, {**self.INPUTS, "region": "nyc2"}) == {
            "region": "is 'nyc2', but Functions run only in ams3, blr1, fra1, lon1, nyc1, sfo3, "
            "sgp1, syd1, tor1"
        }
        assert cloud.calls == []


class TestFunction:
    """A function of the package."""

    def test_it_is_what_the_deployer_of_digitalocean_makes(
        self, cloud: Cloud, space: str, code: Path
    ) -> None:
        id_, outputs = made(function, inputs_of_a_function(space, code))

        action = cloud.namespaces[space].actions["summarizer/api"]
        assert id_ == f"{space}/summarizer/api"
        assert action["exec"] == {
            "kind": "python:3.13",
            "binary": True,
            "main": "main",
            "code": base64.b64encode(code.read_bytes()).decode(),
        }
        assert action["limits"] == {"timeout": 30_000, "memory": 256, "logs": 64}
        assert action["parameters"] == [
            {"key": "API_TOKEN", "value": "token-of-a-test", "init": True},
            {"key": "INFERENCE_MODE", "value": "serverless", "init": True},
        ]
        assert {a["key"]: a["value"] for a in action["annotations"]} == {
            "final": True,
            "web-export": True,
            "raw-http": True,
            "require-whisk-auth": False,
            "code-key": "key-of-the-bundle",
        }
        assert seen(function, id_, outputs) == (id_, outputs)

    def test_a_worker_answers_nobody_without_a_key(
        self, cloud: Cloud, space: str, code: Path
    ) -> None:
        """Without the annotation a function would be public."""
        made(function, inputs_of_a_function(space, code, name="summarize", web="no"))

        action = cloud.namespaces[space].actions["summarizer/summarize"]
        annotations = {a["key"]: a["value"] for a in action["annotations"]}
        assert (annotations["web-export"], annotations["raw-http"]) == (False, False)

    def test_another_path_to_the_same_bundle_is_no_change(self, cloud: Cloud) -> None:
        inputs = inputs_of_a_function("fn-1", Path("a.zip"))

        assert difference(function, inputs, {**inputs, "code_path": "b.zip"}) == (False, [])

    @pytest.mark.parametrize(
        ("change", "replaces"),
        [
            ({"code_key": "another"}, []),
            ({"memory_mb": 512}, []),
            ({"timeout_ms": 60_000}, []),
            ({"environment": {"INFERENCE_MODE": "dedicated"}}, []),
            ({"web": "no"}, []),
            ({"name": "another"}, ["name"]),
            ({"namespace": "fn-2"}, ["namespace"]),
            ({"package": "another"}, ["package"]),
        ],
    )
    def test_a_change_updates_it_and_another_place_replaces_it(
        self, cloud: Cloud, change: Props, replaces: list[str]
    ) -> None:
        inputs = inputs_of_a_function("fn-1", Path("a.zip"))

        assert difference(function, inputs, {**inputs, **change}) == (True, replaces)

    def test_an_update_puts_the_new_code_and_limits(
        self, cloud: Cloud, space: str, code: Path
    ) -> None:
        id_, outputs = made(function, inputs_of_a_function(space, code))
        news = inputs_of_a_function(space, code, memory_mb=512, code_key="next")

        updated = provider(function).update(id_, outputs, news).outs

        assert updated == news
        assert cloud.namespaces[space].actions["summarizer/api"]["limits"]["memory"] == 512

    @pytest.mark.parametrize(
        ("change", "drift"),
        [
            ({"annotations": [{"key": "web-export", "value": True}]}, {"code_key", "web"}),
            ({"limits": {"timeout": 1000, "memory": 256, "logs": 64}}, {"timeout_ms"}),
            ({"parameters": []}, {"environment"}),
        ],
    )
    def test_what_was_changed_past_us_is_seen(
        self, cloud: Cloud, space: str, code: Path, change: Props, drift: set[str]
    ) -> None:
        inputs = inputs_of_a_function(space, code)
        id_, outputs = made(function, inputs)
        cloud.namespaces[space].actions["summarizer/api"].update(change)

        _, found = seen(function, id_, outputs)

        assert {name for name in inputs if found[name] != inputs[name]} == drift
        assert difference(function, found, inputs) == (True, [])

    def test_one_that_is_gone_is_seen_with_or_without_its_namespace(
        self, cloud: Cloud, space: str, code: Path
    ) -> None:
        id_, outputs = made(function, inputs_of_a_function(space, code))

        cloud.namespaces[space].actions.clear()
        assert seen(function, id_, outputs) == ("", {})
        cloud.namespaces.clear()
        assert seen(function, id_, outputs) == ("", {})

    def test_a_put_that_breaks_on_the_other_side_is_tried_again(
        self, cloud: Cloud, space: str, code: Path
    ) -> None:
        cloud.fail("PUT .*/actions/summarizer/api", 502, times=2)

        made(function, inputs_of_a_function(space, code))

        assert cloud.calls.count("PUT /api/v1/namespaces/_/actions/summarizer/api") == 3

    def test_a_create_that_nobody_answers_leaves_nothing(
        self, cloud: Cloud, space: str, code: Path
    ) -> None:
        cloud.fail("PUT .*/actions/summarizer/api", 0, after=True, times=TRIES)

        with pytest.raises(ApiError, match="got no response: RemoteProtocolError"):
            made(function, inputs_of_a_function(space, code))

        assert cloud.namespaces[space].actions == {}

    def test_deleting_twice_or_after_its_namespace_is_fine(
        self, cloud: Cloud, space: str, code: Path
    ) -> None:
        id_, outputs = made(function, inputs_of_a_function(space, code))

        provider(function).delete(id_, outputs)
        provider(function).delete(id_, outputs)
        assert cloud.namespaces[space].actions == {}
        cloud.namespaces.clear()
        provider(function).delete(id_, outputs)

    def test_a_bundle_that_is_not_there_is_named(self, cloud: Cloud, tmp_path: Path) -> None:
        with pytest.raises(
            FileNotFoundError, match=r"The bundle of the function 'api' is missing: .*none\.zip"
        ):
            made(function, inputs_of_a_function("fn-1", tmp_path / "none.zip"))

        assert cloud.calls == []

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"memory_mb": 2048}, "is 2048, but the limits are 128 to 1024"),
            ({"timeout_ms": 900_001}, "is 900001, but the limits are 100 to 900000"),
            ({"logs_kb": 512}, "is 512, but the limits are 1 to 256"),
            (
                {"name": "A b"},
                "is 'A b', but must have at most 63 lower-case letters, digits and hyphens, and "
                "start with a letter",
            ),
        ],
    )
    def test_what_the_platform_would_refuse_is_refused_in_the_preview(
        self, cloud: Cloud, change: Props, reason: str
    ) -> None:
        inputs = inputs_of_a_function("fn-1", Path("a.zip"), **change)

        assert refused(function, inputs) == {next(iter(change)): reason}


class TestTrigger:
    """A schedule."""

    @pytest.fixture
    def inputs(self, space: str, code: Path) -> Props:
        """A schedule for a function that is there."""
        made(function, inputs_of_a_function(space, code))
        return inputs_of_a_trigger(space)

    def test_it_calls_a_function_of_the_package(
        self, cloud: Cloud, space: str, inputs: Props
    ) -> None:
        id_, outputs = made(trigger, inputs)

        assert cloud.namespaces[space].triggers["sweep"] == {
            "namespace": space,
            "name": "sweep",
            "function": "summarizer/api",
            "type": "SCHEDULED",
            "is_enabled": True,
            "scheduled_details": {"cron": "*/5 * * * *"},
        }
        assert seen(trigger, id_, outputs) == (id_, outputs)
        assert difference(trigger, outputs, inputs) == (False, [])

    def test_another_schedule_updates_and_another_function_replaces(
        self, cloud: Cloud, space: str, inputs: Props
    ) -> None:
        id_, outputs = made(trigger, inputs)
        news = {**inputs, "cron": "0 * * * *"}
        assert difference(trigger, outputs, news) == (True, [])
        assert difference(trigger, outputs, {**inputs, "function": "a/b"}) == (True, ["function"])

        provider(trigger).update(id_, outputs, news)

        there = cloud.namespaces[space].triggers["sweep"]
        assert there["scheduled_details"] == {"cron": "0 * * * *"}

    def test_one_that_was_switched_off_by_hand_is_seen_and_switched_on(
        self, cloud: Cloud, space: str, inputs: Props
    ) -> None:
        id_, outputs = made(trigger, inputs)
        cloud.namespaces[space].triggers["sweep"]["is_enabled"] = False

        _, found = seen(trigger, id_, outputs)
        assert difference(trigger, found, inputs) == (True, [])
        provider(trigger).update(id_, found, inputs)

        assert cloud.namespaces[space].triggers["sweep"]["is_enabled"] is True

    def test_a_create_whose_answer_is_lost_leaves_nothing(
        self, cloud: Cloud, space: str, inputs: Props
    ) -> None:
        cloud.fail("POST .*/triggers", 500, after=True)

        with pytest.raises(ApiError, match="answered 500"):
            made(trigger, inputs)

        assert cloud.namespaces[space].triggers == {}
        made(trigger, inputs)

    def test_a_function_that_is_not_there_is_refused(self, cloud: Cloud, space: str) -> None:
        with pytest.raises(ApiError, match=r"answered 400: .*no such function"):
            made(trigger, inputs_of_a_trigger(space, function="summarizer/none"))

    def test_deleting_twice_is_fine(self, cloud: Cloud, space: str, inputs: Props) -> None:
        id_, outputs = made(trigger, inputs)

        provider(trigger).delete(id_, outputs)
        provider(trigger).delete(id_, outputs)

        assert seen(trigger, id_, outputs) == ("", {})

    def test_a_schedule_with_six_fields_is_refused(self, cloud: Cloud) -> None:
        inputs = inputs_of_a_trigger("fn-1", cron="0 */5 * * * *")

        assert refused(trigger, inputs) == {
            "cron": "is '0 */5 * * * *', but must have five fields, as in '*/5 * * * *'"
        }


class TestInvocationKey:
    """A key with which one function calls another."""

    def test_its_secret_is_told_once_and_opens_the_namespace(
        self, cloud: Cloud, space: str
    ) -> None:
        inputs = {"namespace": space, "name": "seamless-dev"}
        id_, outputs = made(invocation_key, inputs)

        key = cloud.namespaces[space].keys[id_]
        assert outputs == {**inputs, "value": f"{id_}:{key['secret']}"}
        assert seen(invocation_key, id_, outputs) == (id_, outputs)
        assert difference(invocation_key, outputs, inputs) == (False, [])

    def test_another_name_is_given_and_another_namespace_replaces(
        self, cloud: Cloud, space: str
    ) -> None:
        id_, outputs = made(invocation_key, {"namespace": space, "name": "old"})
        news = {"namespace": space, "name": "new"}
        assert difference(invocation_key, outputs, news) == (True, [])
        assert difference(invocation_key, outputs, {"namespace": "fn-2", "name": "old"}) == (
            True,
            ["namespace"],
        )

        updated = provider(invocation_key).update(id_, outputs, news).outs

        assert updated == {**outputs, "name": "new"}
        assert cloud.namespaces[space].keys[id_]["name"] == "new"

    def test_a_create_whose_answer_is_lost_leaves_no_key(self, cloud: Cloud, space: str) -> None:
        """Its secret is lost, so it is useless."""
        cloud.fail("POST .*/keys", 0, after=True)

        with pytest.raises(ApiError, match="got no response"):
            made(invocation_key, {"namespace": space, "name": "seamless-dev"})

        assert cloud.namespaces[space].keys == {}

    def test_one_that_was_revoked_is_seen_and_deleting_it_is_fine(
        self, cloud: Cloud, space: str
    ) -> None:
        id_, outputs = made(invocation_key, {"namespace": space, "name": "seamless-dev"})
        cloud.namespaces[space].keys.clear()

        assert seen(invocation_key, id_, outputs) == ("", {})
        provider(invocation_key).delete(id_, outputs)


def test_a_database_s_certificate_is_read_as_text(cloud: Cloud) -> None:
    id_, outputs = made(certificate, {"cluster": "9cc10173"})

    assert (id_, outputs) == ("9cc10173", {"cluster": "9cc10173", "pem": clouds.CERTIFICATE})
    assert seen(certificate, id_, outputs) == (id_, outputs)
    assert difference(certificate, outputs, {"cluster": "9cc10173"}) == (False, [])
    assert difference(certificate, outputs, {"cluster": "another"}) == (True, ["cluster"])


def test_a_role_that_was_granted_nothing_becomes_the_owner_and_makes_its_tables(
    postgres: local.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As at DigitalOcean: role and database exist, and the administrator owns the database."""
    monkeypatch.setenv("PGSSLMODE", "disable")
    admin: Props = {
        "host": "127.0.0.1",
        "port": postgres.port,
        "user": "postgres",
        "password": postgres.admin_password,
    }
    with psycopg.connect(**admin, dbname="postgres", autocommit=True) as connection:
        connection.execute("create role handed_on login password 'password-of-a-test'")
        connection.execute("create database handed_on")
    role: Props = {
        **admin,
        "user": "handed_on",
        "password": "password-of-a-test",
        "dbname": "handed_on",
    }
    with (
        psycopg.connect(**role) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="schema public"),
    ):
        connection.execute("create table mine ()")

    id_, outputs = made(
        database_owner,
        {
            "host": "127.0.0.1",
            "port": postgres.port,
            "certificate": clouds.CERTIFICATE,
            "admin": "postgres",
            "admin_password": postgres.admin_password,
            "database": "handed_on",
            "role": "handed_on",
        },
    )

    with psycopg.connect(**role) as connection:
        connection.execute("create table mine ()")
    assert seen(database_owner, id_, outputs) == (id_, outputs)
    with psycopg.connect(**admin, dbname="postgres", autocommit=True) as connection:
        connection.execute("alter database handed_on owner to postgres")
    assert seen(database_owner, id_, outputs) == ("", outputs)
