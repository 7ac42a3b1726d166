"""Notebooks for the platform's engineers: JupyterHub that everything else comes before."""

import pulumi
import pulumi_kubernetes as kubernetes

from components.contracts import Cluster
from components.generated import GeneratedSecret
from components.kubernetes.charts import CHARTS
from components.kubernetes.pods import Manifest
from components.kubernetes.release import installed
from components.kubernetes.sharing import Sharing

NAMESPACE = "notebooks"
PRIORITY = -5
"""Below what serves and what has no class of its own; above the room that is held for replicas."""

PERSON = {"cpu": 1, "memory": 4, "disk": 10}
"""What a notebook may take: cores, and binary gigabytes of memory and of disk."""
HUB = {"cpu": 1, "memory": 2}
"""What the hub and its proxy take beside the notebooks."""
IDLE_SECONDS = 3600
"""After which a notebook is stopped; its disk stays."""


class Notebooks(pulumi.ComponentResource):
    """JupyterHub in a namespace of its own, with a quota for so many people.

    It is reached through the cluster's API alone: kubectl -n notebooks port-forward
    service/proxy-public 8000:80. One password, generated, is everybody's.
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
        people: Who may work at the same time.
        sharing: Gives each notebook a share of a GPU; None gives none.

        Raises:
            ValueError: a notebook would take a whole GPU.
        """
        super().__init__("seamless:kubernetes:Notebooks", name, None, opts)
        if sharing is not None and sharing.several:
            raise ValueError(
                f"gpu_sharing is {sharing.mode!r}, and a notebook would hold a whole GPU while"
                " somebody reads. Share it: pulumi config set gpu_sharing time-slicing:4"
            )
        inside = pulumi.ResourceOptions(parent=self, providers=[cluster.provider])
        key = GeneratedSecret(f"{name}-password", opts=pulumi.ResourceOptions(parent=self))
        self.password = key.value
        space = kubernetes.core.v1.Namespace(
            name,
            metadata={
                "name": NAMESPACE,
                # The hub's own image and notebooks of any kind do not all pass `restricted`.
                "labels": {
                    f"pod-security.kubernetes.io/{mode}": "baseline" for mode in ("enforce", "warn")
                },
            },
            opts=inside,
        )
        namespace = space.metadata["name"]
        priority = kubernetes.scheduling.v1.PriorityClass(
            name,
            value=PRIORITY,
            preemption_policy="Never",
            description="Notebooks: they run where nobody else wants to.",
            opts=inside,
        )
        kubernetes.core.v1.ResourceQuota(
            name,
            metadata={"namespace": namespace},
            spec={"hard": _quota(people, cluster.gpu_resource, sharing)},
            opts=inside,
        )
        installed(
            f"{name}-jupyterhub",
            CHARTS["jupyterhub"],
            namespace=namespace,
            values=_values(
                self.password,
                priority.metadata["name"],
                cluster,
                sharing.resource if sharing else None,
            ),
            opts=inside,
        )
        self.register_outputs({})


def _quota(people: int, gpu_resource: str, sharing: Sharing | None) -> dict[str, str]:
    """No more than so many notebooks, and no GPU but as a share."""
    shares = {f"requests.{sharing.resource}": str(people)} if sharing else {}
    return {
        "requests.cpu": str(people * PERSON["cpu"] + HUB["cpu"]),
        "requests.memory": f"{people * PERSON['memory'] + HUB['memory']}Gi",
        "requests.storage": f"{people * PERSON['disk'] + 1}Gi",
        "services.loadbalancers": "0",
        **({f"requests.{gpu_resource}": "0"} if gpu_resource else {}),
        **shares,
    }


def _values(
    password: pulumi.Output[str],
    priority: pulumi.Output[str],
    cluster: Cluster,
    share: str | None,
) -> Manifest:
    on_gpu: Manifest = {
        "nodeSelector": dict(cluster.gpu_labels),
        "extraTolerations": [
            {"key": cluster.gpu_taint, "operator": "Exists", "effect": "NoSchedule"}
        ],
        "extraResource": {"limits": {share: "1"}, "guarantees": {share: "1"}},
    }
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
            # By its network policy; by iptables it would need privileges.
            "cloudMetadata": {"blockWithIptables": False},
            **(on_gpu if share else {}),
        },
        "cull": {"enabled": True, "timeout": IDLE_SECONDS},
        # For a handful of people: no scheduler of its own, no images or places kept ready.
        "scheduling": {
            "userScheduler": {"enabled": False},
            "userPlaceholder": {"enabled": False},
        },
        "prePuller": {"hook": {"enabled": False}, "continuous": {"enabled": False}},
    }
