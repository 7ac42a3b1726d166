"""Checks of an AWS account: credentials, region, permissions and names."""

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import botocore.session  # type: ignore[import-untyped]
from botocore import exceptions
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]
from botocore.parsers import ResponseParserError  # type: ignore[import-untyped]

from preflight.aws_permissions import NEEDS, PHASES, Phase, needs
from preflight.aws_simulation import HOME, denied, principal_of
from preflight.checks import Command, Finding, StackContext, bucket_name, on_path

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


_REQUIRED: dict[Command, tuple[Phase, ...]] = {"up": PHASES, "drift": ("read",), "preview": ()}
"""The phases whose actions a command needs: `up` also updates and deletes."""


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
    listed = {row.type for row in NEEDS.values()}
    unlisted = {r.type for r in context.resources if r.type.startswith("aws:")} - listed
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
    account = caller["Account"]
    required = {
        action for action, _ in _needed(context, region, account, _REQUIRED[context.command])
    }
    needed = sorted({(a, arn) for (a, _), arn in _needed(context, region, account, PHASES).items()})
    total = len({action for action, _ in needed})
    try:
        principal = principal_of(iam, caller["Arn"])
        left = denied(iam, principal, needed, region)
    except _NO_ANSWER as error:
        return Finding(name=name, ok=None, found=f"unknown: {_why(error)}")
    refused = [each for each in left if not each.conditions]
    if missing := [each for each in refused if each.action in required]:
        listed = ", ".join(f"{each.action} on {each.resource}" for each in missing)
        return Finding(
            name=name,
            ok=False,
            found=f"{principal} lacks permissions that the stack needs: {listed}",
            remedy="Allow them in a policy of that identity (docs/permissions.md), or use another "
            "one: export AWS_PROFILE=…",
        )
    if refused:
        found = (
            f"{principal} may not deploy: it lacks {len({each.action for each in refused})} of the "
            f"{total} actions that `up` needs, such as {refused[0].action}"
        )
        return Finding(name=name, ok=None, found=found)
    if left:
        found = "unknown whether conditions allow " + ", ".join(
            f"{each.action} ({', '.join(each.conditions)})" for each in left
        )
        return Finding(name=name, ok=None, found=found)
    return Finding(
        name=name, ok=True, found=f"{principal} has all {total} actions that the stack needs"
    )


def _needed(
    context: StackContext, region: str, account: str, phases: Iterable[Phase]
) -> dict[tuple[str, str], str]:
    """ARN of the first resource by action and form of the ARN."""
    needed: dict[tuple[str, str], str] = {}
    for resource in context.resources:
        for need in needs(resource.type):
            arn = need.arn(region=region, account=account, name=resource.name)
            for action in need.actions(phases):
                needed.setdefault((action, need.resource), arn)
    return needed


def _code(error: Exception) -> str:
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", type(error).__name__))


def _why(error: Exception) -> str:
    operation = getattr(error, "operation_name", "AWS")
    return f"{operation} answered {_code(error)}"
