"""The differences of two plans, and their Markdown for a pull request."""

from dataclasses import replace
from typing import Any

import pytest

from analysis.cost import Charge
from analysis.diff import difference
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
    return Plan(
        stack="split",
        variant="split",
        inference_mode=inference_mode,
        resources=resources,
        outputs={},
        policies=list(policies),
    )


def with_inputs(name: str, **inputs: Any) -> list[Resource]:
    assert name in {r.name for r in STACK}
    return [replace(r, inputs={**r.inputs, **inputs}) if r.name == name else r for r in STACK]


def kinds(before: list[Resource], after: list[Resource]) -> list[tuple[str, str]]:
    return [(change.kind, change.name) for change in difference(before, after)]


def test_the_comment_has_added_and_changed_resources_and_advice() -> None:
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


def test_the_comment_begins_with_the_loss_of_data() -> None:
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


def test_the_comment_says_that_a_deleted_database_is_protected() -> None:
    before = [replace(r, protect=r.name == "database") for r in STACK]
    section = Section(plan=plan(before[1:]), changes=difference(before, before[1:]))

    assert (
        "- **split serverless: `database` (`aws:rds/instance:Instance`) would be deleted; "
        "it is protected, so `up` refuses.**"
    ) in render([section], against="main").splitlines()


def test_mandatory_violations_are_open_and_advice_is_folded() -> None:
    refused = replace(ADVICE, id="AWS-RDS-01", enforcement="mandatory", remedy="Close <it>.")
    text = render([Section(plan=plan(STACK, policies=(refused, ADVICE)))])

    first, folded = text.split("<details>")
    assert "3 resources; policies: 1 mandatory, 1 advisory." in first
    assert "**`up` refuses this:**" in first
    assert "| AWS-RDS-01 |" in first
    assert "Close &lt;it>." in first
    assert "| X-01 |" in folded


def test_equal_inference_modes_share_a_section_and_a_refusal_has_its_reason() -> None:
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


def test_equal_plans_have_no_difference() -> None:
    section = Section(plan=plan(STACK), changes=difference(STACK, STACK))

    assert "Against `main`: no difference." in render([section], against="main")


@pytest.mark.parametrize(("before", "after"), [("plain", SECRET), (SECRET, "plain")])
def test_a_change_does_not_show_the_value_of_a_secret(before: str, after: str) -> None:
    old, new = planned(FUNCTION, "api", a=[{"b": before}]), planned(FUNCTION, "api", a=[after])

    (change,) = difference([old], [new])

    assert [(i.path, i.before, i.after) for i in change.inputs] == [("a", SECRET, SECRET)]
    assert "plain" not in render([Section(plan=plan([new]), changes=[change])], against="main")


def test_a_changed_value_has_its_path() -> None:
    old = planned("a:b:C", "c", one={"two": {"three": 1, "four": 4}}, five=[1, 2])
    new = planned("a:b:C", "c", one={"two": {"three": 3, "four": 4}}, five=[2])

    (change,) = difference([old], [new])
    assert [i.path for i in change.inputs] == ["five", "one.two.three"]


def test_changed_code_is_one_value() -> None:
    mark = {"4dabf18193072939515e22adb298388d": "0def7320c3a5731c473e5ecbe6d01bc7"}
    old = planned(FUNCTION, "api", code={**mark, "path": "/cache/one.zip"})
    new = planned(FUNCTION, "api", code={**mark, "assets": {"key": "two"}})

    (change,) = difference([old], [new])

    assert [(i.path, i.before, i.after) for i in change.inputs] == [("code", "[files]", "[files]")]


def test_ignore_changes_and_replace_on_changes_of_the_program_are_respected() -> None:
    old, new = planned("a:b:C", "c", size={"a": 1}), planned("a:b:C", "c", size={"a": 2})

    assert difference([old], [replace(new, ignores=["size.a"])]) == []
    assert kinds([old], [replace(new, replaced_by=["size"])]) == [("replaced", "c")]


def test_a_change_of_a_type_without_a_row_is_in_place_or_not() -> None:
    old, new = planned("a:b:C", "c", size=1), planned("a:b:C", "c", size=2)

    (change,) = difference([old], [new])

    assert change.inputs[0].replaces is None
    shown = render([Section(plan=plan([new]), changes=[change])], against="main")
    assert "`size` `1` → `2` (in place or not: unknown)" in shown


def test_a_changed_input_of_a_component_replaces_nothing() -> None:
    before, after = (planned("seamless:aws:Cluster", "c", machine=name) for name in "ab")

    (change,) = difference([before], [after])

    shown = render([Section(plan=plan([after]), changes=[change])], against="main")
    assert "| changed | `c` | `seamless:aws:Cluster` | `machine` `a` → `b` |" in shown


def test_a_replaced_resource_replaces_the_resources_that_depend_on_it() -> None:
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


def test_another_region_of_a_provider_replaces_all_of_its_resources() -> None:
    before = [planned("pulumi:providers:aws", "aws", region="us-east-1"), *STACK]
    after = [planned("pulumi:providers:aws", "aws", region="us-west-2"), *STACK]

    assert set(kinds(before, after)) == {
        ("replaced", "database"),
        ("replaced", "api"),
        ("replaced", "arrivals"),
        ("changed", "aws"),
    }


def test_a_replaced_cluster_replaces_its_kubernetes_provider_and_all_objects() -> None:
    doks = "digitalocean:index/kubernetesCluster:KubernetesCluster"
    cluster = planned(doks, "cluster", region="tor1")
    uses = {"kubeconfig": [cluster]}
    before = [
        cluster,
        planned("pulumi:providers:kubernetes", "provider", uses=uses, kubeconfig=SECRET),
        planned("kubernetes:core/v1:ConfigMap", "settings", data={"a": "b"}),
        planned(QUEUE, "arrivals"),
    ]
    after = [replace(cluster, inputs={"region": "nyc2"}), *before[1:]]

    assert set(kinds(before, after)) == {
        ("replaced", "cluster"),
        ("replaced", "provider"),
        ("replaced", "settings"),
    }


def test_a_resource_below_another_type_is_another_resource() -> None:
    """The types of the ancestors are part of the URN."""
    one, two = planned("seamless:aws:Database", "x"), planned("seamless:aws:Store", "x")
    before = [one, two, planned(DATABASE, "database", one)]
    after = [one, two, planned(DATABASE, "database", two)]

    changes = difference(before, after)

    assert [(c.kind, c.loses_data) for c in changes] == [("deleted", True), ("added", False)]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("nodePool.size", True),
        ("nodePool", True),
        ("nodePool.nodeCount", False),
        ("nodePool.sizes", False),
    ],
)
def test_a_path_replaces_if_a_part_of_it_replaces(path: str, expected: bool) -> None:
    assert replaces("digitalocean:index/kubernetesCluster:KubernetesCluster", path) is expected


@pytest.mark.parametrize("name", stack_names())
def test_the_replacement_table_has_every_stateful_type(name: str) -> None:
    assert {r.type for r in make(name).resources} & STATEFUL <= REPLACING.keys()


def test_the_simulated_kubernetes_has_the_rows_of_the_replacement_table() -> None:
    simulated = {
        f"kubernetes:{type_}": {*paths, *(kubernetes.NAMED if type_ != kubernetes.RELEASE else ())}
        for type_, paths in kubernetes.REPLACE.items()
    }
    both = sorted(simulated.keys() & REPLACING.keys())

    assert len(both) > 5
    assert [set(REPLACING[type_].inputs) for type_ in both] == [simulated[type_] for type_ in both]


def test_another_database_name_replaces_the_database_of_the_local_stack() -> None:
    before = make("local").resources
    after = [
        replace(r, inputs={**r.inputs, "database": "other"}) if r.name == "database-server" else r
        for r in before
    ]

    losses = [change for change in difference(before, after) if change.loses_data]

    assert [(change.kind, change.name) for change in losses] == [("replaced", "database-server")]


@pytest.mark.parametrize("stack", ["split", "integrated"])
def test_headroom_adds_three_resources_and_changes_no_other(stack: str) -> None:
    before, after = (
        make(stack, {"inference_mode": "cluster", "gpu_headroom": headroom}).resources
        for headroom in "01"
    )

    assert {(c.kind, c.type, c.name) for c in difference(before, after)} == {
        ("added", "seamless:kubernetes:Headroom", "model-headroom"),
        ("added", "kubernetes:apps/v1:Deployment", "model-headroom"),
        ("added", "kubernetes:scheduling.k8s.io/v1:PriorityClass", "model-headroom"),
    }


def test_another_gpu_machine_replaces_only_its_nodes_and_their_tags() -> None:
    """The tags belong to the node group."""
    before, after = (
        make("split", {"inference_mode": "cluster", "gpu_type": machine}).resources
        for machine in ("g6e.12xlarge", "g6e.24xlarge")
    )

    tags = (
        "label-k8s-amazonaws-com-accelerator label-nvidia-com-gpu-present label-seamless-dev-pool "
        "resources-nvidia-com-gpu taint-nvidia-com-gpu"
    )
    assert {(c.kind, c.type, c.name) for c in difference(before, after)} == {
        ("replaced", "aws:eks/nodeGroup:NodeGroup", "cluster-gpu"),
        *(("replaced", "aws:autoscaling/tag:Tag", f"cluster-gpu-{tag}") for tag in tags.split()),
        ("changed", "seamless:aws:Cluster", "cluster"),
        ("changed", "seamless:aws:NodeGroup", "cluster-gpu"),
        # The autoscaler knows the group by its name.
        ("changed", "kubernetes:helm.sh/v3:Release", "model-add-ons-cluster-autoscaler"),
        ("changed", "seamless:kubernetes:ClusterInference", "model"),
    }


def test_the_comment_has_the_cost_before_and_after_and_the_changed_rows() -> None:
    node = Charge(resource=STACK[1].urn, type=FUNCTION, part="node", count=2, usd=0.1, per="hour")
    disk = Charge(resource=STACK[1].urn, type=FUNCTION, part="disk", per="month")
    key = Charge(resource=STACK[0].urn, type=DATABASE, part="key", usd=1.0, per="month")
    after = replace(plan(STACK), cost=[replace(node, count=3), disk])

    text = render([Section(plan=after, changes=[], cost_before=[node, key])], against="main")

    assert (
        "Cost per month without usage: 147.00 USD before, at least 219.00 USD after, "
        "difference unknown (known parts: +72.00 USD; unknown: `api`).\n"
        "\n"
        "| resource | part | before | after | difference |\n"
        "| --- | --- | --- | --- | --- |\n"
        "| `api` | disk | 0.00 USD | unknown |  |\n"
        "| `api` | node | 146.00 USD | 219.00 USD | +73.00 USD |\n"
        "| `database` | key | 1.00 USD | 0.00 USD | -1.00 USD |\n"
        "\n"
        "Unknown prices: `api` (disk).\n"
    ) in text


def test_the_cost_difference_is_unknown_if_a_price_is_unknown_on_one_side() -> None:
    instance = Charge(resource=STACK[0].urn, type=DATABASE, part="node", usd=10.0, per="month")
    disk = replace(instance, part="disk", usd=4.38)
    before, after = [instance, disk], [Charge(resource=STACK[0].urn, type=DATABASE)]

    for old, new, row in (
        (before, after, "14.38 USD | unknown"),
        (after, before, "unknown | 14.38 USD"),
    ):
        section = Section(plan=replace(plan(STACK), cost=new), changes=[], cost_before=old)
        text = render([section], against="main")
        assert "difference unknown (known parts: none; unknown: `database`).\n" in text
        assert [line for line in text.splitlines() if line.startswith("| `")] == [
            f"| `database` | `{DATABASE}` | {row} |  |"
        ]


def test_another_number_of_units_with_an_unknown_price_is_an_unknown_difference() -> None:
    disk = Charge(resource=STACK[1].urn, type=FUNCTION, part="disk", count=2, per="month")
    after = replace(plan(STACK), cost=[replace(disk, count=3)])

    text = render([Section(plan=after, changes=[], cost_before=[disk])], against="main")

    assert "difference unknown (known parts: none; unknown: `api`).\n" in text
    assert "| `api` | disk | 2 x unknown | 3 x unknown |  |\n" in text


def test_the_comment_without_a_comparison_has_the_total_cost() -> None:
    key = Charge(resource=STACK[0].urn, type=DATABASE, part="key", usd=1.0, per="month")

    text = render([Section(plan=replace(plan(STACK), cost=[key]))])

    assert "\nCost per month without usage: 1.00 USD.\n" in text
