"""Checks of an AWS account for a cluster: quotas, access to its API, remains of a former one."""

import re
import socket
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

from policies.resource import Resource
from preflight.aws_session import NO_ANSWER, NOT_REACHED, client, why
from preflight.checks import Finding, StackContext

CLUSTER = "aws:eks/cluster:Cluster"
POOL = "seamless:aws:NodeGroup"

QUOTAS = {
    "g": ("L-DB2E81BA", "Running On-Demand G and VT instances"),
    "p": ("L-417A185B", "Running On-Demand P instances"),
    "m": ("L-1216C47A", "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances"),
}
"""Code and name of the quota of vCPUs, by the first letter of the machine types of a cluster.

Source: docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html; the codes as in
public code of 2026-11-29."""


def check(context: StackContext) -> Iterator[Finding]:
    """Check what only a stack with a cluster needs."""
    clusters = [r for r in context.resources if r.type == CLUSTER]
    if not clusters:
        return
    (region,) = (r.inputs["region"] for r in context.resources if r.type == "pulumi:providers:aws")
    yield from _reachable(context, clusters[0])
    try:
        yield from _quotas(context, region)
        yield from _left_log_group(context, region)
        if context.command == "up" and clusters[0].urn not in context.existing:
            yield from _creator(context)
    except NOT_REACHED:
        return


def _reachable(context: StackContext, cluster: Resource) -> Iterator[Finding]:
    """Check whether the command runs where it reaches the cluster's API.

    Without the API a refresh fails; a preview goes on with a warning, and is less exact
    (pulumi/pulumi-kubernetes at 9497796, provider/pkg/provider/provider.go, Read and Create).
    """
    if cluster.inputs["vpcConfig"]["endpointPublicAccess"]:
        return
    if context.command != "up" and cluster.urn not in context.existing:
        return
    (network,) = (r.inputs["cidrBlock"] for r in context.resources if r.type == "aws:ec2/vpc:Vpc")
    peers = next((v for k, v in context.config.items() if k.endswith(":network_peers")), "")
    own = address_towards(network)
    inside = [network, *peers.replace(",", " ").split()]
    if any(IPv4Address(own) in IPv4Network(each) for each in inside):
        yield Finding(name="cluster_api_cidrs", ok=True, found=f"{own} is inside the network")
        return
    yield Finding(
        name="cluster_api_cidrs",
        ok=None if context.command == "preview" else False,
        found="Config cluster_api_cidrs is not set, so the cluster's API has an address in "
        f"{network} only, and this machine ({own}) has none there or in network_peers",
        remedy="Deploy from inside the network, or allow your address: pulumi config set "
        'cluster_api_cidrs "$(curl -s https://checkip.amazonaws.com)/32" '
        f"--stack {context.stack}",
    )


def address_towards(network: str) -> str:
    """The address that this machine would send from to a network; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((str(IPv4Network(network)[2]), 443))
        except OSError:  # no route
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def _quotas(context: StackContext, region: str) -> Iterator[Finding]:
    """Compare the quotas of vCPUs with the machines that the stack may start."""
    for pool in (r for r in context.resources if r.type == POOL):
        type_, vcpus = pool.inputs["instanceType"], pool.inputs["vcpus"]
        kind = re.sub(r"[^a-z].*", "", type_)[0]
        code, title = QUOTAS[kind]
        # The number of GPU nodes is config; that of the others is ours, and two of them suffice.
        most = pool.inputs["minimum" if kind == "m" else "maximum"]
        try:
            quota = client("service-quotas", region).get_service_quota(
                ServiceCode="ec2", QuotaCode=code
            )["Quota"]["Value"]
        except NOT_REACHED:
            raise
        except NO_ANSWER as error:
            yield Finding(name=f"quota {code}", ok=None, found=f"unknown: {why(error)}")
            continue
        needs = f"{most} machines of type {type_} need {most * vcpus} vCPUs"
        ask = (
            f"aws service-quotas request-service-quota-increase --region {region} "
            f"--service-code ec2 --quota-code {code} --desired-value {most * vcpus}"
        )
        lower = "" if kind == "m" else ", or lower gpu_maximum"
        is_enough = quota >= most * vcpus
        yield context.for_up(
            Finding(
                name=f"quota {code}",
                ok=is_enough,
                found=f"{title}: {quota:g} vCPUs in {region}; {needs}"
                + ("" if is_enough else ", and other instances of the account count, too"),
                remedy="" if is_enough else f"Ask AWS for it, which may take days{lower}: {ask}",
            )
        )


def _left_log_group(context: StackContext, region: str) -> Iterator[Finding]:
    """Find a log group that EKS made again while a former cluster was deleted.

    EKS writes its last lines after the stack has deleted the group
    (terraform-aws-modules/terraform-aws-eks#2763, open).
    """
    for _, name in context.named("aws:cloudwatch/logGroup:LogGroup", "name"):
        if not name.startswith("/aws/eks/"):
            continue
        try:
            groups = client("logs", region).describe_log_groups(logGroupNamePrefix=name)
        except NOT_REACHED:
            raise
        except NO_ANSWER as error:
            yield Finding(name="log group", ok=None, found=f"unknown: {why(error)}")
            continue
        if name in {group["logGroupName"] for group in groups["logGroups"]}:
            yield context.for_up(
                Finding(
                    name="log group",
                    ok=False,
                    found=f"{name} is left of a former cluster, and the stack creates this group",
                    remedy=f"aws logs delete-log-group --region {region} --log-group-name {name}",
                )
            )


def _creator(context: StackContext) -> Iterator[Finding]:
    """Refuse the identity that creates the cluster among the further administrators."""
    further = [
        r.inputs["principalArn"]
        for r in context.resources
        if r.type == "aws:eks/accessEntry:AccessEntry"
    ]
    if not further:
        return
    try:
        caller = client("sts", "us-east-1").get_caller_identity()["Arn"]
    except NOT_REACHED:
        raise
    except NO_ANSWER as error:
        yield Finding(name="cluster_admins", ok=None, found=f"unknown: {why(error)}")
        return
    for arn in further:
        if _identity(arn) == _identity(caller):
            yield Finding(
                name="cluster_admins",
                ok=False,
                found=f"Config cluster_admins has {arn}, which creates the cluster and so is its "
                "administrator; EKS refuses a second entry",
                remedy="Remove it: "
                + context.set_line(
                    "cluster_admins", ",".join(each for each in further if each != arn) or '""'
                ),
            )


def _identity(arn: str) -> tuple[str, str, str]:
    """Account, kind and name; the session of a role is the role, and has no path.

    Names differ without their paths and in more than case (IAM user guide, reference_iam-quotas).
    """
    account, rest = arn.split(":", 5)[4:]
    kind, _, path = rest.partition("/")
    if kind == "assumed-role":
        return account, "role", path.split("/")[0].lower()
    return account, kind, path.split("/")[-1].lower()
