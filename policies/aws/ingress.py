"""AWS-NET-01: SSH, remote desktop and PostgreSQL are closed to the internet."""

from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from typing import Any

from policies.resource import Resource
from policies.rule import ResourceRule, one_of
from policies.values import listed, mapped

_PORTS = {22: "SSH", 3389: "remote desktop", 5432: "PostgreSQL"}
_RULE = "aws:ec2/securityGroupRule:SecurityGroupRule"
_INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
_GROUPS = (
    "aws:ec2/securityGroup:SecurityGroup",
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
)


def _check(resource: Resource) -> Iterator[str]:
    for rule in _ingress(resource):
        cidrs = [
            cidr
            for key in ("cidrBlocks", "ipv6CidrBlocks", "cidrIpv4", "cidrIpv6")
            for cidr in listed(rule.get(key))
        ]
        for cidr in cidrs:
            if _is_anywhere(cidr) and (open_to := _sensitive(rule)):
                yield f"{cidr} may reach {open_to}."


def _ingress(resource: Resource) -> list[Mapping[str, Any]]:
    if resource.type in _GROUPS:
        return [mapped(rule) for rule in listed(resource.inputs.get("ingress"))]
    if resource.type == _RULE and resource.inputs.get("type") != "ingress":
        return []
    return [resource.inputs]


def _is_anywhere(cidr: Any) -> bool:
    try:
        return ip_network(str(cidr), strict=False).prefixlen == 0
    except ValueError:
        return False  # unknown, or invalid: AWS rejects it


def _sensitive(rule: Mapping[str, Any]) -> str:
    """The sensitive ports that a rule opens, as text; empty if there are none."""
    if str(rule.get("protocol", rule.get("ipProtocol"))) in ("-1", "all"):
        return "every port"
    first, last = rule.get("fromPort"), rule.get("toPort")
    if not isinstance(first, int | float) or not isinstance(last, int | float):
        return ""
    if first <= 0 and last >= 65535:
        return "every port"
    return ", ".join(
        f"port {port} ({name})" for port, name in _PORTS.items() if first <= port <= last
    )


RULE = ResourceRule(
    id="AWS-NET-01",
    title="No security group opens SSH, remote desktop, PostgreSQL or all ports to the internet.",
    severity="critical",
    enforcement="mandatory",
    remedy="Replace 0.0.0.0/0 and ::/0 with a security group (referencedSecurityGroupId, or "
    "securityGroups) or a narrow CIDR.",
    source="CIS AWS 6.3, 6.4; https://docs.aws.amazon.com/securityhub/latest/userguide/ec2-controls.html",
    applies=one_of(*_GROUPS, _RULE, _INGRESS),
    check=_check,
)
