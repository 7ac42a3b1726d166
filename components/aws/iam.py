"""IAM documents as plain data: statements, the policies and the trust that they make up."""

import json
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


def policy(statements: Sequence[Statement]) -> pulumi.Output[str]:
    """A policy document as JSON."""
    return pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust(service: str, *more: str) -> str:
    """The document that lets a service of AWS take on a role, and do `more` as it does."""
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": ["sts:AssumeRole", *more] if more else "sts:AssumeRole",
                    "Principal": {"Service": service},
                }
            ],
        }
    )


def managed(name: str) -> str:
    """ARN of a policy that AWS keeps."""
    return f"arn:aws:iam::aws:policy/{name}"


def account(arn: pulumi.Output[str]) -> pulumi.Output[str]:
    """The account that a resource belongs to, by its ARN (S3's name none)."""
    return arn.apply(lambda text: text.split(":")[4])
