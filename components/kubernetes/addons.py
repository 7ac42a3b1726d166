"""What a cluster needs beside the model: monitoring, scaling, and what its platform lacks.

Whatever watches or hands out the hardware of a node needs privileges on it, so it has namespaces of
its own; `LEVELS` has the Pod Security of each.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pulumi
import pulumi_kubernetes as kubernetes

from components.contracts import Cluster
from components.generated import GeneratedSecret
from components.kubernetes.charts import CHARTS
from components.kubernetes.pods import Manifest
from components.kubernetes.release import installed
from components.kubernetes.sharing import Sharing

MONITORING, KEDA, GPU_SYSTEM, GROUPS = "monitoring", "keda", "gpu-system", "lws-system"
LEVELS: Mapping[str, Literal["restricted", "baseline", "privileged"]] = {
    MONITORING: "privileged",  # the node exporter reads the host's /proc
    GPU_SYSTEM: "privileged",  # device plugin and DCGM open the GPUs
    KEDA: "restricted",
    GROUPS: "baseline",  # its chart names no seccomp profile
}
"""Pod Security of each namespace."""

DASHBOARD = "grafana_dashboard"
"""Label of a ConfigMap that Grafana's sidecar takes for a dashboard."""

PROMETHEUS_GIB = 20
RETENTION_DAYS = 15

_MODES = ("enforce", "warn")


class AddOns(pulumi.ComponentResource):
    """Charts in namespaces of their own; whatever uses their kinds comes after `ready`."""

    prometheus_url: pulumi.Output[str]
    """As pods of the cluster reach it."""
    monitoring: pulumi.Output[str]
    """Namespace that Prometheus asks from and Grafana reads dashboards in."""
    ready: Sequence[pulumi.Resource]

    def __init__(
        self,
        name: str,
        *,
        cluster: Cluster,
        sharing: Sharing,
        groups: bool,
        existing_prometheus: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        sharing: How the GPUs are handed out.
        groups: Replicas have several nodes, and need LeaderWorkerSet.
        existing_prometheus: URL of one that is there already, run by Prometheus' operator, which
            selects monitors and rules of every namespace; then none is installed.
        """
        super().__init__("seamless:kubernetes:AddOns", name, None, opts)
        self._inside = pulumi.ResourceOptions(parent=self, providers=[cluster.provider])
        self._releases: dict[str, kubernetes.helm.v3.Release] = {}
        self._name = name
        monitoring = self._space(MONITORING)
        self.monitoring = monitoring.metadata["name"]
        if existing_prometheus is None:
            self._prometheus(monitoring)
            service = f"kube-prometheus-stack-prometheus.{MONITORING}.svc"
            self.prometheus_url = pulumi.Output.from_input(f"http://{service}:9090")
        else:
            self.prometheus_url = pulumi.Output.from_input(existing_prometheus)
        self._install("keda", self._space(KEDA), {})
        if groups:
            # Its chart's own tag is a branch until it is published.
            manager = {"manager": {"tag": f"v{CHARTS['lws'].version}"}}
            self._install("lws", self._space(GROUPS), {"image": manager})
        on_gpus: Manifest = {
            "nodeSelector": dict(cluster.gpu_labels),
            "tolerations": [
                {"key": cluster.gpu_taint, "operator": "Exists", "effect": "NoSchedule"}
            ],
        }
        if sharing.plugin is not None or "dcgm-exporter" in cluster.add_ons:
            gpu_system = self._space(GPU_SYSTEM)
            if sharing.plugin is not None:
                # Operator and driver find the GPU nodes by themselves.
                placed = on_gpus if sharing.plugin is CHARTS["nvidia-device-plugin"] else {}
                self._install(sharing.plugin.name, gpu_system, {**placed, **sharing.values})
            if "dcgm-exporter" in cluster.add_ons:
                self._exporter(gpu_system, {**on_gpus, **cluster.add_ons["dcgm-exporter"]})
        if "cluster-autoscaler" in cluster.add_ons:
            self._autoscaler(cluster.add_ons["cluster-autoscaler"])
        self.ready = list(self._releases.values())
        self.register_outputs({"prometheus_url": self.prometheus_url})

    # In quotes: to evaluate the name loads all of core/v1, half a second of every stack's start.
    def _space(self, title: str) -> "kubernetes.core.v1.Namespace":
        return kubernetes.core.v1.Namespace(
            f"{self._name}-{title}",
            metadata={
                "name": title,
                "labels": {f"pod-security.kubernetes.io/{mode}": LEVELS[title] for mode in _MODES},
            },
            opts=self._inside,
        )

    def _install(
        self,
        chart: str,
        namespace: "kubernetes.core.v1.Namespace | str",
        values: Mapping[str, Any],
        after: Sequence[str] = (),
    ) -> None:
        where = namespace if isinstance(namespace, str) else namespace.metadata["name"]
        needed = [self._releases[earlier] for earlier in after if earlier in self._releases]
        self._releases[chart] = installed(
            f"{self._name}-{chart}",
            CHARTS[chart],
            namespace=where,
            values=dict(values),
            opts=pulumi.ResourceOptions.merge(
                self._inside, pulumi.ResourceOptions(depends_on=needed)
            ),
        )

    def _prometheus(self, namespace: "kubernetes.core.v1.Namespace") -> None:
        password = GeneratedSecret(
            f"{self._name}-grafana", opts=pulumi.ResourceOptions(parent=self)
        )
        login = kubernetes.core.v1.Secret(
            f"{self._name}-grafana",
            metadata={"namespace": namespace.metadata["name"]},
            string_data={"admin-user": "admin", "admin-password": password.value},
            opts=self._inside,
        )
        self._install(
            "kube-prometheus-stack", namespace, _prometheus_values(login.metadata["name"])
        )

    def _exporter(
        self, namespace: "kubernetes.core.v1.Namespace", values: Mapping[str, Any]
    ) -> None:
        monitor = {"serviceMonitor": {"enabled": True, "interval": "15s"}}
        self._install("dcgm-exporter", namespace, {**values, **monitor}, ["kube-prometheus-stack"])

    def _autoscaler(self, values: Mapping[str, Any]) -> None:
        self._install(
            "cluster-autoscaler",
            # Its identity is given to a service account of this namespace.
            "kube-system",
            {
                **values,
                "fullnameOverride": "cluster-autoscaler",
                "extraArgs": {
                    "expander": "least-waste",
                    "balance-similar-node-groups": True,
                    # Our pods have scratch volumes; kept for them, no GPU node would ever go.
                    "skip-nodes-with-local-storage": False,
                    "scale-down-unneeded-time": "10m",
                },
            },
        )


def _prometheus_values(grafana_login: pulumi.Input[str]) -> Manifest:
    """Small and persistent; it takes monitors and rules of every namespace, ours among them."""
    anybody_s = {
        f"{kind}SelectorNilUsesHelmValues": False
        for kind in ("serviceMonitor", "podMonitor", "rule", "probe", "scrapeConfig")
    }
    disk = {"accessModes": ["ReadWriteOnce"], "resources": _requests(storage=f"{PROMETHEUS_GIB}Gi")}
    # A managed control plane lets nobody scrape these: their alerts would fire for ever.
    unseen = ("kubeControllerManager", "kubeEtcd", "kubeProxy", "kubeScheduler")
    return {
        **{part: {"enabled": False} for part in unseen},
        "prometheus": {
            "prometheusSpec": {
                **anybody_s,
                "retention": f"{RETENTION_DAYS}d",
                "retentionSize": f"{PROMETHEUS_GIB * 4 // 5}GB",
                "storageSpec": {"volumeClaimTemplate": {"spec": disk}},
                "resources": {**_requests(cpu="200m", memory="1Gi"), "limits": {"memory": "2Gi"}},
            }
        },
        "grafana": {
            # The chart's own password is known to everybody.
            "admin": {"existingSecret": grafana_login},
            "sidecar": {"dashboards": {"enabled": True, "label": DASHBOARD}},
        },
    }


def _requests(**amounts: str) -> Manifest:
    return {"requests": dict(amounts)}
