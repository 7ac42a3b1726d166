"""A cluster of either cloud comes, stays as it is, and goes again, on a real engine.

What is inside it is another test's; whether a real cloud takes it is not shown here.
"""

from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from components.aws.cluster import eks
from components.aws.network import Network
from components.digitalocean import cluster as doks
from components.kubernetes.scheduling.gpu_sharing import shared
from sizing.machines import gpu, machine
from tests.support.clouds.small import Small

pytestmark = [
    pytest.mark.nightly,  # deployments of the stacks use the same simulation every day
    # The SDK leaves tasks behind when the engine ends a program that runs in this process, also
    # one of another test.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def at_aws() -> None:
    """A cluster for functions in a VPC."""
    provider = aws.Provider("aws", region="us-east-1")
    opts = pulumi.ResourceOptions(providers=[provider])
    network = Network("network", region="us-east-1", flow_logs=False, opts=opts)
    made = eks.Cluster(
        "cluster",
        region="us-east-1",
        network=network,
        machine=machine("g6e.xlarge"),
        sharing=shared(eks.GPU_PLATFORM, gpu("l40s"), "exclusive", minimum_nodes=0),
        minimum=0,
        maximum=2,
        version="",
        api_cidrs=[],
        production=False,
        protect=False,
        opts=opts,
    )
    pulumi.export("volume", made.weights_volume)


def at_digitalocean() -> None:
    """A cluster for functions without a VPC."""
    made = doks.Cluster(
        "cluster",
        region="atl1",
        machine=machine("gpu-mi300x1-192gb"),
        sharing=shared(doks.GPU_PLATFORM, gpu("mi300x"), "exclusive", minimum_nodes=0),
        minimum=0,
        maximum=2,
        spills_over_to="serverless",
        version="",
        tags=[],
        production=False,
        protect=False,
    )
    pulumi.export("volume", made.weights_volume)


def test_a_cluster_at_aws_comes_stays_and_goes(small: Small) -> None:
    volume = small.up(at_aws)["volume"]
    small.up(at_aws)

    assert set(small.changes) == {"same"}
    share, door = (r["id"] for r in _of_types(small, "aws", "FileSystem", "AccessPoint"))
    assert volume == {"csi": {"driver": "efs.csi.aws.com", "volumeHandle": f"{share}::{door}"}}
    group = small.outputs("cluster")["vpcConfig"]["clusterSecurityGroupId"]
    rules = _of_types(small, "aws", "SecurityGroupIngressRule")
    assert [r["name"] for r in rules if r["outputs"]["referencedSecurityGroupId"] == group] == [
        "cluster-weights"
    ]

    small.destroy()
    assert small.names() == set()


def test_a_cluster_at_digitalocean_comes_stays_and_goes(small: Small) -> None:
    volume = small.up(at_digitalocean)["volume"]
    small.up(at_digitalocean)

    assert set(small.changes) == {"same"}
    (share,) = _of_types(small, "digitalocean", "Nfs")
    assert volume == {"nfs": {"server": "10.20.128.2", "path": f"/123456/{share['id']}"}}

    small.destroy()
    assert small.names("digitalocean") == set()


def _of_types(small: Small, cloud: str, *kinds: str) -> list[dict[str, Any]]:
    """What exists of these types, in their order."""
    made = small.world(cloud).resources().values()
    return [r for kind in kinds for r in made if r["type"].split(":")[-1] == kind]
