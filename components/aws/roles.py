"""Roles with the permissions that AWS keeps for a purpose."""

from collections.abc import Sequence
from typing import Any

import pulumi
from pulumi_aws import iam

from components.aws.iam import managed, trust

PODS = trust("pods.eks.amazonaws.com", "sts:TagSession")
"""Who takes on a role by EKS Pod Identity."""


def role(
    name: str, who: dict[str, Any], policies: Sequence[str], opts: pulumi.ResourceOptions
) -> tuple[iam.Role, list[pulumi.Resource]]:
    """A role, and what gives it its permissions: to wait for, and to outlive who has the role."""
    made = iam.Role(name, assume_role_policy=who, opts=opts)
    return made, [
        iam.RolePolicyAttachment(
            f"{name}-{attached.rsplit('/')[-1].lower().replace('_', '-')}",
            role=made.name,
            policy_arn=managed(attached),
            opts=opts,
        )
        for attached in policies
    ]
