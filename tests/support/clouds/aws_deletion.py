"""What a deletion leaves behind at AWS: network interfaces of functions, and final snapshots."""

from collections.abc import Mapping
from typing import Any

import grpc  # type: ignore[import-untyped]  # it ships no types

from tests.support.clouds.provider import Provider, abort

_FUNCTION, _ROLE = "aws:lambda/function:Function", "aws:iam/role:Role"
_POLICY, _INSTANCE = "aws:iam/rolePolicy:RolePolicy", "aws:rds/instance:Instance"
_HELD = ("aws:ec2/subnet:Subnet", "aws:ec2/securityGroup:SecurityGroup")

INTERFACE_SECONDS = 60 * 60
"""An interface is deleted up to an hour after its function: 57 minutes in
hashicorp/terraform-provider-aws#32130, 1105 seconds in pulumi/pulumi-aws#2642."""

_DEFAULT_SECONDS = 15 * 60
"""The provider's own, for a security group (internal/service/ec2/vpc_security_group.go)."""


class Aws(Provider):
    """The provider of AWS, whose deletions depend on earlier ones.

    - Lambda deletes the interfaces of a deleted function with the function's role
      (docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html). Until then no subnet and no
      security group of it can be deleted; without the role or its right, never.
    - RDS makes a final snapshot, whose name must be new in the account
      (docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBInstance.html).
    """

    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Delete a resource, unless something that an earlier deletion left behind prevents it."""
        token = request.urn.split("::")[2].rsplit("$", 1)[-1]
        found = self.world.resources().get(f"{token} {request.id}", {"outputs": {}})["outputs"]
        with self.world.left() as left:
            interfaces = left.setdefault("interfaces", [])
            if token in _HELD and (why := _held(interfaces, request.id, request.timeout)):
                abort(context, grpc.StatusCode.FAILED_PRECONDITION, f"DependencyViolation: {why}")
            if token == _INSTANCE and (why := _snapshot(left.setdefault("snapshots", []), found)):
                abort(context, grpc.StatusCode.FAILED_PRECONDITION, why)
        answer = super().Delete(request, context)
        with self.world.left() as left:
            interfaces = left.setdefault("interfaces", [])
            if token == _FUNCTION and (network := found.get("vpcConfig")):
                used = [*network["subnetIds"], *network["securityGroupIds"]]
                interfaces.append({"role": found["role"].split("/")[-1], "used": used})
            for interface in interfaces:
                gone = found.get("name") if token == _ROLE else found.get("role")
                right = token == _ROLE or "ec2:DeleteNetworkInterface" in str(found.get("policy"))
                if token in (_ROLE, _POLICY) and right and gone == interface["role"]:
                    interface["stuck"] = True
            for interface in interfaces:
                interface["used"] = [id_ for id_ in interface["used"] if id_ != request.id]
            left["interfaces"] = [interface for interface in interfaces if interface["used"]]
        return answer


def _held(interfaces: list[dict[str, Any]], id_: str, timeout: float) -> str:
    """Why a subnet or a group cannot be deleted; empty if it can."""
    of = [interface for interface in interfaces if id_ in interface["used"]]
    if any(interface.get("stuck") for interface in of):
        return f"{id_} has an interface that Lambda cannot delete: its role has no right to it"
    if of and (timeout or _DEFAULT_SECONDS) < INTERFACE_SECONDS:
        return f"{id_} still has an interface of Lambda after {timeout or _DEFAULT_SECONDS:g} s"
    return ""


def _snapshot(snapshots: list[str], instance: Mapping[str, Any]) -> str:
    """Make the final snapshot of an instance; return why it is refused."""
    if not instance or instance.get("deletionProtection") or instance.get("skipFinalSnapshot"):
        return ""
    name = str(instance.get("finalSnapshotIdentifier") or "")
    if not name:
        return "InvalidParameterCombination: FinalDBSnapshotIdentifier is required"
    if name in snapshots:
        return f"DBSnapshotAlreadyExists: {name}"
    snapshots.append(name)
    return ""
