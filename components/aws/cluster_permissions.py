"""What a deployment must be allowed to do at AWS for a cluster, beside what it needs without one.

As `components/aws/permissions.py`; what the Service Authorization Reference does not say is of the
EKS user guide, 2024-12: security-iam (a cluster's minimum), security-k8s (envelope encryption),
launch-templates (a node group's), service-accounts (an association's).
"""

from components.aws.need import ROLE, Need, ec2, on

_EKS = "eks:{region}:{account}"
_FILES = "elasticfilesystem:{region}:{account}"
_BALANCING = "elasticloadbalancing:{region}:{account}"
_GROUP = "autoscaling:{region}:{account}:autoScalingGroup:*:autoScalingGroupName/eks-{name}"
_KEY = "kms:{region}:{account}:key/00000000-0000-0000-0000-000000000000"


CLUSTER_NEEDS: dict[str, tuple[Need, ...]] = {
    "aws:autoscaling/attachment:Attachment": on(
        _GROUP,
        "autoscaling:AttachLoadBalancerTargetGroups",
        "autoscaling:DescribeAutoScalingGroups",
    ),
    "aws:autoscaling/tag:Tag": on(
        _GROUP, "autoscaling:CreateOrUpdateTags", "autoscaling:DescribeTags"
    ),
    "aws:ec2/launchTemplate:LaunchTemplate": ec2(
        "launch-template/lt-0",
        "CreateLaunchTemplate",
        "DescribeLaunchTemplates",
        "DescribeLaunchTemplateVersions",
    ),
    "aws:efs/accessPoint:AccessPoint": on(
        f"{_FILES}:file-system/fs-0",
        "elasticfilesystem:CreateAccessPoint",
        "elasticfilesystem:DescribeAccessPoints",
    ),
    "aws:efs/fileSystem:FileSystem": on(
        f"{_FILES}:file-system/fs-0",
        "elasticfilesystem:CreateFileSystem",
        "elasticfilesystem:DescribeFileSystems",
        "elasticfilesystem:DescribeLifecycleConfiguration",
        "elasticfilesystem:TagResource",
    ),
    "aws:efs/mountTarget:MountTarget": (
        *on(
            f"{_FILES}:file-system/fs-0",
            "elasticfilesystem:CreateMountTarget",
            "elasticfilesystem:DescribeMountTargets",
            "elasticfilesystem:DescribeMountTargetSecurityGroups",
        ),
        *ec2("network-interface/eni-0", "CreateNetworkInterface", "DescribeNetworkInterfaces"),
    ),
    "aws:eks/addon:Addon": (
        *on(f"{_EKS}:cluster/*", "eks:CreateAddon", "eks:CreatePodIdentityAssociation"),
        *on(f"{_EKS}:addon/*", "eks:DescribeAddon"),
        *on(ROLE, "iam:PassRole"),
    ),
    "aws:eks/cluster:Cluster": (
        *on(f"{_EKS}:cluster/*", "eks:CreateCluster", "eks:DescribeCluster", "eks:TagResource"),
        *on(ROLE, "iam:PassRole"),
        *on(_KEY, "kms:CreateGrant", "kms:DescribeKey"),
        # The role that EKS makes for itself in an account that has none yet.
        *on(
            "iam::{account}:role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS",
            "iam:CreateServiceLinkedRole",
        ),
    ),
    "aws:eks/nodeGroup:NodeGroup": (
        *on(f"{_EKS}:cluster/*", "eks:CreateNodegroup"),
        *on(f"{_EKS}:nodegroup/*", "eks:DescribeNodegroup"),
        *on(ROLE, "iam:PassRole"),
        *ec2("instance/*", "RunInstances", "CreateTags"),
    ),
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": (
        *on(f"{_EKS}:cluster/*", "eks:CreatePodIdentityAssociation"),
        *on(f"{_EKS}:podidentityassociation/*", "eks:DescribePodIdentityAssociation"),
        *on(ROLE, "iam:PassRole"),
    ),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": on(
        ROLE, "iam:AttachRolePolicy", "iam:ListAttachedRolePolicies"
    ),
    "aws:lb/listener:Listener": on(
        f"{_BALANCING}:loadbalancer/net/{{name}}/*",
        "elasticloadbalancing:CreateListener",
        "elasticloadbalancing:DescribeListeners",
        "elasticloadbalancing:ModifyListenerAttributes",
        "elasticloadbalancing:DescribeListenerAttributes",
    ),
    "aws:lb/loadBalancer:LoadBalancer": on(
        f"{_BALANCING}:loadbalancer/net/{{name}}/*",
        "elasticloadbalancing:CreateLoadBalancer",
        "elasticloadbalancing:ModifyLoadBalancerAttributes",
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeLoadBalancerAttributes",
        "elasticloadbalancing:AddTags",
        "elasticloadbalancing:DescribeTags",
    ),
    "aws:lb/targetGroup:TargetGroup": on(
        f"{_BALANCING}:targetgroup/{{name}}/*",
        "elasticloadbalancing:CreateTargetGroup",
        "elasticloadbalancing:ModifyTargetGroupAttributes",
        "elasticloadbalancing:DescribeTargetGroups",
        "elasticloadbalancing:DescribeTargetGroupAttributes",
    ),
}
"""By type in the plan."""
