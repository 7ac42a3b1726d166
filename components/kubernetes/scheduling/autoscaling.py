"""Autoscaling of the replicas: KEDA reads the load of the model servers from Prometheus.

The utilization of a GPU is no signal: it stays near 100 % under any load. The metrics are vLLM's
(docs.vllm.ai, production metrics); fields and defaults are those of KEDA 2.21, read in its source.
"""

from dataclasses import dataclass
from typing import Literal

import pulumi
import pulumi_kubernetes as kubernetes

from components.kubernetes.base.pods import Manifest
from components.kubernetes.serving.model_server import ModelServer
from components.kubernetes.serving.model_spec import ModelSpec

WAITING = "vllm:num_requests_waiting"
RUNNING = "vllm:num_requests_running"
KV_USE = "vllm:kv_cache_usage_perc"
"""A share, 0 to 1, despite its name."""
UNFINISHED = "seamless_documents_unfinished"
"""The application's metric: documents that are queued or being worked on."""

LOAD_SHARE = 0.8
"""Target share of the concurrency; the rest absorbs requests while another replica starts."""
WAITING_PER_REPLICA = 4
"""More waiting requests than this, with free concurrency, mean that the memory is full."""
KV_SHARE = 0.8
"""Target share of the KV cache; above 0.9 or so vLLM preempts requests and computes them twice."""

CANARIES = 1
"""Requests at a time that do not count as work: those of the replica monitor would keep the last
replica running. A single document does not count either; the application's queue reports it."""
KV_SHARE_OF_CANARIES = 0.01
"""A canary has less than two hundred tokens; the KV cache has room for a hundred times as many."""

POLL_SECONDS = 30
"""Only at zero replicas; above, Kubernetes polls every 15 seconds."""
SCALE_UP_SECONDS = 60
"""A shorter burst needs no replica, which would be ready minutes later."""
SCALE_UP_REPLICAS, SCALE_UP_PERIOD_SECONDS = 2, 60
"""Most replicas per period: one wrong metric must not order every GPU."""
SCALE_DOWN_SECONDS = 900
"""As long as a replica takes to start again: node, image, weights, compilation."""
SCALE_DOWN_REPLICAS, SCALE_DOWN_PERIOD_SECONDS = 1, 300
"""One at a time: each loses its prefix cache, and the next step sees the effect."""
COOLDOWN_SECONDS = 900
"""From the last activity to zero replicas; a start costs as much as waiting so long."""
FAILURES = 3
"""Failed polls before the fallback: one and a half minutes, a restart of Prometheus."""


@dataclass(frozen=True, kw_only=True)
class QueueMetrics:
    """The application's queue of documents, which exists without any replica.

    Attributes:
        url: Of its `/metrics`, reachable from the cluster.
        token: Secret. The application's API token.
    """

    url: pulumi.Input[str]
    token: pulumi.Input[str]


class Autoscaling(pulumi.ComponentResource):
    """Between `minimum` and `maximum` replicas of one model, by waiting and running requests.

    With `minimum` 0, a server that does not run has no metrics, so the application's queue starts
    the first replica. No document is lost meanwhile: it stays queued in the application's database,
    and a call without an answer returns the document to the queue.

    Creates a ScaledObject, and with `minimum` 0 a TriggerAuthentication with its Secret.
    """

    def __init__(
        self,
        name: str,
        *,
        model_spec: ModelSpec,
        server: ModelServer,
        namespace: pulumi.Output[str],
        prometheus_url: pulumi.Input[str],
        queue: QueueMetrics | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        prometheus_url: URL for pods of the cluster.
        queue: Needed to scale to zero, unused otherwise.

        Raises:
            ValueError: scaling to zero without a queue that could start a replica.
        """
        super().__init__("seamless:kubernetes:Autoscaling", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        to_zero = model_spec.minimum == 0
        if to_zero and queue is None:
            raise ValueError(
                "minimum is 0, but there is no queue that could start the first replica: a server"
                " that does not run has no metrics. Pass the application's queue, or keep one"
                " replica: pulumi config set gpu_minimum 1"
            )
        by_load = pulumi.Output.all(namespace, prometheus_url).apply(
            lambda values: load_triggers(model_spec, namespace=values[0], prometheus_url=values[1])
        )
        by_queue = (
            [_queue_trigger(name, queue, model_spec, namespace, child)] if to_zero and queue else []
        )
        kubernetes.apiextensions.CustomResource(
            name,
            api_version="keda.sh/v1alpha1",
            kind="ScaledObject",
            metadata={"namespace": namespace},
            spec={
                "scaleTargetRef": server.scale_target,
                "minReplicaCount": model_spec.minimum,
                "maxReplicaCount": model_spec.maximum,
                "pollingInterval": POLL_SECONDS,
                "cooldownPeriod": COOLDOWN_SECONDS,
                # Never scale down without metrics. Not 0 replicas: KEDA would then stop the last
                # replica while Prometheus is down.
                "fallback": {
                    "failureThreshold": FAILURES,
                    "replicas": max(1, model_spec.minimum),
                    "behavior": "currentReplicasIfHigher",
                },
                "advanced": {"horizontalPodAutoscalerConfig": {"behavior": _behavior()}},
                "triggers": pulumi.Output.all(by_load, by_queue).apply(
                    lambda lists: lists[0] + lists[1]
                ),
            },
            opts=child,
        )
        self.register_outputs({})


def series(model_spec: ModelSpec, namespace: str) -> str:
    """PromQL selector of one model's series in a namespace."""
    return f'{{namespace="{namespace}",model_name="{model_spec.model}"}}'


def load_triggers(model_spec: ModelSpec, *, namespace: str, prometheus_url: str) -> list[Manifest]:
    """The triggers of a model by its metrics; the one that needs most replicas wins."""
    of = series(model_spec, namespace)

    def trigger(
        name: str,
        query: str,
        threshold: float,
        *,
        kind: Literal["AverageValue", "Value"] = "AverageValue",
        activation: float = 0,
    ) -> Manifest:
        """`AverageValue` divides the result by the replicas; `Value` scales in proportion to it.

        Up to `activation` there is no work, and the last replica may stop.
        """
        return {
            "type": "prometheus",
            "name": name,
            "metricType": kind,
            "metadata": {
                "serverAddress": prometheus_url,
                "query": query,
                "threshold": f"{threshold:g}",
                "activationThreshold": f"{activation:g}",
                # No data means zero only where no replica may run; elsewhere it is a failure,
                # which leads to the fallback.
                "ignoreNullValues": "true" if model_spec.minimum == 0 else "false",
            },
        }

    return [
        # Waiting requests count too, so that one step is as high as it must be.
        trigger(
            "load",
            f"sum({RUNNING}{of}) + sum({WAITING}{of})",
            LOAD_SHARE * model_spec.concurrency,
            activation=CANARIES,
        ),
        trigger("waiting", f"sum({WAITING}{of})", WAITING_PER_REPLICA),
        trigger(
            "memory",
            f"avg({KV_USE}{of})",
            KV_SHARE,
            kind="Value",
            activation=KV_SHARE_OF_CANARIES,
        ),
    ]


def _queue_trigger(
    name: str,
    queue: QueueMetrics,
    model_spec: ModelSpec,
    namespace: pulumi.Output[str],
    opts: pulumi.ResourceOptions,
) -> Manifest:
    """A trigger that works at zero replicas: KEDA reads the application's `/metrics`."""
    metadata = {"namespace": namespace}
    token = kubernetes.core.v1.Secret(
        f"{name}-queue", metadata=metadata, string_data={"token": queue.token}, opts=opts
    )
    reference = {"parameter": "token", "name": token.metadata["name"], "key": "token"}
    login = kubernetes.apiextensions.CustomResource(
        f"{name}-queue",
        api_version="keda.sh/v1alpha1",
        kind="TriggerAuthentication",
        metadata=metadata,
        spec={"secretTargetRef": [reference]},
        opts=opts,
    )
    return {
        "type": "metrics-api",
        "name": "queue",
        "metricType": "AverageValue",
        "metadata": {
            "url": queue.url,
            "format": "prometheus",
            "valueLocation": UNFINISHED,
            # A document keeps at least one request busy.
            "targetValue": str(model_spec.concurrency),
            "authMode": "bearer",
        },
        "authenticationRef": {"name": login.metadata["name"]},
    }


def _behavior() -> Manifest:
    """How fast Kubernetes changes the number of replicas."""

    def limit(window: int, replicas: int, period: int) -> Manifest:
        policy = {"type": "Pods", "value": replicas, "periodSeconds": period}
        return {"stabilizationWindowSeconds": window, "policies": [policy]}

    return {
        "scaleUp": limit(SCALE_UP_SECONDS, SCALE_UP_REPLICAS, SCALE_UP_PERIOD_SECONDS),
        "scaleDown": limit(SCALE_DOWN_SECONDS, SCALE_DOWN_REPLICAS, SCALE_DOWN_PERIOD_SECONDS),
    }
