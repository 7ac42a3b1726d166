"""What a change does to a stack, and the Markdown that a reviewer reads of it."""

from dataclasses import replace
from typing import Any

import pytest

from analysis.cost import Charge
from analysis.diff import Change, difference
from analysis.plan import Plan, make
from analysis.render.markdown import RefusedMode, Section, render
from analysis.replacement import REPLACING, replaces
from policies.common.stateful import STATEFUL
from policies.evaluation import Violation
from policies.resource import SECRET, UNKNOWN, Resource
from tests.support.clouds import kubernetes
from tests.support.planned import planned
from tools.workspace import stack_names

QUEUE = "aws:sqs/queue:Queue"
DATABASE = "aws:rds/instance:Instance"
FUNCTION = "aws:lambda/function:Function"


DATABASE_INSTANCE = planned(DATABASE, "database", engine="postgres", instanceClass="db.t4g.micro")
STACK = [
    DATABASE_INSTANCE,
    planned(
        FUNCTION,
        "api",
        uses={"environment": [DATABASE_INSTANCE]},
        memorySize=1024,
        environment={"HOST": UNKNOWN},
    ),
    planned(QUEUE, "arrivals", messageRetentionSeconds=345600),
]

ADVICE = Violation(
    id="X-01",
    severity="high",
    enforcement="advisory",
    resource=DATABASE_INSTANCE.urn,
    message="It holds data and is not protected from deletion.",
    remedy="Protect it.",
)


def plan(
    resources: list[Resource],
    inference_mode: str = "serverless",
    policies: tuple[Violation, ...] = (),
) -> Plan:
    """The plan of a stack named `split`."""
    return Plan(
        stack="split",
        variant="split",
        inference_mode=inference_mode,
        resources=resources,
        outputs={},
        policies=list(policies),
    )


def with_inputs(name: str, **inputs: Any) -> list[Resource]:
    """The stack with other inputs of one resource."""
    assert name in {r.name for r in STACK}
    return [replace(r, inputs={**r.inputs, **inputs}) if r.name == name else r for r in STACK]


def kinds(before: list[Resource], after: list[Resource]) -> list[tuple[str, str]]:
    """Kind and name of each change."""
    return [(change.kind, change.name) for change in difference(before, after)]


def only(changes: list[Change]) -> Change:
    """The one change that there is."""
    (change,) = changes
    return change


def test_the_comment_for_a_change_that_adds_a_queue() -> None:
    """Also what it changes beside, and which advice was there before."""
    after = [*with_inputs("api", memorySize=2048), planned(QUEUE, "late", delaySeconds=60)]
    section = Section(plan=plan(after, policies=(ADVICE,)), changes=difference(STACK, after))

    assert render([section], against="main") == (
        "## Plan\n"
        "\n"
        "### split: serverless\n"
        "\n"
        "4 resources; policies: 0 mandatory, 1 advisory.\n"
        "\n"
        "Against `main`: 1 added, 1 changed, 0 replaced, 0 deleted.\n"
        "\n"
        "|  | resource | type | inputs |\n"
        "| --- | --- | --- | --- |\n"
        "| changed | `api` | `aws:lambda/function:Function` | `memorySize` `1024` → `2048` |\n"
        "| added | `late` | `aws:sqs/queue:Queue` |  |\n"
        "\n"
        "<details><summary>1 advisory violation</summary>\n"
        "\n"
        "| rule | severity | resource | what is wrong | remedy |\n"
        "| --- | --- | --- | --- | --- |\n"
        "| X-01 | high | `database` | It holds data and is not protected from deletion. | "
        "Protect it. |\n"
        "\n"
        "</details>\n"
    )


def test_the_comment_for_a_change_that_would_replace_the_database() -> None:
    """It stands on top in bold, and what is made from the database changes with it."""
    after = with_inputs("database", engine="mysql", instanceClass="db.t4g.small")
    section = Section(plan=plan(after), changes=difference(STACK, after))

    assert render([section], against="main") == (
        "## Plan\n"
        "\n"
        "**Data would be lost:**\n"
        "\n"
        "- **split serverless: `database` (`aws:rds/instance:Instance`) would be replaced: "
        "`engine` `postgres` → `mysql` (replaces); "
        "`instanceClass` `db.t4g.micro` → `db.t4g.small`.**\n"
        "\n"
        "### split: serverless\n"
        "\n"
        "3 resources; policies: 0 mandatory, 0 advisory.\n"
        "\n"
        "Against `main`: 0 added, 1 changed, 1 replaced, 0 deleted.\n"
        "\n"
        "|  | resource | type | inputs |\n"
        "| --- | --- | --- | --- |\n"
        "| **replaced** | `database` | `aws:rds/instance:Instance` | "
        "`engine` `postgres` → `mysql` (replaces); "
        "`instanceClass` `db.t4g.micro` → `db.t4g.small` |\n"
        "| changed | `api` | `aws:lambda/function:Function` | `environment` of `database` |\n"
    )


def test_a_protected_database_that_would_be_deleted_is_said_to_be_protected() -> None:
    """`up` refuses then, which is good to know before."""
    before = [replace(r, protect=r.name == "database") for r in STACK]
    section = Section(plan=plan(before[1:]), changes=difference(before, before[1:]))

    assert (
        "- **split serverless: `database` (`aws:rds/instance:Instance`) would be deleted; "
        "it is protected, so `up` refuses.**"
    ) in render([section], against="main").splitlines()


def test_a_mandatory_verdict_stands_open_and_advice_is_folded() -> None:
    """What is refused is what a reviewer looks for."""
    refused = replace(ADVICE, id="AWS-RDS-01", enforcement="mandatory", remedy="Close <it>.")
    text = render([Section(plan=plan(STACK, policies=(refused, ADVICE)))])

    first, folded = text.split("<details>")
    assert "3 resources; policies: 1 mandatory, 1 advisory." in first
    assert "**`up` refuses this:**" in first
    assert "| AWS-RDS-01 |" in first
    assert "Close &lt;it>." in first
    assert "| X-01 |" in folded


def test_inference_modes_that_say_the_same_share_a_section_and_a_refusal_has_its_reason() -> None:
    """The comment of three stacks on three inference modes stays short."""
    sections = [Section(plan=plan(STACK)), Section(plan=plan(STACK, inference_mode="dedicated"))]
    refusal = RefusedMode(
        stack="local", inference_mode="cluster", reason="one machine offers\nno GPU | pool"
    )

    lines = render(sections, [refusal]).splitlines()

    assert [line for line in lines if line.startswith("###")] == [
        "### split: serverless, dedicated",
        "### Not offered",
    ]
    assert lines[-1] == "| `local` | `cluster` | one machine offers no GPU \\| pool |"


def test_nothing_changes_between_two_plans_of_the_same() -> None:
    """A comment then says so in a line."""
    section = Section(plan=plan(STACK), changes=difference(STACK, STACK))

    assert "Against `main`: no difference." in render([section], against="main")


@pytest.mark.parametrize(("before", "after"), [("plain", SECRET), (SECRET, "plain")])
def test_the_value_of_a_secret_is_shown_on_neither_side(before: str, after: str) -> None:
    """Also when it became one, or ceased to be one, and deep in a list."""
    old, new = planned(FUNCTION, "api", a=[{"b": before}]), planned(FUNCTION, "api", a=[after])

    change = only(difference([old], [new]))

    assert [(i.path, i.before, i.after) for i in change.inputs] == [("a", SECRET, SECRET)]
    assert "plain" not in render([Section(plan=plan([new]), changes=[change])], against="main")


def test_a_changed_value_is_named_by_its_path() -> None:
    """Down to the value in an object; a list is one value."""
    old = planned("a:b:C", "c", one={"two": {"three": 1, "four": 4}}, five=[1, 2])
    new = planned("a:b:C", "c", one={"two": {"three": 3, "four": 4}}, five=[2])

    assert [i.path for i in only(difference([old], [new])).inputs] == ["five", "one.two.three"]


def test_code_that_changed_is_one_value_wherever_it_lies() -> None:
    """A bundle that is built has a path, one that is not built yet has none."""
    mark = {"4dabf18193072939515e22adb298388d": "0def7320c3a5731c473e5ecbe6d01bc7"}
    old = planned(FUNCTION, "api", code={**mark, "path": "/cache/one.zip"})
    new = planned(FUNCTION, "api", code={**mark, "assets": {"key": "two"}})

    change = only(difference([old], [new]))

    assert [(i.path, i.before, i.after) for i in change.inputs] == [("code", "[files]", "[files]")]


def test_what_the_engine_is_told_to_pass_over_is_no_change() -> None:
    """`ignore_changes` of a component."""
    old = planned("a:b:C", "c", scaling={"desired": 1, "most": 3})
    new = replace(
        planned("a:b:C", "c", scaling={"desired": 2, "most": 3}), ignores=["scaling.desired"]
    )

    assert difference([old], [new]) == []


def test_what_the_program_lets_replace_a_resource_replaces_it() -> None:
    """`replace_on_changes` of a component or of the SDK."""
    old = planned("a:b:C", "c", size=1)
    new = replace(planned("a:b:C", "c", size=2), replaced_by=["size"])

    assert kinds([old], [new]) == [("replaced", "c")]


def test_what_nobody_looked_up_is_said_to_be_unknown() -> None:
    """A change of such a type may well replace it."""
    old, new = planned("a:b:C", "c", size=1), planned("a:b:C", "c", size=2)

    change = only(difference([old], [new]))

    assert change.inputs[0].replaces is None
    shown = render([Section(plan=plan([new]), changes=[change])], against="main")
    assert "`size` `1` → `2` (in place or not: unknown)" in shown


def test_a_replaced_resource_replaces_what_cannot_be_moved_to_another() -> None:
    """A database goes with its cluster, and the pool with the database."""
    cluster, database, pool = (
        f"digitalocean:index/{name[0].lower()}{name[1:]}:{name}"
        for name in ("DatabaseCluster", "DatabaseDb", "DatabaseConnectionPool")
    )
    top = planned(cluster, "cluster", engine="pg")
    before = [
        top,
        planned(database, "database", uses={"clusterId": [top]}, clusterId=UNKNOWN),
        planned(pool, "pool", uses={"clusterId": [top]}, clusterId=UNKNOWN, size=18),
    ]
    after = [replace(before[0], inputs={"engine": "mysql"}), *before[1:]]

    assert kinds(before, after) == [
        ("replaced", "cluster"),
        ("replaced", "database"),
        ("replaced", "pool"),
    ]
    assert [change.loses_data for change in difference(before, after)] == [True, True, False]


def test_another_region_of_a_provider_replaces_everything_of_it() -> None:
    """Nothing moves from one region to another."""
    before = [planned("pulumi:providers:aws", "aws", region="us-east-1"), *STACK]
    after = [planned("pulumi:providers:aws", "aws", region="us-west-2"), *STACK]

    assert set(kinds(before, after)) == {
        ("replaced", "database"),
        ("replaced", "api"),
        ("replaced", "arrivals"),
        ("changed", "aws"),
    }


def test_a_resource_below_another_type_is_another_resource() -> None:
    """The types of the ancestors are part of the URN, so the engine deletes one and adds one."""
    one, two = planned("seamless:aws:Database", "x"), planned("seamless:aws:Store", "x")
    before = [one, two, planned(DATABASE, "database", one)]
    after = [one, two, planned(DATABASE, "database", two)]

    changes = difference(before, after)

    assert [(c.kind, c.loses_data) for c in changes] == [("deleted", True), ("added", False)]


def test_the_first_stacks_of_a_repository_are_all_added() -> None:
    """There was nothing before."""
    assert {kind for kind, _ in kinds([], STACK)} == {"added"}


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("nodePool.size", True),
        ("nodePool", True),
        ("nodePool.nodeCount", False),
        ("nodePool.sizes", False),
    ],
)
def test_an_object_replaces_when_what_replaces_lies_in_it(path: str, answer: bool) -> None:
    """It may have come or gone whole."""
    assert replaces("digitalocean:index/kubernetesCluster:KubernetesCluster", path) is answer


@pytest.mark.parametrize("name", stack_names())
def test_it_is_known_what_replaces_every_stateful_resource(name: str) -> None:
    """The one question that a reviewer must get an answer to."""
    assert {r.type for r in make(name).resources} & STATEFUL <= REPLACING.keys()


def test_the_simulated_kubernetes_replaces_what_the_table_says() -> None:
    """One of the two was read wrong otherwise, and both say where."""
    simulated = {
        f"kubernetes:{type_}": {*paths, *(kubernetes.NAMED if type_ != kubernetes.RELEASE else ())}
        for type_, paths in kubernetes.REPLACE.items()
    }
    both = simulated.keys() & REPLACING.keys()

    assert len(both) > 5
    assert {type_: set(REPLACING[type_].inputs) for type_ in both} == {
        t: simulated[t] for t in both
    }


def test_a_database_of_a_real_stack_is_found_to_be_replaced() -> None:
    """From the program to the warning."""
    before = make("local").resources
    after = [
        replace(r, inputs={**r.inputs, "database": "other"}) if r.name == "database-server" else r
        for r in before
    ]

    losses = [change for change in difference(before, after) if change.loses_data]

    assert [(change.kind, change.name) for change in losses] == [("replaced", "database-server")]


@pytest.mark.parametrize("stack", ["split", "integrated"])
def test_headroom_on_a_real_cluster_adds_three_resources_and_changes_nothing_else(
    stack: str,
) -> None:
    """Components there share the names of their children, so only a URN tells them apart."""
    before, after = (
        make(stack, {"inference_mode": "cluster", "gpu_headroom": headroom}).resources
        for headroom in "01"
    )

    assert {(c.kind, c.type, c.name) for c in difference(before, after)} == {
        ("added", "seamless:kubernetes:Headroom", "model-headroom"),
        ("added", "kubernetes:apps/v1:Deployment", "model-headroom"),
        ("added", "kubernetes:scheduling.k8s.io/v1:PriorityClass", "model-headroom"),
    }


def test_another_gpu_machine_replaces_its_nodes_and_nothing_that_holds_data() -> None:
    """The tags belong to the group of the nodes, and cannot move to another one."""
    before, after = (
        make("split", {"inference_mode": "cluster", "gpu_type": machine}).resources
        for machine in ("g6e.12xlarge", "g6e.24xlarge")
    )

    assert {(c.kind, c.type, c.name) for c in difference(before, after)} == {
        ("replaced", "aws:eks/nodeGroup:NodeGroup", "cluster-gpu"),
        *(
            ("replaced", "aws:autoscaling/tag:Tag", f"cluster-gpu-{tag}")
            for tag in (
                "label-k8s-amazonaws-com-accelerator",
                "label-nvidia-com-gpu-present",
                "label-seamless-dev-pool",
                "resources-nvidia-com-gpu",
                "taint-nvidia-com-gpu",
            )
        ),
        ("changed", "seamless:aws:Cluster", "cluster"),
        ("changed", "seamless:kubernetes:ClusterInference", "model"),
    }


def test_the_comment_shows_the_cost_before_and_after_and_the_lines_that_changed() -> None:
    """A part of unknown price is named, and makes the total a lower bound."""
    node = Charge(resource=STACK[1].urn, type=FUNCTION, part="node", count=2, usd=0.1, per="hour")
    disk = Charge(resource=STACK[1].urn, type=FUNCTION, part="disk", per="month")
    key = Charge(resource=STACK[0].urn, type=DATABASE, part="key", usd=1.0, per="month")
    after = replace(plan(STACK), cost=[replace(node, count=3), disk])

    text = render([Section(plan=after, changes=[], cost_before=[node, key])], against="main")

    assert (
        "Cost per month without usage: 147.00 USD before, at least 219.00 USD after, "
        "difference +72.00 USD.\n"
        "\n"
        "| resource | part | before | after | difference |\n"
        "| --- | --- | --- | --- | --- |\n"
        "| `api` | disk | 0.00 USD | unknown |  |\n"
        "| `api` | node | 146.00 USD | 219.00 USD | +73.00 USD |\n"
        "| `database` | key | 1.00 USD | 0.00 USD | -1.00 USD |\n"
        "\n"
        "Unknown prices: `api` (disk).\n"
    ) in text


def test_a_plan_without_a_comparison_shows_its_total() -> None:
    """Of the lines whose price is known."""
    key = Charge(resource=STACK[0].urn, type=DATABASE, part="key", usd=1.0, per="month")

    text = render([Section(plan=replace(plan(STACK), cost=[key]))])

    assert "\nCost per month without usage: 1.00 USD.\n" in text
