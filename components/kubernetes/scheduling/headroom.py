"""Warm GPU nodes: low-priority pods hold them until a replica needs the place."""

import pulumi
import pulumi_kubernetes as kubernetes

from components.contracts import Cluster
from components.kubernetes.base import pods
from components.kubernetes.base.gpu_requests import GpuRequest, request_gpus
from components.kubernetes.base.images import Image
from components.kubernetes.base.pods import Manifest
from components.kubernetes.serving.model_spec import ModelSpec

PRIORITY = -10
"""The lowest for which the cluster autoscaler still adds a node (its default of
`--expendable-pods-priority-cutoff`), below everything that has no class of its own."""

HEADROOM = {"app.kubernetes.io/name": "headroom"}


class Headroom(pulumi.ComponentResource):
    """Capacity for more replicas than are running.

    A new replica preempts a placeholder pod at once. The placeholder is then pending, and the
    autoscaler adds a node for it. Placeholders use the server's image, so every node has pulled it.

    Creates a PriorityClass and a Deployment of placeholders, and a ResourceClaimTemplate where GPUs
    are claimed.
    """

    def __init__(
        self,
        name: str,
        *,
        cluster: Cluster,
        model_spec: ModelSpec,
        namespace: pulumi.Output[str],
        replicas: int,
        nodes: int,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        nodes: Nodes that the placeholders add; the plan's cost has them.
        """
        super().__init__("seamless:kubernetes:Headroom", name, {"nodes": nodes}, opts)
        child = pulumi.ResourceOptions(parent=self)
        priority = kubernetes.scheduling.v1.PriorityClass(
            name,
            value=PRIORITY,
            preemption_policy="Never",
            description="Placeholders for replicas: every other pod preempts them.",
            opts=child,
        )
        gpus = request_gpus(name, model_spec.gpus, cluster=cluster, namespace=namespace, opts=child)
        kubernetes.apps.v1.Deployment(
            name,
            # Placeholders that were just preempted are not ready: an `up` must not wait for them.
            metadata={"namespace": namespace, "annotations": {"pulumi.com/skipAwait": "true"}},
            spec=pods.deployment(
                HEADROOM,
                _placeholder(model_spec.image, priority.metadata["name"], gpus),
                replicas=replicas * model_spec.nodes,
            ),
            opts=child,
        )
        self.register_outputs({})


def _placeholder(image: Image, priority: pulumi.Output[str], gpus: GpuRequest) -> Manifest:
    resources = pods.resources("10m", "16Mi", memory_limit="64Mi", disk_limit="100Mi")
    return pods.pod(
        "placeholder",
        image,
        resources=gpus.added_to(resources),
        command=["sleep", "infinity"],
        spec={**gpus.pod, "priorityClassName": priority, "terminationGracePeriodSeconds": 0},
    )
