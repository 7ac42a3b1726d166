"""Checks of an AWS account: credentials, region, permissions and names."""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import botocore.session  # type: ignore[import-untyped]
from botocore import exceptions
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]
from botocore.parsers import ResponseParserError  # type: ignore[import-untyped]

from preflight.aws_permissions import GLOBAL, NEEDS
from preflight.checks import Finding, StackContext, bucket_name, on_path

HOME = "us-east-1"
"""A region that is enabled in every account, for requests that concern no region or others."""

_QUICK = Config(connect_timeout=5, read_timeout=15, retries={"total_max_attempts": 2})

_NO_ANSWER = (BotoCoreError, ClientError, ResponseParserError)
_NOT_REACHED = (exceptions.ConnectionError, exceptions.HTTPClientError, ResponseParserError)

_REFUSED = {
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
"""Error codes for invalid or expired credentials, in contrast to missing permissions."""

_CREDENTIALS = (
    "Configure credentials: export AWS_PROFILE=…, or aws sso login; test them with: "
    "aws sts get-caller-identity"
)


@dataclass(frozen=True, kw_only=True)
class Denied:
    """An action that is not allowed, or that depends on `conditions` where they are not empty."""

    action: str
    resource: str
    conditions: tuple[str, ...] = ()


def check(context: StackContext) -> Iterator[Finding]:
    """Check credentials, region, permissions, the network's range and the bucket's name."""
    (region,) = (r.inputs["region"] for r in context.resources if r.type == "pulumi:providers:aws")
    yield from _names(context, region)
    yield from _range(context)
    yield from _client(context)
    try:
        session = botocore.session.Session()
        caller = session.create_client("sts", HOME, config=_QUICK).get_caller_identity()
    except _NO_ANSWER as error:
        yield _no_identity(error)
        return
    yield Finding(name="AWS credentials", ok=True, found=caller["Arn"])
    yield _region(session, region)
    yield _permissions(session, caller, region, context)
    unlisted = {r.type for r in context.resources if r.type.startswith("aws:")} - NEEDS.keys()
    if unlisted:
        found = f"unknown which permissions {', '.join(sorted(unlisted))} need"
        yield Finding(name="AWS permissions", ok=None, found=found)


def _client(context: StackContext) -> Iterator[Finding]:
    """Check the program that a cluster's kubeconfig calls for tokens."""
    if any(r.type == "aws:eks/cluster:Cluster" for r in context.resources):
        guide = "docs.aws.amazon.com/cli, getting-started-install"
        yield on_path("AWS CLI", "aws", "issues the cluster's tokens", guide)


def _names(context: StackContext, region: str) -> Iterator[Finding]:
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    for _, name in context.named("aws:s3/bucket:Bucket", "bucket"):
        yield bucket_name(context, endpoint or f"https://s3.{region}.amazonaws.com", name)


def _range(context: StackContext) -> Iterator[Finding]:
    """Refuse a new range for a deployed network: the database cannot move to a new network."""
    for resource in context.resources:
        if resource.type == "aws:ec2/vpc:Vpc":
            wanted = resource.inputs["cidrBlock"]
            deployed = context.existing.get(resource.urn, {}).get("cidrBlock", wanted)
            if deployed != wanted:
                yield Finding(
                    name="network_cidr",
                    ok=False,
                    found=f"Config network_cidr is {wanted!r}, but the deployed network has "
                    f"{deployed}, and its database cannot move to another network",
                    remedy=context.set_line("network_cidr", deployed),
                )


def _no_identity(error: Exception) -> Finding:
    """Missing and refused credentials are an error; an unreachable AWS is unknown."""
    if isinstance(error, _NOT_REACHED):
        found = f"unknown: AWS did not respond ({type(error).__name__})"
        return Finding(name="AWS credentials", ok=None, found=found)
    if isinstance(error, ClientError) and _code(error) not in _REFUSED:
        found = f"unknown: AWS answered {_code(error)}"
        return Finding(name="AWS credentials", ok=None, found=found)
    reason = _code(error) if isinstance(error, ClientError) else str(error).rstrip(".")
    return Finding(
        name="AWS credentials",
        ok=False,
        found=f"There are no valid AWS credentials: {reason}",
        remedy=_CREDENTIALS,
    )


def _region(session: Any, region: str) -> Finding:
    try:
        (description,) = session.create_client("ec2", HOME, config=_QUICK).describe_regions(
            RegionNames=[region], AllRegions=True
        )["Regions"]
    except (*_NO_ANSWER, ValueError) as error:
        return Finding(
            name="region", ok=None, found=f"unknown whether {region} is enabled: {_why(error)}"
        )
    if description["OptInStatus"] != "not-opted-in":
        return Finding(name="region", ok=True, found=f"{region} is enabled in the account")
    return Finding(
        name="region",
        ok=False,
        found=f"Config region is {region!r}, but this region is not enabled in the account",
        remedy=f"aws account enable-region --region-name {region}, and wait until it is enabled",
    )


def _permissions(
    session: Any, caller: Mapping[str, str], region: str, context: StackContext
) -> Finding:
    name, iam = "AWS permissions", session.create_client("iam", HOME, config=_QUICK)
    if caller["Arn"].endswith(":root"):
        return Finding(name=name, ok=True, found="the root user has all permissions")
    needed = _needed(context, region, caller["Account"])
    try:
        principal = _principal(iam, caller["Arn"])
        left = _denied(iam, principal, needed, region)
    except _NO_ANSWER as error:
        return Finding(name=name, ok=None, found=f"unknown: {_why(error)}")
    if denied := [each for each in left if not each.conditions]:
        listed = ", ".join(f"{each.action} on {each.resource}" for each in denied)
        return Finding(
            name=name,
            ok=False,
            found=f"{principal} lacks permissions that the stack needs: {listed}",
            remedy="Allow them in a policy of that identity, or deploy with another one: "
            "export AWS_PROFILE=…",
        )
    if left:
        found = "unknown whether conditions allow " + ", ".join(
            f"{each.action} ({', '.join(each.conditions)})" for each in left
        )
        return Finding(name=name, ok=None, found=found)
    return Finding(
        name=name, ok=True, found=f"{principal} has all {len(needed)} actions that the stack needs"
    )


def _needed(context: StackContext, region: str, account: str) -> dict[str, str]:
    """Each action with the first resource that needs it."""
    needed: dict[str, str] = {}
    for resource in context.resources:
        permission = NEEDS.get(resource.type)
        for need in permission.needs if permission else ():
            arn = need.arn(region=region, account=account, name=resource.name)
            for action in need.actions:
                needed.setdefault(action, arn)
    return needed


def _principal(iam: Any, arn: str) -> str:
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


def _denied(iam: Any, principal: str, needed: Mapping[str, str], region: str) -> list[Denied]:
    """Actions that are allowed neither on all resources nor on the resource that needs them.

    The first simulation asks for all actions on `*`, so only the rest needs one for each resource.
    """
    by_region = defaultdict(list)
    for action in needed:
        by_region[HOME if action.partition(":")[0] in GLOBAL else region].append(action)
    left = []
    for place, actions in by_region.items():
        first = _simulate(iam, principal, sorted(actions), ["*"], place)
        by_arn = defaultdict(list)
        for action in actions:
            if first.get(action, ("", ()))[0] != "allowed":
                by_arn[needed[action]].append(action)
        for arn, some in by_arn.items():
            for action, (decision, missing) in _simulate(
                iam, principal, some, [arn], place
            ).items():
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


def _code(error: Exception) -> str:
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", type(error).__name__))


def _why(error: Exception) -> str:
    operation = getattr(error, "operation_name", "AWS")
    return f"{operation} answered {_code(error)}"
