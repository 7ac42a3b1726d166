"""What EKS runs for us in a cluster, and who it is to AWS."""

import json
from collections.abc import Sequence
from typing import Any

import pulumi
from pulumi_aws import eks, iam

from components.aws.iam import allow, policy
from components.aws.roles import PODS, role

AUTOSCALER = "cluster-autoscaler"
"""Service account of the cluster autoscaler, in `kube-system`."""


def network_add_ons(
    name: str, cluster: eks.Cluster, opts: pulumi.ResourceOptions
) -> list[pulumi.Resource]:
    """What nodes need before they are ready.

    The network plugin is allowed what it does itself, not by the nodes' role (EKS user guide,
    create-node-role, 2024-12).
    """
    plugin, may = role(f"{name}-network", PODS, ["AmazonEKS_CNI_Policy"], opts)
    return [
        *may,
        _add_on(
            name,
            cluster,
            "vpc-cni",
            opts,
            # Policies between pods are off unless the network plugin is told.
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
    """What has no place to run before there is a node."""
    storage, may = role(
        f"{name}-storage",
        PODS,
        [f"service-role/Amazon{kind}CSIDriverPolicy" for kind in ("EFS", "EBS")],
        opts,
    )
    # Its half that watches GPUs tolerates no taint unless told (chart of v1.7.0, 2026-08).
    everywhere = json.dumps({"dcgmAgent": {"tolerations": [{"operator": "Exists"}]}})
    return [
        *may,
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
        # Disks for what keeps its own data: EKS has no storage class that works without it.
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
        cluster_name=cluster.name,
        resolve_conflicts_on_create="OVERWRITE",
        resolve_conflicts_on_update="OVERWRITE",
        **settings,
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=list(after))),
    )


def autoscaler(name: str, cluster: eks.Cluster, opts: pulumi.ResourceOptions) -> None:
    """The identity of the cluster autoscaler, which is a chart.

    It may look at everything, and act on what EKS tags as the cluster's own: EKS does so with
    every managed node group (EKS user guide, managed-node-groups, 2024-12). The actions are those
    of the autoscaler's AWS README.
    """
    identity, _ = role(f"{name}-autoscaler", PODS, [], opts)
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
    iam.RolePolicy(f"{name}-autoscaler", role=identity.id, policy=policy([look, act]), opts=opts)
    eks.PodIdentityAssociation(
        f"{name}-autoscaler",
        cluster_name=cluster.name,
        namespace="kube-system",
        service_account=AUTOSCALER,
        role_arn=identity.arn,
        opts=opts,
    )
