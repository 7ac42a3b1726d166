"""The cost of a plan without usage, and parts with an unknown price."""

import pytest

from analysis.cost import charges
from analysis.plan import make
from analysis.render.terminal import cost
from policies.resource import name_of
from sizing.machines import machine
from tests.support.planned import planned

POOL = "digitalocean:index/kubernetesNodePool:KubernetesNodePool"


def usd(stack: str, **config: str) -> dict[tuple[str, str], tuple[int, float | None, str]]:
    """Count, price and period of each part that is billed by time."""
    return {
        (name_of(line.resource), line.part): (line.count, line.usd, line.per)
        for line in make(stack, config).cost
        if line.per in ("hour", "month")
    }


def test_a_cluster_at_aws_costs_control_plane_nodes_and_load_balancer() -> None:
    found = usd("split", inference_mode="cluster", gpu_type="g6e.12xlarge")

    assert found["cluster", "control plane, standard support"] == (1, 0.10, "hour")
    assert found["cluster-system", "node"] == (2, 0.096, "hour")
    assert found["cluster-gpu", "node"] == (1, machine("g6e.12xlarge").usd_hour, "hour")
    assert found["cluster-load-balancer", "balancer, without what passes through it"][1] == 0.0225
    disks = {
        name: cost for (name, part), cost in found.items() if part == "GB of gp3 for the nodes"
    }
    assert disks == {"cluster-gpu": (200, 0.08, "month"), "cluster-system": (100, 0.08, "month")}


@pytest.mark.parametrize(
    ("environment", "control_plane"),
    [("dev", None), ("prod", (1, 40.0, "month"))],
)
def test_a_cluster_at_digitalocean_costs_nodes_and_in_prod_a_doubled_control_plane(
    environment: str, control_plane: tuple[int, float, str] | None
) -> None:
    found = usd("integrated", inference_mode="cluster", environment=environment)

    assert found.get(("cluster", "control plane, doubled")) == control_plane
    assert found["cluster", "node"] == (2, 24 / 730, "hour")
    assert found["cluster-gpu", "node"] == (1, 4.47, "hour")
    assert found["cluster-weights", "share, high performance"] == (1, None, "month")
    assert found["model-gateway", "balancer, one node"] == (1, 12 / 730, "hour")


@pytest.mark.parametrize(
    ("environment", "hour", "gigabyte", "zones"),
    [("dev", 0.016, 0.115, "one zone"), ("prod", 0.065, 0.23, "two zones")],
)
def test_a_database_at_aws_costs_instance_and_storage_of_its_zones(
    environment: str, hour: float, gigabyte: float, zones: str
) -> None:
    found = usd("split", environment=environment)

    assert {
        part: cost for (name, part), cost in found.items() if name.startswith("database-i")
    } == {
        f"instance, {zones}": (1, hour, "hour"),
        f"20 GB of gp3, {zones}": (1, 20 * gigabyte / 730, "hour"),
        "secret with the password": (1, 0.4, "month"),
    }


@pytest.mark.parametrize(("environment", "nodes", "month"), [("dev", 1, 15.15), ("prod", 2, 60.9)])
def test_a_database_at_digitalocean_costs_each_of_its_nodes(
    environment: str, nodes: int, month: float
) -> None:
    found = usd("integrated", environment=environment)

    assert found["database-cluster", "node"] == (nodes, month / 730, "hour")


def test_a_pool_with_a_minimum_of_zero_has_no_cost() -> None:
    found = usd("integrated", inference_mode="cluster", gpu_minimum="0")

    assert ("cluster-gpu", "node") not in found
    assert ("cluster", "node") in found


def test_the_price_of_dedicated_inference_is_unknown() -> None:
    found = usd("integrated", inference_mode="dedicated")

    assert found["dedicated", "GPUs, until it is destroyed"] == (1, None, "hour")


def test_an_unknown_price_is_shown_and_makes_the_total_a_minimum() -> None:
    machine = {"platform": "digitalocean", "slug": "gpu-b300x8", "source": "test"}
    found = charges(
        [
            planned("seamless:digitalocean:Cluster", "cluster", machine=machine),
            planned(POOL, "known", size="gpu-b300x8", minNodes=2),
            planned(POOL, "other", size="gpu-b400x8", minNodes=1),
        ]
    )

    assert [(name_of(c.resource), c.count, c.unknown) for c in found] == [
        ("known", 2, True),
        ("other", 1, True),
    ]
    assert cost(found) == [
        "at least $0.00 an hour, $0 for a month of 730 hours, and 2 unknown",
        "unknown: known, node",
        f"unknown: other, {POOL}",
    ]


def test_the_most_expensive_part_is_first_and_the_total_is_the_sum() -> None:
    plan = make("integrated", {"inference_mode": "cluster", "environment": "prod"})

    first, expensive, *rest = cost(plan.cost)

    month = 4.47 * 730 + 2 * 60.9 + 2 * 24 + 40 + 12 + 5 + 1
    assert f"at least ${month / 730:,.2f} an hour, ${month:,.0f} for a month" in first
    assert expensive.startswith("1 x $4.4700 per hour: cluster-gpu, node (")
    assert rest[-1] == "unknown: cluster-weights, share, high performance"


def test_a_row_of_the_cost_in_json_has_its_resource_and_monthly_price() -> None:
    plan = make("split")

    (row,) = [row for row in plan.as_dict()["cost"] if row["part"] == "gateway"]

    assert row == {
        "resource": next(r.urn for r in plan.resources if r.type == row["type"]),
        "type": "aws:ec2/natGateway:NatGateway",
        "part": "gateway",
        "count": 1,
        "usd": 0.045,
        "per": "hour",
        "usd_month": 0.045 * 730,
        "source": "cloud-horizons.com, secondary, 2026-05-08",
    }


def test_a_price_per_use_is_no_monthly_price_and_not_unknown() -> None:
    (line,) = charges([planned("aws:lambda/function:Function", "api")])

    assert (line.per, line.usd_month, line.unknown) == ("use", None, False)


def test_headroom_costs_the_nodes_that_it_keeps_warm() -> None:
    """The largest number of replicas limits them."""
    plans = [
        make("split", {"inference_mode": "cluster", "gpu_headroom": headroom})
        for headroom in ("0", "1", "5")
    ]
    nodes = [{c.resource: c for c in plan.cost if c.part == "node"} for plan in plans]
    added = [line.keys() - nodes[0].keys() for line in nodes]

    assert added[0] == set()
    for of_plan, (urn,) in zip(nodes[1:], added[1:], strict=True):
        gpu_node = next(c for u, c in of_plan.items() if u.endswith("::cluster-gpu"))
        assert urn.endswith("seamless:kubernetes:Headroom::model-headroom")
        assert (of_plan[urn].count, of_plan[urn].usd) == (1, gpu_node.usd)
