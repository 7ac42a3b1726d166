"""A low quota of concurrent Lambda calls is found before a deployment."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from preflight.aws_concurrency import check
from preflight.checks import Command, Finding
from tests.support.accounts.aws_cluster import Account, signed_in
from tests.support.preflight_context import context


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """An account in which everything is there, and its credentials."""
    with signed_in(monkeypatch) as account:
        yield account


def found(command: Command = "up", environment: str = "dev") -> Finding:
    """The one finding."""
    (finding,) = check(replace(context("split", {"environment": environment}), command=command))
    return finding


def test_the_quota_of_a_new_account_is_enough_in_dev(account: Account) -> None:
    account.concurrency = 10

    assert found() == Finding(
        name="concurrent executions",
        ok=True,
        found="Lambda runs 10 calls at a time in us-east-1, and the stack up to 6: 4 workers, the "
        "sweep and the page",
    )


@pytest.mark.parametrize("command", ["up", "preview", "drift"])
def test_a_quota_that_throttles_the_stack_is_information(
    account: Account, command: Command
) -> None:
    account.concurrency = 10

    assert found(command, "prod") == Finding(
        name="concurrent executions",
        ok=None,
        found="Lambda runs 10 calls at a time in us-east-1, and the stack up to 18: 16 workers, "
        "the sweep and the page; above the quota documents wait, and the page may fail",
        remedy="Ask AWS for more, which may take days: aws service-quotas "
        "request-service-quota-increase --region us-east-1 --service-code lambda --quota-code "
        "L-B99A9384 --desired-value 1000",
    )


@pytest.mark.parametrize(("command", "ok"), [("up", False), ("preview", None), ("drift", None)])
def test_a_quota_without_a_place_for_one_call_fails_only_up(
    account: Account, command: Command, ok: bool | None
) -> None:
    account.concurrency = 0

    finding = found(command)

    assert finding.ok is ok
    assert finding.found.endswith("above the quota the first call of up fails")


def test_a_quota_that_aws_does_not_answer_is_unknown(account: Account) -> None:
    account.refuses = {"GetAccountSettings": "AccessDeniedException"}

    assert found().found == "unknown: GetAccountSettings answered AccessDeniedException"
