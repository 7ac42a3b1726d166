"""IAM documents as plain data: statements, policies and trust policies.

The AWS provider converts a document from data to JSON (pulumi-aws, provider/resources.go:
TransformJSONDocument). So an ARN that a preview does not know is the only unknown part of a
document, and the policy pack can check the rest.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

Statement = dict[str, Any]
"""One statement of a policy, with IAM's keys; values may be outputs."""


def allow(
    *actions: str,
    on: Sequence[pulumi.Input[str]],
    when: Mapping[str, Any] | None = None,
) -> Statement:
    """Allow actions on resources, under a condition if one is given."""
    statement: Statement = {"Effect": "Allow", "Action": list(actions), "Resource": list(on)}
    return {**statement, "Condition": dict(when)} if when else statement


def policy(statements: Sequence[Statement]) -> dict[str, Any]:
    """A policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def trust(service: str, *more: str, when: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A trust policy that lets an AWS service assume a role, with the further actions `more`."""
    actions = ["sts:AssumeRole", *more] if more else "sts:AssumeRole"
    statement: Statement = {
        "Effect": "Allow",
        "Action": actions,
        "Principal": {"Service": service},
    }
    return policy([{**statement, "Condition": dict(when)} if when else statement])


def managed(name: str) -> str:
    """ARN of a policy that AWS manages."""
    return f"arn:aws:iam::aws:policy/{name}"


def account(arn: pulumi.Output[str]) -> pulumi.Output[str]:
    """The account id in a resource's ARN; ARNs of S3 buckets have none."""
    return arn.apply(lambda text: text.split(":")[4])
