"""`inference_mode` changes the endpoint on a real engine at simulated clouds.

The tests of a variant run in order and enter and leave every mode once. tests/stacks compares the
plans of every pair of modes.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise
from typing import Any, get_args

import pytest

from analysis import plan
from functions.inference.canary_prompt import CODE
from functions.inference.endpoint import InferenceMode
from tests.engine.test_clouds import Deployment, deployment, typed_steps  # noqa: F401  # a fixture
from tests.support import inference_servers
from tests.support.clouds import tls
from tests.support.clouds.world import World
from tests.support.engine.changes import FUNCTIONS
from tools.deploy.progress import kind

engine = pytest.mark.engine
pytestmark = pytest.mark.timeout(900)

PROVIDERS = "pulumi:providers:"
"""Prefix of types that no command prints."""

Move = tuple[str, str]
"""From an inference mode to an inference mode."""
Resource = tuple[str, str]
"""Logical name, and type as it is printed."""

WALK = ("serverless", "dedicated", "cluster", "serverless")
MOVES: list[Move] = list(pairwise(WALK))

POINTED = set(FUNCTIONS["updated"])
"""The functions, which have the endpoint in their environment."""

REPLACED: dict[str, set[Resource]] = {
    "integrated": set(),
    # The functions' environment has the version of the secret.
    "split": {
        ("functions-inference-key-version", "aws:secretsmanager/secretVersion:SecretVersion")
    },
}

OWN = ("cluster", "dedicated", "model")
"""Name prefixes of the resources of an inference mode."""

EXTERNAL = ("split", "dedicated")
"""Stack and mode whose dedicated endpoint is outside of the stack: nothing is created."""

DEDICATED = "digitalocean:index/dedicatedInference:DedicatedInference"
JOB = "kubernetes:batch/v1:Job"
CANARY = {
    "dedicated": ("dedicated-ready", "seamless:EndpointReady"),
    "cluster": ("model-smoke-test", JOB),
}
"""The resource that checks the endpoint of an inference mode: name and type."""


@dataclass
class MovedStack:
    """A stack, its dedicated endpoint, and its moves."""

    deployment: Deployment
    says: str = CODE
    """The answer of the dedicated endpoint."""
    inference_mode: str = "serverless"
    first: dict[Resource, str] = field(default_factory=dict)
    """The resources before the first move."""
    moves: list[tuple[str, str, str]] = field(default_factory=list)
    """Old mode, new mode, and output of each move."""

    @property
    def stack(self) -> str:
        """The name of the stack."""
        return self.deployment.story.stack

    def answer(self, call: str, *_: object) -> tuple[int, str]:
        """Answer as the dedicated endpoint."""
        assert call == "POST /v1/chat/completions"
        return 200, json.dumps({"choices": [{"message": {"content": self.says}}]})

    def choose(self, inference_mode: str, fallback: str = "") -> None:
        """Set the mode and the fallback."""
        self.deployment.clone.configure("inference_mode", inference_mode)
        # This machine is outside of the network.
        self.deployment.clone.configure("cluster_api_cidrs", "192.0.2.7/32")
        self.deployment.clone.configure("fallback", fallback or beside(self.stack, inference_mode))

    def move(self, inference_mode: str) -> str:
        """Deploy an inference mode."""
        self.choose(inference_mode)
        printed = self.deployment.run("up")
        self.moves.append((self.inference_mode, inference_mode, printed))
        self.inference_mode = inference_mode
        return printed

    def fail(self, inference_mode: str) -> str:
        """Deploy an inference mode whose endpoint gives wrong answers."""
        self.choose(inference_mode)
        if inference_mode == "cluster":
            job = f"{JOB} model-smoke-test"
            self.world("kubernetes").fail(job, "create", "the answer was not right")
        self.says = "nonsense"
        printed = self.deployment.run("up", expect=1)
        self.says = CODE
        self.moves.append((self.inference_mode, f"{inference_mode}: fails", printed))
        return printed

    def world(self, cloud: str) -> World:
        """The resources of another cloud."""
        return replace(self.deployment.world, cloud=cloud)

    def existing(self) -> dict[Resource, str]:
        """The ids of the resources that no move replaces."""
        found = {printed_as(r["urn"]): r.get("id", "") for r in self.deployment.clone.state()}
        return {
            resource: identity
            for resource, identity in found.items()
            if resource not in REPLACED[self.stack] and not resource[1].startswith(PROVIDERS)
        }

    def endpoints(self) -> list[tuple[str, str]]:
        """Name and mode of the endpoints in the environment of all functions, in their order."""
        if self.stack == "split":
            made = self.deployment.world.resources().values()
            functions = [r for r in made if r["type"] == "aws:lambda/function:Function"]
            environments = [r["outputs"]["environment"]["variables"] for r in functions]
        else:
            (namespace,) = self.deployment.api.namespaces.values()
            parameters = [action["parameters"] for action in namespace.actions.values()]
            environments = [{p["key"]: p["value"] for p in each} for each in parameters]
        # `database-owner` has no endpoints.
        (endpoints,) = {e.get("INFERENCE_ENDPOINTS", "") for e in environments} - {""}
        found: list[dict[str, Any]] = json.loads(endpoints)
        found.sort(key=lambda endpoint: int(endpoint.get("order", 0)))
        return [(endpoint["name"], endpoint["inference_mode"]) for endpoint in found]


def beside(stack: str, inference_mode: str) -> str:
    """The value of `fallback`."""
    return "none" if (stack, inference_mode) == EXTERNAL else "serverless"


def answering(stack: str, inference_mode: str) -> list[tuple[str, str]]:
    """Name and mode of the expected endpoints in an inference mode, in their order."""
    own = (inference_mode, inference_mode)
    has_another = inference_mode != "serverless" and beside(stack, inference_mode) == "serverless"
    return [own, ("serverless", "serverless")] if has_another else [own]


@cache
def planned(stack: str, inference_mode: str) -> frozenset[Resource]:
    """The planned resources of a stack in an inference mode."""
    config = {"inference_url": "http://127.0.0.1:9/v1", "inference_model": "a/model"}
    config |= {"inference_mode": inference_mode, "fallback": beside(stack, inference_mode)}
    resources = [(r.name, kind(r.type)) for r in plan.make(stack, config).resources]
    return frozenset(r for r in resources if not r[1].startswith(PROVIDERS))


def difference(stack: str, move: Move) -> dict[str, set[Resource]]:
    """The expected steps of a move."""
    before, after = (planned(stack, inference_mode) for inference_mode in move)
    found = {
        "created": after - before,
        "updated": {resource for resource in before if resource[0] in POINTED},
        "replaced": REPLACED[stack],
        "deleted": before - after,
    }
    return {step: set(resources) for step, resources in found.items() if resources}


def printed_as(urn: str) -> Resource:
    """Name and type in a resource's URN."""
    _, _, types, name = urn.split("::")
    return name, kind(types.rsplit("$", 1)[-1])


@pytest.fixture(scope="module")
def inference_modes(
    deployment: Deployment,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
    say: Callable[[str], None],
) -> Iterator[MovedStack]:
    """The stack in its first inference mode; a table of the moves is printed at the end."""
    authority, context = tls.of_this_machine(tmp_path_factory.mktemp("tls"))
    environment = {**deployment.clone.environment, "SSL_CERT_FILE": str(authority)}
    copy = replace(deployment.clone, environment=environment)
    moved = MovedStack(deployment=replace(deployment, clone=copy))
    with inference_servers.answering(lambda *call: moved.answer(*call), context) as url:
        deployment.world.answer(DEDICATED, publicEndpointFqdn=url.removeprefix("https://"))
        moved.choose("serverless")
        moved.deployment.run("up")
        moved.first = moved.existing()
        yield moved
    say(_table(moved))


def _table(moved: MovedStack) -> str:
    """A row for each move with its numbers of steps."""
    words = ("created", "updated", "replaced", "deleted")
    rows = [f"{'variant':12} {'from':11} {'to':20}" + "".join(f"{w:>9}" for w in words)]
    for before, after, printed in moved.moves:
        done = typed_steps(printed)
        numbers = "".join(f"{len(done.get(word, ())):9}" for word in words)
        rows.append(f"{moved.stack:12} {before:11} {after:20}{numbers}")
    return "\n".join(rows)


def places(printed: str, signs: str) -> dict[Resource, int]:
    """The positions of steps with these signs."""
    rows = [line.split() for line in printed.splitlines()]
    return {(r[1], r[2]): at for at, r in enumerate(rows) if len(r) > 3 and r[0] in [*signs]}


def test_the_moves_enter_every_inference_mode() -> None:
    assert sorted(WALK[1:]) == sorted(get_args(InferenceMode))


@engine
@pytest.mark.parametrize("move", MOVES, ids="-".join)
def test_the_functions_get_the_new_endpoint_after_its_first_right_answer(
    inference_modes: MovedStack, move: Move
) -> None:
    """The first answers are wrong; a second `up` changes nothing."""
    assert inference_modes.inference_mode == move[0]
    is_first = move[1] not in WALK[: MOVES.index(move) + 1]
    # A cluster's smoke test is the same code at both clouds: one of them shows how it fails.
    if is_first and (inference_modes.stack, move[1]) != ("split", "cluster"):
        _leaves_the_functions_where_they_are(inference_modes, move)

    _moves_nothing_else(inference_modes, move)

    if is_first:
        assert typed_steps(inference_modes.deployment.run("preview")) == {}


def _leaves_the_functions_where_they_are(inference_modes: MovedStack, move: Move) -> None:
    """`up` fails, and the functions keep the old endpoint."""
    before, inference_mode = move
    existing = inference_modes.existing()
    if (inference_modes.stack, inference_mode) == EXTERNAL:
        # Nothing is created that could fail; a serverless fallback is an error.
        inference_modes.choose(inference_mode, fallback="serverless")
        printed = " ".join(inference_modes.deployment.run("up", expect=1).split())
        assert "there is no serverless endpoint beside the dedicated one" in printed
        assert "pulumi config set fallback none" in printed
    else:
        printed = inference_modes.fail(inference_mode)
        messages = {"dedicated": "2 wrong answers in a row", "cluster": "was not right"}
        assert messages[inference_mode] in printed
        assert "Traceback" not in printed
        done = typed_steps(printed)
        assert done.keys() == {"created"}
        assert done["created"] < difference(inference_modes.stack, move)["created"]
        assert CANARY[inference_mode] not in done["created"]

    assert existing.items() <= inference_modes.existing().items()
    assert inference_modes.endpoints() == answering(inference_modes.stack, before)
    assert inference_modes.deployment.agrees()


def _moves_nothing_else(inference_modes: MovedStack, move: Move) -> None:
    """No other resource changes, and deletions are last."""
    inference_mode = move[1]
    existing, expected = inference_modes.existing(), difference(inference_modes.stack, move)
    # The failed attempt has created some resources.
    expected["created"] = expected.get("created", set()) - existing.keys()

    printed = inference_modes.move(inference_mode)

    done = typed_steps(printed)
    assert {"created": set(), **done} == expected
    come_and_gone = done.get("created", set()) | expected.get("deleted", set())
    assert {name for name, _ in come_and_gone if not name.startswith(OWN)} == set()
    now = inference_modes.existing()
    assert existing.keys() - now.keys() == expected.get("deleted", set())
    assert {each: existing.get(each, now[each]) for each in now} == now

    canary, pointed = CANARY.get(inference_mode), places(printed, "~")
    if canary in planned(inference_modes.stack, inference_mode):
        assert places(printed, "+")[canary] < min(pointed.values())
    last = max(places(printed, "+~").values())
    assert all(at > last for at in places(printed, "-").values())

    assert inference_modes.endpoints() == answering(inference_modes.stack, inference_mode)
    assert inference_modes.deployment.agrees()
    for cloud in ("kubernetes", "tls"):
        assert bool(inference_modes.world(cloud).resources()) == (inference_mode == "cluster")
    if inference_mode == "serverless":
        assert now == inference_modes.first
