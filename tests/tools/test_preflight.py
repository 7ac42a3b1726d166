"""`up` and `preview` report every problem of an account together, before the engine starts.

The workspace is a fake without an engine; the accounts are servers on this machine.
"""

import re
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from preflight.checks import Command
from tests.conftest import GONE
from tests.support.accounts import aws
from tests.support.accounts import digitalocean as clouds
from tests.support.accounts.digitalocean import Cloud
from tests.support.preflight_context import KEY
from tools import doctor, workspace
from tools.__main__ import app
from tools.deploy import lifecycle, preflight
from tools.workspace import CommandError, project_name

WRONG = "wrong-token"

needs_integrated = pytest.mark.skipif("integrated" in GONE, reason="it is about integrated")


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """A DigitalOcean that rejects the token, and an inference provider that does not answer."""
    with clouds.running() as running:
        monkeypatch.setenv("DIGITALOCEAN_API_URL", running.url)
        monkeypatch.setenv("DIGITALOCEAN_TOKEN", WRONG)
        monkeypatch.delenv("SPACES_ACCESS_KEY_ID", raising=False)
        monkeypatch.setenv("SPACES_SECRET_ACCESS_KEY", "of-a-test")
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        for module in (lifecycle, workspace):
            monkeypatch.setattr(module, "create_workspace", lambda stack, _: Fake(stack))
        yield running


class Fake:
    """A workspace of a new stack, without an engine."""

    def __init__(self, stack: str) -> None:
        self.stack = SimpleNamespace(name=stack)

    def config(self) -> dict[str, str]:
        """The stack's config."""
        return {f"{project_name()}:inference_api_key": KEY}

    def resources(self) -> list[dict[str, Any]]:
        """No resources."""
        return []


COMMANDS: dict[str, Callable[[Console], object]] = {
    "up": lambda console: lifecycle.up(console, "integrated", yes=True),
    "preview": lambda console: lifecycle.preview(console, "integrated"),
}


@needs_integrated
@pytest.mark.parametrize("command", COMMANDS)
def test_all_problems_are_reported_together_before_the_engine_is_used(
    cloud: Cloud, command: str
) -> None:
    with (console := Console(width=300)).capture() as printed, pytest.raises(CommandError) as error:
        COMMANDS[command](console)

    assert str(error.value) == (
        "Nothing was changed. The deployment would fail:\n"
        "SPACES_ACCESS_KEY_ID is not set, but a bucket needs a Spaces key. "
        "Make one with full access at cloud.digitalocean.com/spaces/access_keys, then: "
        "export SPACES_ACCESS_KEY_ID=…\n"
        "DIGITALOCEAN_TOKEN is [secret], but DigitalOcean refuses it (401): it is wrong, expired "
        "or revoked. Create a token at cloud.digitalocean.com/account/api/tokens, then: "
        "export DIGITALOCEAN_TOKEN=…"
    )
    assert printed.get() == (
        "? inference_model: unknown whether it works: https://inference.do-ai.run/v1 did not "
        "answer (ConnectError)\n"
    )
    assert cloud.calls == ["GET /v2/account"]
    for secret in (WRONG, KEY):
        assert secret not in printed.get() + str(error.value)


def test_an_unknown_result_stops_no_deployment(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGITALOCEAN_API_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("SPACES_ACCESS_KEY_ID", "of-a-test")

    with (console := Console(width=300)).capture() as printed:
        preflight.require(console, Fake("integrated"))  # type: ignore[arg-type]

    assert {line[0] for line in printed.get().splitlines()} == {"?"}
    assert "? DIGITALOCEAN_TOKEN: unknown whether it is valid" in printed.get()


@pytest.fixture
def read_only(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An AWS account whose caller may only read."""
    with aws.running() as account:
        account.arn = "arn:aws:sts::123456789012:assumed-role/split-preview/job"
        account.decides = aws.reads_only
        monkeypatch.setenv("AWS_ENDPOINT_URL", account.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-a-test")
        yield


@pytest.mark.usefixtures("read_only")
@pytest.mark.parametrize("command", ["preview", "drift"])
def test_a_preview_needs_no_permission_to_create(command: Command) -> None:
    with (console := Console(width=300)).capture() as printed:
        preflight.require(console, Fake("split"), command)  # type: ignore[arg-type]

    assert re.search(
        r"^\? AWS permissions: arn:aws:iam::123456789012:role/split-preview may not deploy: "
        r"it lacks \d+ of the \d+ actions that `up` needs, such as ",
        printed.get(),
        re.MULTILINE,
    )


@pytest.mark.usefixtures("read_only")
def test_an_up_needs_the_permissions_to_create() -> None:
    with pytest.raises(CommandError, match="lacks permissions that the stack needs: apigateway:"):
        preflight.require(Console(quiet=True), Fake("split"))  # type: ignore[arg-type]


def test_a_stack_without_an_account_has_no_checks() -> None:
    assert preflight.look(Fake("local")) == []  # type: ignore[arg-type]


@needs_integrated
def test_the_doctor_shows_the_problems_of_a_named_stack(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "examine", list)
    monkeypatch.setenv("COLUMNS", "300")

    shown = CliRunner().invoke(app, ["doctor", "--stack", "integrated"])

    assert shown.exit_code == 1
    marked = re.findall(r"^ ([✓✗?])  (\S+)", shown.output, re.MULTILINE)
    assert marked == [("✗", "Spaces"), ("✗", "DIGITALOCEAN_TOKEN"), ("?", "inference_model")]
    assert "export SPACES_ACCESS_KEY_ID=…" in shown.output
    assert WRONG not in shown.output


@needs_integrated
def test_the_doctor_passes_when_results_are_only_unknown(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "examine", list)
    monkeypatch.setenv("DIGITALOCEAN_TOKEN", cloud.token)
    monkeypatch.setenv("SPACES_ACCESS_KEY_ID", "of-a-test")

    shown = CliRunner().invoke(app, ["doctor", "--stack", "integrated"])

    assert shown.exit_code == 0
    assert cloud.namespaces == {}
