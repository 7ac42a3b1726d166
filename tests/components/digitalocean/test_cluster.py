"""The inputs of a DOKS cluster, and the parts that DOKS manages itself."""

import json
import subprocess
from collections.abc import Callable
from datetime import date
from ipaddress import ip_network
from itertools import combinations
from pathlib import Path
from typing import Any

import pulumi
import pytest

from analysis.mock_engine import Monitor, observe
from components import contracts
from components.digitalocean import cluster, regions
from components.digitalocean.cluster import Cluster, ranges
from components.kubernetes.base.kubeconfig import kubeconfig
from components.kubernetes.scheduling.gpu_sharing import shared
from policies.catalogue import RULES
from policies.evaluation import evaluate
from policies.resource import Resource
from sizing.machines import gpu, machine
from tests.support.planned import used

TODAY = date(2026, 11, 22)

Planned = dict[str, Resource]


def observed(stack: str = "test", **given: Any) -> Monitor:
    """The planned resources of a cluster, with its attributes as outputs."""
    facts: dict[str, Any] = {
        "region": "atl1",
        "machine": machine("gpu-mi300x1-192gb"),
        "minimum": 0,
        "maximum": 3,
        "spills_over_to": "serverless",
        "version": "",
        "tags": ["stack:test"],
        "production": False,
        "protect": False,
        **given,
    }
    on = gpu(facts["machine"].gpu)
    facts.setdefault("sharing", shared(cluster.GPU_PLATFORM, on, "exclusive", minimum_nodes=0))

    def program() -> None:
        made: contracts.Cluster = Cluster("cluster", **facts)
        pulumi.export("labels", made.gpu_labels)
        pulumi.export("taint", made.gpu_taint)
        pulumi.export("resource", made.gpu_resource)
        pulumi.export("volume", made.weights_volume)
        pulumi.export("service", made.exposure.service_type)
        pulumi.export("annotations", made.exposure.annotations)

    return observe(program, project="seamless", stack=stack)


def by_type(monitor: Monitor) -> Planned:
    return {resource.type.split(":")[-1]: resource for resource in monitor.planned}


@pytest.fixture(scope="module")
def dev() -> Planned:
    return by_type(observed())


@pytest.fixture(scope="module")
def prod() -> Planned:
    return by_type(observed(production=True, protect=True, minimum=2))


def test_its_parts_have_ranges_of_their_own_in_its_network(dev: Planned) -> None:
    made = dev["KubernetesCluster"].inputs
    parts = [
        ip_network(part)
        for part in (dev["Vpc"].inputs["ipRange"], made["clusterSubnet"], made["serviceSubnet"])
    ]

    assert [str(part) for part in parts] == ["10.20.128.0/20", "10.20.0.0/18", "10.20.64.0/22"]
    assert not any(one.overlaps(other) for one, other in combinations(parts, 2))
    assert used(dev["KubernetesCluster"], "vpcUuid") == ["cluster"]


@pytest.mark.parametrize("cidr", ["10.30.0.0/15", "10.30.0.0/21"])
def test_a_range_that_cannot_be_split_is_refused(cidr: str) -> None:
    with pytest.raises(ValueError, match=f"network_cidr {cidr} cannot be split: give a range from"):
        ranges(cidr)


def test_a_range_of_ones_own_stays_within_itself() -> None:
    assert ranges("172.20.16.0/20") == ("172.20.24.0/24", "172.20.16.0/22", "172.20.20.0/26")


def test_doks_upgrades_it_by_itself_on_sundays_with_a_node_to_spare(dev: Planned) -> None:
    made = dev["KubernetesCluster"].inputs

    assert made["version"] == "1.35"
    assert (made["autoUpgrade"], made["surgeUpgrade"]) == (True, True)
    assert made["maintenancePolicy"] == {"day": "sunday", "startTime": "04:00"}


def test_the_control_plane_is_doubled_in_prod_alone(dev: Planned, prod: Planned) -> None:
    assert dev["KubernetesCluster"].inputs["ha"] is False
    assert prod["KubernetesCluster"].inputs["ha"] is True


def test_what_the_cluster_made_goes_with_it_except_in_prod(dev: Planned, prod: Planned) -> None:
    assert dev["KubernetesCluster"].inputs["destroyAllAssociatedResources"] is True
    assert prod["KubernetesCluster"].inputs["destroyAllAssociatedResources"] is False


def test_the_cluster_itself_has_cpu_nodes_only(dev: Planned) -> None:
    pool = dev["KubernetesCluster"].inputs["nodePool"]

    assert pool["size"] == "s-2vcpu-4gb"
    assert pool["nodeCount"] == 2
    assert pool["labels"] == {"seamless.dev/pool": "system"}


def test_gpus_are_a_pool_that_shrinks_to_nothing_and_grows_to_a_cap(dev: Planned) -> None:
    pool = dev["KubernetesNodePool"].inputs

    assert pool["size"] == "gpu-mi300x1-192gb"
    assert (pool["autoScale"], pool["minNodes"], pool["maxNodes"]) == (True, 0, 3)
    assert pool["labels"] == {
        "seamless.dev/pool": "gpu",
        "seamless.dev/spills-over-to": "serverless",
    }
    assert used(dev["KubernetesNodePool"], "clusterId") == ["cluster"]


def test_drivers_plugins_and_taints_are_left_to_doks(dev: Planned) -> None:
    assert "taints" not in dev["KubernetesNodePool"].inputs
    assert [key for key in dev["KubernetesCluster"].inputs if "Gpu" in key] == []


@pytest.mark.parametrize(
    ("slug", "resource"),
    [("gpu-mi300x1-192gb", "amd.com/gpu"), ("gpu-h100x1-80gb", "nvidia.com/gpu")],
)
def test_a_vendors_gpus_are_asked_for_by_its_name(slug: str, resource: str) -> None:
    outputs = observed(machine=machine(slug)).stack_outputs

    assert (outputs["taint"], outputs["resource"]) == (resource, resource)
    assert outputs["labels"] == {"seamless.dev/pool": "gpu"}


def test_a_partition_mode_is_one_of_the_pool(dev: Planned) -> None:
    parted = shared(cluster.GPU_PLATFORM, gpu("mi300x"), "amd-partition:DPX_NPS2", minimum_nodes=0)

    assert dev["KubernetesNodePool"].inputs.get("gpuPartitionMode") is None
    pool = by_type(observed(sharing=parted))["KubernetesNodePool"]
    assert pool.inputs["gpuPartitionMode"] == "AMD_PARTITION_MODE_DPX_NPS2"


def test_the_weights_lie_where_only_the_clusters_network_reaches(dev: Planned) -> None:
    share = dev["Nfs"]

    assert used(share, "vpcId") == ["cluster"]
    assert share.inputs["region"] == dev["Vpc"].inputs["region"] == "atl1"
    assert share.inputs["performanceTier"] == "high"
    assert share.inputs["size"] == 500
    assert by_type(observed(share_gib=1_600))["Nfs"].inputs["size"] == 1_600
    assert set(observed().stack_outputs["volume"]) == {"nfs"}


def test_the_exposure_is_a_balancer_that_hands_packets_on_under_a_name_that_is_allowed() -> None:
    outputs = observed(stack="My_Stack").stack_outputs

    assert outputs["service"] == "LoadBalancer"
    assert outputs["annotations"] == {
        "service.beta.kubernetes.io/do-loadbalancer-name": "My-Stack-cluster",
        "service.beta.kubernetes.io/do-loadbalancer-type": "REGIONAL_NETWORK",
    }


def test_losing_sight_of_it_forgets_nothing(dev: Planned) -> None:
    assert dev["kubernetes"].inputs.keys() == {"kubeconfig"}


def test_a_token_is_asked_for_at_every_use_with_the_account_of_whoever_deploys(
    tmp_path: Path,
) -> None:
    client = tmp_path / "doctl"
    client.write_text('#!/bin/sh\necho "$DIGITALOCEAN_ACCESS_TOKEN $*"\n')
    client.chmod(0o755)
    document = json.loads(
        kubeconfig(
            name="doks", server="s", authority="a", command=["sh", "-c", cluster.ASK_DOCTL, "id"]
        )
    )
    run = document["users"][0]["user"]["exec"]

    said = subprocess.run(
        [run["command"], *run["args"]],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "DIGITALOCEAN_TOKEN": "token-of-a-test"},
        capture_output=True,
        text=True,
        check=True,
    )

    asked = "kubernetes cluster kubeconfig exec-credential --version=v1beta1 id"
    assert said.stdout == f"token-of-a-test {asked}\n"
    assert "token-of-a-test" not in json.dumps(document)


def test_prod_keeps_the_weights(dev: Planned, prod: Planned) -> None:
    assert not dev["Nfs"].protect
    assert prod["Nfs"].protect


@pytest.mark.parametrize(
    "monitor",
    [
        lambda: observed(production=True, protect=True),
        lambda: observed(production=True, protect=True, minimum=2),
    ],
    ids=["spills over", "two nodes"],
)
def test_every_rule_holds_in_prod(monitor: Callable[[], Monitor]) -> None:
    assert evaluate(RULES, monitor().planned, environment="prod", today=TODAY) == []


def test_no_region_has_both_functions_and_gpus_with_shares() -> None:
    assert set(cluster.REGIONS) & set(regions.FUNCTIONS) == set()
