"""What a program asks of Kubernetes, given to a real API server."""

from collections.abc import Callable
from typing import Any

from analysis.plan import PlannedResource
from tests.cluster.control_plane import Api
from tests.components.kubernetes.cluster import manifest, objects

Body = dict[str, Any]

FIRST = ("CustomResourceDefinition", "Namespace", "PriorityClass", "ServiceAccount")
"""Kinds without which others are refused."""


def bodies(planned: list[PlannedResource]) -> list[Body]:
    """The objects, in an order in which they can be made; a chart is none."""
    found = [body for body in map(manifest, planned) if "kind" in body]
    for body in found:
        if body["kind"] == "Service" and body["spec"].get("type") == "NodePort":
            body["spec"]["ports"][0].pop("nodePort", None)  # one control plane, many tests
    return sorted(found, key=lambda body: body["kind"] not in FIRST)


def deploy(api: Api, program: Callable[[], object]) -> str:
    """Apply what a program asks for; the namespace of its pods.

    What nobody defined here, such as a LeaderWorkerSet, is left out.
    """
    found = bodies(objects(program))
    for body in found:
        if api.serves(body):
            api.apply(body)
    (namespace,) = [
        body["metadata"]["name"]
        for body in found
        if body["kind"] == "Namespace" and body["metadata"]["name"].endswith("-00000000")
    ]
    return str(namespace)
