"""IAM documents as plain data: statements, the policies and the trust that they make up.

The AWS provider takes a document as data and makes it text itself (pulumi-aws,
provider/resources.go: TransformJSONDocument). So where a preview does not know an ARN yet, that ARN
alone is unknown, and the policies still read who may do what.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

Statement = dict[str, Any]
"""One statement of a policy, in IAM's own words; values may be outputs."""


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


def trust(service: str, *more: str) -> dict[str, Any]:
    """The document that lets a service of AWS take on a role, and do `more` as it does."""
    actions = ["sts:AssumeRole", *more] if more else "sts:AssumeRole"
    return policy([{"Effect": "Allow", "Action": actions, "Principal": {"Service": service}}])


def managed(name: str) -> str:
    """ARN of a policy that AWS keeps."""
    return f"arn:aws:iam::aws:policy/{name}"


def account(arn: pulumi.Output[str]) -> pulumi.Output[str]:
    """The account that a resource belongs to, by its ARN (S3's name none)."""
    return arn.apply(lambda text: text.split(":")[4])
