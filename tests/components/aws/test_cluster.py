"""An EKS cluster's inputs and the order of its resources.

tests/stacks/inventories/split-cluster.yaml has the values that do not depend on arguments.
"""

import json
from datetime import date
from typing import Any

import pulumi
import pytest

from analysis.mock_engine import Monitor, observe
from components import contracts
from components.aws.cluster.eks import GPU_PLATFORM, Cluster
from components.aws.network import Network
from components.kubernetes.scheduling.gpu_sharing import shared
from policies.catalogue import RULES
from policies.evaluation import evaluate
from policies.resource import Resource
from sizing.machines import gpu, machine
from tests.support.planned import used

NODE_TEMPLATE = "k8s.io/cluster-autoscaler/node-template/"

Planned = dict[tuple[str, str], Resource]


class RecordingMonitor(Monitor):
    """Records the dependencies of each resource, beside its inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.after: dict[str, set[str]] = {}

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802  # the protocol's name
        if request.custom:  # a component has the name of its main resource, and no dependencies
            dependencies = {urn.rsplit("::", 1)[-1] for urn in request.dependencies}
            self.after[f"{request.type.split(':')[-1]} {request.name}"] = dependencies
        return super().RegisterResource(request)


def observed(
    sharing: str = "exclusive", *, cidr: str = "10.20.0.0/16", **arguments: Any
) -> RecordingMonitor:
    """The planned resources of a cluster, with its attributes as outputs."""
    row = machine("g6e.12xlarge")  # four L40S
    minimum = arguments.pop("minimum", 0)
    arguments = {
        "machine": row,
        "sharing": shared(GPU_PLATFORM, gpu(row.gpu), sharing, minimum_nodes=minimum),
        "maximum": 3,
        "version": "",
        "api_cidrs": [],
        "admins": [],
        "gpu_zone": "a",
        "production": False,
        "protect": False,
        **arguments,
    }

    def program() -> None:
        network = Network("network", region="us-east-1", cidr=cidr, flow_logs=False, interfaces=[])
        cluster: contracts.Cluster = Cluster(
            "cluster", region="us-east-1", network=network, minimum=minimum, **arguments
        )
        pulumi.export("labels", cluster.gpu_labels)
        pulumi.export("taint", cluster.gpu_taint)
        pulumi.export("resource", cluster.gpu_resource)
        pulumi.export("charts", sorted(cluster.add_ons))
        pulumi.export("driver", cluster.weights_volume["csi"]["driver"])
        pulumi.export("service", cluster.exposure.service_type)
        pulumi.export("node_port", cluster.exposure.node_port)
        pulumi.export("sources", cluster.exposure.sources)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("analysis.mock_engine.Monitor", RecordingMonitor)
        monitor = observe(program, project="seamless", stack="test")
    assert isinstance(monitor, RecordingMonitor)
    return monitor


def by_name(monitor: Monitor) -> Planned:
    return {(r.type.split(":")[-1], r.name): r for r in monitor.planned}


@pytest.fixture(scope="module")
def monitor() -> RecordingMonitor:
    return observed()


@pytest.fixture(scope="module")
def dev(monitor: RecordingMonitor) -> Planned:
    return by_name(monitor)


@pytest.fixture(scope="module")
def prod() -> Planned:
    return by_name(observed(production=True, protect=True, minimum=1))


def autoscaler_tags(planned: Planned) -> dict[str, str]:
    """The tags that describe a node of an empty GPU group to the cluster autoscaler."""
    tags = [r for (kind, _), r in planned.items() if kind == "Tag"]
    found = [r.inputs["tag"] for r in tags if used(r, "autoscalingGroupName") == ["cluster-gpu"]]
    return {tag["key"].removeprefix(NODE_TEMPLATE): tag["value"] for tag in found}


def test_the_attributes_of_the_contract_have_the_values_of_eks(monitor: RecordingMonitor) -> None:
    assert monitor.stack_outputs == {
        "labels": {"seamless.dev/pool": "gpu"},
        "taint": "nvidia.com/gpu",
        "resource": "nvidia.com/gpu",
        "charts": ["cluster-autoscaler", "dcgm-exporter"],
        "driver": "efs.csi.aws.com",
        "service": "NodePort",
        "node_port": 30443,
        "sources": ["10.20.0.0/16"],
    }
    assert observed(cidr="10.30.0.0/16").stack_outputs["sources"] == ["10.30.0.0/16"]


def test_api_cidrs_open_the_cluster_api_to_these_networks_only(dev: Planned) -> None:
    opened = by_name(observed(api_cidrs=["198.51.100.7/32"]))["Cluster", "cluster"].inputs

    assert opened["vpcConfig"]["endpointPublicAccess"] is True
    assert opened["vpcConfig"]["publicAccessCidrs"] == ["198.51.100.7/32"]
    assert dev["Cluster", "cluster"].inputs["vpcConfig"]["publicAccessCidrs"] is None


def test_all_control_plane_logs_are_in_a_group_that_expires(dev: Planned, prod: Planned) -> None:
    cluster, group = dev["Cluster", "cluster"].inputs, dev["LogGroup", "cluster-logs"].inputs

    assert len(cluster["enabledClusterLogTypes"]) == 5
    assert cluster["name"] == "seamless-test"
    assert group["name"] == "/aws/eks/seamless-test/cluster"
    assert group["retentionInDays"] == 7
    assert prod["LogGroup", "cluster-logs"].inputs["retentionInDays"] == 90


@pytest.mark.parametrize("pool", ["system", "gpu"])
def test_a_node_pool_has_the_version_of_the_cluster_and_encrypted_disks(
    dev: Planned, pool: str
) -> None:
    group = dev["NodeGroup", f"cluster-{pool}"].inputs
    template = dev["LaunchTemplate", f"cluster-{pool}"].inputs

    assert group["version"] == dev["Cluster", "cluster"].inputs["version"]
    assert group["labels"]["seamless.dev/pool"] == pool
    assert group["updateConfig"]["maxUnavailable"] == 1
    repair = group["nodeRepairConfig"]
    assert repair["enabled"] is True
    assert repair["maxParallelNodesRepairedCount"] == 1
    assert repair["maxUnhealthyNodeThresholdCount"] == 2
    # Pods must not get the credentials of the node.
    assert template["metadataOptions"] == {"httpTokens": "required", "httpPutResponseHopLimit": 1}
    (disk,) = template["blockDeviceMappings"]
    assert disk["deviceName"] == "/dev/xvda"
    assert (disk["ebs"]["encrypted"], disk["ebs"]["volumeType"]) == ("true", "gp3")
    tags = {"project": "seamless", "stack": "test", "environment": "dev"}
    assert template["tagSpecifications"] == [
        {"resourceType": "instance", "tags": tags},
        {"resourceType": "volume", "tags": tags},
    ]


def test_gpu_nodes_are_in_one_zone_and_upgraded_without_a_further_machine(dev: Planned) -> None:
    gpus, system = dev["NodeGroup", "cluster-gpu"], dev["NodeGroup", "cluster-system"]

    assert used(gpus, "subnetIds") == ["network-private-a"]
    assert used(system, "subnetIds") == ["network-private-a", "network-private-b"]
    assert gpus.inputs["updateConfig"]["updateStrategy"] == "MINIMAL"
    assert "updateStrategy" not in system.inputs["updateConfig"]
    moved = by_name(observed(gpu_zone="b"))["NodeGroup", "cluster-gpu"]
    assert used(moved, "subnetIds") == ["network-private-b"]


def test_a_lost_connection_to_dcgm_replaces_no_gpu_node(dev: Planned) -> None:
    """The monitoring agent never takes it back."""
    (override,) = dev["NodeGroup", "cluster-gpu"].inputs["nodeRepairConfig"][
        "nodeRepairConfigOverrides"
    ]

    assert override["nodeMonitoringCondition"] == "AcceleratedHardwareReady"
    assert (override["nodeUnhealthyReason"], override["repairAction"]) == ("DCGMError", "NoAction")


def test_the_sizes_that_eks_knows_do_not_depend_on_minimum_and_maximum(dev: Planned) -> None:
    other = by_name(observed(minimum=2, maximum=5))["NodeGroup", "cluster-gpu"]

    assert other.inputs["scalingConfig"] == {"minSize": 0, "maxSize": 64, "desiredSize": 0}
    assert dev["NodeGroup", "cluster-gpu"].inputs["scalingConfig"] == other.inputs["scalingConfig"]


def test_tags_describe_a_gpu_node_to_the_autoscaler(dev: Planned) -> None:
    assert autoscaler_tags(dev) == {
        "label/seamless.dev/pool": "gpu",
        "label/k8s.amazonaws.com/accelerator": "l40s",
        "resources/nvidia.com/gpu": "4",
        "label/nvidia.com/gpu.present": "true",
        "taint/nvidia.com/gpu": "present:NoSchedule",
    }


@pytest.mark.parametrize(
    ("sharing", "resource", "resources", "labels"),
    [
        ("time-slicing:4", "nvidia.com/gpu.shared", {"nvidia.com/gpu.shared": "16"}, {}),
        (
            "mps:2",
            "nvidia.com/gpu.shared",
            {"nvidia.com/gpu.shared": "8"},
            {"nvidia.com/mps.capable": "true"},
        ),
        ("dra", "", {}, {}),
    ],
)
def test_a_sharing_mode_sets_the_resources_and_labels_of_a_node(
    sharing: str, resource: str, resources: dict[str, str], labels: dict[str, str]
) -> None:
    monitor = observed(sharing, minimum=1 if sharing == "dra" else 0)
    planned, labels = by_name(monitor), labels | {"nvidia.com/gpu.present": "true"}
    tags = autoscaler_tags(planned)

    assert monitor.stack_outputs["resource"] == resource
    assert {key: tags[key] for key in tags if key.startswith("resources/")} == {
        f"resources/{key}": count for key, count in resources.items()
    }
    assert labels.items() <= planned["NodeGroup", "cluster-gpu"].inputs["labels"].items()
    assert {f"label/{key}" for key in labels} <= tags.keys()


def test_the_autoscaler_changes_only_its_own_cluster(dev: Planned) -> None:
    read, change = dev["RolePolicy", "cluster-autoscaler"].inputs["policy"]["Statement"]

    assert [action for action in read["Action"] if ":Describe" not in action] == [
        "ec2:GetInstanceTypesFromInstanceRequirements"
    ]
    assert change["Condition"] == {
        "StringEquals": {"aws:ResourceTag/k8s.io/cluster-autoscaler/seamless-test": "owned"}
    }
    identity = dev["PodIdentityAssociation", "cluster-autoscaler"].inputs
    assert identity["namespace"] == "kube-system"
    assert identity["serviceAccount"] == "cluster-autoscaler"


@pytest.mark.parametrize(
    ("add_on", "configuration"),
    [
        ("vpc-cni", {"enableNetworkPolicy": "true"}),
        # The agent must run on the tainted nodes.
        ("eks-node-monitoring-agent", {"dcgmAgent": {"tolerations": [{"operator": "Exists"}]}}),
    ],
)
def test_an_add_on_has_its_configuration(
    dev: Planned, add_on: str, configuration: dict[str, Any]
) -> None:
    inputs = dev["Addon", f"cluster-{add_on}"].inputs

    assert json.loads(inputs["configurationValues"]) == configuration


def test_nodes_have_no_network_permissions(dev: Planned) -> None:
    """The network plugin's own role has them."""
    policies = {
        (used(r, "role")[0], r.inputs["policyArn"].rpartition("/")[2])
        for (kind, _), r in dev.items()
        if kind == "RolePolicyAttachment"
    }

    assert {policy for role, policy in policies if role == "cluster-node"} == {
        "AmazonEKSWorkerNodePolicy",
        "AmazonEC2ContainerRegistryPullOnly",
    }
    assert ("cluster-network", "AmazonEKS_CNI_Policy") in policies


NETWORKING = {
    "cluster-eks-pod-identity-agent",
    "cluster-kube-proxy",
    "cluster-network-amazoneks-cni-policy",
    "cluster-node-amazoneksworkernodepolicy",
    "cluster-vpc-cni",
}


@pytest.mark.parametrize(
    ("resource", "dependencies"),
    [
        # Without these EKS leaves resources behind when it deletes the cluster.
        (
            "Cluster cluster",
            {"cluster-control-amazoneksclusterpolicy", "cluster-logs", "network-nat"},
        ),
        ("NodeGroup cluster-system", NETWORKING),
        ("NodeGroup cluster-gpu", NETWORKING),
        (
            "kubernetes cluster",
            {
                "cluster-aws-ebs-csi-driver",
                "cluster-aws-efs-csi-driver",
                "cluster-coredns",
                "cluster-weights-a",
                "cluster-weights-b",
            },
        ),
    ],
)
def test_a_resource_is_created_after_its_dependencies(
    monitor: RecordingMonitor, resource: str, dependencies: set[str]
) -> None:
    assert monitor.after[resource] >= dependencies


@pytest.mark.parametrize(
    "add_on",
    ["coredns", "aws-ebs-csi-driver", "aws-efs-csi-driver", "eks-node-monitoring-agent"],
)
def test_an_add_on_waits_for_cpu_nodes_and_not_for_gpus(
    monitor: RecordingMonitor, add_on: str
) -> None:
    after = monitor.after[f"Addon cluster-{add_on}"]

    assert "cluster-system" in after
    assert "cluster-gpu" not in after


def test_each_administrator_has_an_access_entry() -> None:
    arns = ["arn:aws:iam::123456789012:role/ops/deploy", "arn:aws:iam::123456789012:user/ann"]
    planned = by_name(observed(admins=arns))

    entries = [r for (kind, _), r in planned.items() if kind == "AccessEntry"]
    policies = [r for (kind, _), r in planned.items() if kind == "AccessPolicyAssociation"]
    assert [entry.inputs["principalArn"] for entry in entries] == arns
    assert [policy.inputs["principalArn"] for policy in policies] == arns
    assert {policy.inputs["policyArn"].rpartition("/")[2] for policy in policies} == {
        "AmazonEKSClusterAdminPolicy"
    }


def test_all_clients_of_the_weights_have_one_user(dev: Planned) -> None:
    access_point = dev["AccessPoint", "cluster-weights"].inputs
    mounts = [r for (kind, _), r in dev.items() if kind == "MountTarget"]

    assert access_point["posixUser"] == {"uid": 2000, "gid": 2000}
    assert access_point["rootDirectory"] == {
        "path": "/weights",
        "creationInfo": {"ownerUid": 2000, "ownerGid": 2000, "permissions": "0755"},
    }
    assert [used(mount, "securityGroups") for mount in mounts] == [["cluster-weights"]] * 2


def test_the_load_balancer_forwards_tcp_to_the_system_nodes(dev: Planned) -> None:
    target = dev["TargetGroup", "cluster-load-balancer"].inputs

    assert (target["port"], target["protocol"], target["targetType"]) == (30443, "TCP", "instance")
    assert target["healthCheck"] == {"protocol": "TCP", "port": "30443", "interval": 10}
    attachment = dev["Attachment", "cluster-load-balancer"]
    assert used(attachment, "autoscalingGroupName") == ["cluster-system"]


@pytest.mark.parametrize(
    ("rule", "group", "peer", "port"),
    [
        ("Ingress cluster-load-balancer-functions", "load-balancer", "network-functions", 443),
        ("Egress cluster-load-balancer-out", "load-balancer", "cluster", 30443),
        ("Ingress cluster-load-balancer-nodes", "", "cluster-load-balancer", 30443),
        ("Ingress cluster-weights", "weights", "cluster", 2049),
    ],
)
def test_a_security_group_opens_one_port_to_one_other_group(
    dev: Planned, rule: str, group: str, peer: str, port: int
) -> None:
    direction, name = rule.split()
    planned = dev[f"SecurityGroup{direction}Rule", name]

    assert used(planned, "securityGroupId") == [f"cluster-{group}".rstrip("-")]
    assert used(planned, "referencedSecurityGroupId") == [peer]
    assert (planned.inputs["fromPort"], planned.inputs["toPort"]) == (port, port)
    assert "cidrIpv4" not in planned.inputs


def test_the_network_plugin_and_the_secrets_have_their_own_identity_and_key(dev: Planned) -> None:
    assert used(dev["Cluster", "cluster"], "encryptionConfig") == ["cluster-key"]
    plugin = dev["Addon", "cluster-vpc-cni"]
    assert used(plugin, "podIdentityAssociations") == ["cluster-network"]
    (identity,) = plugin.inputs["podIdentityAssociations"]
    assert identity["serviceAccount"] == "aws-node"


def test_all_policies_are_met_in_prod(prod: Planned) -> None:
    found = evaluate(RULES, prod.values(), environment="prod", today=date(2026, 11, 22))
    assert found == []
