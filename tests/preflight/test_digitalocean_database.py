"""Preflight finds a pool, role or database that a failed creation left in the cluster."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from preflight.checks import Command, Finding
from preflight.digitalocean import check
from preflight.digitalocean_database import KINDS
from tests.support.accounts import digitalocean as clouds
from tests.support.accounts.digitalocean_lists import Account
from tests.support.clouds.world import World
from tests.support.preflight_context import context

CLUSTER = "9cc10173-e9ea-4176-9dbc-a4cee4c4ff30"
LEFT = {"database-pool": "pools", "database-role": "users", "database-database": "dbs"}


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """An account whose database cluster has a pool, a role and a database."""
    world = World(folder=tmp_path, cloud="digitalocean")
    names = {"pools": "summarizer-pool", "users": "summarizer", "dbs": "summarizer"}
    with world.change() as resources:
        resources["cluster"] = {
            "type": "digitalocean:index/databaseCluster:DatabaseCluster",
            "id": CLUSTER,
            "outputs": {},
        }
        for type_, (path, _) in KINDS.items():
            outputs = {"clusterId": CLUSTER, "name": names[path]}
            resources[path] = {"type": type_, "id": path, "outputs": outputs}
    account = Account(world)
    with clouds.running(account):
        monkeypatch.setenv("DIGITALOCEAN_API_URL", account.url)
        monkeypatch.setenv("DIGITALOCEAN_TOKEN", account.token)
        yield account


def found(*deployed: str, command: Command = "up") -> dict[str, Finding]:
    """The findings about the cluster's contents, if these of them are deployed."""
    names = {"database-pool": "summarizer-pool"}
    existing = {each: {"name": names.get(each, "summarizer")} for each in deployed}
    stack = context("integrated", existing={"database-cluster": {"id": CLUSTER}, **existing})
    findings = check(replace(stack, command=command))
    return {finding.name: finding for finding in findings if finding.name in LEFT}


def test_what_a_failed_creation_left_is_named_with_its_removal(account: Account) -> None:
    findings = found()

    assert findings["database-pool"] == Finding(
        name="database-pool",
        ok=False,
        found="database-pool needs the name 'summarizer-pool', but the cluster has a pool of this "
        "name that is not in the stack, as a failed creation leaves it",
        remedy=f"If it has no data of yours: doctl databases pool delete {CLUSTER} summarizer-pool",
    )
    # The pool uses the others, so it is deleted first.
    assert [finding.remedy.partition("databases ")[2] for finding in findings.values()] == [
        f"pool delete {CLUSTER} summarizer-pool",
        f"user delete {CLUSTER} summarizer",
        f"db delete {CLUSTER} summarizer",
    ]


@pytest.mark.parametrize("command", ["preview", "drift"])
def test_it_is_information_before_another_command(account: Account, command: Command) -> None:
    assert {finding.ok for finding in found(command=command).values()} == {None}


def test_deployed_resources_of_the_cluster_are_not_asked_for(account: Account) -> None:
    assert found(*LEFT) == {}
    assert not [call for call in account.calls if CLUSTER in call]


def test_free_names_and_a_cluster_that_is_gone_are_no_problem(account: Account) -> None:
    with account.world.change() as resources:
        resources["pools"]["outputs"]["name"] = "another"
    assert set(found()) == {"database-role", "database-database"}

    with account.world.change() as resources:
        del resources["cluster"]
    assert found() == {}


def test_a_list_that_the_account_does_not_answer_is_unknown(account: Account) -> None:
    account.fail(f"GET /v2/databases/{CLUSTER}/pools", 500)

    finding = found("database-role", "database-database")["database-pool"]

    assert (finding.ok, finding.found) == (
        None,
        f"unknown whether it is free: GET /v2/databases/{CLUSTER}/pools answered 500",
    )
