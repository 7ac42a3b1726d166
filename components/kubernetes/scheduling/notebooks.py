"""JupyterHub for the platform's engineers, at a lower priority than the models."""

import pulumi
import pulumi_kubernetes as kubernetes

from components.contracts import Cluster
from components.generated_secret import GeneratedSecret
from components.kubernetes.base.charts import CHARTS
from components.kubernetes.base.gpu_requests import gpu_placement
from components.kubernetes.base.helm_release import helm_release
from components.kubernetes.base.namespace import pod_security
from components.kubernetes.base.pods import Manifest
from components.kubernetes.scheduling.gpu_sharing import Sharing

NAMESPACE = "notebooks"
PRIORITY = -5
"""Below what serves and what has no class of its own; above the headroom for replicas."""

PERSON = {"cpu": 1, "memory": 4, "disk": 10}
"""Limits of one notebook: cores, and GiB of memory and of disk."""
HUB = {"cpu": 1, "memory": 2}
"""What the hub and its proxy take beside the notebooks."""
IDLE_SECONDS = 3600
"""An idle notebook is stopped after this time; its disk stays."""


class Notebooks(pulumi.ComponentResource):
    """JupyterHub in a namespace of its own, with a quota for a number of people.

    It is reached through the cluster's API alone: kubectl -n notebooks port-forward
    service/proxy-public 8000:80. All users share one generated password.

    Creates the password, a Namespace, a PriorityClass, a ResourceQuota, and a Helm release.
    """

    password: pulumi.Output[str]
    """Secret."""

    def __init__(
        self,
        name: str,
        *,
        cluster: Cluster,
        people: int,
        sharing: Sharing | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        people: Notebooks that may run at the same time.
        sharing: Gives each notebook a share of a GPU; None gives none.

        Raises:
            ValueError: a notebook would take a whole GPU.
        """
        super().__init__("seamless:kubernetes:Notebooks", name, None, opts)
        if sharing is not None and sharing.several:
            raise ValueError(
                f"gpu_sharing is {sharing.mode!r}, so a notebook would hold a whole GPU even while"
                " it is idle. Share it: pulumi config set gpu_sharing time-slicing:4"
            )
        child = pulumi.ResourceOptions(parent=self, providers=[cluster.provider])
        key = GeneratedSecret(f"{name}-password", opts=pulumi.ResourceOptions(parent=self))
        self.password = key.value
        namespace = kubernetes.core.v1.Namespace(
            name,
            # The hub's own image and notebooks of any kind do not all pass `restricted`.
            metadata={"name": NAMESPACE, "labels": pod_security("baseline")},
            opts=child,
        ).metadata["name"]
        priority = kubernetes.scheduling.v1.PriorityClass(
            name,
            value=PRIORITY,
            preemption_policy="Never",
            description="Notebooks: every pod of a higher priority preempts them.",
            opts=child,
        )
        kubernetes.core.v1.ResourceQuota(
            name,
            metadata={"namespace": namespace},
            spec={"hard": _quota(people, cluster.gpu_resource, sharing)},
            opts=child,
        )
        helm_release(
            f"{name}-jupyterhub",
            CHARTS["jupyterhub"],
            namespace=namespace,
            values=_values(
                self.password,
                priority.metadata["name"],
                _on_gpu(cluster, sharing.resource) if sharing else {},
            ),
            opts=child,
        )
        self.register_outputs({})


def _quota(people: int, gpu_resource: str, sharing: Sharing | None) -> dict[str, str]:
    """Resources for these notebooks; GPUs only as shares."""
    return {
        "requests.cpu": str(people * PERSON["cpu"] + HUB["cpu"]),
        "requests.memory": f"{people * PERSON['memory'] + HUB['memory']}Gi",
        "requests.storage": f"{people * PERSON['disk'] + 1}Gi",
        "services.loadbalancers": "0",
        **({f"requests.{gpu_resource}": "0"} if gpu_resource else {}),
        **({f"requests.{sharing.resource}": str(people)} if sharing else {}),
    }


def _on_gpu(cluster: Cluster, share: str) -> Manifest:
    placement = gpu_placement(cluster)
    return {
        "nodeSelector": placement["nodeSelector"],
        "extraTolerations": placement["tolerations"],
        "extraResource": {"limits": {share: "1"}, "guarantees": {share: "1"}},
    }


def _values(
    password: pulumi.Output[str], priority: pulumi.Output[str], on_gpu: Manifest
) -> Manifest:
    disabled = {"enabled": False}
    return {
        "hub": {
            "config": {
                "JupyterHub": {"authenticator_class": "dummy"},
                "DummyAuthenticator": {"password": password},
            },
            "resources": {"requests": {"cpu": "100m", "memory": "512Mi"}},
        },
        "proxy": {
            "service": {"type": "ClusterIP"},
            "chp": {"resources": {"requests": {"cpu": "50m", "memory": "128Mi"}}},
        },
        "singleuser": {
            "cpu": {"guarantee": PERSON["cpu"] / 4, "limit": PERSON["cpu"]},
            "memory": {"guarantee": f"{PERSON['memory']}G", "limit": f"{PERSON['memory']}G"},
            "storage": {"capacity": f"{PERSON['disk']}Gi"},
            "extraPodConfig": {"priorityClassName": priority},
            # The chart's network policy blocks it; by iptables it would need privileges.
            "cloudMetadata": {"blockWithIptables": False},
            **on_gpu,
        },
        "cull": {"enabled": True, "timeout": IDLE_SECONDS},
        # A few users need no scheduler of their own and no images or places in advance.
        "scheduling": {"userScheduler": disabled, "userPlaceholder": disabled},
        "prePuller": {"hook": disabled, "continuous": disabled},
    }
