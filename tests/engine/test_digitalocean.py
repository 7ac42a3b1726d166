"""Events in a DigitalOcean account between two commands, on a real engine at the simulated cloud.

The tests run in order on one stack.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from tests.conftest import GONE
from tests.engine.test_clouds import INFERENCE_KEY, MODELS, serve_cluster, steps
from tests.support import inference_servers, local
from tests.support.accounts import digitalocean as functions_api
from tests.support.accounts import digitalocean_keys
from tests.support.accounts.digitalocean_lists import Account
from tests.support.clouds import launch
from tests.support.clouds.world import World
from tests.support.engine.clone import Clone, clone

pytestmark = [
    pytest.mark.engine,
    pytest.mark.timeout(600),
    pytest.mark.skipif("integrated" in GONE, reason="it is about integrated"),
]

ADMIN = "administrator_of_a_cluster"
CALLERS = {"functions-api", "functions-sweep"}
DATABASE = {
    f"database-{part}" for part in ("cluster", "database", "role", "certificate", "owner", "pool")
}


@dataclass(frozen=True, kw_only=True)
class Stack:
    """The stack `integrated` in a copy of the project, and its account."""

    clone: Clone
    world: World
    account: Account
    postgres: local.Server

    def run(self, command: str, *options: str, expect: int = 0) -> str:
        """Run `./seamless COMMAND integrated`."""
        yes = ["--yes"] if command in ("up", "down") else []
        return self.clone.run(command, "integrated", *yes, *options, expect=expect)

    def refresh(self) -> str:
        """Run `./seamless pulumi refresh`."""
        return self.clone.run("pulumi", "refresh", "--yes", "--stack", "integrated")

    def execute(self, statement: str) -> None:
        """Run SQL on the database server."""
        with psycopg.connect(
            host="127.0.0.1",
            port=self.postgres.port,
            user="postgres",
            password=self.postgres.admin_password,
            dbname="postgres",
            autocommit=True,
        ) as connection:
            connection.execute(statement)

    @property
    def keys(self) -> dict[str, dict[str, Any]]:
        """The access keys of the stack's namespace."""
        (namespace,) = self.account.namespaces.values()
        return namespace.keys


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, postgres: local.Server) -> Iterator[Stack]:
    """Nothing is deployed yet, and the account may not use scheduled triggers."""
    folder = tmp_path_factory.mktemp("digitalocean")
    world = World(folder=folder / "clouds", cloud="digitalocean")
    environment = launch.environment(world.folder)
    account = Account(world)
    account.triggers_open = False
    with (
        functions_api.running(account),
        inference_servers.serving(MODELS, INFERENCE_KEY) as inference,
        clone(folder / "clone", "integrated", environment) as copy,
    ):
        environment |= {
            "COLUMNS": "250",  # a step in a line
            "DIGITALOCEAN_API_URL": account.url,
            "DIGITALOCEAN_TOKEN": account.token,
            "PGSSLMODE": "disable",
        }
        made = Stack(clone=copy, world=world, account=account, postgres=postgres)
        serve_cluster(postgres, world)
        made.execute(f"create role {ADMIN} superuser login password 'password-before'")
        facts = {"host": "127.0.0.1", "port": postgres.port}
        world.answer("database-cluster", user=ADMIN, password="password-before", **facts)
        copy.configure("inference_api_key", INFERENCE_KEY, secret=True)
        copy.configure("inference_url", inference)
        copy.configure("inference_model", MODELS[0])
        yield made
        made.execute(f"drop owned by {ADMIN}; drop role {ADMIN}")


def test_up_without_access_to_triggers_ends_with_a_remedy_and_no_namespace(stack: Stack) -> None:
    printed = stack.run("up", expect=1)

    assert "? function:admin, scheduled triggers: unknown until the account has" in printed
    assert "Scheduled triggers of Functions are not open to this account" in printed
    assert "Ask for access at cloudsupport.digitalocean.com" in printed
    assert stack.account.namespaces == {}
    assert stack.account.world.resources() == {}  # nothing is billed


@pytest.mark.parametrize(
    ("resource", "deleted"),
    [
        ("database-database", "db delete {} summarizer"),
        ("database-pool", "pool delete {} summarizer-pool"),
    ],
)
def test_up_names_what_a_failed_creation_left_and_then_completes(
    stack: Stack, resource: str, deleted: str
) -> None:
    """The API answered with an error, or not at all, after it had created it."""
    stack.account.triggers_open = True
    stack.world.fail(resource, "create", "503 Service Unavailable", after=True)

    stack.run("up", expect=1)
    printed = stack.run("up", expect=1)

    cluster = stack.clone.resources()["database-cluster"]["id"]
    assert "Nothing was changed. The deployment would fail:" in printed
    assert f"doctl databases {deleted.format(cluster)}" in printed
    with stack.world.change() as resources:
        (left,) = [key for key, item in resources.items() if item["name"] == resource]
        del resources[left]
    assert "failed creation" not in stack.run("preview")


def test_up_leaves_only_the_key_that_starts_workers_and_a_second_up_changes_nothing(
    stack: Stack,
) -> None:
    stack.account.triggers_open = True

    stack.run("up")
    first = list(stack.keys)
    again = stack.run("up")
    drift = stack.run("preview", "--drift")

    assert len(first) == 1
    assert list(stack.keys) == first
    assert steps(again) == steps(drift) == {}


def test_a_preview_goes_on_with_a_token_that_only_reads_and_a_drift_check_names_the_scope(
    stack: Stack,
) -> None:
    every, stack.account.scopes = stack.account.scopes, set(digitalocean_keys.READ_ONLY)
    try:
        previewed = stack.run("preview")
        drift = stack.run("preview", "--drift", expect=1)
    finally:
        stack.account.scopes = every

    lacking = "DIGITALOCEAN_TOKEN lacks the scope function:read or function:admin"
    assert steps(previewed) == {}
    assert lacking in previewed
    assert lacking in drift


def test_no_file_and_no_output_has_the_secret_of_an_access_key(stack: Stack) -> None:
    readable = [
        file
        for file in (stack.clone.root / ".seamless").rglob("*")
        if file.is_file()
        and any(secret.encode() in file.read_bytes() for secret in stack.account.issued)
    ]

    assert len(stack.account.issued) > 1
    assert readable == []
    assert not set(stack.account.issued) & set(json.dumps(stack.clone.outputs()).split('"'))


@pytest.mark.parametrize("days", [59, -1])
def test_up_replaces_a_key_that_is_due_or_expired(stack: Stack, days: int) -> None:
    (old,) = stack.keys
    ends = datetime.now(UTC) + timedelta(days=days)
    stack.keys[old]["expires_at"] = digitalocean_keys.text(ends)

    replaced = steps(stack.run("up"))

    (new,) = stack.keys
    assert new != old
    assert replaced == {"replaced": {"functions-key"}, "updated": CALLERS}
    (namespace,) = stack.account.namespaces.values()
    for function in ("api", "sweep"):
        parameters = namespace.actions[f"summarizer/{function}"]["parameters"]
        (value,) = [item["value"] for item in parameters if item["key"] == "SUMMARIZE_KEY"]
        assert value == f"{new}:{stack.keys[new]['secret']}"


def test_a_reset_password_is_drift_that_up_corrects(stack: Stack) -> None:
    stack.execute(f"alter role {ADMIN} password 'password-after'")
    with stack.world.change() as resources:
        for item in resources.values():
            if item["name"] == "database-cluster":
                item["outputs"]["password"] = "password-after"

    drift = stack.run("preview", "--drift", expect=1)
    stack.refresh()
    corrected = steps(stack.run("up"))

    assert steps(drift) == corrected == {"updated": {"database-owner"}}
    assert steps(stack.run("preview", "--drift")) == {}


def test_a_refresh_after_the_deletion_of_the_cluster_lets_up_create_it_again(stack: Stack) -> None:
    with stack.world.change() as resources:
        for key, item in list(resources.items()):
            if item["name"] in DATABASE:
                del resources[key]
    facts = {"host": "127.0.0.1", "port": stack.postgres.port}
    stack.world.answer("database-cluster", user=ADMIN, password="password-after", **facts)

    stack.refresh()
    left = set(stack.clone.resources()) & DATABASE
    created = steps(stack.run("up"))["created"]

    assert left == set()
    assert created >= DATABASE
    assert steps(stack.run("up")) == {}


def test_down_deletes_everything(stack: Stack) -> None:
    stack.run("down")

    assert stack.account.namespaces == {}
    assert stack.world.resources() == {}
