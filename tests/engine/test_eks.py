"""A cluster at the simulated EKS lives through changes of its config, on a real engine.

The tests run in order, on one deployment.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.engine.test_clouds import INFERENCE_KEY, MODELS, SPLIT, Deployment, steps, typed_steps
from tests.support import inference_servers
from tests.support.accounts import digitalocean as functions_api
from tests.support.clouds import launch
from tests.support.clouds.eks import CREATOR, NODE_GROUP, default_version
from tests.support.clouds.world import World
from tests.support.engine.clone import clone

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

PERSON = "arn:aws:iam::123456789012:role/person"


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A stack with a cluster, which another identity than `PERSON` created."""
    folder = tmp_path_factory.mktemp("eks")
    world = World(folder=folder / "clouds", cloud="aws")
    environment = {**launch.environment(world.folder), "COLUMNS": "250"}
    settings = {
        "inference_mode": "cluster",
        "inference_model": MODELS[0],
        "kubernetes_version": "1.34",
        "cluster_api_cidrs": "192.0.2.7/32",
    }
    with (
        functions_api.running() as api,
        inference_servers.serving(MODELS, INFERENCE_KEY) as inference,
        clone(folder / "clone", "split", environment) as copy,
    ):
        copy.configure("inference_api_key", INFERENCE_KEY, secret=True)
        for key, value in (settings | {"inference_url": inference}).items():
            copy.configure(key, value)
        found = Deployment(story=SPLIT, clone=copy, world=world, api=api)
        found.run("up")
        yield found


def gpu_nodes(deployed: Deployment) -> dict[str, Any]:
    """The sizes of the GPU nodes' group."""
    sizes: dict[str, Any] = deployed.of("cluster-gpu", NODE_GROUP)["scalingConfig"]
    return sizes


def test_a_second_up_changes_nothing(deployed: Deployment) -> None:
    assert steps(deployed.run("preview")) == {}


def test_another_minimum_and_maximum_keep_the_size_that_the_autoscaler_set(
    deployed: Deployment,
) -> None:
    with deployed.world.change() as resources:
        (group,) = [
            found
            for found in resources.values()
            if (found["type"], found["name"]) == (NODE_GROUP, "cluster-gpu")
        ]
        group["outputs"]["scalingConfig"]["desiredSize"] = 4
    deployed.clone.configure("gpu_minimum", "2")
    deployed.clone.configure("gpu_maximum", "3")

    changed = typed_steps(deployed.run("up"))["updated"]

    assert gpu_nodes(deployed)["desiredSize"] == 4
    assert "model-add-ons-cluster-autoscaler" in {name for name, _ in changed}
    assert ("cluster-gpu", NODE_GROUP) not in changed


def test_drift_is_not_what_the_autoscaler_did(deployed: Deployment) -> None:
    printed = deployed.clone.run("preview", "split", "--drift")

    assert typed_steps(printed) == {}


def test_add_ons_follow_the_version_of_kubernetes(deployed: Deployment) -> None:
    assert deployed.of("cluster-coredns")["addonVersion"] == default_version("coredns", "1.34")
    deployed.clone.configure("kubernetes_version", "1.35")

    changed = steps(deployed.run("up"))

    assert {"cluster-coredns", "cluster-kube-proxy", "cluster-vpc-cni"} <= changed["updated"]
    assert deployed.of("cluster-coredns")["addonVersion"] == default_version("coredns", "1.35")
    assert steps(deployed.run("preview")) == {}


def test_eks_skips_no_version_of_kubernetes(deployed: Deployment) -> None:
    deployed.clone.configure("kubernetes_version", "1.37")

    printed = deployed.run("up", expect=1)
    deployed.clone.configure("kubernetes_version", "1.35")

    assert "Unsupported Kubernetes minor version update from 1.35 to 1.37" in printed
    assert deployed.of("cluster", "aws:eks/cluster:Cluster")["version"] == "1.35"


def test_a_further_administrator_is_added_and_its_creator_refused(deployed: Deployment) -> None:
    deployed.clone.configure("cluster_admins", f"{PERSON},{CREATOR}")
    printed = deployed.run("up", expect=1)
    deployed.clone.configure("cluster_admins", PERSON)
    deployed.run("up")

    assert "access entry resource is already in use" in printed
    name = "cluster-admin-123456789012-role-person"
    association = deployed.of(name, "aws:eks/accessPolicyAssociation:AccessPolicyAssociation")
    assert association["policyArn"].endswith("/AmazonEKSClusterAdminPolicy")
    assert association["accessScope"] == {"type": "cluster"}
