"""A DOKS cluster's inputs, and its credentials.

tests/stacks/inventories/integrated-cluster.yaml has the values that do not depend on arguments.
"""

import json
import subprocess
from datetime import date
from ipaddress import IPv4Network
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

Planned = dict[str, Resource]


def observed(stack: str = "test", **arguments: Any) -> Monitor:
    """The planned resources of a cluster, with its attributes as outputs."""
    arguments = {
        "region": "atl1",
        "machine": machine("gpu-mi300x1-192gb"),
        "minimum": 0,
        "maximum": 3,
        "spills_over_to": "serverless",
        "version": "",
        "tags": ["stack:test"],
        "production": False,
        "protect": False,
        **arguments,
    }
    row = gpu(arguments["machine"].gpu)
    sharing = shared(cluster.GPU_PLATFORM, row, "exclusive", minimum_nodes=0)

    def program() -> None:
        made: contracts.Cluster = Cluster("cluster", **{"sharing": sharing, **arguments})
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


@pytest.mark.parametrize("prefix", range(16, 21))
def test_the_ranges_of_a_cluster_lie_in_its_network_and_do_not_overlap(prefix: int) -> None:
    parts = [IPv4Network(part) for part in ranges(f"172.20.0.0/{prefix}")]

    assert all(part.subnet_of(IPv4Network(f"172.20.0.0/{prefix}")) for part in parts)
    assert not any(one.overlaps(other) for one, other in combinations(parts, 2))


@pytest.mark.parametrize("cidr", ["10.30.0.0/15", "10.30.0.0/21"])
def test_a_range_that_cannot_be_split_is_refused(cidr: str) -> None:
    with pytest.raises(ValueError, match=f"network_cidr {cidr} cannot be split: give a range from"):
        ranges(cidr)


def test_the_gpu_pool_scales_to_zero_and_leaves_taints_and_drivers_to_doks(dev: Planned) -> None:
    pool = dev["KubernetesNodePool"].inputs

    assert (pool["autoScale"], pool["minNodes"], pool["maxNodes"]) == (True, 0, 3)
    assert pool["labels"] == {
        "seamless.dev/pool": "gpu",
        "seamless.dev/spills-over-to": "serverless",
    }
    assert "taints" not in pool
    assert [key for key in dev["KubernetesCluster"].inputs if "Gpu" in key] == []


@pytest.mark.parametrize(
    ("kind", "key"),
    [("KubernetesCluster", "vpcUuid"), ("KubernetesNodePool", "clusterId"), ("Nfs", "vpcId")],
)
def test_nodes_and_weights_belong_to_the_cluster_and_its_network(
    dev: Planned, kind: str, key: str
) -> None:
    assert used(dev[kind], key) == ["cluster"]


@pytest.mark.parametrize(
    ("slug", "resource"),
    [("gpu-mi300x1-192gb", "amd.com/gpu"), ("gpu-h100x1-80gb", "nvidia.com/gpu")],
)
def test_the_resource_and_the_taint_of_a_gpu_have_the_name_of_its_vendor(
    slug: str, resource: str
) -> None:
    outputs = observed(machine=machine(slug)).stack_outputs

    assert (outputs["taint"], outputs["resource"]) == (resource, resource)
    assert outputs["labels"] == {"seamless.dev/pool": "gpu"}
    assert set(outputs["volume"]) == {"nfs"}


def test_the_partition_mode_and_the_size_of_the_weights_are_arguments(dev: Planned) -> None:
    sharing = shared(cluster.GPU_PLATFORM, gpu("mi300x"), "amd-partition:DPX_NPS2", minimum_nodes=0)
    changed = by_type(observed(sharing=sharing, share_gib=1_600))

    assert dev["KubernetesNodePool"].inputs.get("gpuPartitionMode") is None
    assert changed["KubernetesNodePool"].inputs["gpuPartitionMode"] == "AMD_PARTITION_MODE_DPX_NPS2"
    assert changed["Nfs"].inputs["size"] == 1_600


def test_the_exposure_is_a_network_load_balancer_with_a_valid_name() -> None:
    outputs = observed(stack="My_Stack").stack_outputs

    assert outputs["service"] == "LoadBalancer"
    assert outputs["annotations"] == {
        "service.beta.kubernetes.io/do-loadbalancer-name": "My-Stack-cluster",
        "service.beta.kubernetes.io/do-loadbalancer-type": "REGIONAL_NETWORK",
    }


def test_an_unreachable_cluster_loses_no_resource_from_the_state(dev: Planned) -> None:
    """The provider has no option to delete unreachable resources."""
    assert dev["kubernetes"].inputs.keys() == {"kubeconfig"}


def test_the_kubeconfig_gets_a_token_for_the_deployers_account_at_every_use(tmp_path: Path) -> None:
    client = tmp_path / "doctl"
    client.write_text('#!/bin/sh\necho "$DIGITALOCEAN_ACCESS_TOKEN $*"\n')
    client.chmod(0o755)
    document = json.loads(
        kubeconfig(
            name="doks", server="s", authority="a", command=["sh", "-c", cluster.ASK_DOCTL, "id"]
        )
    )
    run = document["users"][0]["user"]["exec"]

    output = subprocess.run(
        [run["command"], *run["args"]],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "DIGITALOCEAN_TOKEN": "token-of-a-test"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    arguments = "kubernetes cluster kubeconfig exec-credential --version=v1beta1 id"
    assert output == f"token-of-a-test {arguments}\n"
    assert "token-of-a-test" not in json.dumps(document)


@pytest.mark.parametrize("minimum", [0, 2], ids=["fallback", "two nodes"])
def test_all_policies_are_met_in_prod(minimum: int) -> None:
    planned = observed(production=True, protect=True, minimum=minimum).planned

    assert evaluate(RULES, planned, environment="prod", today=date(2026, 11, 22)) == []


def test_no_region_has_both_functions_and_gpus_with_shares() -> None:
    assert set(cluster.REGIONS) & set(regions.FUNCTIONS) == set()
