"""Both cloud variants on a real Pulumi engine at simulated clouds, from `up` to `down`.

The tests of a variant run in order, on one copy of the project. After each step the resources of
the cloud are compared with those of the state.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from itertools import combinations
from typing import Any

import pytest
import yaml

from stacks.outputs import Outputs
from tests.support import inference_servers, local
from tests.support.accounts import digitalocean as functions_api
from tests.support.accounts.digitalocean_lists import Account
from tests.support.clouds import launch
from tests.support.clouds.world import World
from tests.support.engine.changes import (
    BY_A_MOVE,
    CHANGES,
    EGRESS_RULE,
    ON_THE_ENGINE,
    ON_THE_PLAN,
    REGIONAL,
    TAGGED,
    Steps,
)
from tests.support.engine.clone import PROJECT, Clone, clone

engine = pytest.mark.engine
pytestmark = pytest.mark.timeout(600)

INFERENCE_KEY = "key-of-a-test"
ANOTHER_KEY = str(CHANGES["inference_api_key"].to)

MODELS = ["a/model", "another/model"]

_STEP = re.compile(r"^  ([+~±-]) (\S+) +(\S+) +(?:would be )?(created|updated|deleted|replaced)")


@dataclass(frozen=True, kw_only=True)
class Story:
    """The facts of a variant.

    Attributes:
        resources: Number of resources, with the stack.
        breaks: The resource whose first creation fails.
        database: The resource whose first update fails.
        stays: The resource whose first deletion fails.
        drifts: A resource that drifts, with the output and its value.
        vanishes: A resource that is deleted outside of Pulumi.
        protected: The resources that `environment: prod` protects.
        snapshots: Patterns of the names of the snapshots that remain at the end.
    """

    stack: str
    cloud: str
    resources: int
    breaks: str
    database: str
    stays: str
    drifts: tuple[str, str, Any]
    vanishes: str
    protected: frozenset[str]
    snapshots: tuple[str, ...] = ()


SPLIT = Story(
    stack="split",
    cloud="aws",
    resources=114,
    breaks="database-instance",
    database="database-instance",
    stays="network-vpc",
    drifts=("store-arrivals-queue", "visibilityTimeoutSeconds", 30),
    vanishes="monitoring-dead-letters",
    protected=frozenset({"store-key", "store-bucket", "database-instance"}),
    snapshots=(r"database-parameters-\w+-summarizer-dbmaster-final",),
)
INTEGRATED = Story(
    stack="integrated",
    cloud="digitalocean",
    resources=23,
    breaks="database-pool",
    database="database-cluster",
    stays="store-bucket",
    drifts=("database-cluster", "nodeCount", 2),
    vanishes="monitoring-check",
    protected=frozenset({"store-bucket", "database-cluster", "database-database"}),
)


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A variant in a copy of the project, and its cloud."""

    story: Story
    clone: Clone
    world: World
    api: functions_api.Cloud

    def run(self, command: str, *, expect: int = 0) -> str:
        """Run `./seamless COMMAND STACK`, with `--yes` where it is required."""
        yes = ["--yes"] if command in ("up", "down") else []
        return self.clone.run(command, self.story.stack, *yes, expect=expect)

    def previewed(self, *keys: str) -> Steps | str:
        """The steps or the error of a preview with other values of these keys."""
        rows = {key: CHANGES[key] for key in keys}
        before = yaml.safe_load(self.clone.config.read_text())
        fails = isinstance(getattr(rows[keys[0]], self.story.stack), str)
        try:
            for key, row in rows.items():
                for name, other in row.needs.items():
                    self.clone.configure(name, other)
                value = row.to[self.story.stack] if isinstance(row.to, Mapping) else row.to
                path = f"{key}.{row.below}" if row.below else key
                self.clone.configure(path, value, secret=row.secret)
            printed = self.run("preview", expect=int(fails))
        finally:
            self.clone.config.write_text(yaml.safe_dump(before))
        return printed if fails else steps(printed)

    def expected(self, *keys: str) -> Steps | str:
        """The steps or the error in the rows of these keys."""
        cloud = self.world.resources().values()
        groups = {
            REGIONAL: {item["name"] for item in cloud if "region" in item["outputs"]},
            EGRESS_RULE: {
                item["name"]
                for item in cloud
                if item["name"].startswith("functions-inference-127-0-0-1-")
            },
            TAGGED: {item["name"] for item in cloud if "tagsAll" in item["outputs"]},
        }
        expected: dict[str, set[str]] = defaultdict(set)
        for key in keys:
            row: Steps | str = getattr(CHANGES[key], self.story.stack)
            if isinstance(row, str):
                return row
            for step, words in row.items():
                for word in words:
                    expected[step] |= groups.get(word, {word})
        return expected

    def in_cloud(self) -> set[tuple[str, str]]:
        """Type and id of the resources in the cloud."""
        return {(item["type"], item["id"]) for item in self.world.resources().values()}

    def in_state(self) -> set[tuple[str, str]]:
        """Type and id of the cloud's resources in the state."""
        return {
            (resource["type"], resource["id"])
            for resource in self.clone.state()
            if resource["type"].startswith(f"{self.story.cloud}:")
        }

    def of(self, name: str, type_: str = "") -> dict[str, Any]:
        """The outputs of a resource in the cloud; the type where several have the name."""
        (found,) = [
            item
            for item in self.world.resources().values()
            if item["name"] == name and type_ in ("", item["type"])
        ]
        outputs: dict[str, Any] = found["outputs"]
        return outputs

    def agrees(self) -> bool:
        """True when cloud and state have the same resources."""
        return self.in_cloud() == self.in_state()


def steps(printed: str) -> Steps:
    """The steps in the output of a command, by logical names."""
    return {step: {name for name, _ in done} for step, done in typed_steps(printed).items()}


def typed_steps(printed: str) -> dict[str, set[tuple[str, str]]]:
    """The steps in the output of a command, by names and types."""
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for line in printed.splitlines():
        if match := _STEP.match(line):
            found[match[4]].add((match[2], match[3]))
    for step in ("created", "deleted"):  # a replacement prints them, too
        found[step] -= found["replaced"]
    return {step: done for step, done in found.items() if done}


@pytest.fixture(scope="module", params=[SPLIT, INTEGRATED], ids=lambda story: story.stack)
def deployment(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, postgres: local.Server
) -> Iterator[Deployment]:
    """A copy of the project and simulated clouds; nothing is deployed yet."""
    story, folder = request.param, tmp_path_factory.mktemp(request.param.stack)
    world = World(folder=folder / "clouds", cloud=story.cloud)
    account = Account(world)
    account.allotted["gpu-h200x1-141gb"] = ("nyc2",)
    environment = launch.environment(world.folder)
    with (
        functions_api.running(account) as api,
        inference_servers.serving(MODELS, INFERENCE_KEY, ANOTHER_KEY) as inference,
        clone(folder / "clone", story.stack, environment) as copy,
    ):
        environment |= {
            "COLUMNS": "250",  # a step in a line
            "DIGITALOCEAN_API_URL": api.url,
            "DIGITALOCEAN_TOKEN": api.token,
            "PGSSLMODE": "disable",
        }
        serve_cluster(postgres, world)
        copy.configure("inference_api_key", INFERENCE_KEY, secret=True)
        settings = {"inference_url": inference, "inference_model": MODELS[0]}
        for key, value in settings.items():
            copy.configure(key, value)
        yield Deployment(story=story, clone=copy, world=world, api=api)


def serve_cluster(postgres: local.Server, world: World) -> None:
    """Give the simulated database cluster the address of a real PostgreSQL."""
    postgres.postgres.create_database(
        port=postgres.port,
        admin_password=postgres.admin_password,
        name="summarizer",
        password="password-of-a-test",
    )
    world.answer(
        "database-cluster",
        host="127.0.0.1",
        port=postgres.port,
        user="postgres",
        password=postgres.admin_password,
    )


@engine
def test_up_requires_a_confirmation_of_the_costs(deployment: Deployment) -> None:
    printed = deployment.clone.run("up", deployment.story.stack, expect=1)

    assert "costs money" in printed
    assert deployment.in_cloud() == set()


@engine
def test_up_fails_before_any_creation_when_the_provider_lacks_the_model(
    deployment: Deployment,
) -> None:
    deployment.clone.configure("inference_model", "missing/model")
    try:
        printed = deployment.run("up", expect=1)
    finally:
        deployment.clone.configure("inference_model", MODELS[0])

    assert "Nothing was changed. The deployment would fail:" in printed
    assert "Config inference_model is 'missing/model', but http://127.0.0.1:" in printed
    assert INFERENCE_KEY not in printed
    assert deployment.in_cloud() == set()


@engine
def test_the_next_up_completes_a_failed_one_without_orphans(deployment: Deployment) -> None:
    story = deployment.story
    deployment.world.fail(story.breaks, "create", "the cloud is tired")

    failed = deployment.run("up", expect=1)
    after_failure = deployment.in_cloud()
    agreed = deployment.agrees()
    completed = deployment.run("up")

    assert "the cloud is tired" in failed
    assert "Traceback" not in failed
    assert after_failure
    assert agreed
    assert after_failure < deployment.in_cloud()
    assert deployment.agrees()
    first, second = steps(failed)["created"], steps(completed)["created"]
    assert story.breaks in second
    assert not first & second


@engine
def test_a_second_up_and_the_check_for_drift_find_no_change(deployment: Deployment) -> None:
    again = deployment.run("up")
    drift = deployment.clone.run("preview", deployment.story.stack, "--drift")

    assert f"{deployment.story.resources} unchanged" in again
    assert steps(again) == steps(drift) == {}


@engine
def test_the_outputs_are_complete_and_the_state_has_no_plain_secret(deployment: Deployment) -> None:
    outputs = deployment.clone.outputs()

    assert set(outputs) == {field.name for field in fields(Outputs)}
    assert outputs["variant"] == deployment.story.stack
    for secret in (INFERENCE_KEY, outputs["api_token"]):
        readable = [
            file
            for file in (deployment.clone.root / ".seamless").rglob("*")
            if file.is_file() and secret.encode() in file.read_bytes()
        ]
        # The file that signs a browser in has mode 600.
        assert [file for file in readable if file.stat().st_mode & 0o077] == []


def test_every_config_value_is_changed_by_one_test() -> None:
    declared = yaml.safe_load((PROJECT / "Pulumi.yaml").read_text())["config"]
    tested = [*BY_A_MOVE, *ON_THE_PLAN, *(key for keys in ON_THE_ENGINE for key in keys)]

    assert sorted(tested) == sorted(CHANGES) == sorted(key for key in declared if ":" not in key)


@pytest.mark.parametrize("stack", ["split", "integrated"])
def test_the_keys_of_the_first_preview_change_different_resources(stack: str) -> None:
    changed = [
        {name for names in getattr(CHANGES[key], stack).values() for name in names}
        for key in ON_THE_ENGINE[0]
    ]

    assert not any(one & other for one, other in combinations(changed, 2))


@engine
@pytest.mark.parametrize("keys", ON_THE_ENGINE, ids=lambda keys: keys[0])
def test_a_preview_shows_the_steps_or_the_error_of_a_config_value(
    deployment: Deployment, keys: tuple[str, ...]
) -> None:
    found, expected = deployment.previewed(*keys), deployment.expected(*keys)

    assert expected in found if isinstance(expected, str) else found == expected


@engine
def test_a_refresh_finds_drift_and_the_next_up_corrects_it(deployment: Deployment) -> None:
    story = deployment.story
    name, output, wrong = story.drifts
    right = deployment.of(name)[output]
    with deployment.world.change() as resources:
        for key, item in list(resources.items()):
            if item["name"] == name:
                item["outputs"][output] = wrong
            elif item["name"] == story.vanishes:
                del resources[key]

    deployment.clone.run("pulumi", "refresh", "--yes", "--stack", story.stack)
    agreed = deployment.agrees()
    mended = steps(deployment.run("up"))

    assert agreed
    assert name in mended["updated"]
    assert story.vanishes in mended["created"]
    assert "replaced" not in mended
    assert deployment.of(name)[output] == right
    assert deployment.agrees()
    assert f"{story.resources} unchanged" in deployment.run("preview")


@engine
def test_the_next_up_completes_a_failed_update(deployment: Deployment) -> None:
    story = deployment.story
    deployment.world.fail(story.database, "update", "the cloud is tired")
    deployment.clone.configure("environment", "prod")
    expected = deployment.expected("environment")

    failed = deployment.run("up", expect=1)
    agreed = deployment.agrees()
    completed = deployment.run("up")

    assert "the cloud is tired" in failed
    assert agreed
    assert deployment.agrees()
    first, second = steps(failed), steps(completed)
    assert story.database in second["updated"]
    assert {
        step: first.get(step, set()) | second.get(step, set()) for step in {*first, *second}
    } == expected
    drift = deployment.clone.run("preview", story.stack, "--drift")
    assert steps(drift) == {}


@engine
def test_in_prod_down_fails_although_it_is_confirmed(deployment: Deployment) -> None:
    before = deployment.in_cloud()

    printed = deployment.run("down", expect=1)

    protected = {r["urn"].rsplit("::", 1)[-1] for r in deployment.clone.state() if r.get("protect")}
    assert protected == deployment.story.protected
    assert all(name in printed for name in protected)
    assert f"config set protect false --stack {deployment.story.stack}" in printed
    assert deployment.in_cloud() == before
    assert deployment.agrees()


@engine
def test_protect_false_removes_the_protection_and_changes_nothing_else(
    deployment: Deployment,
) -> None:
    story = deployment.story
    before = deployment.of(story.database)
    deployment.clone.configure("protect", "false")

    released = steps(deployment.run("up"))

    after = deployment.of(story.database)
    assert released == deployment.expected("protect")
    assert {key for key in after if after[key] != before[key]} <= {"deletionProtection"}
    assert [r["urn"] for r in deployment.clone.state() if r.get("protect")] == []
    assert deployment.agrees()


@engine
def test_the_next_down_completes_a_failed_one(deployment: Deployment) -> None:
    story = deployment.story
    deployment.world.fail(story.stays, "delete", "the cloud is tired")

    failed = deployment.run("down", expect=1)
    agreed, left = deployment.agrees(), deployment.in_cloud()
    deployment.run("down")

    assert "the cloud is tired" in failed
    assert ("This takes up to an hour: Lambda deletes" in failed) is (story.cloud == "aws")
    assert agreed
    assert left
    assert deployment.in_cloud() == set()
    assert deployment.api.namespaces == {}
    assert deployment.clone.state() == []
    assert "nothing to destroy" in deployment.run("down")
    with deployment.world.left() as remains:
        names = remains.get("snapshots", [])
    assert len(names) == len(story.snapshots)
    assert all(re.fullmatch(*both) for both in zip(story.snapshots, names, strict=True))
