"""Monitoring of a model server: scraping, recording rules, alerts and dashboards."""

import pulumi
import pulumi_kubernetes as kubernetes

from components.kubernetes.addons import DASHBOARD
from components.kubernetes.base.namespace import in_namespace, ingress
from components.kubernetes.monitoring.dashboards import GPUS, MODEL_SERVERS, dashboard
from components.kubernetes.monitoring.prometheus_rules import (
    GPU_ALERTS,
    RECORDS,
    group,
    server_alerts,
)
from components.kubernetes.monitoring.replica_monitor import PORT as MONITOR_PORT
from components.kubernetes.monitoring.replica_monitor import REPLICA_MONITOR
from components.kubernetes.serving.model_server import LEADER, PORT
from components.kubernetes.serving.model_spec import ModelSpec

VERSION = "monitoring.coreos.com/v1"


class Monitoring(pulumi.ComponentResource):
    """Metrics, alerts and dashboards of one model, its replica monitor and the GPUs.

    Creates a PodMonitor with a NetworkPolicy for each scraped program, a PrometheusRule, and a
    ConfigMap for each dashboard.
    """

    def __init__(
        self,
        name: str,
        *,
        model_spec: ModelSpec,
        namespace: pulumi.Output[str],
        prometheus_namespace: pulumi.Output[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        namespace: Of the model server.
        prometheus_namespace: Of Prometheus and Grafana.
        """
        super().__init__("seamless:kubernetes:Monitoring", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        prometheus = {"namespaceSelector": prometheus_namespace.apply(in_namespace)}
        for target, labels, port in (
            (name, LEADER, PORT),
            (f"{name}-replica-monitor", REPLICA_MONITOR, MONITOR_PORT),
        ):
            ingress(f"{target}-prometheus", namespace, labels, port, prometheus, opts=child)
            endpoint = {"port": "http", "path": "/metrics", "interval": "15s"}
            kubernetes.apiextensions.CustomResource(
                target,
                api_version=VERSION,
                kind="PodMonitor",
                metadata={"namespace": namespace},
                spec={"selector": {"matchLabels": labels}, "podMetricsEndpoints": [endpoint]},
                opts=child,
            )
        alerts = namespace.apply(
            lambda value: group("model-server", server_alerts(model_spec, value))
        )
        kubernetes.apiextensions.CustomResource(
            name,
            api_version=VERSION,
            kind="PrometheusRule",
            metadata={"namespace": namespace},
            spec={"groups": [group("seamless", RECORDS), alerts, group("gpu", GPU_ALERTS)]},
            opts=child,
        )
        for uid, title, panels in (
            ("seamless-models", "Model servers", MODEL_SERVERS),
            ("seamless-gpus", "GPUs", GPUS),
        ):
            kubernetes.core.v1.ConfigMap(
                f"{name}-{uid}",
                metadata={"namespace": prometheus_namespace, "labels": {DASHBOARD: "1"}},
                data={f"{uid}.json": dashboard(uid, title, panels)},
                opts=child,
            )
        self.register_outputs({})
