"""IAM roles with policies that AWS manages."""

from collections.abc import Sequence
from typing import Any

import pulumi
from pulumi_aws import iam

from components.aws.iam import managed, trust

PODS = trust("pods.eks.amazonaws.com", "sts:TagSession")
"""Trust policy of EKS Pod Identity."""


def role(
    name: str, trusted: dict[str, Any], policies: Sequence[str], opts: pulumi.ResourceOptions
) -> tuple[iam.Role, list[pulumi.Resource]]:
    """A role and the attachments of its policies.

    What uses the role depends on the attachments, so that it never runs without permissions.
    """
    created = iam.Role(name, assume_role_policy=trusted, opts=opts)
    return created, [
        iam.RolePolicyAttachment(
            f"{name}-{attached.rsplit('/')[-1].lower().replace('_', '-')}",
            role=created.name,
            policy_arn=managed(attached),
            opts=opts,
        )
        for attached in policies
    ]
