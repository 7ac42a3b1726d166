"""Questions to IAM's policy simulator: which actions an identity is denied."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError  # type: ignore[import-untyped]

from preflight.aws_permissions import GLOBAL

HOME = "us-east-1"
"""A region that is enabled in every account, for requests that concern no region or others."""


@dataclass(frozen=True, kw_only=True)
class Denied:
    """An action that is not allowed, or that depends on `conditions` where they are not empty."""

    action: str
    resource: str
    conditions: tuple[str, ...] = ()


def principal_of(iam: Any, arn: str) -> str:
    """ARN of the identity with the policies: for an assumed role, the role with its path."""
    kind, _, rest = arn.split(":", 5)[5].partition("/")
    if kind != "assumed-role":
        return arn
    role = rest.split("/")[0]
    try:
        role_arn: str = iam.get_role(RoleName=role)["Role"]["Arn"]
    except ClientError:
        return f"arn:aws:iam::{arn.split(':')[4]}:role/{role}"
    return role_arn


def denied(
    iam: Any, principal: str, needed: Iterable[tuple[str, str]], region: str
) -> list[Denied]:
    """Actions that are allowed neither on all resources nor on the resource that needs them.

    The first simulation asks for all actions on `*`, so only the rest needs one for each resource.
    """
    by_region: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for action, arn in needed:
        by_region[HOME if action.partition(":")[0] in GLOBAL else region].append((action, arn))
    left = []
    for place, pairs in by_region.items():
        asked = sorted({action for action, _ in pairs})
        first = _simulate(iam, principal, asked, ["*"], place)
        by_arn = defaultdict(list)
        for action, arn in pairs:
            if first.get(action, ("", ()))[0] != "allowed":
                by_arn[arn].append(action)
        for arn, some in by_arn.items():
            decisions = first if arn == "*" else _simulate(iam, principal, some, [arn], place)
            for action in some:
                decision, missing = decisions.get(action, ("", ()))
                if decision != "allowed":
                    left.append(Denied(action=action, resource=arn, conditions=missing))
    return left


def _simulate(
    iam: Any, principal: str, actions: list[str], resources: list[str], region: str
) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Decision and missing conditions by action."""
    pages = iam.get_paginator("simulate_principal_policy").paginate(
        PolicySourceArn=principal,
        ActionNames=actions,
        ResourceArns=resources,
        ContextEntries=[
            {
                "ContextKeyName": "aws:RequestedRegion",
                "ContextKeyValues": [region],
                "ContextKeyType": "string",
            }
        ],
    )
    return {
        result["EvalActionName"]: (result["EvalDecision"], tuple(_missing(result)))
        for page in pages
        for result in page["EvaluationResults"]
    }


def _missing(result: Mapping[str, Any]) -> Iterable[str]:
    parts = [result, *result.get("ResourceSpecificResults", [])]
    return sorted({key for part in parts for key in part.get("MissingContextValues", [])})
