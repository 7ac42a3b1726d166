"""What an AWS account says before anything is created: who we are, where, and what we may."""

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

from components.aws.permissions import GLOBAL, NEEDS
from components.preflight import Finding, StackContext, bucket_name, on_path

HOME = "us-east-1"
"""A region that every account has, so that questions about others can be asked there."""

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
"""What AWS answers to credentials that are wrong or over, rather than to what they may not do."""

_CREDENTIALS = (
    "Say as whom: export AWS_PROFILE=…, or aws sso login; then aws sts get-caller-identity"
)


@dataclass(frozen=True, kw_only=True)
class Denied:
    """An action that the account does not allow; `conditions` decide where they are not empty."""

    action: str
    resource: str
    conditions: tuple[str, ...] = ()


def ask(intent: StackContext) -> Iterator[Finding]:
    """Ask who we are, whether the region is open, what we may, and whether a name is free."""
    (region,) = (r.inputs["region"] for r in intent.resources if r.type == "pulumi:providers:aws")
    yield from _names(intent, region)
    yield from _range(intent)
    yield from _client(intent)
    try:
        session = botocore.session.Session()
        caller = session.create_client("sts", HOME, config=_QUICK).get_caller_identity()
    except _NO_ANSWER as error:
        yield _nobody(error)
        return
    yield Finding(name="AWS credentials", ok=True, found=caller["Arn"])
    yield _region(session, region)
    yield _permissions(session, caller, region, intent)
    untold = {r.type for r in intent.resources if r.type.startswith("aws:")} - NEEDS.keys()
    if untold:
        found = f"unknown what creating needs of {', '.join(sorted(untold))}"
        yield Finding(name="AWS permissions", ok=None, found=found)


def _client(intent: StackContext) -> Iterator[Finding]:
    """What a cluster's kubeconfig calls for a token."""
    if any(r.type == "aws:eks/cluster:Cluster" for r in intent.resources):
        guide = "docs.aws.amazon.com/cli, getting-started-install"
        yield on_path("AWS CLI", "aws", "gives out the cluster's tokens", guide)


def _names(intent: StackContext, region: str) -> Iterator[Finding]:
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    for _, name in intent.named("aws:s3/bucket:Bucket", "bucket"):
        yield bucket_name(intent, endpoint or f"https://s3.{region}.amazonaws.com", name)


def _range(intent: StackContext) -> Iterator[Finding]:
    """A network's range stays: another one is another network, where the database cannot go."""
    for resource in intent.resources:
        if resource.type == "aws:ec2/vpc:Vpc":
            wanted = resource.inputs["cidrBlock"]
            there = intent.existing.get(resource.name, {}).get("cidrBlock", wanted)
            if there != wanted:
                yield Finding(
                    name="network_cidr",
                    ok=False,
                    found=f"Config network_cidr is {wanted!r}, but the network has {there} and the "
                    "database cannot move to another one",
                    remedy=intent.set_line("network_cidr", there),
                )


def _nobody(error: Exception) -> Finding:
    """Credentials that are missing or refused are an error; an AWS that is not reached is not."""
    if isinstance(error, _NOT_REACHED):
        found = f"unknown: AWS did not answer ({type(error).__name__})"
        return Finding(name="AWS credentials", ok=None, found=found)
    if isinstance(error, ClientError) and _code(error) not in _REFUSED:
        found = f"unknown: AWS answered {_code(error)}"
        return Finding(name="AWS credentials", ok=None, found=found)
    said = _code(error) if isinstance(error, ClientError) else str(error).rstrip(".")
    return Finding(
        name="AWS credentials",
        ok=False,
        found=f"AWS does not know who deploys: {said}",
        remedy=_CREDENTIALS,
    )


def _region(session: Any, region: str) -> Finding:
    try:
        (found,) = session.create_client("ec2", HOME, config=_QUICK).describe_regions(
            RegionNames=[region], AllRegions=True
        )["Regions"]
    except (*_NO_ANSWER, ValueError) as error:
        return Finding(
            name="region", ok=None, found=f"unknown whether {region} is open: {_why(error)}"
        )
    if found["OptInStatus"] != "not-opted-in":
        return Finding(name="region", ok=True, found=f"{region} is open to the account")
    return Finding(
        name="region",
        ok=False,
        found=f"Config region is {region!r}, but the account has not opened this region",
        remedy=f"aws account enable-region --region-name {region}, and wait until it is enabled",
    )


def _permissions(
    session: Any, caller: Mapping[str, str], region: str, intent: StackContext
) -> Finding:
    name, iam = "AWS permissions", session.create_client("iam", HOME, config=_QUICK)
    if caller["Arn"].endswith(":root"):
        return Finding(name=name, ok=True, found="the account's root may do everything")
    needed = _needed(intent, region, caller["Account"])
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
            found=f"{principal} may not do what the stack needs: {listed}",
            remedy="Allow it in a policy of that identity, or deploy as another: "
            "export AWS_PROFILE=…",
        )
    if left:
        found = "unknown whether conditions allow " + ", ".join(
            f"{each.action} ({', '.join(each.conditions)})" for each in left
        )
        return Finding(name=name, ok=None, found=found)
    return Finding(name=name, ok=True, found=f"all {len(needed)} that creating needs are given")


def _needed(intent: StackContext, region: str, account: str) -> dict[str, str]:
    """Each action with the first resource that needs it."""
    needed: dict[str, str] = {}
    for resource in intent.resources:
        for need in NEEDS.get(resource.type, ()):
            arn = need.arn(region=region, account=account, name=resource.name)
            for action in need.actions:
                needed.setdefault(action, arn)
    return needed


def _principal(iam: Any, arn: str) -> str:
    """The identity whose policies count: of an assumed role its role, whose ARN has a path."""
    kind, _, rest = arn.split(":", 5)[5].partition("/")
    if kind != "assumed-role":
        return arn
    role = rest.split("/")[0]
    try:
        found: str = iam.get_role(RoleName=role)["Role"]["Arn"]
    except ClientError:
        return f"arn:aws:iam::{arn.split(':')[4]}:role/{role}"
    return found


def _denied(iam: Any, principal: str, needed: Mapping[str, str], region: str) -> list[Denied]:
    """What is not allowed, on no resource in particular and on the one that needs it.

    A policy for everything allows the first; only what it leaves is asked for one by one.
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
