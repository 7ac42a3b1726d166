"""One value moves inference between the rungs on a real engine, at simulated clouds, and back.

The tests of one arrangement are one story and run in its order: from `serverless` to each other
rung, whose endpoint fails at first, and back. What no step of the story does is previewed, so that
every pair of rungs is seen in both directions. A real cloud, a pod and a GPU are not shown.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from functions.question import CODE
from tests import models
from tests.clouds import tls
from tests.clouds.world import World
from tests.engine.changes import FUNCTIONS, Steps
from tests.engine.test_clouds import Deployment, deployment, steps  # noqa: F401  # a fixture

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

RUNGS = ("serverless", "dedicated", "cluster")
POINTED = set(FUNCTIONS["updated"])
"""The functions, which are told of the endpoint."""

MAY_UPDATE = {
    "integrated": POINTED,
    "split": {*POINTED, "functions-inference-out"},  # the way to the endpoint
}
MAY_REPLACE = {
    "integrated": set[str](),
    # Its secret stays; a version is named in the functions' environment, so that they start anew.
    "split": {"functions-inference-key-version"},
}
OWN = ("cluster", "dedicated", "model", "functions-inference-serverless")
"""What the names of a rung's own resources begin with; the last is the way to the fallback."""

SOMEBODY_S = ("split", "dedicated")
"""An endpoint of a provider elsewhere, in the place of its serverless one: nothing is created."""

DEDICATED = "digitalocean:index/dedicatedInference:DedicatedInference"
JOB = "kubernetes:batch/v1:Job"
CANARY = {
    "dedicated": ("dedicated-answering", "inference:Answering"),
    "cluster": ("model-canary", JOB),
}
"""What waits for the right answer of a rung's own endpoint: name and type."""


@dataclass
class Ladder:
    """A stack that moves, its dedicated endpoint, and what each move did."""

    deployment: Deployment
    says: str = CODE
    """What the dedicated endpoint answers."""
    rung: str = "serverless"
    first: dict[str, str] = field(default_factory=dict)
    """What existed on the first rung, before the first move."""
    moves: list[tuple[str, str, str]] = field(default_factory=list)
    """From where to where, and what was printed."""

    @property
    def stack(self) -> str:
        """Named as its arrangement."""
        return self.deployment.story.stack

    def answer(self, call: str, *_: object) -> tuple[int, str]:
        """Of the dedicated endpoint."""
        assert call == "POST /v1/chat/completions"
        return 200, json.dumps({"choices": [{"message": {"content": self.says}}]})

    def choose(self, rung: str) -> None:
        """Set the one value; where there is a serverless endpoint beside the rung's, it is kept."""
        fallback = "none" if (self.stack, rung) == SOMEBODY_S else "serverless"
        self.deployment.clone.configure("inference", rung)
        self.deployment.clone.configure("fallback", fallback)

    def move(self, rung: str) -> str:
        """Deploy another rung."""
        self.choose(rung)
        printed = self.deployment.run("up")
        self.moves.append((self.rung, rung, printed))
        self.rung = rung
        return printed

    def fail(self, rung: str) -> str:
        """Deploy a rung whose endpoint answers wrongly at first."""
        self.choose(rung)
        self.says = "nonsense"
        self.world("kubernetes").fail(f"{JOB} model-canary", "create", "the canary was not right")
        printed = self.deployment.run("up", expect=1)
        self.says = CODE
        self.moves.append((self.rung, f"{rung}: fails", printed))
        return printed

    def would(self, rung: str) -> Steps:
        """What a preview says of a move from here."""
        self.choose(rung)
        try:
            printed = self.deployment.run("preview")
        finally:
            self.choose(self.rung)
        self.moves.append((self.rung, f"{rung}: preview", printed))
        return steps(printed)

    def world(self, cloud: str) -> World:
        """What exists at another cloud than the stack's own."""
        return replace(self.deployment.world, cloud=cloud)

    def existing(self) -> dict[str, str]:
        """The ids of the stack's resources by type and name, but of those a move may replace."""
        return {
            resource["urn"].split("::", 2)[2]: resource.get("id", "")
            for resource in self.deployment.clone.state()
            if resource["urn"].rsplit("::", 1)[-1] not in MAY_REPLACE[self.stack]
        }

    def told(self) -> list[dict[str, Any]]:
        """The endpoints that the functions are told of: the same to all of them."""
        if self.stack == "split":
            made = self.deployment.world.resources().values()
            functions = [r for r in made if r["type"] == "aws:lambda/function:Function"]
            told = [r["outputs"]["environment"]["variables"] for r in functions]
        else:
            (namespace,) = self.deployment.api.namespaces.values()
            actions = namespace.actions.values()
            told = [{each["key"]: each["value"] for each in a["parameters"]} for a in actions]
        # The one that hands the database over is told of none.
        (endpoints,) = {e["INFERENCE_ENDPOINTS"] for e in told if "INFERENCE_ENDPOINTS" in e}
        found: list[dict[str, Any]] = json.loads(endpoints)
        return found


@pytest.fixture(scope="module")
def ladder(
    deployment: Deployment,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
    say: Callable[[str], None],
) -> Iterator[Ladder]:
    """The stack on its first rung; says what every move did at the end."""
    authority, context = tls.of_this_machine(tmp_path_factory.mktemp("tls"))
    environment = {**deployment.clone.environment, "SSL_CERT_FILE": str(authority)}
    moving = replace(deployment, clone=replace(deployment.clone, environment=environment))
    story = Ladder(deployment=moving)
    with models.answering(lambda *call: story.answer(*call), context) as url:
        moving.world.answer(DEDICATED, publicEndpointFqdn=url.removeprefix("https://"))
        story.choose("serverless")
        moving.run("up")
        story.first = story.existing()
        yield story
    say(_table(story))


def _table(story: Ladder) -> str:
    """A row for each move, with the numbers of resources."""
    words = ("created", "updated", "replaced", "deleted")
    rows = [f"{'arrangement':12} {'from':11} {'to':20}" + "".join(f"{w:>9}" for w in words)]
    for before, after, printed in story.moves:
        counts = [len(lines(printed, sign)) for sign in "+~-"]
        counts.insert(2, len(steps(printed).get("replaced", ())))
        numbers = "".join(f"{count:9}" for count in counts)
        rows.append(f"{story.stack:12} {before:11} {after:20}{numbers}")
    return "\n".join(rows)


def lines(printed: str, sign: str) -> list[tuple[int, str, str]]:
    """Place, name and type of each step of a kind, in the order in which they were done."""
    rows = [line.split() for line in printed.splitlines()]
    return [(at, r[1], r[2]) for at, r in enumerate(rows) if len(r) > 3 and r[0] == sign]


def pointed(printed: str) -> list[int]:
    """Where the functions were pointed at another endpoint: every one of them."""
    found = [(at, name) for at, name, _ in lines(printed, "~") if name in POINTED]
    assert {name for _, name in found} == POINTED
    return [at for at, _ in found]


def moves_nothing_else(stack: str, done: Steps) -> None:
    """Only the endpoint's own resources come and go; the functions are told, and nothing more."""
    assert done.get("replaced", set()) <= MAY_REPLACE[stack]
    assert POINTED <= done.get("updated", set()) <= MAY_UPDATE[stack]
    come_and_gone = done.get("created", set()) | done.get("deleted", set())
    assert {name for name in come_and_gone if not name.startswith(OWN)} == set()


rungs = pytest.mark.parametrize("rung", ["dedicated", "cluster"], scope="module")


@rungs
def test_an_endpoint_that_answers_wrongly_leaves_the_functions_where_they_are(
    ladder: Ladder, rung: str
) -> None:
    """The command fails and says why; whoever uploads meanwhile is served as before."""
    if (ladder.stack, rung) == SOMEBODY_S:
        pytest.skip("an endpoint that is not ours: nothing is created that could fail")
    before, told = ladder.existing(), ladder.told()

    printed = ladder.fail(rung)

    assert {"dedicated": "2 times in a row", "cluster": "was not right"}[rung] in printed
    assert "Traceback" not in printed
    assert steps(printed).keys() == {"created"}
    assert before.items() <= ladder.existing().items()
    assert ladder.told() == told
    assert [endpoint["name"] for endpoint in told] == ["serverless"]


@rungs
def test_the_one_value_moves_the_functions_once_the_new_endpoint_has_answered(
    ladder: Ladder, rung: str
) -> None:
    """Whatever was there is the same afterwards; the serverless endpoint answers in need."""
    before = ladder.existing()

    printed = ladder.move(rung)

    moves_nothing_else(ladder.stack, steps(printed))
    assert lines(printed, "-") == []
    assert before.items() <= ladder.existing().items()
    told = ladder.told()
    if (ladder.stack, rung) == SOMEBODY_S:
        assert [(e["name"], e["rung"]) for e in told] == [("dedicated", "dedicated")]
        return
    assert [(e["name"], e["rung"]) for e in told] == [(rung, rung), ("serverless", "serverless")]
    assert told[0]["order"] < told[1]["order"]
    (answered,) = [at for at, *what in lines(printed, "+") if tuple(what) == CANARY[rung]]
    assert answered < min(pointed(printed))


@rungs
def test_a_second_up_changes_nothing(ladder: Ladder, rung: str) -> None:
    """As its preview says."""
    assert ladder.would(rung) == {}


@rungs
def test_a_move_between_the_other_rungs_would_touch_nothing_else(ladder: Ladder, rung: str) -> None:
    """As a preview says: data, queue and functions stay."""
    (other,) = {"dedicated", "cluster"} - {rung}

    moves_nothing_else(ladder.stack, ladder.would(other))


@rungs
def test_the_same_value_leads_back_and_the_old_endpoint_goes_last(
    ladder: Ladder, rung: str
) -> None:
    """Exactly what there was before is there again."""
    printed = ladder.move("serverless")

    moves_nothing_else(ladder.stack, steps(printed))
    gone = [at for at, name, _ in lines(printed, "-") if name.startswith(OWN)]
    assert bool(gone) == ((ladder.stack, rung) != SOMEBODY_S)
    assert all(at > max(pointed(printed)) for at in gone)
    assert [endpoint["name"] for endpoint in ladder.told()] == ["serverless"]
    assert ladder.existing() == ladder.first
    assert ladder.world("kubernetes").resources() == {}
    assert ladder.world("tls").resources() == {}
    assert ladder.deployment.agrees()
