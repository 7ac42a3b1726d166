"""Kubernetes with GPU nodes at AWS: EKS."""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_aws import cloudwatch, eks, kms

from components import contracts
from components.aws.add_ons import AUTOSCALER, autoscaler, network_add_ons, node_add_ons
from components.aws.entrance import Entrance
from components.aws.iam import trust
from components.aws.network import Network
from components.aws.nodes import POOL, NodePool
from components.aws.roles import role
from components.aws.share import Share
from components.gpu import Machine
from components.kubernetes.kubeconfig import kubeconfig
from components.kubernetes.sharing import GpuPlatform, Sharing

VERSION = "1.35"
"""In standard support until 2027-03-27 (endoflife.date/amazon-eks, 2026-02)."""

SYSTEM_TYPE = "m7i.large"
"""Of the nodes without a GPU: gateway, downloads, add-ons."""

GPU_AMI = "AL2023_x86_64_NVIDIA"
"""Has driver and container toolkit; the device plugin is a chart (`components/kubernetes`)."""

GPU_PLATFORM = GpuPlatform(product="EKS", configurable_plugin=True, partitions=False)

GPU_TAINT = "nvidia.com/gpu"

LOGS = ("api", "audit", "authenticator", "controllerManager", "scheduler")


class Cluster(pulumi.ComponentResource):
    """A cluster in the private subnets with a pool of CPU nodes and one of GPU nodes.

    It satisfies `components.contracts.Cluster`. Its API has a private address only, unless CIDRs
    are named: whoever deploys from outside the VPC must name theirs, and whoever deploys needs the
    AWS CLI on PATH, since a kubeconfig of EKS asks it for a token. Who makes the cluster is its
    only administrator.
    """

    provider: pulumi.ProviderResource
    gpu_labels: Mapping[str, str]
    gpu_taint: str = GPU_TAINT
    gpu_resource: str
    gpu_device_class: str | None
    weights_volume: Mapping[str, Any]
    entrance: contracts.Entrance
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
        production: bool,
        protect: bool,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        machine: What each GPU node is.
        sharing: How its GPUs are handed out.
        minimum: GPU nodes that always run.
        maximum: GPU nodes that may run.
        version: Of Kubernetes, `1.35`; empty takes ours.
        api_cidrs: Who may reach the cluster's API over the internet.
        production: True keeps logs for 90 days instead of 7.
        protect: True refuses to delete the cluster, its key and the weights.
        """
        super().__init__("seamless:aws:Cluster", name, {"machine": machine.facts}, opts)
        child = pulumi.ResourceOptions(parent=self)
        kept = pulumi.ResourceOptions(parent=self, protect=protect)
        # EKS writes to the group of this name; made by EKS itself, it would keep logs for ever.
        title = f"{pulumi.get_project()}-{pulumi.get_stack()}"[:100]
        logs = cloudwatch.LogGroup(
            f"{name}-logs",
            name=f"/aws/eks/{title}/cluster",
            retention_in_days=90 if production else 7,
            opts=child,
        )
        key = kms.Key(
            f"{name}-key",
            description="Secrets of the cluster",
            enable_key_rotation=True,
            deletion_window_in_days=30,
            opts=kept,
        )
        control, may_control = role(
            f"{name}-control", trust("eks.amazonaws.com"), ["AmazonEKSClusterPolicy"], child
        )
        cluster = eks.Cluster(
            name,
            name=title,
            version=version or VERSION,
            role_arn=control.arn,
            vpc_config={
                "subnet_ids": network.private_subnet_ids,
                "endpoint_private_access": True,
                "endpoint_public_access": bool(api_cidrs),
                "public_access_cidrs": list(api_cidrs) or None,
            },
            access_config={
                "authentication_mode": "API",
                "bootstrap_cluster_creator_admin_permissions": True,
            },
            # Ours are add-ons that EKS keeps; its own would be there first, and never updated.
            bootstrap_self_managed_addons=False,
            encryption_config={
                "resources": ["secrets"],
                "provider": {"key_arn": key.arn},
            },
            enabled_cluster_log_types=list(LOGS),
            upgrade_policy={"support_type": "STANDARD"},
            deletion_protection=protect,
            opts=pulumi.ResourceOptions(
                parent=self, protect=protect, depends_on=[logs, *may_control, *network.way_out]
            ),
        )
        self.name = cluster.name
        # What a pod is allowed is the pod's: the node's own role has no part of the network's.
        node_role, may_join = role(
            f"{name}-node",
            trust("ec2.amazonaws.com"),
            ["AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly"],
            child,
        )
        # A node is ready only with a network.
        ground = [*may_join, *network_add_ons(name, cluster, child)]
        system = NodePool(
            f"{name}-system",
            pool="system",
            cluster=cluster,
            role_arn=node_role.arn,
            subnet_ids=network.private_subnet_ids,
            instance_type=SYSTEM_TYPE,
            ami_type="AL2023_x86_64_STANDARD",
            disk_gib=50,
            minimum=2,
            maximum=4,
            after=ground,
            opts=child,
        )
        gpus = NodePool(
            f"{name}-gpu",
            pool="gpu",
            cluster=cluster,
            role_arn=node_role.arn,
            subnet_ids=network.private_subnet_ids,
            instance_type=machine.slug,
            ami_type=GPU_AMI,
            disk_gib=200,
            minimum=minimum,
            maximum=maximum,
            taint=GPU_TAINT,
            # Without it the autoscaler adds a second node while the first one's plugin starts.
            labels={"k8s.amazonaws.com/accelerator": machine.gpu, **sharing.node_labels},
            # What is claimed is no resource, and such a pool is never empty.
            offers={sharing.resource: machine.count * sharing.shares} if sharing.resource else {},
            after=ground,
            opts=child,
        )
        add_ons = node_add_ons(name, cluster, [system, gpus], child)
        autoscaler(name, cluster, child)
        # EKS makes the group with the cluster: nobody knows the one before the other.
        nodes_group_id = pulumi.Output.all(
            cluster.id, cluster.vpc_config.cluster_security_group_id
        ).apply(lambda facts: str(facts[1]))
        share = Share(
            f"{name}-weights",
            network=network,
            nodes_group_id=nodes_group_id,
            protect=protect,
            opts=child,
        )
        self.gpu_labels = {POOL: "gpu"}
        self.gpu_resource = sharing.resource
        self.gpu_device_class = sharing.device_class
        self.add_ons = {
            "dcgm-exporter": {},
            "cluster-autoscaler": {
                "cloudProvider": "aws",
                "awsRegion": region,
                "autoDiscovery": {"clusterName": cluster.name},
                "rbac": {"serviceAccount": {"name": AUTOSCALER}},
            },
        }
        self.weights_volume = {"csi": {"driver": "efs.csi.aws.com", "volumeHandle": share.handle}}
        self.entrance = Entrance(
            f"{name}-entrance",
            network=network,
            node_group_name=system.group_name,
            nodes_group_id=nodes_group_id,
            opts=child,
        ).facts
        self.provider = kubernetes.Provider(
            name,
            kubeconfig=pulumi.Output.all(
                cluster.name,
                cluster.endpoint,
                cluster.certificate_authority.apply(lambda authority: authority.data),
            ).apply(
                lambda facts: kubeconfig(
                    name=facts[0],
                    server=facts[1],
                    authority=facts[2],
                    # The AWS CLI, on PATH.
                    command=[
                        *("aws", "eks", "get-token", "--cluster-name", facts[0]),
                        *("--region", region),
                    ],
                )
            ),
            # What is in the cluster is made after these, and gone before they go: a volume that is
            # mounted while its driver leaves stays mounted.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*add_ons, *share.mounts]),
        )
        self.register_outputs({"name": self.name})
