"""What the simulated EKS refuses, and what it keeps.

Sources: internal/service/eks/node_group.go of hashicorp/terraform-provider-aws at 012e0a32, for
what the provider sends; for what EKS answers, terraform-aws-modules/terraform-aws-eks#3306, #3448
and #3293, and the EKS user guide: update-cluster, creating-access-entries, managing-add-ons.
"""

from collections.abc import Mapping
from typing import Any

import grpc  # type: ignore[import-untyped]  # it ships no types
from pulumi.runtime.proto import provider_pb2

from tests.support.clouds import api_gateway
from tests.support.clouds.kinds import Facts
from tests.support.clouds.provider import Properties, _plain, _struct, _type, abort

CLUSTER = "aws:eks/cluster:Cluster"
NODE_GROUP = "aws:eks/nodeGroup:NodeGroup"
ADD_ON = "aws:eks/addon:Addon"
ENTRY = "aws:eks/accessEntry:AccessEntry"
ASSOCIATION = "aws:eks/accessPolicyAssociation:AccessPolicyAssociation"

CREATOR = "arn:aws:iam::123456789012:role/creator"
"""The identity that deploys; EKS gives it an access entry of its own."""


def default_version(add_on: str, kubernetes: str) -> str:
    """The version of an add-on that this EKS takes by default; only its form is that of AWS."""
    return f"v{kubernetes}.{len(add_on)}-eksbuild.1"


class Aws(api_gateway.Aws):
    """The simulated AWS, whose EKS has more rules than a table of types holds."""

    def Invoke(self, request: Any, context: Any) -> Any:  # noqa: N802  # the protocol's name
        """Answer DescribeAddonVersions, the only function that a stack calls."""
        if request.tok != "aws:eks/getAddonVersion:getAddonVersion":
            return super().Invoke(request, context)
        given = _plain(request.args)
        version = default_version(given["addonName"], given["kubernetesVersion"])
        found = {**given, "id": given["addonName"], "mostRecent": False, "version": version}
        answer = provider_pb2.InvokeResponse()
        getattr(answer, "return").CopyFrom(_struct(found))
        return answer

    def lacking(self, facts: Facts, resources: Mapping[str, Any]) -> str:
        """The refusal of a new resource."""
        if facts.token == NODE_GROUP:
            return _unscalable(facts.inputs["scalingConfig"])
        if facts.token == ADD_ON:
            return _unfit(facts.inputs, resources)
        if facts.token == ENTRY and facts.inputs["principalArn"] == CREATOR:
            return (
                "ResourceInUseException: The specified access entry resource is already in use on "
                "this cluster."
            )
        if facts.token == ASSOCIATION:
            entries = {r["outputs"]["principalArn"] for r in _of(ENTRY, resources)}
            if facts.inputs["principalArn"] not in entries:
                return "ResourceNotFoundException: The specified principalArn could not be found."
        return super().lacking(facts, resources)

    def Update(self, request: Any, context: Any) -> Any:  # noqa: N802  # the protocol's name
        """Refuse what EKS refuses; a size that is not sent stays as the autoscaler set it."""
        token = _type(request.urn)
        if request.preview or token not in (CLUSTER, NODE_GROUP, ADD_ON):
            return super().Update(request, context)
        resources = self.world.resources()
        olds, news = _plain(request.olds), _plain(request.news)
        live = resources[f"{token} {request.id}"]["outputs"]
        sends_size = news.get("scalingConfig") != olds.get("scalingConfig")
        refused = ""
        if token == CLUSTER:
            refused = _no_step(live["version"], news["version"])
        elif token == ADD_ON:
            refused = _unfit(news, resources)
        elif sends_size:
            refused = _unscalable(news["scalingConfig"])
        if refused:
            abort(context, grpc.StatusCode.INVALID_ARGUMENT, refused)
        answer = super().Update(request, context)
        if token == NODE_GROUP and not sends_size:
            with self.world.change() as changed:
                outputs = changed[f"{token} {request.id}"]["outputs"]
                outputs["scalingConfig"] = live["scalingConfig"]
            answer = provider_pb2.UpdateResponse(properties=_struct(outputs))
        return answer


def _unscalable(sizes: Properties) -> str:
    low, high, size = (int(sizes[f"{key}Size"]) for key in ("min", "max", "desired"))
    refused = "InvalidParameterException: "
    if low > size:
        return f"{refused}Minimum capacity {low} can't be greater than desired size {size}"
    if size > high:
        return f"{refused}desired capacity {size} can't be greater than max size {high}"
    return ""


def _unfit(add_on: Mapping[str, Any], resources: Mapping[str, Any]) -> str:
    """Without a version EKS takes one that fits at creation, and keeps it."""
    (cluster,) = _of(CLUSTER, resources)
    version, kubernetes = add_on.get("addonVersion"), cluster["outputs"]["version"]
    if version and version != default_version(add_on["addonName"], kubernetes):
        return (
            f"InvalidParameterException: Addon version specified is not supported: {version} for "
            f"Kubernetes {kubernetes}"
        )
    return ""


def _no_step(old: str, new: str) -> str:
    """A control plane is upgraded by one minor version at a time, and never back."""
    was, will = (int(version.partition(".")[2]) for version in (old, new))
    if will - was in (0, 1):
        return ""
    return (
        "InvalidParameterException: Unsupported Kubernetes minor version update from "
        f"{old} to {new}"
    )


def _of(token: str, resources: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [found for found in resources.values() if found["type"] == token]
