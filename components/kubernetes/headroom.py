"""A warm GPU node: pods that hold it and give way to the first replica that wants it."""

import pulumi
import pulumi_kubernetes as kubernetes

from components.contracts import Cluster
from components.kubernetes.devices import Devices, devices
from components.kubernetes.images import Image
from components.kubernetes.pods import Manifest, container, pod
from components.kubernetes.serving import Serving

PRIORITY = -10
"""The lowest for which the cluster autoscaler still adds a node (its default of
`--expendable-pods-priority-cutoff`), below everything that has no class of its own."""

HEADROOM = {"app.kubernetes.io/name": "headroom"}


class Headroom(pulumi.ComponentResource):
    """Room for so many replicas beside those that run.

    A replica that is started takes the place of one of these pods at once; the pod then waits, and
    for it the autoscaler adds a node. They are of the server's own image, so that the node has it.
    """

    def __init__(
        self,
        name: str,
        *,
        cluster: Cluster,
        serving: Serving,
        namespace: pulumi.Output[str],
        replicas: int,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("seamless:kubernetes:Headroom", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        priority = kubernetes.scheduling.v1.PriorityClass(
            name,
            value=PRIORITY,
            preemption_policy="Never",
            description="Holds a place for replicas: everything else may take it.",
            opts=child,
        )
        gpus = devices(name, cluster=cluster, gpus=serving.gpus, namespace=namespace, opts=child)
        kubernetes.apps.v1.Deployment(
            name,
            metadata={
                "namespace": namespace,
                # Room that has just been taken is not there: nobody waits for it.
                "annotations": {"pulumi.com/skipAwait": "true"},
            },
            spec={
                "replicas": replicas * serving.nodes,
                "selector": {"matchLabels": HEADROOM},
                "template": {
                    "metadata": {"labels": HEADROOM},
                    "spec": _placeholder(cluster, serving.image, priority.metadata["name"], gpus),
                },
            },
            opts=child,
        )
        self.register_outputs({})


def _placeholder(
    cluster: Cluster, image: Image, priority: pulumi.Output[str], gpus: Devices
) -> Manifest:
    sleeper = container(
        "room",
        image,
        resources={
            "requests": {"cpu": "10m", "memory": "16Mi", **gpus.amounts},
            "limits": {"memory": "64Mi", "ephemeral-storage": "100Mi", **gpus.amounts},
            **gpus.claims,
        },
        command=["sleep", "infinity"],
    )
    return pod(
        image,
        containers=[sleeper],
        volumes=[],
        **gpus.pod,
        nodeSelector=dict(cluster.gpu_labels),
        tolerations=[{"key": cluster.gpu_taint, "operator": "Exists", "effect": "NoSchedule"}],
        priorityClassName=priority,
        terminationGracePeriodSeconds=0,
    )
