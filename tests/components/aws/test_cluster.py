"""The inputs of an EKS cluster: private, encrypted, repaired and logged."""

import json
import re
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
from tests.support.planned import parent_name, used

TODAY = date(2026, 11, 22)

TAG = "k8s.io/cluster-autoscaler/node-template"

Planned = dict[tuple[str, str], Resource]


class RecordingMonitor(Monitor):
    """Records the dependencies of each resource, beside its inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.after: dict[tuple[str, str], set[str]] = {}

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802  # the protocol's name
        made_after = {urn.rsplit("::", 1)[-1] for urn in request.dependencies}
        # A component has the name of what it is made around, and waits for nothing itself.
        if request.custom:
            self.after[request.type.split(":")[-1], request.name] = made_after
        return super().RegisterResource(request)


def observed(cidr: str = "10.20.0.0/16", **given: Any) -> RecordingMonitor:
    """The planned resources of a cluster, with its attributes as outputs."""
    facts: dict[str, Any] = {
        "region": "us-east-1",
        "machine": machine("g6e.12xlarge"),
        "sharing": shared(GPU_PLATFORM, gpu("l40s"), "exclusive", minimum_nodes=0),
        "minimum": 0,
        "maximum": 3,
        "version": "",
        "api_cidrs": [],
        "production": False,
        "protect": False,
        **given,
    }

    def program() -> None:
        network = Network("network", region="us-east-1", cidr=cidr, flow_logs=False)
        made: contracts.Cluster = Cluster("cluster", network=network, **facts)
        pulumi.export("labels", made.gpu_labels)
        pulumi.export("taint", made.gpu_taint)
        pulumi.export("resource", made.gpu_resource)
        pulumi.export("volume", made.weights_volume)
        pulumi.export("service", made.exposure.service_type)
        pulumi.export("node_port", made.exposure.node_port)
        pulumi.export("sources", made.exposure.sources)

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


def of_type(planned: Planned, kind: str) -> list[Resource]:
    return [resource for (type_, _), resource in planned.items() if type_ == kind]


def test_its_api_has_a_private_address_only(dev: Planned) -> None:
    reach = dev["Cluster", "cluster"].inputs["vpcConfig"]

    assert (reach["endpointPrivateAccess"], reach["endpointPublicAccess"]) == (True, False)
    assert reach["publicAccessCidrs"] is None


def test_whoever_is_named_reaches_its_api_from_outside() -> None:
    named = by_name(observed(api_cidrs=["198.51.100.7/32"]))

    reach = named["Cluster", "cluster"].inputs["vpcConfig"]
    assert (reach["endpointPrivateAccess"], reach["endpointPublicAccess"]) == (True, True)
    assert reach["publicAccessCidrs"] == ["198.51.100.7/32"]


def test_secrets_are_encrypted_by_a_key_that_rotates(dev: Planned) -> None:
    made = dev["Cluster", "cluster"]

    assert made.inputs["encryptionConfig"]["resources"] == ["secrets"]
    assert used(made, "encryptionConfig") == ["cluster-key"]
    assert dev["Key", "cluster-key"].inputs["enableKeyRotation"] is True


def test_every_log_is_on_and_kept_for_a_while(dev: Planned, prod: Planned) -> None:
    made = dev["Cluster", "cluster"].inputs

    assert made["enabledClusterLogTypes"] == [
        *("api", "audit", "authenticator", "controllerManager", "scheduler")
    ]
    group = dev["LogGroup", "cluster-logs"].inputs
    assert group["name"] == f"/aws/eks/{made['name']}/cluster" == "/aws/eks/seamless-test/cluster"
    assert group["retentionInDays"] == 7
    assert prod["LogGroup", "cluster-logs"].inputs["retentionInDays"] == 90


def test_access_is_by_entries_and_extended_support_is_off(dev: Planned) -> None:
    made = dev["Cluster", "cluster"].inputs

    assert made["accessConfig"]["authenticationMode"] == "API"
    assert made["upgradePolicy"] == {"supportType": "STANDARD"}
    assert made["version"] == "1.35"


def test_prod_keeps_the_cluster_its_key_and_the_weights(dev: Planned, prod: Planned) -> None:
    kept = {name for (_, name), resource in prod.items() if resource.protect}

    assert kept == {"cluster", "cluster-key", "cluster-weights"}
    assert {name for (_, name), resource in dev.items() if resource.protect} == set()
    assert prod["Cluster", "cluster"].inputs["deletionProtection"] is True


@pytest.mark.parametrize(
    ("pool", "machine_type", "image", "sizes"),
    [
        ("system", "m7i.large", "AL2023_x86_64_STANDARD", (2, 4)),
        ("gpu", "g6e.12xlarge", "AL2023_x86_64_NVIDIA", (0, 3)),
    ],
)
def test_nodes_are_managed_and_repaired_and_begin_with_the_fewest(
    dev: Planned, pool: str, machine_type: str, image: str, sizes: tuple[int, int]
) -> None:
    group = dev["NodeGroup", f"cluster-{pool}"].inputs

    assert (group["instanceTypes"], group["amiType"]) == ([machine_type], image)
    least, most = sizes
    assert group["scalingConfig"] == {"minSize": least, "maxSize": most, "desiredSize": least}
    assert group["nodeRepairConfig"]["enabled"] is True
    assert group["updateConfig"] == {"maxUnavailable": 1}
    assert group["version"] == dev["Cluster", "cluster"].inputs["version"]
    assert group["labels"]["seamless.dev/pool"] == pool


@pytest.mark.parametrize("pool", ["system", "gpu"])
def test_disks_are_encrypted_and_pods_get_no_credentials_of_the_node(
    dev: Planned, pool: str
) -> None:
    template = dev["LaunchTemplate", f"cluster-{pool}"].inputs

    assert template["metadataOptions"] == {"httpTokens": "required", "httpPutResponseHopLimit": 1}
    (disk,) = template["blockDeviceMappings"]
    assert disk["deviceName"] == "/dev/xvda"
    assert (disk["ebs"]["encrypted"], disk["ebs"]["volumeType"]) == ("true", "gp3")


def test_gpu_nodes_alone_are_tainted(dev: Planned, monitor: RecordingMonitor) -> None:
    assert dev["NodeGroup", "cluster-gpu"].inputs["taints"] == [
        {"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"}
    ]
    assert dev["NodeGroup", "cluster-system"].inputs["taints"] == []
    outputs = monitor.stack_outputs
    assert (outputs["taint"], outputs["resource"]) == ("nvidia.com/gpu", "nvidia.com/gpu")
    assert outputs["labels"] == {"seamless.dev/pool": "gpu"}


def test_the_autoscaler_knows_what_a_group_without_nodes_could_offer(dev: Planned) -> None:
    tags = [tag for tag in of_type(dev, "Tag") if parent_name(tag) == "cluster-gpu"]

    assert {tag.inputs["tag"]["key"]: tag.inputs["tag"]["value"] for tag in tags} == {
        f"{TAG}/label/seamless.dev/pool": "gpu",
        f"{TAG}/label/k8s.amazonaws.com/accelerator": "l40s",
        f"{TAG}/resources/nvidia.com/gpu": "4",
        f"{TAG}/label/nvidia.com/gpu.present": "true",
        f"{TAG}/taint/nvidia.com/gpu": "present:NoSchedule",
    }
    assert all(used(tag, "autoscalingGroupName") == ["cluster-gpu"] for tag in tags)


def test_the_autoscaler_acts_on_its_own_cluster_only(dev: Planned) -> None:
    look, act = dev["RolePolicy", "cluster-autoscaler"].inputs["policy"]["Statement"]

    assert [action for action in look["Action"] if ":Describe" not in action] == [
        "ec2:GetInstanceTypesFromInstanceRequirements"
    ]
    assert act["Condition"] == {
        "StringEquals": {"aws:ResourceTag/k8s.io/cluster-autoscaler/seamless-test": "owned"}
    }
    identity = dev["PodIdentityAssociation", "cluster-autoscaler"].inputs
    assert (identity["namespace"], identity["serviceAccount"]) == (
        "kube-system",
        "cluster-autoscaler",
    )


def test_a_node_may_describe_machines_and_pull_images_and_no_more(dev: Planned) -> None:
    attached = {
        (used(r, "role")[0], r.inputs["policyArn"].removeprefix("arn:aws:iam::aws:policy/"))
        for r in of_type(dev, "RolePolicyAttachment")
    }

    assert attached == {
        ("cluster-control", "AmazonEKSClusterPolicy"),
        ("cluster-node", "AmazonEKSWorkerNodePolicy"),
        ("cluster-node", "AmazonEC2ContainerRegistryPullOnly"),
        ("cluster-network", "AmazonEKS_CNI_Policy"),
        ("cluster-storage", "service-role/AmazonEFSCSIDriverPolicy"),
        ("cluster-storage", "service-role/AmazonEBSCSIDriverPolicy"),
    }


def test_policies_between_pods_are_enforced(dev: Planned) -> None:
    plugin = dev["Addon", "cluster-vpc-cni"]

    assert json.loads(plugin.inputs["configurationValues"]) == {"enableNetworkPolicy": "true"}
    (identity,) = plugin.inputs["podIdentityAssociations"]
    assert identity["serviceAccount"] == "aws-node"
    assert used(plugin, "podIdentityAssociations") == ["cluster-network"]


def test_the_monitoring_agent_runs_on_the_tainted_nodes(dev: Planned) -> None:
    agent = dev["Addon", "cluster-eks-node-monitoring-agent"].inputs

    assert json.loads(agent["configurationValues"]) == {
        "dcgmAgent": {"tolerations": [{"operator": "Exists"}]}
    }


def test_the_cluster_has_its_permissions_logs_and_egress_before_it_is_there(
    monitor: RecordingMonitor,
) -> None:
    """And so they are deleted after it: without them EKS leaves resources behind."""
    assert monitor.after["Cluster", "cluster"] >= {
        "cluster-control-amazoneksclusterpolicy",
        "cluster-logs",
        "network-nat",
    }


@pytest.mark.parametrize("pool", ["system", "gpu"])
def test_a_node_finds_a_network_when_it_joins(monitor: RecordingMonitor, pool: str) -> None:
    assert monitor.after["NodeGroup", f"cluster-{pool}"] >= {
        "cluster-eks-pod-identity-agent",
        "cluster-kube-proxy",
        "cluster-network-amazoneks-cni-policy",
        "cluster-node-amazoneksworkernodepolicy",
        "cluster-vpc-cni",
    }


def test_what_is_in_the_cluster_goes_before_what_serves_it(monitor: RecordingMonitor) -> None:
    assert monitor.after["kubernetes", "cluster"] >= {
        "cluster-aws-efs-csi-driver",
        "cluster-coredns",
        "cluster-weights-a",
        "cluster-weights-b",
    }
    assert monitor.after["Addon", "cluster-coredns"] >= {"cluster-gpu", "cluster-system"}


def test_every_client_is_one_user_of_the_weights(dev: Planned, monitor: RecordingMonitor) -> None:
    access_point = dev["AccessPoint", "cluster-weights"].inputs

    assert access_point["posixUser"] == {"uid": 2000, "gid": 2000}
    assert access_point["rootDirectory"] == {
        "path": "/weights",
        "creationInfo": {"ownerUid": 2000, "ownerGid": 2000, "permissions": "0755"},
    }
    assert monitor.stack_outputs["volume"]["csi"]["driver"] == "efs.csi.aws.com"


def test_the_weights_are_encrypted_and_reached_from_the_nodes_alone(dev: Planned) -> None:
    files = dev["FileSystem", "cluster-weights"].inputs

    assert (files["encrypted"], files["throughputMode"]) == (True, "elastic")
    (rule,) = [
        r for r in of_type(dev, "SecurityGroupIngressRule") if parent_name(r) == "cluster-weights"
    ]
    assert (rule.inputs["fromPort"], rule.inputs["toPort"]) == (2049, 2049)
    assert used(rule, "referencedSecurityGroupId") == ["cluster"]
    mounts = of_type(dev, "MountTarget")
    assert [used(mount, "securityGroups") for mount in mounts] == [["cluster-weights"]] * 2


def test_the_balancer_is_inside_and_hands_tcp_on(dev: Planned, monitor: RecordingMonitor) -> None:
    balancer = dev["LoadBalancer", "cluster-load-balancer"].inputs
    target = dev["TargetGroup", "cluster-load-balancer"].inputs
    listener = dev["Listener", "cluster-load-balancer"].inputs

    assert (balancer["internal"], balancer["loadBalancerType"]) == (True, "network")
    assert (listener["port"], listener["protocol"]) == (443, "TCP")
    assert (target["port"], target["protocol"], target["targetType"]) == (30443, "TCP", "instance")
    assert target["healthCheck"] == {"protocol": "TCP", "port": "30443", "interval": 10}
    attached = dev["Attachment", "cluster-load-balancer"]
    assert used(attached, "autoscalingGroupName") == ["cluster-system"]
    outputs = monitor.stack_outputs
    assert (outputs["service"], outputs["node_port"]) == ("NodePort", 30443)
    assert outputs["sources"] == ["10.20.0.0/16"]


def test_the_gateway_takes_traffic_from_the_network_wherever_that_is() -> None:
    assert observed(cidr="10.30.0.0/16").stack_outputs["sources"] == ["10.30.0.0/16"]


def test_only_the_functions_reach_the_balancer_and_only_it_reaches_the_nodes_port(
    dev: Planned,
) -> None:
    incoming, outgoing, nodes = (
        dev["SecurityGroupIngressRule", "cluster-load-balancer-functions"],
        dev["SecurityGroupEgressRule", "cluster-load-balancer-out"],
        dev["SecurityGroupIngressRule", "cluster-load-balancer-nodes"],
    )

    assert {key: used(incoming, key) for key in incoming.uses} == {
        "referencedSecurityGroupId": ["network-functions"],
        "securityGroupId": ["cluster-load-balancer"],
    }
    assert (incoming.inputs["fromPort"], incoming.inputs["toPort"]) == (443, 443)
    for rule in (outgoing, nodes):
        assert (rule.inputs["fromPort"], rule.inputs["toPort"]) == (30443, 30443)
        assert "cidrIpv4" not in rule.inputs
    assert used(outgoing, "referencedSecurityGroupId") == ["cluster"]
    assert used(nodes, "referencedSecurityGroupId") == ["cluster-load-balancer"]


def test_generated_names_are_within_the_limits_of_length(dev: Planned) -> None:
    """A load balancer's name may have 32 characters, eight of them Pulumi's suffix."""
    balancers = [r.name for kind in ("LoadBalancer", "TargetGroup") for r in of_type(dev, kind)]
    names = {name for _, name in dev}

    assert max(len(name) for name in balancers) + len("-1234567") <= 32
    assert max(len(name) for name in names) + len("-1234567") <= 63
    assert [name for name in names if not re.fullmatch("[a-z][a-z0-9-]*", name)] == []


def test_every_rule_holds_in_prod(prod: Planned) -> None:
    assert evaluate(RULES, prod.values(), environment="prod", today=TODAY) == []
