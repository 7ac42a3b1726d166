"""Rules of security groups: one TCP port, between groups or to a range of addresses."""

from ipaddress import AddressValueError, IPv4Address
from urllib.parse import urlsplit

import pulumi
from pulumi_aws import vpc


def allow_ingress(
    name: str,
    group_id: pulumi.Input[str],
    *,
    source_group_id: pulumi.Input[str],
    port: int,
    opts: pulumi.ResourceOptions,
) -> pulumi.Resource:
    """Let members of the source group connect to a port of the group's members."""
    rule: pulumi.Resource = vpc.SecurityGroupIngressRule(
        name,
        security_group_id=group_id,
        referenced_security_group_id=source_group_id,
        ip_protocol="tcp",
        from_port=port,
        to_port=port,
        opts=opts,
    )
    return rule


def allow_egress(
    name: str,
    group_id: pulumi.Input[str],
    *,
    target_group_id: pulumi.Input[str] | None = None,
    cidr: str | None = None,
    port: int,
    opts: pulumi.ResourceOptions,
) -> pulumi.Resource:
    """Let the group's members connect to a port of another group's members, or of a CIDR."""
    rule: pulumi.Resource = vpc.SecurityGroupEgressRule(
        name,
        security_group_id=group_id,
        referenced_security_group_id=target_group_id,
        cidr_ipv4=cidr,
        ip_protocol="tcp",
        from_port=port,
        to_port=port,
        opts=opts,
    )
    return rule


def port_of(url: str) -> int:
    """The port of an http or https URL: the one it names, or the default of its scheme."""
    parts = urlsplit(url)
    return parts.port or (443 if parts.scheme == "https" else 80)


def cidr_of(url: str) -> str:
    """`ADDRESS/32` for an IPv4 address; `0.0.0.0/0` for a name, whose addresses may change."""
    try:
        return f"{IPv4Address(urlsplit(url).hostname or '')}/32"
    except AddressValueError:
        return "0.0.0.0/0"
