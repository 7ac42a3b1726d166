"""EKS add-ons and their IAM roles."""

import json
from collections.abc import Sequence
from typing import Any

import pulumi
from pulumi_aws import eks, iam

from components.aws.cluster.roles import PODS, role
from components.aws.iam import allow, policy

AUTOSCALER = "cluster-autoscaler"
"""Service account of the cluster autoscaler in `kube-system`."""


def network_add_ons(
    name: str, cluster: eks.Cluster, opts: pulumi.ResourceOptions
) -> list[pulumi.Resource]:
    """Add-ons without which no node becomes ready.

    The network plugin has its own role, and the nodes' role has no network permissions (EKS user
    guide, create-node-role, 2024-12).
    """
    plugin, permissions = role(f"{name}-network", PODS, ["AmazonEKS_CNI_Policy"], opts)
    return [
        *permissions,
        _add_on(
            name,
            cluster,
            "vpc-cni",
            opts,
            # The network plugin ignores network policies by default.
            configuration_values=json.dumps({"enableNetworkPolicy": "true"}),
            pod_identity_associations=[{"service_account": "aws-node", "role_arn": plugin.arn}],
        ),
        _add_on(name, cluster, "kube-proxy", opts),
        _add_on(name, cluster, "eks-pod-identity-agent", opts),
    ]


def node_add_ons(
    name: str,
    cluster: eks.Cluster,
    nodes: Sequence[pulumi.Resource],
    opts: pulumi.ResourceOptions,
) -> list[pulumi.Resource]:
    """Add-ons whose pods need a node to run on."""
    storage, permissions = role(
        f"{name}-storage",
        PODS,
        [f"service-role/Amazon{kind}CSIDriverPolicy" for kind in ("EFS", "EBS")],
        opts,
    )
    # The agent's GPU part tolerates no taint by default (chart of v1.7.0, 2026-08).
    everywhere = json.dumps({"dcgmAgent": {"tolerations": [{"operator": "Exists"}]}})
    return [
        *permissions,
        _add_on(name, cluster, "coredns", opts, after=nodes),
        _add_on(
            name,
            cluster,
            "eks-node-monitoring-agent",
            opts,
            after=nodes,
            configuration_values=everywhere,
        ),
        _add_on(
            name,
            cluster,
            "aws-efs-csi-driver",
            opts,
            after=nodes,
            pod_identity_associations=[
                {"service_account": "efs-csi-controller-sa", "role_arn": storage.arn}
            ],
        ),
        # Persistent volumes: EKS has no working storage class without this driver.
        _add_on(
            name,
            cluster,
            "aws-ebs-csi-driver",
            opts,
            after=nodes,
            configuration_values=json.dumps({"defaultStorageClass": {"enabled": True}}),
            pod_identity_associations=[
                {"service_account": "ebs-csi-controller-sa", "role_arn": storage.arn}
            ],
        ),
    ]


def _add_on(
    name: str,
    cluster: eks.Cluster,
    add_on: str,
    opts: pulumi.ResourceOptions,
    *,
    after: Sequence[pulumi.Resource] = (),
    **settings: Any,
) -> eks.Addon:
    return eks.Addon(
        f"{name}-{add_on}",
        addon_name=add_on,
        addon_version=_version(cluster, add_on, opts),
        cluster_name=cluster.name,
        resolve_conflicts_on_create="OVERWRITE",
        resolve_conflicts_on_update="OVERWRITE",
        **settings,
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=list(after))),
    )


def _version(cluster: eks.Cluster, add_on: str, opts: pulumi.ResourceOptions) -> pulumi.Output[str]:
    """The version that EKS takes by default for the cluster's version of Kubernetes.

    EKS keeps an add-on without a version as it is when the cluster is upgraded
    (terraform-aws-modules/terraform-aws-eks#3448, open). The look-up needs the cluster's id, so
    that a plan and the first preview call no provider.
    """
    kubernetes = pulumi.Output.all(cluster.id, cluster.version).apply(lambda facts: str(facts[1]))
    found: pulumi.Output[str] = eks.get_addon_version_output(
        addon_name=add_on,
        kubernetes_version=kubernetes,
        opts=pulumi.InvokeOutputOptions(parent=opts.parent),
    ).version
    return found


def autoscaler(name: str, cluster: eks.Cluster, opts: pulumi.ResourceOptions) -> None:
    """The role of the cluster autoscaler, which a chart installs.

    It may describe all resources, and change Auto Scaling groups with the cluster's tag, which EKS
    sets on every managed node group (EKS user guide, managed-node-groups, 2024-12). The actions are
    those of the autoscaler's AWS README.
    """
    identity, _ = role(f"{name}-autoscaler", PODS, [], opts)
    describe = allow(
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
    resize = allow(
        "autoscaling:SetDesiredCapacity",
        "autoscaling:TerminateInstanceInAutoScalingGroup",
        on=["arn:aws:autoscaling:*:*:autoScalingGroup:*:autoScalingGroupName/*"],
        when={"StringEquals": owned.apply(lambda tag: {tag: "owned"})},
    )
    iam.RolePolicy(
        f"{name}-autoscaler", role=identity.id, policy=policy([describe, resize]), opts=opts
    )
    eks.PodIdentityAssociation(
        f"{name}-autoscaler",
        cluster_name=cluster.name,
        namespace="kube-system",
        service_account=AUTOSCALER,
        role_arn=identity.arn,
        opts=opts,
    )
