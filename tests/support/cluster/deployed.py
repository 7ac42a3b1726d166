"""Objects of a program or a chart, applied to a real API server."""

from collections.abc import Callable
from typing import Any

from policies.resource import Resource
from tests.support.accounts.kubernetes import manifest, objects
from tests.support.cluster.control_plane import Api

Body = dict[str, Any]

FIRST = ("CustomResourceDefinition", "Namespace", "PriorityClass", "ServiceAccount")
"""Kinds that other objects require."""


def bodies(planned: list[Resource]) -> list[Body]:
    """The objects without charts, in a valid order."""
    found = [body for body in map(manifest, planned) if "kind" in body]
    for body in found:
        if body["kind"] == "Service" and body["spec"].get("type") == "NodePort":
            body["spec"]["ports"][0].pop("nodePort", None)  # many tests share the control plane
    return sorted(found, key=lambda body: body["kind"] not in FIRST)


def deploy(api: Api, program: Callable[[], object]) -> str:
    """Apply the objects of a program, and return the namespace of its pods."""
    found = bodies(objects(program))
    for body in found:
        api.apply(body)
    (namespace,) = [
        body["metadata"]["name"]
        for body in found
        if body["kind"] == "Namespace" and body["metadata"]["name"].endswith("-00000000")
    ]
    return str(namespace)


def admit(api: Api, body: Body) -> None:
    """Have an object and its pods admitted.

    Only `FIRST` is kept; Pod Security checks pods in an existing namespace.
    """
    api.apply(body, dry_run=body["kind"] not in FIRST)
    if body["kind"] == "Namespace":
        # A controller would create it later.
        account = {"name": "default", "namespace": body["metadata"]["name"]}
        api.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
    for template in templates(body):
        pod = {"apiVersion": "v1", "kind": "Pod", "spec": template["spec"]}
        where = {key: body["metadata"][key] for key in ("name", "namespace")}
        api.apply({**pod, "metadata": {**template.get("metadata", {}), **where}}, dry_run=True)


def templates(body: Body) -> list[Body]:
    """The pod templates of an object."""
    if body["kind"] in ("DaemonSet", "Deployment", "Job", "StatefulSet"):
        return [body["spec"]["template"]]
    if body["kind"] == "LeaderWorkerSet":
        group = body["spec"]["leaderWorkerTemplate"]
        return [group["leaderTemplate"], group["workerTemplate"]]
    return []
