"""Both cloud variants on a real Pulumi engine, at simulated clouds: from `up` to `down`.

The tests of a variant run in their order, on one copy of the project. After every step that could
make them differ, the resources of the cloud are compared with those of the state. Nothing leaves
the machine: whether the real clouds accept these stacks is not shown.
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
    """What is particular about a variant.

    Attributes:
        resources: How many there are, the stack itself included.
        breaks: The resource that cannot be created at first.
        database: The resource that cannot be updated at first.
        stays: The resource that cannot be deleted at first.
        drifts: A resource that somebody changes, with the output and its value.
        vanishes: A resource that somebody deletes.
        protected: What `environment: prod` protects.
        resized: What `environment: prod` replaces, since it cannot be resized.
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
    resized: frozenset[str] = frozenset()


SPLIT = Story(
    stack="split",
    cloud="aws",
    resources=101,
    breaks="database-instance",
    database="database-instance",
    stays="network-vpc",
    drifts=("store-arrivals-queue", "visibilityTimeoutSeconds", 30),
    vanishes="monitoring-dead-letters",
    protected=frozenset({"store-key", "store-bucket", "database-instance"}),
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
    resized=frozenset({"database-pool"}),
)


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A variant in a copy of the project, and the cloud that it is deployed to."""

    story: Story
    clone: Clone
    world: World
    api: functions_api.Cloud

    def run(self, command: str, *, expect: int = 0) -> str:
        """`./seamless COMMAND STACK`, with the yes that costs need."""
        yes = ["--yes"] if command in ("up", "down") else []
        return self.clone.run(command, self.story.stack, *yes, expect=expect)

    def would(self, *keys: str) -> Steps | str:
        """What a preview says of other values of these keys, which are taken back."""
        rows = {key: CHANGES[key] for key in keys}
        before = yaml.safe_load(self.clone.config.read_text())
        refused = isinstance(getattr(rows[keys[0]], self.story.stack), str)
        try:
            for key, row in rows.items():
                for name, other in row.needs.items():
                    self.clone.configure(name, other)
                value = row.to[self.story.stack] if isinstance(row.to, Mapping) else row.to
                path = f"{key}.{row.below}" if row.below else key
                self.clone.configure(path, value, secret=row.secret)
            printed = self.run("preview", expect=int(refused))
        finally:
            self.clone.config.write_text(yaml.safe_dump(before))
        return printed if refused else steps(printed)

    def should(self, *keys: str) -> Steps | str:
        """What the rows of the table say of this stack, groups of resources by name."""
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
        """Type and id of everything that exists."""
        return {(item["type"], item["id"]) for item in self.world.resources().values()}

    def in_state(self) -> set[tuple[str, str]]:
        """Type and id of everything that the engine believes to exist there."""
        return {
            (resource["type"], resource["id"])
            for resource in self.clone.state()
            if resource["type"].startswith(f"{self.story.cloud}:")
        }

    def of(self, name: str) -> dict[str, Any]:
        """What the cloud knows of a resource."""
        (found,) = [item for item in self.world.resources().values() if item["name"] == name]
        outputs: dict[str, Any] = found["outputs"]
        return outputs

    def agrees(self) -> bool:
        """True when the cloud holds what the engine believes, no more and no less."""
        return self.in_cloud() == self.in_state()


def steps(printed: str) -> Steps:
    """The steps in what a command printed, by logical names."""
    return {step: {name for name, _ in done} for step, done in typed_steps(printed).items()}


def typed_steps(printed: str) -> dict[str, set[tuple[str, str]]]:
    """The steps in what a command printed, by names and types: some resources share a name."""
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for line in printed.splitlines():
        if match := _STEP.match(line):
            found[match[4]].add((match[2], match[3]))
    for step in ("created", "deleted"):  # which a replacement prints as well
        found[step] -= found["replaced"]
    return {step: done for step, done in found.items() if done}


@pytest.fixture(scope="module", params=[SPLIT, INTEGRATED], ids=lambda story: story.stack)
def deployment(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    postgres: local.Server,
) -> Iterator[Deployment]:
    """A copy of the project beside simulated clouds; nothing is deployed yet."""
    story, folder = request.param, tmp_path_factory.mktemp(request.param.stack)
    world = World(folder=folder / "clouds", cloud=story.cloud)
    environment = launch.environment(world.folder)
    with (
        functions_api.running() as api,
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
    """Let the simulated cluster answer with a real PostgreSQL, for what is done inside of it."""
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
def test_up_asks_before_it_makes_what_costs_money(deployment: Deployment) -> None:
    asked = deployment.clone.run("up", deployment.story.stack, expect=1)

    assert "costs money" in asked
    assert deployment.in_cloud() == set()


@engine
def test_a_model_that_the_provider_lacks_stops_up_before_anything_is_made(
    deployment: Deployment,
) -> None:
    """The provider's own list says so."""
    deployment.clone.configure("inference_model", "missing/model")
    try:
        refused = deployment.run("up", expect=1)
    finally:
        deployment.clone.configure("inference_model", MODELS[0])

    assert "Nothing was changed. The deployment would fail:" in refused
    assert "Config inference_model is 'missing/model', but http://127.0.0.1:" in refused
    assert INFERENCE_KEY not in refused
    assert deployment.in_cloud() == set()


@engine
def test_an_up_that_fails_in_the_middle_leaves_no_orphan_and_the_next_completes_it(
    deployment: Deployment,
) -> None:
    """Nothing that was made is forgotten, and nothing is made twice."""
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
    made, then = steps(failed)["created"], steps(completed)["created"]
    assert story.breaks in then
    assert not made & then


@engine
def test_the_outputs_are_complete_and_no_secret_lies_in_the_state(deployment: Deployment) -> None:
    """The key that was configured and the token that was generated are encrypted."""
    outputs = deployment.clone.outputs()

    assert set(outputs) == {field.name for field in fields(Outputs)}
    assert outputs["variant"] == deployment.story.stack
    for secret in (INFERENCE_KEY, outputs["api_token"]):
        readable = [
            file
            for file in (deployment.clone.root / ".seamless").rglob("*")
            if file.is_file() and secret.encode() in file.read_bytes()
        ]
        # The one file that signs a browser in is for its owner's eyes only.
        assert [file for file in readable if file.stat().st_mode & 0o077] == []


def test_every_config_value_has_a_row_that_one_test_is_about() -> None:
    declared = yaml.safe_load((PROJECT / "Pulumi.yaml").read_text())["config"]
    tested = [*BY_A_MOVE, *ON_THE_PLAN, *(key for keys in ON_THE_ENGINE for key in keys)]

    assert sorted(tested) == sorted(CHANGES) == sorted(key for key in declared if ":" not in key)


@pytest.mark.parametrize("stack", ["split", "integrated"])
def test_no_two_keys_of_the_first_preview_touch_the_same_resource(stack: str) -> None:
    touched = [
        {name for names in getattr(CHANGES[key], stack).values() for name in names}
        for key in ON_THE_ENGINE[0]
    ]

    assert not any(one & other for one, other in combinations(touched, 2))


@engine
@pytest.mark.parametrize("keys", ON_THE_ENGINE, ids=lambda keys: keys[0])
def test_a_preview_shows_the_steps_of_a_config_value(
    deployment: Deployment, keys: tuple[str, ...]
) -> None:
    """A value that the stack cannot have is refused."""
    seen, expected = deployment.would(*keys), deployment.should(*keys)

    if isinstance(expected, str):
        assert expected in seen
    else:
        assert seen == expected


@engine
def test_a_refresh_sees_drift_and_the_next_up_corrects_it(deployment: Deployment) -> None:
    """One resource was changed and another deleted in the control panel."""
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
def test_an_update_that_fails_is_completed_by_the_next_up(deployment: Deployment) -> None:
    """`environment: prod` changes the database, which refuses at first."""
    story = deployment.story
    deployment.world.fail(story.database, "update", "the cloud is tired")
    deployment.clone.configure("environment", "prod")
    expected = deployment.should("environment")

    failed = deployment.run("up", expect=1)
    agreed = deployment.agrees()
    completed = deployment.run("up")

    assert "the cloud is tired" in failed
    assert agreed
    assert story.database in steps(completed)["updated"]
    assert deployment.agrees()
    first, second = steps(failed), steps(completed)
    assert {
        step: first.get(step, set()) | second.get(step, set()) for step in {*first, *second}
    } == expected


@engine
def test_in_prod_the_data_is_protected_even_from_a_yes(deployment: Deployment) -> None:
    """It is refused before anything is deleted, and names what is protected."""
    before = deployment.in_cloud()

    printed = deployment.run("down", expect=1)

    protected = {r["urn"].rsplit("::", 1)[-1] for r in deployment.clone.state() if r.get("protect")}
    assert protected == deployment.story.protected
    assert all(name in printed for name in protected)
    assert f"config set protect false --stack {deployment.story.stack}" in printed
    assert deployment.in_cloud() == before
    assert deployment.agrees()


@engine
def test_the_way_out_of_prod_takes_the_protection_away_and_makes_nothing_smaller(
    deployment: Deployment,
) -> None:
    """DigitalOcean would refuse to, here as there."""
    story = deployment.story
    before = deployment.of(story.database)
    deployment.clone.configure("protect", "false")

    released = steps(deployment.run("up"))

    after = deployment.of(story.database)
    assert released == deployment.should("protect")
    assert {key for key in after if after[key] != before[key]} <= {"deletionProtection"}
    assert [r["urn"] for r in deployment.clone.state() if r.get("protect")] == []
    assert deployment.agrees()


@engine
def test_down_that_fails_in_the_middle_is_completed_until_nothing_is_left(
    deployment: Deployment,
) -> None:
    """Neither in the cloud, nor at the Functions, nor in the state."""
    story = deployment.story
    deployment.world.fail(story.stays, "delete", "the cloud is tired")

    failed = deployment.run("down", expect=1)
    agreed, left = deployment.agrees(), deployment.in_cloud()
    deployment.run("down")

    assert "the cloud is tired" in failed
    assert agreed
    assert left
    assert deployment.in_cloud() == set()
    assert deployment.api.namespaces == {}
    assert deployment.clone.state() == []
    assert "nothing to take down" in deployment.run("down")
