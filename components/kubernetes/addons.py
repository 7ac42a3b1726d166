"""Helm releases that a cluster needs beside the model: monitoring, autoscaling, GPU drivers.

Charts that access a node's hardware need privileges on it, so they have namespaces of their own;
`LEVELS` has the Pod Security of each.
"""

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_kubernetes as kubernetes

from components.contracts import Cluster
from components.generated_secret import GeneratedSecret
from components.kubernetes.base.charts import CHARTS
from components.kubernetes.base.gpu_requests import gpu_placement
from components.kubernetes.base.helm_release import helm_release
from components.kubernetes.base.namespace import Level, pod_security
from components.kubernetes.base.pods import Manifest
from components.kubernetes.scheduling.gpu_sharing import Sharing

MONITORING, KEDA, GPU_SYSTEM, GROUPS = "monitoring", "keda", "gpu-system", "lws-system"
LEVELS: Mapping[str, Level] = {
    MONITORING: "privileged",  # the node exporter reads the host's /proc
    GPU_SYSTEM: "privileged",  # device plugin and DCGM open the GPUs
    KEDA: "restricted",
    GROUPS: "baseline",  # its chart names no seccomp profile
}
"""Pod Security of each namespace."""

DASHBOARD = "grafana_dashboard"
"""Label of a ConfigMap that Grafana's sidecar loads as a dashboard."""

PROMETHEUS_GIB = 20
RETENTION_DAYS = 15


class AddOns(pulumi.ComponentResource):
    """Helm releases, each with its namespace; resources of their kinds must depend on `ready`.

    Always creates a namespace for monitoring and the release of KEDA. As the cluster and its config
    need them, creates the releases of kube-prometheus-stack with Grafana's password, of
    LeaderWorkerSet, of a GPU plugin, of the DCGM exporter and of the cluster autoscaler.
    """

    prometheus_url: pulumi.Output[str]
    """URL for pods of the cluster."""
    monitoring: pulumi.Output[str]
    """Namespace of Prometheus and Grafana."""
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
        groups: Replicas have several nodes, and need LeaderWorkerSet.
        existing_prometheus: URL of a Prometheus that its operator runs and that selects monitors
            and rules of every namespace; then none is installed.
        """
        super().__init__("seamless:kubernetes:AddOns", name, None, opts)
        self._child = pulumi.ResourceOptions(parent=self, providers=[cluster.provider])
        self._releases: dict[str, kubernetes.helm.v3.Release] = {}
        self._name = name
        self.monitoring = self._namespace(MONITORING)
        url = existing_prometheus
        if url is None:
            login = self._grafana_login()
            self._install("kube-prometheus-stack", self.monitoring, _prometheus(login))
            url = f"http://kube-prometheus-stack-prometheus.{MONITORING}.svc:9090"
        self.prometheus_url = pulumi.Output.from_input(url)
        self._install("keda", self._namespace(KEDA), {})
        if groups:
            # The chart's default tag is that of a branch.
            manager = {"manager": {"tag": f"v{CHARTS['lws'].version}"}}
            self._install("lws", self._namespace(GROUPS), {"image": manager})
        exporter = cluster.add_ons.get("dcgm-exporter")
        if sharing.plugin is not None or exporter is not None:
            gpu_system = self._namespace(GPU_SYSTEM)
            placement = gpu_placement(cluster)
            if sharing.plugin is not None:
                # The GPU operator and the DRA driver find the GPU nodes by themselves.
                placed = sharing.plugin is CHARTS["nvidia-device-plugin"]
                values = {**(placement if placed else {}), **sharing.values}
                self._install(sharing.plugin.name, gpu_system, values)
            if exporter is not None:
                monitor = {"serviceMonitor": {"enabled": True, "interval": "15s"}}
                values = {**placement, **exporter, **monitor}
                self._install("dcgm-exporter", gpu_system, values, after="kube-prometheus-stack")
        if "cluster-autoscaler" in cluster.add_ons:
            # The platform grants its identity to a service account of this namespace.
            values = _autoscaler(cluster.add_ons["cluster-autoscaler"])
            self._install("cluster-autoscaler", "kube-system", values)
        self.ready = list(self._releases.values())
        self.register_outputs({"prometheus_url": self.prometheus_url})

    def _namespace(self, title: str) -> pulumi.Output[str]:
        namespace: pulumi.Output[str] = kubernetes.core.v1.Namespace(
            f"{self._name}-{title}",
            metadata={"name": title, "labels": pod_security(LEVELS[title])},
            opts=self._child,
        ).metadata["name"]
        return namespace

    def _install(
        self, chart: str, namespace: pulumi.Input[str], values: Manifest, after: str = ""
    ) -> None:
        earlier = [self._releases[after]] if after in self._releases else []
        self._releases[chart] = helm_release(
            f"{self._name}-{chart}",
            CHARTS[chart],
            namespace=namespace,
            values=values,
            opts=pulumi.ResourceOptions.merge(
                self._child, pulumi.ResourceOptions(depends_on=earlier)
            ),
        )

    def _grafana_login(self) -> pulumi.Output[str]:
        """Name of a Secret; the chart's default password is public."""
        name = f"{self._name}-grafana"
        password = GeneratedSecret(name, opts=pulumi.ResourceOptions(parent=self))
        secret: pulumi.Output[str] = kubernetes.core.v1.Secret(
            name,
            metadata={"namespace": self.monitoring},
            string_data={"admin-user": "admin", "admin-password": password.value},
            opts=self._child,
        ).metadata["name"]
        return secret


def _prometheus(grafana_login: pulumi.Output[str]) -> Manifest:
    """Small and persistent; it selects monitors and rules of every namespace."""
    every_namespace = {
        f"{kind}SelectorNilUsesHelmValues": False
        for kind in ("serviceMonitor", "podMonitor", "rule", "probe", "scrapeConfig")
    }
    disk = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": f"{PROMETHEUS_GIB}Gi"}},
    }
    # A managed control plane does not expose these: their alerts would always fire.
    hidden = ("kubeControllerManager", "kubeEtcd", "kubeProxy", "kubeScheduler")
    return {
        **{part: {"enabled": False} for part in hidden},
        "prometheus": {
            "prometheusSpec": {
                **every_namespace,
                "retention": f"{RETENTION_DAYS}d",
                "retentionSize": f"{PROMETHEUS_GIB * 4 // 5}GB",
                "storageSpec": {"volumeClaimTemplate": {"spec": disk}},
                "resources": {
                    "requests": {"cpu": "200m", "memory": "1Gi"},
                    "limits": {"memory": "2Gi"},
                },
            }
        },
        "grafana": {
            "admin": {"existingSecret": grafana_login},
            "sidecar": {"dashboards": {"enabled": True, "label": DASHBOARD}},
        },
    }


def _autoscaler(platform: Mapping[str, object]) -> Manifest:
    return {
        **platform,
        "fullnameOverride": "cluster-autoscaler",
        "extraArgs": {
            "expander": "least-waste",
            # A node group is created empty.
            "enforce-node-group-min-size": True,
            "balance-similar-node-groups": True,
            # Every model server has scratch volumes: its node would never be removed.
            "skip-nodes-with-local-storage": False,
            "scale-down-unneeded-time": "10m",
        },
    }
