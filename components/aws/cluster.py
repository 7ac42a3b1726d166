"""Kubernetes with GPU nodes at AWS: EKS."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_aws import cloudwatch, ec2, efs, eks, iam, kms, vpc

from components import contracts
from components.aws.entrance import Entrance
from components.aws.iam import allow, managed, policy, trust
from components.aws.network import Network
from components.aws.nodes import POOL, NodePool
from components.gpu import Machine
from components.kubernetes.sharing import GpuPlatform, Sharing

VERSION = "1.35"
"""In standard support until 2027-03-27 (endoflife.date/amazon-eks, 2026-02)."""

SYSTEM_TYPE = "m7i.large"
"""Of the nodes without a GPU: gateway, downloads, add-ons."""

GPU_AMI = "AL2023_x86_64_NVIDIA"
"""Has driver and container toolkit; the device plugin is a chart (`components/kubernetes`)."""

GPU_PLATFORM = GpuPlatform(product="EKS", own_plugin=True, partitions=False, dra=False)

AUTOSCALER = "cluster-autoscaler"
"""Service account with the autoscaler's identity, in kube-system."""

GPU_TAINT = "nvidia.com/gpu"

LOGS = ("api", "audit", "authenticator", "controllerManager", "scheduler")


class Cluster(pulumi.ComponentResource):
    """A cluster in the private subnets with a pool of CPU nodes and one of GPU nodes.

    It satisfies `components.contracts.Cluster`. Its API has a private address only, unless CIDRs
    are named: whoever deploys from outside the VPC must name theirs.
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
        protect: True refuses to delete cluster and weights, and keeps logs for 90 days.
        """
        super().__init__("seamless:aws:Cluster", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        kept = pulumi.ResourceOptions(parent=self, protect=protect)
        # EKS writes to the group of this name; made by EKS itself, it would keep logs for ever.
        title = f"seamless-{pulumi.get_stack()}"
        logs = cloudwatch.LogGroup(
            f"{name}-logs",
            name=f"/aws/eks/{title}/cluster",
            retention_in_days=90 if protect else 7,
            opts=child,
        )
        key = kms.Key(
            f"{name}-key",
            description="Secrets of the cluster",
            enable_key_rotation=True,
            deletion_window_in_days=30,
            opts=kept,
        )
        control = _role(f"{name}-control", "eks.amazonaws.com", ["AmazonEKSClusterPolicy"], child)
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
            encryption_config={
                "resources": ["secrets"],
                "provider": {"key_arn": key.arn},
            },
            enabled_cluster_log_types=list(LOGS),
            upgrade_policy={"support_type": "STANDARD"},
            deletion_protection=protect,
            opts=pulumi.ResourceOptions(
                parent=self, protect=protect, depends_on=[logs, *network.way_out]
            ),
        )
        self.name = cluster.name
        node_role = _role(
            f"{name}-node",
            "ec2.amazonaws.com",
            [
                "AmazonEKSWorkerNodeMinimalPolicy",
                "AmazonEC2ContainerRegistryPullOnly",
                "AmazonEKS_CNI_Policy",
            ],
            child,
        )
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
            offers={sharing.resource: machine.count * sharing.shares},
            opts=child,
        )
        ready = [system, gpus]
        self._add_ons(name, cluster, ready)
        self._autoscaler(name, cluster)
        share = self._share(name, network, cluster.vpc_config.cluster_security_group_id, kept)
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
        self.weights_volume = {"csi": {"driver": "efs.csi.aws.com", "volumeHandle": share.id}}
        self.entrance = Entrance(
            f"{name}-entrance",
            network=network,
            node_group_name=system.group_name,
            nodes_group_id=cluster.vpc_config.cluster_security_group_id,
            opts=child,
        ).facts
        self.provider = kubernetes.Provider(
            name,
            kubeconfig=_kubeconfig(cluster, region),
            delete_unreachable=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=ready),
        )
        self.register_outputs({"name": self.name})

    def _add_ons(self, name: str, cluster: eks.Cluster, nodes: Sequence[pulumi.Resource]) -> None:
        child = pulumi.ResourceOptions(parent=self)
        storage = _pod_role(f"{name}-storage", child)
        for share, attached in (("storage", "EFS"), ("disks", "EBS")):
            iam.RolePolicyAttachment(
                f"{name}-{share}",
                role=storage.name,
                policy_arn=managed(f"service-role/Amazon{attached}CSIDriverPolicy"),
                opts=child,
            )
        # Policies between pods are off unless the network plugin is told.
        network_plugin = json.dumps({"enableNetworkPolicy": "true"})
        add_ons: dict[str, dict[str, Any]] = {
            "vpc-cni": {"configuration_values": network_plugin},
            "kube-proxy": {},
            "coredns": {},
            "eks-pod-identity-agent": {},
            "eks-node-monitoring-agent": {},
            "aws-efs-csi-driver": {
                "pod_identity_associations": [
                    {"service_account": "efs-csi-controller-sa", "role_arn": storage.arn}
                ]
            },
            # Disks for what keeps its own data: EKS has no storage class that works without it.
            "aws-ebs-csi-driver": {
                "configuration_values": json.dumps({"defaultStorageClass": {"enabled": True}}),
                "pod_identity_associations": [
                    {"service_account": "ebs-csi-controller-sa", "role_arn": storage.arn}
                ],
            },
        }
        for add_on, settings in add_ons.items():
            eks.Addon(
                f"{name}-{add_on}",
                addon_name=add_on,
                cluster_name=cluster.name,
                resolve_conflicts_on_create="OVERWRITE",
                resolve_conflicts_on_update="OVERWRITE",
                **settings,
                # coredns and the others have no place to run before there is a node.
                opts=pulumi.ResourceOptions(
                    parent=self, depends_on=[] if add_on == "vpc-cni" else list(nodes)
                ),
            )

    def _autoscaler(self, name: str, cluster: eks.Cluster) -> None:
        """The identity of the cluster autoscaler, which is a chart."""
        child = pulumi.ResourceOptions(parent=self)
        role = _pod_role(f"{name}-autoscaler", child)
        look = allow(
            "autoscaling:DescribeAutoScalingGroups",
            "autoscaling:DescribeAutoScalingInstances",
            "autoscaling:DescribeLaunchConfigurations",
            "autoscaling:DescribeScalingActivities",
            "autoscaling:DescribeTags",
            "ec2:DescribeImages",
            "ec2:DescribeInstanceTypes",
            "ec2:DescribeLaunchTemplateVersions",
            "ec2:GetInstanceTypesFromInstanceRequirements",
            "eks:DescribeNodegroup",
            on=["*"],
        )
        owned = pulumi.Output.concat("aws:ResourceTag/k8s.io/cluster-autoscaler/", cluster.name)
        act = allow(
            "autoscaling:SetDesiredCapacity",
            "autoscaling:TerminateInstanceInAutoScalingGroup",
            on=["arn:aws:autoscaling:*:*:autoScalingGroup:*:autoScalingGroupName/*"],
            when={"StringEquals": owned.apply(lambda tag: {tag: "owned"})},
        )
        iam.RolePolicy(f"{name}-autoscaler", role=role.id, policy=policy([look, act]), opts=child)
        eks.PodIdentityAssociation(
            f"{name}-autoscaler",
            cluster_name=cluster.name,
            namespace="kube-system",
            service_account=AUTOSCALER,
            role_arn=role.arn,
            opts=child,
        )

    def _share(
        self,
        name: str,
        network: Network,
        nodes_group_id: pulumi.Output[str],
        kept: pulumi.ResourceOptions,
    ) -> efs.FileSystem:
        """The file system of the weights, reachable from the nodes alone."""
        child = pulumi.ResourceOptions(parent=self)
        group = ec2.SecurityGroup(
            f"{name}-weights",
            vpc_id=network.vpc_id,
            description="The weights: NFS in from the nodes.",
            opts=child,
        )
        vpc.SecurityGroupIngressRule(
            f"{name}-weights",
            security_group_id=group.id,
            referenced_security_group_id=nodes_group_id,
            ip_protocol="tcp",
            from_port=2049,
            to_port=2049,
            opts=child,
        )
        share = efs.FileSystem(
            f"{name}-weights",
            encrypted=True,
            # Throughput that follows the use: a start reads all weights at once, then nobody does.
            throughput_mode="elastic",
            opts=kept,
        )
        for subnet_id, place in zip(network.private_subnet_ids, "abc", strict=False):
            efs.MountTarget(
                f"{name}-weights-{place}",
                file_system_id=share.id,
                subnet_id=subnet_id,
                security_groups=[group.id],
                opts=child,
            )
        return share


def _role(
    name: str, service: str, policies: Sequence[str], opts: pulumi.ResourceOptions
) -> iam.Role:
    role = iam.Role(name, assume_role_policy=trust(service), opts=opts)
    for attached in policies:
        iam.RolePolicyAttachment(
            f"{name}-{attached}", role=role.name, policy_arn=managed(attached), opts=opts
        )
    return role


def _pod_role(name: str, opts: pulumi.ResourceOptions) -> iam.Role:
    """A role that pods take on by EKS Pod Identity."""
    return iam.Role(
        name, assume_role_policy=trust("pods.eks.amazonaws.com", "sts:TagSession"), opts=opts
    )


def _kubeconfig(cluster: eks.Cluster, region: str) -> pulumi.Output[str]:
    """How a client reaches the cluster: with a token that the AWS CLI makes at every use."""

    def document(facts: list[str]) -> str:
        name, endpoint, authority = facts
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [
                    {
                        "name": name,
                        "cluster": {"server": endpoint, "certificate-authority-data": authority},
                    }
                ],
                "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
                "current-context": name,
                "users": [
                    {
                        "name": name,
                        "user": {
                            "exec": {
                                "apiVersion": "client.authentication.k8s.io/v1beta1",
                                "command": "aws",
                                "args": [
                                    *("eks", "get-token", "--cluster-name", name),
                                    *("--region", region),
                                ],
                                "interactiveMode": "Never",
                            }
                        },
                    }
                ],
            }
        )

    return pulumi.Output.all(
        cluster.name, cluster.endpoint, cluster.certificate_authority.apply(lambda c: c.data)
    ).apply(document)
