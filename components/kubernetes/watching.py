"""Watching a model server: what Prometheus reads of it, computes, alerts on, and Grafana shows."""

import pulumi
import pulumi_kubernetes as kubernetes

from components.kubernetes.addons import DASHBOARD
from components.kubernetes.dashboards import GPUS, MODEL_SERVERS, dashboard
from components.kubernetes.examiner import EXAMINER
from components.kubernetes.examiner import PORT as EXAMINER_PORT
from components.kubernetes.model_server import LEADER, PORT
from components.kubernetes.rules import GPU_ALERTS, RECORDS, group, server_alerts
from components.kubernetes.serving import Serving
from components.kubernetes.space import in_namespace, ingress

VERSION = "monitoring.coreos.com/v1"


class Watching(pulumi.ComponentResource):
    """Monitor, rules and dashboards of one model and of the GPUs beneath it."""

    def __init__(
        self,
        name: str,
        *,
        serving: Serving,
        namespace: pulumi.Output[str],
        monitoring: pulumi.Output[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        namespace: Of the model server.
        monitoring: Namespace of Prometheus and Grafana.
        """
        super().__init__("seamless:kubernetes:Watching", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        for what, labels, port in (
            (name, LEADER, PORT),
            (f"{name}-examiner", EXAMINER, EXAMINER_PORT),
        ):
            ingress(
                f"{what}-prometheus",
                namespace=namespace,
                to=labels,
                port=port,
                sources=[{"namespaceSelector": monitoring.apply(in_namespace)}],
                opts=child,
            )
            kubernetes.apiextensions.CustomResource(
                what,
                api_version=VERSION,
                kind="PodMonitor",
                metadata={"namespace": namespace},
                spec={
                    "selector": {"matchLabels": labels},
                    "podMetricsEndpoints": [
                        {"port": "http", "path": "/metrics", "interval": "15s"}
                    ],
                },
                opts=child,
            )
        kubernetes.apiextensions.CustomResource(
            name,
            api_version=VERSION,
            kind="PrometheusRule",
            metadata={"namespace": namespace},
            spec={
                "groups": [
                    group("seamless", RECORDS),
                    namespace.apply(
                        lambda where: group("model-server", server_alerts(serving, where))
                    ),
                    group("gpu", GPU_ALERTS),
                ]
            },
            opts=child,
        )
        for uid, title, panels in (
            ("seamless-models", "Model servers", MODEL_SERVERS),
            ("seamless-gpus", "GPUs", GPUS),
        ):
            kubernetes.core.v1.ConfigMap(
                f"{name}-{uid}",
                metadata={"namespace": monitoring, "labels": {DASHBOARD: "1"}},
                data={f"{uid}.json": dashboard(uid, title, panels)},
                opts=child,
            )
        self.register_outputs({})
