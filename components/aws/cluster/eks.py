"""Kubernetes with GPU nodes at AWS: EKS."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_aws import cloudwatch, eks, kms

from components import contracts
from components.aws.cluster.addons import AUTOSCALER, autoscaler, network_add_ons, node_add_ons
from components.aws.cluster.file_system import FileSystem
from components.aws.cluster.load_balancer import LoadBalancer
from components.aws.cluster.node_group import POOL, NodeGroup, Scaling
from components.aws.cluster.roles import role
from components.aws.iam import trust
from components.aws.network import Network
from components.aws.provider import tags_of
from components.kubernetes.base.kubeconfig import kubeconfig
from components.kubernetes.scheduling.gpu_sharing import GpuPlatform, Sharing
from sizing.machines import Machine

VERSION = "1.35"
"""Default Kubernetes version; standard support ends 2027-03-27 (endoflife.date/amazon-eks,
2026-02)."""

SYSTEM_TYPE = "m5.large"
"""Instance type of the nodes without a GPU, which run the gateway, downloads and add-ons.

It is sold in all regions of the split variant; m7i.large was not in 8 of 25, m6i.large not in 2 (Go
module cristim/ec2-instances-info, 2025-05-28)."""

SYSTEM_VCPUS = 2

SYSTEM_SCALING = Scaling(minimum=2, maximum=4, initial=2)

MOST_GPU_NODES = 64
"""Size to which the Auto Scaling group of the GPU nodes can grow; the cluster autoscaler stops at
the stack's own maximum."""

GPU_SCALING = Scaling(minimum=0, maximum=MOST_GPU_NODES, initial=0)
"""The group is created without nodes, so that a missing quota or capacity does not fail it. The
autoscaler then starts the minimum."""

ADMINISTRATOR = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"

GPU_AMI = "AL2023_x86_64_NVIDIA"
"""Has the driver and the container toolkit. The device plugin is a chart
(`components/kubernetes`)."""

GPU_PLATFORM = GpuPlatform(product="EKS", configurable_plugin=True, partitions=False)

GPU_TAINT = "nvidia.com/gpu"

LOGS = ("api", "audit", "authenticator", "controllerManager", "scheduler")


class Cluster(pulumi.ComponentResource):
    """An EKS cluster with GPU nodes (see `components.contracts.Cluster`).

    Creates:
    - an EKS cluster in the private subnets; a KMS key encrypts its secrets
    - a log group for all five control plane logs
    - a node group of CPU nodes and one of GPU nodes
    - EKS add-ons: network plugin, DNS, node repair, EFS and EBS drivers
    - IAM roles of the control plane, the nodes, the add-ons and the cluster autoscaler
    - an EFS file system for the weights
    - an internal Network Load Balancer
    - a Kubernetes provider that gets its tokens from the AWS CLI on PATH

    The cluster's API has a private address only, unless `api_cidrs` is set: a deployment from
    outside the VPC needs its own address in it. The identity that creates the cluster is its
    administrator, with those in `admins`.
    """

    provider: pulumi.ProviderResource
    gpu_labels: Mapping[str, str]
    gpu_taint: str = GPU_TAINT
    gpu_resource: str
    gpu_device_class: str | None
    weights_volume: Mapping[str, Any]
    exposure: contracts.ServiceExposure
    add_ons: Mapping[str, Mapping[str, Any]]
    name: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        region: str,
        network: Network,
        machine: Machine,
        sharing: Sharing,
        minimum: int,
        maximum: int,
        version: str,
        api_cidrs: Sequence[str],
        admins: Sequence[str],
        gpu_zone: str,
        production: bool,
        protect: bool,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        machine: Machine type of each GPU node.
        sharing: How pods share the GPUs of a node.
        minimum: Fewest GPU nodes.
        maximum: Most GPU nodes, up to `MOST_GPU_NODES`.
        version: Kubernetes version, such as `1.35`; empty takes `VERSION`.
        api_cidrs: CIDRs that may reach the cluster's API over the internet.
        admins: ARNs of further IAM users and roles that administer the cluster.
        gpu_zone: Letter of the zone of the GPU nodes, one of the network's.
        production: True keeps logs for 90 days instead of 7.
        protect: True refuses to delete the cluster, its key and the weights.
        """
        super().__init__("seamless:aws:Cluster", name, {"machine": machine.facts}, opts)
        self._name, self._network = name, network
        self._child = pulumi.ResourceOptions(parent=self)
        cluster = self._control_plane(
            version or VERSION, api_cidrs, log_days=90 if production else 7, protect=protect
        )
        tags = tags_of(stack=pulumi.get_stack(), environment="prod" if production else "dev")
        system, gpus = self._node_groups(
            cluster, machine, sharing, minimum, maximum, gpu_zone=gpu_zone, tags=tags
        )
        # They run on the CPU nodes, and do not wait for GPUs.
        add_ons = node_add_ons(name, cluster, [system], self._child)
        self._administrators(cluster, admins)
        autoscaler(name, cluster, self._child)
        # EKS creates the nodes' security group with the cluster. A plan knows neither, so the
        # group is read together with the cluster's id (docs/traps.md).
        nodes_group_id = pulumi.Output.all(
            cluster.id, cluster.vpc_config.cluster_security_group_id
        ).apply(lambda facts: str(facts[1]))
        weights = FileSystem(
            f"{name}-weights",
            network=network,
            nodes_group_id=nodes_group_id,
            protect=protect,
            opts=self._child,
        )
        self.name = cluster.name
        self.gpu_labels = {POOL: "gpu"}
        self.gpu_resource = sharing.resource
        self.gpu_device_class = sharing.device_class
        self.add_ons = {
            "dcgm-exporter": {},
            "cluster-autoscaler": {
                "cloudProvider": "aws",
                "awsRegion": region,
                "autoDiscovery": {"clusterName": cluster.name},
                # Its limits for the GPU nodes replace those of the Auto Scaling group
                # (kubernetes/autoscaler, cloudprovider/aws/auto_scaling_groups.go, `register`).
                "autoscalingGroups": [
                    {"name": gpus.group_name, "minSize": minimum, "maxSize": maximum}
                ],
                "rbac": {"serviceAccount": {"name": AUTOSCALER}},
            },
        }
        self.weights_volume = {"csi": {"driver": "efs.csi.aws.com", "volumeHandle": weights.handle}}
        self.exposure = LoadBalancer(
            f"{name}-load-balancer",
            network=network,
            node_group_name=system.group_name,
            nodes_group_id=nodes_group_id,
            opts=self._child,
        ).exposure
        # Objects in the cluster are created after these resources and deleted before them: a
        # volume that is mounted while its driver is deleted stays mounted.
        self.provider = self._kubernetes(cluster, region, after=[*add_ons, *weights.mounts])
        self.register_outputs({"name": self.name})

    def _control_plane(
        self, version: str, api_cidrs: Sequence[str], *, log_days: int, protect: bool
    ) -> eks.Cluster:
        """The EKS cluster with its log group, its key and its role."""
        name, child = self._name, self._child
        title = f"{pulumi.get_project()}-{pulumi.get_stack()}"[:100]
        # EKS writes to the group of this name. A group that EKS creates itself never expires.
        logs = cloudwatch.LogGroup(
            f"{name}-logs",
            name=f"/aws/eks/{title}/cluster",
            retention_in_days=log_days,
            opts=child,
        )
        key = kms.Key(
            f"{name}-key",
            description="Secrets of the cluster",
            enable_key_rotation=True,
            deletion_window_in_days=30,
            opts=pulumi.ResourceOptions(parent=self, protect=protect),
        )
        identity, permissions = role(
            f"{name}-control", trust("eks.amazonaws.com"), ["AmazonEKSClusterPolicy"], child
        )
        return eks.Cluster(
            name,
            name=title,
            version=version,
            role_arn=identity.arn,
            vpc_config={
                "subnet_ids": self._network.private_subnet_ids,
                "endpoint_private_access": True,
                "endpoint_public_access": bool(api_cidrs),
                "public_access_cidrs": list(api_cidrs) or None,
            },
            access_config={
                "authentication_mode": "API",
                "bootstrap_cluster_creator_admin_permissions": True,
            },
            # The stack installs managed add-ons. Self-managed ones would never be updated.
            bootstrap_self_managed_addons=False,
            encryption_config={
                "resources": ["secrets"],
                "provider": {"key_arn": key.arn},
            },
            enabled_cluster_log_types=list(LOGS),
            upgrade_policy={"support_type": "STANDARD"},
            deletion_protection=protect,
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=protect,
                depends_on=[logs, *permissions, *self._network.egress_ready],
            ),
        )

    def _administrators(self, cluster: eks.Cluster, arns: Sequence[str]) -> None:
        """Let further IAM users and roles administer the cluster."""
        for arn in arns:
            title = administrator_title(arn)
            entry = eks.AccessEntry(
                f"{self._name}-admin-{title}",
                cluster_name=cluster.name,
                principal_arn=arn,
                opts=self._child,
            )
            eks.AccessPolicyAssociation(
                f"{self._name}-admin-{title}",
                cluster_name=cluster.name,
                principal_arn=entry.principal_arn,
                policy_arn=ADMINISTRATOR,
                access_scope={"type": "cluster"},
                opts=self._child,
            )

    def _node_groups(
        self,
        cluster: eks.Cluster,
        machine: Machine,
        sharing: Sharing,
        minimum: int,
        maximum: int,
        *,
        gpu_zone: str,
        tags: Mapping[str, str],
    ) -> tuple[NodeGroup, NodeGroup]:
        """The CPU nodes and the GPU nodes."""
        name, child = self._name, self._child
        # Network permissions belong to the plugin's pods, and not to the nodes' role.
        identity, permissions = role(
            f"{name}-node",
            trust("ec2.amazonaws.com"),
            ["AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly"],
            child,
        )
        # A node becomes ready only when the network plugin runs on it.
        required = [*permissions, *network_add_ons(name, cluster, child)]
        system = NodeGroup(
            f"{name}-system",
            pool="system",
            cluster=cluster,
            role_arn=identity.arn,
            subnet_ids=self._network.private_subnet_ids,
            instance_type=SYSTEM_TYPE,
            vcpus=SYSTEM_VCPUS,
            ami_type="AL2023_x86_64_STANDARD",
            disk_gib=50,
            scaling=SYSTEM_SCALING,
            minimum=SYSTEM_SCALING.minimum,
            maximum=SYSTEM_SCALING.maximum,
            tags=tags,
            after=required,
            opts=child,
        )
        gpus = NodeGroup(
            f"{name}-gpu",
            pool="gpu",
            cluster=cluster,
            role_arn=identity.arn,
            # Auto Scaling would end nodes to balance several zones (the autoscaler's AWS README).
            subnet_ids=[self._network.private_subnet_in(gpu_zone)],
            instance_type=machine.slug,
            vcpus=machine.vcpus,
            ami_type=GPU_AMI,
            disk_gib=200,
            scaling=GPU_SCALING,
            minimum=minimum,
            maximum=maximum,
            tags=tags,
            taint=GPU_TAINT,
            # Without this label the autoscaler adds a second node while the device plugin of the
            # first one starts.
            labels={"k8s.amazonaws.com/accelerator": machine.gpu, **sharing.node_labels},
            # A claimed device is no extended resource, and the autoscaler keeps a node for it.
            offers={sharing.resource: machine.count * sharing.shares} if sharing.resource else {},
            after=required,
            opts=child,
        )
        return system, gpus

    def _kubernetes(
        self, cluster: eks.Cluster, region: str, *, after: Sequence[pulumi.Resource]
    ) -> pulumi.ProviderResource:
        """The Kubernetes provider; its kubeconfig calls the AWS CLI for tokens."""
        config = pulumi.Output.all(
            cluster.name,
            cluster.endpoint,
            cluster.certificate_authority.apply(lambda authority: authority.data),
        ).apply(
            lambda facts: kubeconfig(
                name=facts[0],
                server=facts[1],
                authority=facts[2],
                command=[
                    *("aws", "eks", "get-token", "--cluster-name", facts[0]),
                    *("--region", region),
                ],
            )
        )
        provider: pulumi.ProviderResource = kubernetes.Provider(
            self._name,
            kubeconfig=config,
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(after)),
        )
        return provider


def administrator_title(arn: str) -> str:
    """The part of the resources' names that stands for an administrator."""
    return re.sub("[^A-Za-z0-9]+", "-", arn.partition(":iam::")[2])
