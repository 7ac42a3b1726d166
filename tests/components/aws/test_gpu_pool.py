"""The tags, labels and repair settings of the GPU node group."""

from typing import Any

import pulumi
import pytest

from analysis.mock_engine import Monitor, observe
from components import contracts
from components.aws.cluster.eks import GPU_PLATFORM, Cluster
from components.aws.network import Network
from components.kubernetes.scheduling.gpu_sharing import shared
from sizing.machines import gpu, machine

HINT = "k8s.io/cluster-autoscaler/node-template/"


def asked(sharing: str, *, minimum: int = 0) -> Monitor:
    row = machine("g6.12xlarge")  # four L4

    def program() -> None:
        network = Network("network", region="us-east-1", flow_logs=False)
        made: contracts.Cluster = Cluster(
            "cluster",
            region="us-east-1",
            network=network,
            machine=row,
            sharing=shared(GPU_PLATFORM, gpu(row.gpu), sharing, minimum_nodes=minimum),
            minimum=minimum,
            maximum=3,
            version="",
            api_cidrs=[],
            production=False,
            protect=False,
        )
        pulumi.export("resource", made.gpu_resource)
        pulumi.export("charts", sorted(made.add_ons))

    return observe(program, project="seamless", stack="test")


def nodes(monitor: Monitor) -> dict[str, Any]:
    (pool,) = [
        r.inputs
        for r in monitor.planned
        if r.type == "aws:eks/nodeGroup:NodeGroup" and "gpu" in r.name
    ]
    return dict(pool)


def hints(monitor: Monitor) -> dict[str, str]:
    """Tags that describe a node of an empty group to the cluster autoscaler."""
    tags = [r.inputs["tag"] for r in monitor.planned if r.type == "aws:autoscaling/tag:Tag"]
    return {tag["key"].removeprefix(HINT): tag["value"] for tag in tags}


@pytest.mark.parametrize(
    ("sharing", "resource", "count"),
    [
        ("exclusive", "nvidia.com/gpu", "4"),
        ("time-slicing:4", "nvidia.com/gpu.shared", "16"),
        ("mps:2", "nvidia.com/gpu.shared", "8"),
    ],
)
def test_an_empty_pool_says_how_many_shares_a_node_would_bring(
    sharing: str, resource: str, count: str
) -> None:
    monitor = asked(sharing)
    assert hints(monitor)[f"resources/{resource}"] == count
    assert monitor.stack_outputs["resource"] == resource


def test_claimed_gpus_are_no_resource_that_a_node_would_bring() -> None:
    monitor = asked("dra", minimum=1)
    assert not [hint for hint in hints(monitor) if hint.startswith("resources/")]
    assert nodes(monitor)["labels"]["nvidia.com/gpu.present"] == "true"
    assert monitor.stack_outputs["resource"] == ""


def test_nodes_carry_what_the_device_plugin_looks_for() -> None:
    for sharing, more in (("exclusive", {}), ("mps:2", {"nvidia.com/mps.capable": "true"})):
        monitor = asked(sharing)
        wanted = {"nvidia.com/gpu.present": "true", **more}
        assert wanted.items() <= nodes(monitor)["labels"].items()
        assert {f"label/{key}" for key in wanted} <= hints(monitor).keys()


def test_sick_nodes_are_replaced_one_by_one_until_there_are_too_many() -> None:
    assert nodes(asked("exclusive"))["nodeRepairConfig"] == {
        "enabled": True,
        "maxParallelNodesRepairedCount": 1,
        "maxUnhealthyNodeThresholdCount": 2,
    }


def test_what_eks_does_not_manage_is_asked_for_and_disks_have_a_driver() -> None:
    monitor = asked("exclusive")
    assert monitor.stack_outputs["charts"] == ["cluster-autoscaler", "dcgm-exporter"]
    names = {r.inputs["addonName"] for r in monitor.planned if r.type == "aws:eks/addon:Addon"}
    assert {"aws-ebs-csi-driver", "aws-efs-csi-driver"} <= names
