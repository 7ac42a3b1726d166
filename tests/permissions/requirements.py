"""What a resource's arguments require at AWS besides the calls that were recorded.

catalog/permissions.yaml has the source of each rule.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from policies.resource import Resource
from preflight.aws_permissions import NEEDS
from tests.permissions.reference import Reference


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Resources of a type that have an argument need actions.

    Attributes:
        type: Pattern of Pulumi's type token without `aws:` and the class.
        argument: Pattern of an argument's name; empty for every resource of the type.
    """

    type: str
    argument: str = ""
    actions: tuple[str, ...]


def _of(service: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{service}:{name}" for name in names)


RULES = (
    # Calls of the provider that moto does not play.
    Rule(type="apigatewayv2/stage", actions=_of("apigateway", "PATCH")),
    Rule(
        type="budgets/budget",
        actions=_of("budgets", "ListTagsForResource", "ModifyBudget", "TagResource", "ViewBudget"),
    ),
    Rule(
        type="ec2/defaultSecurityGroup",
        actions=_of("ec2", "RevokeSecurityGroupEgress", "RevokeSecurityGroupIngress"),
    ),
    Rule(
        type="ec2/(securityGroup|subnet)",
        actions=_of(
            *("ec2", "DeleteNetworkInterface", "DescribeNetworkInterfaces"),
            "DetachNetworkInterface",
        ),
    ),
    Rule(
        type="eks/accessEntry",
        actions=_of(
            *("eks", "CreateAccessEntry", "DeleteAccessEntry", "DescribeAccessEntry"),
            *("TagResource", "UpdateAccessEntry"),
        ),
    ),
    Rule(
        type="eks/accessPolicyAssociation",
        actions=_of(
            *("eks", "AssociateAccessPolicy", "DisassociateAccessPolicy"),
            "ListAssociatedAccessPolicies",
        ),
    ),
    Rule(
        type="eks/addon",
        actions=_of(
            *("eks", "CreateAddon", "DeleteAddon", "DescribeAddon", "DescribeAddonVersions"),
            *("DescribeUpdate", "TagResource", "UpdateAddon"),
        ),
    ),
    Rule(
        type="eks/(addon|podIdentityAssociation)",
        argument="podIdentityAssociations|roleArn",
        actions=(
            *_of("eks", "CreatePodIdentityAssociation", "DeletePodIdentityAssociation"),
            *_of("eks", "DescribePodIdentityAssociation", "UpdatePodIdentityAssociation"),
            *_of("iam", "GetRole", "PassRole"),
        ),
    ),
    Rule(
        type="eks/cluster",
        actions=_of("eks", "DescribeUpdate", "UpdateClusterConfig", "UpdateClusterVersion"),
    ),
    Rule(
        type="eks/nodeGroup",
        actions=_of("eks", "DescribeUpdate", "UpdateNodegroupConfig", "UpdateNodegroupVersion"),
    ),
    Rule(
        type="s3/bucket",
        argument="forceDestroy",
        actions=_of("s3", "DeleteObject", "DeleteObjectVersion", "ListBucketVersions"),
    ),
    Rule(
        type="s3/bucket", actions=_of("s3", "ListTagsForResource", "TagResource", "UntagResource")
    ),
    Rule(
        type="sqs/redriveAllowPolicy",
        actions=_of("sqs", "GetQueueAttributes", "SetQueueAttributes"),
    ),
    # What AWS checks or does in the caller's name.
    Rule(
        type="apigatewayv2/stage",
        argument="accessLogSettings",
        actions=_of(
            *("logs", "CreateLogDelivery", "DeleteLogDelivery", "DescribeLogGroups"),
            *("DescribeResourcePolicies", "GetLogDelivery", "ListLogDeliveries"),
            *("PutResourcePolicy", "UpdateLogDelivery"),
        ),
    ),
    Rule(type="apigatewayv2/(api|stage)", actions=_of("apigateway", "TagResource")),
    Rule(
        type="efs/mountTarget",
        actions=_of(
            *("ec2", "CreateNetworkInterface", "DeleteNetworkInterface", "DescribeSubnets"),
            *("DescribeNetworkInterfaceAttribute", "DescribeNetworkInterfaces"),
        ),
    ),
    Rule(
        type="eks/cluster",
        argument="encryptionConfig",
        actions=_of("kms", "CreateGrant", "DescribeKey"),
    ),
    Rule(
        type="eks/nodeGroup",
        argument="launchTemplate",
        actions=_of("ec2", "CreateTags", "RunInstances"),
    ),
    Rule(
        type="lambda/function",
        argument="vpcConfig",
        actions=_of("ec2", "DescribeSecurityGroups", "DescribeSubnets", "DescribeVpcs"),
    ),
    Rule(
        type="rds/instance",
        argument="manageMasterUserPassword",
        actions=(
            *_of("secretsmanager", "CreateSecret", "RotateSecret", "TagResource"),
            "kms:DescribeKey",
        ),
    ),
    Rule(
        type="rds/instance",
        argument="finalSnapshotIdentifier",
        actions=_of("rds", "CreateDBSnapshot"),
    ),
    Rule(
        type="(ec2/flowLog|eks/cluster|eks/nodeGroup|lambda/function)",
        argument="role|iamRoleArn|nodeRoleArn|roleArn",
        actions=_of("iam", "PassRole"),
    ),
    Rule(type="eks/(cluster|nodeGroup)", actions=_of("iam", "GetRole")),
    Rule(
        type="(efs/fileSystem|eks/cluster|eks/nodeGroup|lb/loadBalancer|rds/instance)",
        actions=_of("iam", "CreateServiceLinkedRole"),
    ),
)

WITHOUT: Mapping[tuple[str, str], str] = {
    ("budgets/budget", "(billing:GetBillingViewData|iam:.*)"): "billingViewArn",
    ("ec2/flowLog", "ecs:.*"): "logFormat",  # fields of ECS
    ("ec2/launchTemplate", "ssm:GetParameters"): "imageId",
    ("ec2/vpcEndpoint", "ec2:Describe.*"): "subnetIds|securityGroupIds",
    ("ec2/vpcEndpoint", "route53:.*"): "privateDnsEnabled",
    ("efs/mountTarget", "ec2:CreateTags"): "tags",
    ("eks/cluster", "(?!eks|iam|kms).*"): "",  # GetServiceQuota for the limits of other services
    ("eks/cluster", "iam:GetAccountSummary"): "",
    ("eks/nodeGroup", "ssm:GetParameters"): "",  # of a launch template's image
    ("kms/key", "iam:CreateServiceLinkedRole"): "multiRegion",
    ("kms/key", "kms:PutKeyPolicy"): "policy",
    ("lambda/function", "lambda:PassCapacityProvider"): "capacityProviderConfig",
    ("rds/instance", "iam:PassRole"): "monitoringRoleArn|domainIamRoleName",
    ("rds/instance", "kms:.*"): ".*[kK]msKeyId",  # AWS' own keys allow every caller of RDS
    ("rds/instance", "rds:.*TenantDatabase"): "multiTenant",
    ("sns/topic(Policy)?", "iam:PassRole"): ".*FeedbackRoleArn",
}
"""Arguments that would need an action, by type and pattern of dependent actions.

A plan that has none of the arguments does not need the actions."""

Arguments = Mapping[str, set[str]]
"""Names of the arguments that are set, by type without `aws:` and the class."""


def short(type_: str) -> str:
    """A type token without `aws:` and the class."""
    return type_.removeprefix("aws:").partition(":")[0]


def arguments(resources: Iterable[Resource]) -> Arguments:
    """What is set in any of the resources."""
    found: dict[str, set[str]] = defaultdict(set)
    for resource in resources:
        if resource.type.startswith("aws:"):
            found[short(resource.type)] |= {
                name for name, value in resource.inputs.items() if value
            }
    return found


def applies(rule: Rule, type_: str, present: Arguments) -> bool:
    """True when resources of a type have the argument of a rule."""
    return re.fullmatch(rule.type, type_) is not None and (
        not rule.argument or any(re.fullmatch(rule.argument, name) for name in present[type_])
    )


def by_rules(type_: str, present: Arguments) -> set[str]:
    """The actions that the rules require for a type."""
    return {a for rule in RULES if applies(rule, type_, present) for a in rule.actions}


def dependent(type_: str, present: Arguments, reference: Reference) -> set[str]:
    """The actions that the type's own actions depend on with the arguments that are set."""
    return {
        action
        for needed in allowed(type_) & reference.actions.keys()
        for action in reference.actions[needed].depends
        if not any(re.fullmatch(action_, action) for action_ in _spared(type_, present))
    }


def _spared(type_: str, present: Arguments) -> Iterator[str]:
    for (pattern, actions), argument in WITHOUT.items():
        if re.fullmatch(pattern, type_) and not any(
            re.fullmatch(argument, name) for name in present[type_]
        ):
            yield actions


def tagging(type_: str, reference: Reference) -> dict[str, set[str]]:
    """By service in which a call for the type may bring tags along: the actions that tag there."""
    services = {
        action.partition(":")[0]
        for action in allowed(type_) & reference.actions.keys()
        if reference.actions[action].tags and reference.actions[action].level != "Tagging"
    }
    found: dict[str, set[str]] = defaultdict(set)
    for action, facts in reference.actions.items():
        service = action.partition(":")[0]
        if facts.level == "Tagging" and service in services:
            found[service].add(action)
    return found


def allowed(type_: str) -> set[str]:
    """Every action that the table has for a type."""
    return {
        action
        for row in NEEDS.values()
        if short(row.type) == type_
        for need in row.needs
        for action in need.actions()
    }
