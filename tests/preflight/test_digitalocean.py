"""Checks of a DigitalOcean account find a missing prerequisite before a deployment.

The account is a server on this machine; the scopes of calls are those of DigitalOcean's
specification.
"""

from collections.abc import Iterator

import pytest

from preflight.checks import Finding
from preflight.digitalocean import KINDS, check
from tests.support.accounts import digitalocean as clouds
from tests.support.accounts.digitalocean import Cloud
from tests.support.preflight_context import context
from tools.workspace import project_name

TITLE = f"{project_name()}-integrated"


TOKENS = "cloud.digitalocean.com/account/api/tokens"


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """An empty account, with all keys in the environment."""
    with clouds.running() as running:
        monkeypatch.setenv("DIGITALOCEAN_API_URL", running.url)
        monkeypatch.setenv("DIGITALOCEAN_TOKEN", running.token)
        monkeypatch.setenv("SPACES_ENDPOINT_URL", "http://127.0.0.1:9")
        monkeypatch.setenv("SPACES_ACCESS_KEY_ID", "of-a-test")
        monkeypatch.setenv("SPACES_SECRET_ACCESS_KEY", "of-a-test")
        yield running


def lacking() -> list[Finding]:
    """Findings for the integrated stack that are not ok."""
    return [finding for finding in check(context("integrated")) if finding.ok is not True]


def test_an_account_with_everything_lacks_nothing_and_nothing_is_written(cloud: Cloud) -> None:
    assert lacking() == []
    assert {call.split()[0] for call in cloud.calls} == {"GET"}


def test_every_kind_of_the_table_is_asked_for_when_it_is_planned(cloud: Cloud) -> None:
    list(check(context("integrated", {"alert_email": "you@example.com"})))

    asked = {call.removeprefix("GET ") for call in cloud.calls}
    assert asked == {"/v2/account", *(kind.path for kind in KINDS.values())}


def test_a_token_that_is_missing_is_an_error(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DIGITALOCEAN_TOKEN")

    assert lacking() == [
        Finding(
            name="DIGITALOCEAN_TOKEN",
            ok=False,
            found="DIGITALOCEAN_TOKEN is not set",
            remedy=f"Create a token at {TOKENS}, then: export DIGITALOCEAN_TOKEN=…",
        )
    ]


def test_a_token_that_is_refused_is_an_error_without_the_token(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGITALOCEAN_TOKEN", "token-that-nobody-may-read")

    assert lacking() == [
        Finding(
            name="DIGITALOCEAN_TOKEN",
            ok=False,
            found="DIGITALOCEAN_TOKEN is [secret], but DigitalOcean refuses it (401): it is wrong, "
            "expired or revoked",
            remedy=f"Create a token at {TOKENS}, then: export DIGITALOCEAN_TOKEN=…",
        )
    ]


def test_a_token_without_a_scope_is_an_error_that_names_the_scope(cloud: Cloud) -> None:
    cloud.fail("GET /v2/databases", 403)

    assert lacking() == [
        Finding(
            name="DIGITALOCEAN_TOKEN",
            ok=False,
            found="DIGITALOCEAN_TOKEN lacks the scope database:read, which GET /v2/databases needs",
            remedy=f"Create a token with the scopes of docs/integrated.md at {TOKENS}, then: "
            "export DIGITALOCEAN_TOKEN=…",
        )
    ]


def test_an_account_that_is_locked_is_an_error(cloud: Cloud) -> None:
    cloud.lists["account"] = {"account": {"status": "locked", "status_message": "unpaid"}}

    (finding,) = lacking()

    assert finding.ok is False
    assert finding.found == ("The account of DIGITALOCEAN_TOKEN is locked: unpaid")


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        (
            ["SPACES_ACCESS_KEY_ID", "SPACES_SECRET_ACCESS_KEY"],
            "SPACES_ACCESS_KEY_ID and SPACES_SECRET_ACCESS_KEY are",
        ),
        (["SPACES_SECRET_ACCESS_KEY"], "SPACES_SECRET_ACCESS_KEY is"),
    ],
)
def test_a_spaces_key_that_is_missing_is_an_error(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, missing: list[str], said: str
) -> None:
    for variable in missing:
        monkeypatch.delenv(variable)

    assert lacking() == [
        Finding(
            name="Spaces key",
            ok=False,
            found=f"{said} not set, but a bucket needs a Spaces key",
            remedy="Make one with full access at cloud.digitalocean.com/spaces/access_keys, then: "
            f"export {' '.join(f'{variable}=…' for variable in missing)}",
        )
    ]


def test_a_name_that_the_account_has_already_is_an_error_unless_it_is_ours(cloud: Cloud) -> None:
    cloud.lists["functions/namespaces"] = {"namespaces": [{"label": TITLE}]}
    cloud.lists["projects"] = {"projects": [{"name": TITLE}]}
    ours = {
        "functions-namespace": {"label": TITLE},
        "monitoring-project": {"name": TITLE},
    }

    assert [(finding.name, finding.found) for finding in lacking()] == [
        (
            "functions-namespace",
            f"functions-namespace needs the label {TITLE!r}, but another resource of the account "
            "has it, and it is unique",
        ),
        (
            "monitoring-project",
            f"monitoring-project needs the name {TITLE!r}, but another resource of the account "
            "has it, and it is unique",
        ),
    ]
    assert all(f.ok for f in check(context("integrated", existing=ours)))


def test_a_name_on_the_second_page_of_a_list_is_taken_too(cloud: Cloud) -> None:
    others = [{"name": f"project-{number}"} for number in range(200)]
    cloud.lists["projects"] = {"projects": [*others, {"name": TITLE}]}

    assert [finding.name for finding in lacking()] == ["monitoring-project"]
    assert cloud.calls.count("GET /v2/projects") == 2


def test_an_api_that_does_not_answer_is_unknown(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGITALOCEAN_API_URL", "http://127.0.0.1:9")

    findings = lacking()

    assert {finding.ok for finding in findings} == {None}
    assert findings[0].found == "unknown whether it is valid: got no response (ConnectError)"


def test_a_bucket_s_name_is_asked_for_where_the_bucket_will_be(cloud: Cloud) -> None:
    findings = {f.name: f for f in check(context("integrated", {"bucket_name": "our-documents"}))}

    assert findings["bucket_name"].ok is None
    assert "http://127.0.0.1:9 did not answer" in findings["bucket_name"].found
