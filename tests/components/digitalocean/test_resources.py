"""The dynamic resources of DigitalOcean Functions against the documented API, without an engine.

tests/stacks/test_type_tokens.py has their type tokens and the state of their providers.
"""

import base64
import zipfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pulumi.dynamic import ResourceProvider

from components.digitalocean.functions_api import (
    access_keys,
    certificate,
    database_owner,
    function,
    invocation_key,
    namespace,
    trigger,
)
from components.digitalocean.functions_api.client import (
    FunctionsApi,
    MissingTokenError,
    TriggersClosedError,
)
from components.digitalocean.functions_api.http import TRIES, ApiError
from tests.support import local
from tests.support.accounts import digitalocean as clouds
from tests.support.accounts import digitalocean_keys
from tests.support.accounts.digitalocean import Cloud

Props = dict[str, Any]
Deployed = dict[Any, tuple[str, Props]]
"""Id and outputs by module."""

CLUSTER = "9cc10173"

NAMESPACE: Props = {"label": "seamless-dev", "region": "tor1", "package": "summarizer"}


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """An account and its environment, without pauses before retries."""
    with clouds.running() as cloud:
        monkeypatch.setenv("DIGITALOCEAN_TOKEN", cloud.token)
        monkeypatch.setenv("DIGITALOCEAN_API_URL", cloud.url)
        monkeypatch.setattr("components.digitalocean.functions_api.http.LONGEST_WAIT", 0.0)
        cloud.clusters.add(CLUSTER)
        yield cloud


@pytest.fixture
def space(cloud: Cloud) -> str:
    return created(namespace, NAMESPACE)[0]


@pytest.fixture
def code(tmp_path: Path) -> Path:
    path = tmp_path / "bundle.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("__main__.py", "def main(event, context): return {}\n")
    return path


def provider(module: Any) -> ResourceProvider:
    fresh: ResourceProvider = module._Provider()
    return fresh


def created(module: Any, inputs: Props) -> tuple[str, Props]:
    result = provider(module).create(inputs)
    assert result.outs is not None
    return result.id, dict(result.outs)


def refreshed(module: Any, id_: str, props: Props) -> tuple[str | None, Props]:
    """Id and outputs of `read`, as in a refresh."""
    found = provider(module).read(id_, props)
    return found.id, dict(found.outs or {})


def difference(
    module: Any, olds: Props, news: Props, id_: str = "id"
) -> tuple[bool | None, list[str]]:
    """Whether `diff` finds a change, and the properties that replace the resource."""
    found = provider(module).diff(id_, olds, news)
    return found.changes, found.replaces or []


def rejected(module: Any, inputs: Props) -> dict[str, str]:
    failures = provider(module).check({}, inputs).failures or []
    return {failure.property: failure.reason for failure in failures}


def of_function(space: str = "fn-1", code: Path | str = "a.zip", **changes: Any) -> Props:
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


def of_trigger(space: str = "fn-1", **changes: Any) -> Props:
    return {
        "namespace": space,
        "name": "sweep",
        "function": "summarizer/api",
        "cron": "*/5 * * * *",
        "enabled": True,
        **changes,
    }


def of_key(space: str = "fn-1", name: str = "seamless-dev") -> Props:
    return {"namespace": space, "name": name}


@pytest.fixture
def deployed(space: str, code: Path) -> Deployed:
    inputs = {
        namespace: {**NAMESPACE, "label": "another"},
        function: of_function(space, code),
        trigger: of_trigger(space),
        invocation_key: of_key(space),
        certificate: {"cluster": CLUSTER},
    }
    return {module: created(module, values) for module, values in inputs.items()}


@pytest.mark.parametrize("module", [namespace, function, trigger, invocation_key, certificate])
def test_a_resource_is_unchanged_after_its_creation(deployed: Deployed, module: Any) -> None:
    id_, outputs = deployed[module]

    assert refreshed(module, id_, outputs) == (id_, outputs)
    assert difference(module, outputs, outputs, id_) == (False, [])


@pytest.mark.parametrize("module", [namespace, function, trigger, invocation_key])
def test_a_deletion_can_be_repeated_and_a_deleted_resource_is_absent(
    cloud: Cloud, space: str, deployed: Deployed, module: Any
) -> None:
    id_, outputs = deployed[module]

    provider(module).delete(id_, outputs)
    provider(module).delete(id_, outputs)
    assert refreshed(module, id_, outputs) == ("", {})
    assert (deployed[namespace][0] in cloud.namespaces) is (module is not namespace)
    there = cloud.namespaces.pop(space)
    assert (there.actions == {}, there.triggers == {}, there.keys == {}) == (
        module is function,
        module is trigger,
        module is invocation_key,
    )
    assert refreshed(module, id_, outputs) == ("", {})
    provider(module).delete(id_, outputs)


@pytest.mark.parametrize(
    ("module", "inputs", "change", "replaces"),
    [
        *((namespace, NAMESPACE, {key: "another"}, True) for key in NAMESPACE),
        (function, of_function(), {"code_key": "another"}, False),
        (function, of_function(), {"memory_mb": 512}, False),
        (function, of_function(), {"timeout_ms": 60_000}, False),
        (function, of_function(), {"environment": {"INFERENCE_MODE": "dedicated"}}, False),
        (function, of_function(), {"web": "no"}, False),
        (function, of_function(), {"name": "another"}, True),
        (function, of_function(), {"namespace": "fn-2"}, True),
        (function, of_function(), {"package": "another"}, True),
        (trigger, of_trigger(), {"cron": "0 * * * *"}, False),
        (trigger, of_trigger(), {"function": "a/b"}, True),
        (invocation_key, of_key(), {"name": "another"}, True),
        (invocation_key, of_key(), {"namespace": "fn-2"}, True),
        (certificate, {"cluster": CLUSTER}, {"cluster": "another"}, True),
    ],
)
def test_a_changed_input_updates_or_replaces_the_resource(
    module: Any, inputs: Props, change: Props, replaces: bool
) -> None:
    expected = list(change) if replaces else []
    assert difference(module, inputs, {**inputs, **change}) == (True, expected)


def test_another_path_to_the_same_bundle_is_no_change() -> None:
    assert difference(function, of_function(), of_function(code="b.zip")) == (False, [])


@pytest.mark.parametrize(
    ("module", "inputs", "failures"),
    [
        (
            namespace,
            {**NAMESPACE, "region": "nyc2"},
            {
                "region": "is 'nyc2', but Functions run only in ams3, blr1, fra1, lon1, nyc1, "
                "sfo3, sgp1, syd1, tor1"
            },
        ),
        (
            function,
            of_function(memory_mb=2048, timeout_ms=900_001, logs_kb=512, name="A b"),
            {
                "memory_mb": "is 2048, but the limits are 128 to 1024",
                "timeout_ms": "is 900001, but the limits are 100 to 900000",
                "logs_kb": "is 512, but the limits are 1 to 256",
                "name": "is 'A b', but must have at most 63 lower-case letters, digits and "
                "hyphens, and start with a letter",
            },
        ),
        (
            trigger,
            of_trigger(cron="0 */5 * * * *"),
            {"cron": "is '0 */5 * * * *', but must have five fields, as in '*/5 * * * *'"},
        ),
    ],
)
def test_an_invalid_input_is_refused_in_the_preview(
    cloud: Cloud, module: Any, inputs: Props, failures: dict[str, str]
) -> None:
    assert rejected(module, inputs) == failures
    assert cloud.calls == []


def test_a_missing_token_is_refused_in_the_preview_and_the_deployment(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DIGITALOCEAN_TOKEN")

    for step in (rejected, created):
        with pytest.raises(MissingTokenError, match="DIGITALOCEAN_TOKEN is not set"):
            step(namespace, NAMESPACE)

    assert cloud.calls == []


def test_the_error_for_a_wrong_token_has_a_remedy_and_no_token(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGITALOCEAN_TOKEN", "dop_v1_wrong")

    with pytest.raises(ApiError) as error:
        created(namespace, NAMESPACE)

    assert str(error.value) == (
        "GET /v2/functions/namespaces answered 401: Unable to authenticate you. "
        "Check DIGITALOCEAN_TOKEN: it is wrong, expired or revoked."
    )


def test_a_call_without_a_connection_is_repeated_for_every_method() -> None:
    """It had no effect, so even a POST may be repeated."""
    waits: list[float] = []
    api = FunctionsApi("token", base_url="http://127.0.0.1:9", sleep=waits.append)

    with closing(api), pytest.raises(ApiError, match="got no response: ConnectError"):
        api.create_trigger("fn-1", name="sweep", function="a/b", cron="* * * * *")

    assert waits == [1.0, 2.0, 4.0, 8.0]


def test_a_rate_limited_call_waits_as_long_as_the_response_requires(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    cloud.fail("GET /v2/functions/namespaces", 429, headers={"Retry-After": "7"}, times=2)
    monkeypatch.setattr("components.digitalocean.functions_api.http.LONGEST_WAIT", 60.0)

    with closing(FunctionsApi(cloud.token, base_url=cloud.url, sleep=waits.append)) as api:
        assert api.find_namespace("unknown") is None

    assert waits == [7.0, 7.0]


def test_a_namespace_has_its_package_and_no_key_is_left(cloud: Cloud) -> None:
    id_, outputs = created(namespace, NAMESPACE)

    (there,) = cloud.namespaces.values()
    assert (id_, outputs) == (there.info["namespace"], {**NAMESPACE, "api_host": cloud.url})
    assert list(there.packages) == ["summarizer"]
    assert there.keys == {}


def test_an_operation_deletes_its_key_when_it_fails(cloud: Cloud, space: str, code: Path) -> None:
    cloud.fail("PUT .*/actions/summarizer/api", 400)

    with pytest.raises(ApiError, match="answered 400"):
        created(function, of_function(space, code))

    assert cloud.calls.count(f"POST /v2/functions/namespaces/{space}/keys") == 2
    assert cloud.namespaces[space].keys == {}


def test_an_operation_creates_one_key_that_expires_within_the_hour(
    cloud: Cloud, space: str
) -> None:
    with FunctionsApi.open() as api:
        for _ in range(2):
            assert api.actions(space).package("summarizer") is not None
        (key,) = cloud.namespaces[space].keys.values()

    left = datetime.fromisoformat(key["expires_at"]) - datetime.now(UTC)
    assert timedelta() < left <= timedelta(hours=1)


def test_only_expired_keys_of_earlier_operations_are_deleted(cloud: Cloud, space: str) -> None:
    """Another operation may deploy at the same time, and other keys are not ours."""
    with FunctionsApi.open() as api:
        deploying = [
            api.keys.create(space, f"{access_keys.PREFIX}{n}", expires_in="1h").id for n in range(2)
        ]
        other = api.keys.create(space, "of-a-person", expires_in="1h").id
    for id_ in (deploying[0], other):
        expire(cloud, space, id_)

    assert refreshed(namespace, space, NAMESPACE)[0] == space

    assert set(cloud.namespaces[space].keys) == {deploying[1], other}


def test_a_new_key_that_the_host_does_not_know_yet_is_used_again(cloud: Cloud, space: str) -> None:
    cloud.fail("GET /api/v1/namespaces/_/packages/summarizer", 401, times=2)

    assert refreshed(namespace, space, NAMESPACE)[1]["package"] == "summarizer"


def test_the_error_for_a_refused_access_key_does_not_blame_the_token(
    cloud: Cloud, space: str
) -> None:
    cloud.fail("GET /api/v1/namespaces/_/packages/summarizer", 401, times=TRIES)

    with pytest.raises(ApiError) as error:
        refreshed(namespace, space, NAMESPACE)

    assert str(error.value) == (
        "GET /packages/summarizer answered 401: as the test requires. The host of the namespace "
        "refused an access key that this command had just created, so DIGITALOCEAN_TOKEN is not "
        "the cause. Run the command again; if it fails again, ask cloudsupport.digitalocean.com."
    )


def test_a_token_without_admin_scope_leaves_no_namespace(cloud: Cloud) -> None:
    cloud.fail("GET .*/keys", 403)

    with pytest.raises(ApiError) as error:
        created(namespace, NAMESPACE)

    assert str(error.value).endswith(
        "Create a token with the scopes of docs/integrated.md, function:admin included, then: "
        "export DIGITALOCEAN_TOKEN=…"
    )
    assert cloud.namespaces == {}


@pytest.mark.parametrize("scope", sorted(digitalocean_keys.SCOPES))
def test_every_scope_of_the_document_is_needed(cloud: Cloud, code: Path, scope: str) -> None:
    cloud.scopes.remove(scope)

    with pytest.raises(ApiError, match=f"answered 403: You are missing the scope {scope}"):
        deploy(code)


def deploy(code: Path) -> None:
    """Create a function with a trigger, change the trigger, and delete everything."""
    space, _ = created(namespace, NAMESPACE)
    created(function, of_function(space, code))
    id_, outputs = created(trigger, of_trigger(space))
    provider(trigger).update(id_, outputs, of_trigger(space, cron="0 * * * *"))
    provider(namespace).delete(space, outputs)


def test_an_account_without_triggers_gets_no_namespace_and_a_remedy(cloud: Cloud) -> None:
    cloud.triggers_open = False

    with pytest.raises(TriggersClosedError) as error:
        created(namespace, NAMESPACE)

    assert "/triggers answered 403: not allowed to use triggers. They are a preview" in str(
        error.value
    )
    assert "Ask for access at cloudsupport.digitalocean.com" in str(error.value)
    assert cloud.namespaces == {}


@pytest.mark.parametrize(
    ("host", "public"),
    [
        ("https://faas-tor1-0a1b.doserverless.io", "https://faas-tor1-0a1b.doserverless.co"),
        ("https://faas-tor1-0a1b.doserverless.co/", "https://faas-tor1-0a1b.doserverless.co"),
        ("https://example.io", "https://example.io"),
    ],
)
def test_the_host_of_a_namespace_is_the_one_that_serves_everyone(
    cloud: Cloud, space: str, host: str, public: str
) -> None:
    cloud.namespaces[space].info["api_host"] = host

    with FunctionsApi.open() as api:
        found = api.namespace(space)

    assert found is not None
    assert found.api_host == public


def test_a_namespace_of_app_platform_is_not_taken_for_ours(cloud: Cloud, space: str) -> None:
    """It may have no label."""
    (info,) = [there.info for there in cloud.namespaces.values()]
    apps = {
        "ap-1": {name: value for name, value in info.items() if name != "label"},
        "ap-2": info,
    }
    for id_, facts in apps.items():
        cloud.namespaces[id_] = clouds.Namespace(info={**facts, "namespace": id_})
    del cloud.namespaces[space]

    assert created(namespace, NAMESPACE)[0].startswith("fn-")


def test_an_existing_label_is_refused_and_its_namespace_stays(cloud: Cloud, space: str) -> None:
    with pytest.raises(ApiError, match=r"'seamless-dev' answered 409: it exists already"):
        created(namespace, NAMESPACE)

    assert list(cloud.namespaces) == [space]


def test_the_error_names_the_limit_of_the_account(cloud: Cloud) -> None:
    for n in range(clouds.MAX_NAMESPACES):
        created(namespace, {**NAMESPACE, "label": f"label-{n}"})

    with pytest.raises(ApiError, match="answered 422: namespace limit reached"):
        created(namespace, NAMESPACE)


def test_a_namespace_without_its_package_is_deleted(cloud: Cloud) -> None:
    cloud.fail("PUT /api/v1/namespaces/_/packages/summarizer", 500, times=TRIES)

    with pytest.raises(ApiError, match="answered 500"):
        created(namespace, NAMESPACE)

    assert cloud.namespaces == {}


def test_a_namespace_is_found_by_its_label_when_the_response_is_lost(cloud: Cloud) -> None:
    cloud.fail("POST /v2/functions/namespaces", 0, after=True)

    id_, _ = created(namespace, NAMESPACE)

    assert list(cloud.namespaces) == [id_]
    assert cloud.calls.count("POST /v2/functions/namespaces") == 1


def test_an_update_creates_a_deleted_package_again(cloud: Cloud, space: str) -> None:
    cloud.namespaces[space].packages.clear()

    _, outputs = refreshed(namespace, space, NAMESPACE)
    assert difference(namespace, outputs, NAMESPACE) == (True, [])
    provider(namespace).update(space, outputs, NAMESPACE)

    assert list(cloud.namespaces[space].packages) == ["summarizer"]


def test_a_function_has_the_form_of_the_deployer_of_digitalocean(
    cloud: Cloud, space: str, code: Path
) -> None:
    id_, _ = created(function, of_function(space, code))

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


def test_a_worker_is_not_public(cloud: Cloud, space: str, code: Path) -> None:
    """A function without the annotation would be public."""
    created(function, of_function(space, code, name="summarize", web="no"))

    action = cloud.namespaces[space].actions["summarizer/summarize"]
    annotations = {a["key"]: a["value"] for a in action["annotations"]}
    assert (annotations["web-export"], annotations["raw-http"]) == (False, False)


def test_an_update_puts_the_new_code_and_limits(cloud: Cloud, space: str, code: Path) -> None:
    id_, outputs = created(function, of_function(space, code))
    news = of_function(space, code, memory_mb=512, code_key="next")

    assert provider(function).update(id_, outputs, news).outs == news
    assert cloud.namespaces[space].actions["summarizer/api"]["limits"]["memory"] == 512


@pytest.mark.parametrize(
    ("change", "drift"),
    [
        ({"annotations": [{"key": "web-export", "value": True}]}, {"code_key", "web"}),
        ({"limits": {"timeout": 1000, "memory": 256, "logs": 64}}, {"timeout_ms"}),
        ({"parameters": []}, {"environment"}),
    ],
)
def test_a_refresh_finds_a_change_from_outside_of_pulumi(
    cloud: Cloud, space: str, code: Path, change: Props, drift: set[str]
) -> None:
    inputs = of_function(space, code)
    id_, outputs = created(function, inputs)
    cloud.namespaces[space].actions["summarizer/api"].update(change)

    _, found = refreshed(function, id_, outputs)

    assert {name for name in inputs if found[name] != inputs[name]} == drift
    assert difference(function, found, inputs) == (True, [])


def test_a_failed_put_is_repeated(cloud: Cloud, space: str, code: Path) -> None:
    cloud.fail("PUT .*/actions/summarizer/api", 502, times=2)

    created(function, of_function(space, code))

    assert cloud.calls.count("PUT /api/v1/namespaces/_/actions/summarizer/api") == 3


def test_a_function_is_deleted_when_every_response_is_lost(
    cloud: Cloud, space: str, code: Path
) -> None:
    cloud.fail("PUT .*/actions/summarizer/api", 0, after=True, times=TRIES)

    with pytest.raises(ApiError, match="got no response: RemoteProtocolError"):
        created(function, of_function(space, code))

    assert cloud.namespaces[space].actions == {}


def test_the_error_names_a_missing_bundle(cloud: Cloud, tmp_path: Path) -> None:
    message = r"The bundle of the function 'api' is missing: .*none\.zip"
    with pytest.raises(FileNotFoundError, match=message):
        created(function, of_function(code=tmp_path / "none.zip"))

    assert cloud.calls == []


def test_an_update_enables_a_trigger_and_changes_its_schedule(
    cloud: Cloud, space: str, deployed: Deployed
) -> None:
    id_, outputs = deployed[trigger]
    triggers = cloud.namespaces[space].triggers

    assert triggers["sweep"] == {
        "namespace": space,
        "name": "sweep",
        "function": "summarizer/api",
        "type": "SCHEDULED",
        "is_enabled": True,
        "scheduled_details": {"cron": "*/5 * * * *"},
    }
    triggers["sweep"]["is_enabled"] = False
    _, found = refreshed(trigger, id_, outputs)
    assert difference(trigger, found, of_trigger(space)) == (True, [])
    provider(trigger).update(id_, found, of_trigger(space, cron="0 * * * *"))
    assert triggers["sweep"]["is_enabled"] is True
    assert triggers["sweep"]["scheduled_details"] == {"cron": "0 * * * *"}


def test_a_trigger_is_deleted_when_its_creation_fails(cloud: Cloud, space: str, code: Path) -> None:
    created(function, of_function(space, code))
    cloud.fail("POST .*/triggers", 500, after=True)

    with pytest.raises(ApiError, match="answered 500"):
        created(trigger, of_trigger(space))

    assert cloud.namespaces[space].triggers == {}
    created(trigger, of_trigger(space))


def test_a_trigger_of_a_missing_function_is_refused(cloud: Cloud, space: str) -> None:
    with pytest.raises(ApiError, match=r"answered 400: .*no such function"):
        created(trigger, of_trigger(space, function="summarizer/none"))


def expire(cloud: Cloud, space: str, id_: str, *, days: float = 0) -> None:
    """Let a key end in so many days."""
    ends = datetime.now(UTC) + timedelta(days=days)
    cloud.namespaces[space].keys[id_]["expires_at"] = digitalocean_keys.text(ends)


def test_an_invocation_key_has_a_secret_and_an_expiry(cloud: Cloud, space: str) -> None:
    id_, outputs = created(invocation_key, of_key(space))

    key = cloud.namespaces[space].keys[id_]
    ends = datetime.fromisoformat(key["expires_at"])
    assert timedelta(days=89) < ends - datetime.now(UTC) <= timedelta(days=90)
    assert outputs == {
        **of_key(space),
        "expires_at": ends.isoformat(),
        "value": f"{id_}:{key['secret']}",
    }


def test_an_invocation_key_and_its_replacement_exist_at_the_same_time(
    cloud: Cloud, space: str
) -> None:
    """Names are unique, and the old key is deleted last."""
    keys = [created(invocation_key, of_key(space))[0] for _ in range(2)]

    assert list(cloud.namespaces[space].keys) == keys
    assert (
        provider(invocation_key).diff(keys[0], of_key(), of_key("fn-2")).delete_before_replace
        is False
    )


@pytest.mark.parametrize(("days", "due"), [(89, False), (61, False), (59, True), (-1, True)])
def test_an_invocation_key_is_replaced_after_thirty_days(
    cloud: Cloud, space: str, days: int, due: bool
) -> None:
    id_, outputs = created(invocation_key, of_key(space))
    expire(cloud, space, id_, days=days)

    assert difference(invocation_key, outputs, of_key(space), id_) == (
        due,
        ["expires_at"] if due else [],
    )


@pytest.mark.parametrize("expiry", [None, "absent"])
def test_an_invocation_key_without_an_expiry_or_that_is_gone_is_replaced(
    cloud: Cloud, space: str, expiry: str | None
) -> None:
    id_, outputs = created(invocation_key, of_key(space))
    if expiry is None:
        cloud.namespaces[space].keys[id_]["expires_at"] = None
    else:
        cloud.namespaces[space].keys.clear()

    found = difference(invocation_key, outputs, of_key(space), id_)
    assert found == (True, ["expires_at"])


def test_an_invocation_key_is_kept_while_the_api_does_not_answer(cloud: Cloud, space: str) -> None:
    id_, outputs = created(invocation_key, of_key(space))
    cloud.fail("GET .*/keys", 503, times=TRIES)

    assert difference(invocation_key, outputs, of_key(space), id_) == (False, [])


def test_an_invocation_key_is_deleted_when_the_response_is_lost(cloud: Cloud, space: str) -> None:
    """Its secret is lost, so it is useless."""
    cloud.fail("POST .*/keys", 0, after=True)

    with pytest.raises(ApiError, match="got no response"):
        created(invocation_key, of_key(space))

    assert cloud.namespaces[space].keys == {}


def test_the_certificate_of_a_database_is_read_as_text(cloud: Cloud) -> None:
    outputs = {"cluster": CLUSTER, "pem": clouds.CERTIFICATE}
    assert created(certificate, {"cluster": CLUSTER}) == (CLUSTER, outputs)


def test_the_certificate_of_a_deleted_cluster_is_absent(cloud: Cloud) -> None:
    cloud.clusters.clear()

    assert refreshed(certificate, CLUSTER, {"cluster": CLUSTER}) == ("", {})
    with pytest.raises(LookupError, match="no database cluster with the id '9cc10173'"):
        created(certificate, {"cluster": CLUSTER})


@pytest.fixture
def owned(cloud: Cloud, postgres: local.Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Props]:
    """Inputs of the owner of a database; the administrator is a role of its own."""
    monkeypatch.setenv("PGSSLMODE", "disable")
    admin = connect(postgres)
    admin.execute("create role doadmin superuser login password 'password-before'")
    admin.execute("create role owning login password 'password-of-a-test'")
    admin.execute("create database owned")
    yield {
        "cluster": CLUSTER,
        "host": "127.0.0.1",
        "port": postgres.port,
        "certificate": clouds.CERTIFICATE,
        "admin": "doadmin",
        "admin_password": "password-before",
        "database": "owned",
        "role": "owning",
    }
    for statement in ("database owned", "role owning", "role doadmin"):
        admin.execute(f"drop {statement}")
    admin.close()


def connect(postgres: local.Server) -> psycopg.Connection[Any]:
    return psycopg.connect(
        host="127.0.0.1",
        port=postgres.port,
        user="postgres",
        password=postgres.admin_password,
        dbname="postgres",
        autocommit=True,
    )


def test_a_reset_password_of_the_administrator_updates_the_owner(
    postgres: local.Server, owned: Props
) -> None:
    id_, outputs = created(database_owner, owned)
    with connect(postgres) as admin:
        admin.execute("alter role doadmin password 'password-after'")
    fresh = {**owned, "admin_password": "password-after"}

    assert refreshed(database_owner, id_, outputs) == (id_, outputs)
    assert difference(database_owner, outputs, fresh) == (True, [])
    assert provider(database_owner).update(id_, outputs, fresh).outs == fresh


@pytest.mark.parametrize("missing", ["role", "database"])
def test_the_owner_waits_for_a_role_and_a_database_that_appear_late(
    postgres: local.Server, owned: Props, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    waits: list[float] = []
    name = {"role": "owning", "database": "owned"}[missing]

    def appear(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            with connect(postgres) as late:
                late.execute(f"create {missing} {name}")

    monkeypatch.setattr(f"{database_owner.__name__}.sleep", appear)
    with connect(postgres) as admin:
        admin.execute(f"drop {missing} {name}")

    id_, outputs = created(database_owner, owned)

    assert waits == [database_owner.WAIT] * 2
    assert refreshed(database_owner, id_, outputs) == (id_, outputs)


def test_the_owner_of_a_role_that_never_appears_is_an_error(
    postgres: local.Server, owned: Props, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(f"{database_owner.__name__}.sleep", waits.append)

    with pytest.raises(psycopg.errors.UndefinedObject, match="never"):
        created(database_owner, {**owned, "role": "never"})

    assert len(waits) == database_owner.TRIES - 1


def test_the_error_for_a_hidden_password_names_the_scope_of_the_token(owned: Props) -> None:
    message = "DIGITALOCEAN_TOKEN lacks the scope database:view_credentials"
    with pytest.raises(database_owner.HiddenPasswordError, match=message):
        created(database_owner, {**owned, "admin_password": ""})


def test_another_certificate_updates_the_owner(owned: Props) -> None:
    assert difference(database_owner, owned, {**owned, "certificate": "new"}) == (True, [])
    assert difference(database_owner, owned, {**owned, "cluster": "new"}) == (True, ["cluster"])


def test_the_owner_in_a_deleted_cluster_is_absent(cloud: Cloud, owned: Props) -> None:
    cloud.clusters.clear()

    assert refreshed(database_owner, "owned/owning", {**owned, "port": 9}) == ("", {})


def test_a_role_without_grants_becomes_the_owner_and_creates_its_tables(
    cloud: Cloud, postgres: local.Server, monkeypatch: pytest.MonkeyPatch
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
        connection.execute("create role summaries login password 'password-of-a-test'")
        connection.execute("create database summaries")
    role: Props = {
        **admin,
        "user": "summaries",
        "password": "password-of-a-test",
        "dbname": "summaries",
    }
    with (
        psycopg.connect(**role) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="schema public"),
    ):
        connection.execute("create table documents ()")

    id_, outputs = created(
        database_owner,
        {
            "cluster": CLUSTER,
            "host": "127.0.0.1",
            "port": postgres.port,
            "certificate": clouds.CERTIFICATE,
            "admin": "postgres",
            "admin_password": postgres.admin_password,
            "database": "summaries",
            "role": "summaries",
        },
    )

    with psycopg.connect(**role) as connection:
        connection.execute("create table documents ()")
    assert refreshed(database_owner, id_, outputs) == (id_, outputs)
    with psycopg.connect(**admin, dbname="postgres", autocommit=True) as connection:
        connection.execute("alter database summaries owner to postgres")
    assert refreshed(database_owner, id_, outputs) == ("", outputs)
