"""Checks of a DigitalOcean account find a missing prerequisite before a deployment.

The account is a local server; the scopes of calls are those of DigitalOcean's specification.
"""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from preflight.checks import Command, Finding
from preflight.digitalocean import KINDS, check
from tests.support.accounts import digitalocean as clouds
from tests.support.accounts import digitalocean_keys
from tests.support.accounts.digitalocean import Cloud
from tests.support.preflight_context import context
from tools.workspace import project_name

TITLE = f"{project_name()}-integrated"
OTHER = "fn-1"
NAMESPACE = {"functions-namespace": {"label": TITLE}}
NAMESPACES = "/v2/functions/namespaces"
TOKENS = "cloud.digitalocean.com/account/api/tokens"


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """An account with another namespace, and all keys in the environment."""
    with clouds.running() as running:
        running.namespaces[OTHER] = clouds.Namespace(info={"namespace": OTHER, "label": "other"})
        monkeypatch.setenv("DIGITALOCEAN_API_URL", running.url)
        monkeypatch.setenv("DIGITALOCEAN_TOKEN", running.token)
        monkeypatch.setenv("SPACES_ENDPOINT_URL", "http://127.0.0.1:9")
        monkeypatch.setenv("SPACES_ACCESS_KEY_ID", "of-a-test")
        monkeypatch.setenv("SPACES_SECRET_ACCESS_KEY", "of-a-test")
        yield running


def problems() -> list[Finding]:
    """Findings for the integrated stack that are not ok."""
    return [finding for finding in check(context("integrated")) if finding.ok is not True]


def test_the_checks_only_read_and_find_no_problem_in_a_complete_account(cloud: Cloud) -> None:
    assert problems() == []
    assert {call.split()[0] for call in cloud.calls} == {"GET"}


def test_the_checks_list_every_kind_of_the_table(cloud: Cloud) -> None:
    list(check(context("integrated", {"alert_email": "you@example.com"})))

    calls = {call.removeprefix("GET ") for call in cloud.calls}
    inside = {f"{NAMESPACES}/{OTHER}/keys", f"{NAMESPACES}/{OTHER}/triggers"}
    assert calls == {"/v2/account", *(kind.path for kind in KINDS.values()), *inside}


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ("", "not set"),
        (
            "invalid-token",
            "[secret], but DigitalOcean refuses it (401): it is wrong, expired or revoked",
        ),
    ],
)
def test_a_missing_or_invalid_token_is_an_error_without_its_value(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, token: str, message: str
) -> None:
    monkeypatch.setenv("DIGITALOCEAN_TOKEN", token)

    assert problems() == [
        Finding(
            name="DIGITALOCEAN_TOKEN",
            ok=False,
            found=f"DIGITALOCEAN_TOKEN is {message}",
            remedy=f"Create a token at {TOKENS}, then: export DIGITALOCEAN_TOKEN=…",
        )
    ]


def test_the_error_names_a_missing_scope(cloud: Cloud) -> None:
    cloud.fail("GET /v2/databases", 403)

    assert problems() == [
        Finding(
            name="DIGITALOCEAN_TOKEN",
            ok=False,
            found="DIGITALOCEAN_TOKEN lacks the scope database:read, which GET /v2/databases needs",
            remedy=f"Create a token with the scopes of docs/integrated.md at {TOKENS}, then: "
            "export DIGITALOCEAN_TOKEN=…",
        )
    ]


def lacks_admin(namespace: str) -> Finding:
    return Finding(
        name="DIGITALOCEAN_TOKEN",
        ok=False,
        found="DIGITALOCEAN_TOKEN lacks the scope function:admin, which GET "
        f"{NAMESPACES}/{namespace}/keys needs",
        remedy=f"Create a token with the scopes of docs/integrated.md at {TOKENS}, then: "
        "export DIGITALOCEAN_TOKEN=…",
    )


@pytest.mark.parametrize("deployed", [False, True])
def test_a_token_that_only_reads_is_information_before_a_preview(
    cloud: Cloud, deployed: bool
) -> None:
    cloud.scopes = set(digitalocean_keys.READ_ONLY)
    stack = context("integrated", existing=NAMESPACE if deployed else {})

    findings = [f for f in check(replace(stack, command="preview")) if f.ok is not True]

    assert findings == [
        Finding(
            name="DIGITALOCEAN_TOKEN",
            ok=None,
            found="DIGITALOCEAN_TOKEN lacks the scope function:read or function:admin, which GET "
            f"{NAMESPACES} needs; the preview goes on, but up would fail",
            remedy=f"Create a token with the scopes of docs/integrated.md at {TOKENS}, then: "
            "export DIGITALOCEAN_TOKEN=…",
        )
    ]


@pytest.mark.parametrize(
    ("command", "deployed", "ok"),
    [
        ("up", False, False),
        ("drift", True, False),  # a refresh reads functions, by an access key
        ("drift", False, None),
        ("preview", True, None),
    ],
)
def test_the_admin_scope_is_needed_where_functions_are_called(
    cloud: Cloud, command: Command, deployed: bool, ok: bool | None
) -> None:
    """DigitalOcean may list namespaces without this scope: its description names two."""
    cloud.fail(f"GET {NAMESPACES}/.*/keys", 403)
    stack = context("integrated", existing=NAMESPACE if deployed else {})

    (finding,) = [f for f in check(replace(stack, command=command)) if f.ok is not True]

    assert finding.ok is ok
    assert f"the scope function:admin, which GET {NAMESPACES}/{OTHER}/keys needs" in finding.found


@pytest.mark.parametrize("command", ["preview", "drift"])
def test_closed_triggers_are_information_before_another_command_than_up(
    cloud: Cloud, command: Command
) -> None:
    cloud.triggers_open = False

    (finding,) = [
        f for f in check(replace(context("integrated"), command=command)) if f.ok is not True
    ]

    assert (finding.name, finding.ok) == ("scheduled triggers", None)


NOWHERE = "fn-00000000-0000-0000-0000-000000000000"


@pytest.mark.parametrize("has_namespace", [True, False])
def test_a_token_that_may_not_list_access_keys_lacks_the_admin_scope(
    cloud: Cloud, has_namespace: bool
) -> None:
    if not has_namespace:
        cloud.namespaces.clear()
    cloud.fail(f"GET {NAMESPACES}/.*/keys", 403)

    assert problems() == [lacks_admin(OTHER if has_namespace else NOWHERE)]


@pytest.mark.parametrize(("status", "ok"), [(403, False), (404, False), (429, None), (500, None)])
def test_triggers_that_are_not_open_are_an_error_before_anything_is_created(
    cloud: Cloud, status: int, ok: bool | None
) -> None:
    cloud.fail(f"GET {NAMESPACES}/{OTHER}/triggers", status)

    (finding,) = problems()

    assert (finding.name, finding.ok) == ("scheduled triggers", ok)
    assert f"GET {NAMESPACES}/{OTHER}/triggers answered {status}" in finding.found
    assert ("ask for access at cloudsupport.digitalocean.com" in finding.remedy) is (ok is False)


@pytest.mark.parametrize("apps", [[], ["ap-1"]])
def test_an_account_without_a_namespace_has_one_unknown_result(
    cloud: Cloud, apps: list[str]
) -> None:
    """The namespaces of App Platform are in the list; they may have no label."""
    cloud.namespaces = {id_: clouds.Namespace(info={"namespace": id_}) for id_ in apps}

    (finding,) = problems()

    assert (finding.name, finding.ok) == ("function:admin, scheduled triggers", None)
    assert "up tries both right after it has created one" in finding.found


def test_a_locked_account_is_an_error(cloud: Cloud) -> None:
    cloud.lists["account"] = {"account": {"status": "locked", "status_message": "unpaid"}}

    (finding,) = problems()

    assert finding.ok is False
    assert finding.found == "The account of DIGITALOCEAN_TOKEN is locked: unpaid"


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        (
            ["SPACES_ACCESS_KEY_ID", "SPACES_SECRET_ACCESS_KEY"],
            "SPACES_ACCESS_KEY_ID and SPACES_SECRET_ACCESS_KEY are",
        ),
        (["SPACES_SECRET_ACCESS_KEY"], "SPACES_SECRET_ACCESS_KEY is"),
    ],
)
def test_a_missing_spaces_key_is_an_error(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, missing: list[str], message: str
) -> None:
    for variable in missing:
        monkeypatch.delenv(variable)

    assert problems() == [
        Finding(
            name="Spaces key",
            ok=False,
            found=f"{message} not set, but a bucket needs a Spaces key",
            remedy="Make one with full access at cloud.digitalocean.com/spaces/access_keys, then: "
            f"export {' '.join(f'{variable}=…' for variable in missing)}",
        )
    ]


def test_a_name_of_another_resource_of_the_account_is_an_error(cloud: Cloud) -> None:
    cloud.namespaces[OTHER].info["label"] = TITLE
    cloud.lists["projects"] = {"projects": [{"name": TITLE}]}
    names = {"functions-namespace": "label", "monitoring-project": "name"}
    deployed = {resource: {key: TITLE} for resource, key in names.items()}

    assert {finding.name: finding.found for finding in problems()} == {
        resource: f"{resource} needs the {key} {TITLE!r}, but another resource of the account has "
        "it, and it is unique"
        for resource, key in names.items()
    }
    assert all(f.ok for f in check(context("integrated", existing=deployed)))


def test_a_deployed_namespace_with_its_former_urn_is_the_stacks_own(cloud: Cloud) -> None:
    """It was a child of the component Functions."""
    cloud.namespaces[OTHER].info["label"] = TITLE
    stack = context("integrated")
    (urn,) = (r.urn for r in stack.resources if r.name == "functions-namespace")
    former = urn.replace("::pulumi-python:", "::seamless:digitalocean:Functions$pulumi-python:")
    assert former != urn

    deployed = replace(stack, existing={former: {"label": TITLE}})

    assert "functions-namespace" in {f.name for f in check(stack)}
    assert "functions-namespace" not in {f.name for f in check(deployed)}


def test_all_pages_of_a_list_are_read(cloud: Cloud) -> None:
    others = [{"name": f"project-{number}"} for number in range(200)]
    cloud.lists["projects"] = {"projects": [*others, {"name": TITLE}]}

    assert [finding.name for finding in problems()] == ["monitoring-project"]
    assert cloud.calls.count("GET /v2/projects") == 2


def test_the_results_are_unknown_without_a_connection(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGITALOCEAN_API_URL", "http://127.0.0.1:9")

    findings = problems()

    assert {finding.ok for finding in findings} == {None}
    assert findings[0].found == "unknown whether it is valid: got no response (ConnectError)"


def test_the_bucket_name_is_checked_at_the_spaces_endpoint(cloud: Cloud) -> None:
    findings = {f.name: f for f in check(context("integrated", {"bucket_name": "our-documents"}))}

    assert findings["bucket_name"].ok is None
    assert "http://127.0.0.1:9 did not answer" in findings["bucket_name"].found
