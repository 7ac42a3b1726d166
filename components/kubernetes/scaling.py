"""How many replicas run: KEDA asks Prometheus what the model servers say of their own load.

The busy time of a GPU is no signal: it stays near 100 % under any load. The names are vLLM's
(docs.vllm.ai, production metrics); fields and defaults are those of KEDA 2.21, read in its source.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pulumi
import pulumi_kubernetes as kubernetes

from components.kubernetes.model_server import ModelServer
from components.kubernetes.pods import Manifest
from components.kubernetes.serving import Serving

WAITING = "vllm:num_requests_waiting"
RUNNING = "vllm:num_requests_running"
KV_USE = "vllm:kv_cache_usage_perc"
"""A share, 0 to 1, whatever its name says."""
UNFINISHED = "seamless_documents_unfinished"
"""The application's own: documents that are queued or being worked on."""

LOAD_SHARE = 0.8
"""Of the concurrency that was asked for; the rest takes what comes while a replica starts."""
WAITING_PER_REPLICA = 4
"""More than so many in front of each replica, although it could run more: its memory is full."""
KV_SHARE = 0.8
"""Of the KV cache; above 0.9 or so vLLM preempts requests, and computes them twice."""

CANARIES = 1
"""A request at a time is no work: the examiner's would keep the last replica awake for ever. One
document of the application's would, too; its queue tells of that."""
KV_SHARE_OF_CANARIES = 0.01
"""A canary has less than two hundred tokens; the KV cache has room for a hundred times as many."""

POLL_SECONDS = 30
"""Only at zero replicas: above, Kubernetes asks by itself, every 15 seconds."""
SCALE_UP_SECONDS = 60
"""A burst that is over by then needs no replica, which would come minutes later."""
SCALE_UP_REPLICAS, SCALE_UP_PERIOD_SECONDS = 2, 60
"""So many at most per period: GPUs come one by one, and one broken metric must not order all."""
SCALE_DOWN_SECONDS = 900
"""As long as a replica takes to come back: node, image, weights, compilation."""
SCALE_DOWN_REPLICAS, SCALE_DOWN_PERIOD_SECONDS = 1, 300
"""One at a time; each takes its prefix cache with it, and the next step sees what that did."""
COOLDOWN_SECONDS = 900
"""From the last sign of work to zero replicas; a start costs as much as waiting so long."""
FAILURES = 3
"""Failed questions before the fallback: one and a half minutes, a restart of Prometheus."""


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """One reason for another replica.

    Attributes:
        query: PromQL with one number as its answer.
        threshold: At this number the replicas are as many as they should be.
        per_replica: True divides the answer by the replicas; False takes it as it is, and asks
            for replicas in proportion.
        activation: Up to this number nothing is asked for: the last replica may go.
    """

    name: str
    query: str
    threshold: float
    per_replica: bool
    activation: float = 0

    @property
    def metric_type(self) -> Literal["AverageValue", "Value"]:
        """Kubernetes' word for it."""
        return "AverageValue" if self.per_replica else "Value"


@dataclass(frozen=True, kw_only=True)
class Queue:
    """The application's queue, which outlives the last replica.

    Attributes:
        url: Of its `/metrics`, reachable from the cluster.
        token: Secret. The application's API token.
    """

    url: pulumi.Input[str]
    token: pulumi.Input[str]


class Scaling(pulumi.ComponentResource):
    """Between `minimum` and `maximum` replicas of one model, by what waits and what runs.

    With `minimum` 0 a server that does not run says nothing, so the application's queue wakes the
    first replica. No document is lost meanwhile: it stays queued in the application's database,
    and a call that finds nobody ends its lease and puts it back for a later attempt.
    """

    def __init__(
        self,
        name: str,
        *,
        serving: Serving,
        server: ModelServer,
        namespace: pulumi.Output[str],
        prometheus_url: pulumi.Input[str],
        queue: Queue | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        prometheus_url: As pods of the cluster reach it.
        queue: Needed to scale to zero, unused otherwise.

        Raises:
            ValueError: scaling to zero without a queue that could wake a replica.
        """
        super().__init__("seamless:kubernetes:Scaling", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        asleep = serving.minimum == 0
        if asleep and queue is None:
            raise ValueError(
                "minimum is 0, and no queue is known that could wake the first replica: a server"
                " that does not run publishes no metric. Give the application's queue, or keep"
                " one replica: pulumi config set gpu_minimum 1"
            )
        asked = pulumi.Output.all(namespace, prometheus_url).apply(
            lambda facts: [
                _question(trigger, url=facts[1], silence_is_zero=asleep)
                for trigger in triggers(serving, facts[0])
            ]
        )
        woken = [_wake_up(name, queue, serving, namespace, child)] if asleep and queue else []
        kubernetes.apiextensions.CustomResource(
            name,
            api_version="keda.sh/v1alpha1",
            kind="ScaledObject",
            metadata={"namespace": namespace},
            spec={
                "scaleTargetRef": server.scaled,
                "minReplicaCount": serving.minimum,
                "maxReplicaCount": serving.maximum,
                "pollingInterval": POLL_SECONDS,
                "cooldownPeriod": COOLDOWN_SECONDS,
                # Who cannot see must not shrink. Never 0 here: KEDA would take it for permission
                # to stop the last replica while Prometheus is away.
                "fallback": {
                    "failureThreshold": FAILURES,
                    "replicas": max(1, serving.minimum),
                    "behavior": "currentReplicasIfHigher",
                },
                "advanced": {"horizontalPodAutoscalerConfig": {"behavior": _behavior()}},
                "triggers": pulumi.Output.all(asked, woken).apply(lambda both: both[0] + both[1]),
            },
            opts=child,
        )
        self.register_outputs({})


def triggers(serving: Serving, namespace: str) -> Sequence[Trigger]:
    """What a model's replicas are counted by; the one that asks for most wins."""
    of = f'{{namespace="{namespace}",model_name="{serving.model}"}}'
    return (
        # What waits counts too, so that one step up is as high as it must be.
        Trigger(
            name="load",
            query=f"sum({RUNNING}{of}) + sum({WAITING}{of})",
            threshold=LOAD_SHARE * serving.concurrency,
            per_replica=True,
            activation=CANARIES,
        ),
        Trigger(
            name="waiting",
            query=f"sum({WAITING}{of})",
            threshold=WAITING_PER_REPLICA,
            per_replica=True,
        ),
        Trigger(
            name="memory",
            query=f"avg({KV_USE}{of})",
            threshold=KV_SHARE,
            per_replica=False,
            activation=KV_SHARE_OF_CANARIES,
        ),
    )


def _question(trigger: Trigger, *, url: str, silence_is_zero: bool) -> Manifest:
    """A trigger as KEDA wants it, whose metadata are all texts.

    Silence is zero only where no replica may run; elsewhere it is a failure, and the fallback's.
    """
    return {
        "type": "prometheus",
        "name": trigger.name,
        "metricType": trigger.metric_type,
        "metadata": {
            "serverAddress": url,
            "query": trigger.query,
            "threshold": f"{trigger.threshold:g}",
            "activationThreshold": f"{trigger.activation:g}",
            "ignoreNullValues": "true" if silence_is_zero else "false",
        },
    }


def _wake_up(
    name: str,
    queue: Queue,
    serving: Serving,
    namespace: pulumi.Output[str],
    opts: pulumi.ResourceOptions,
) -> Manifest:
    """The trigger that is there at zero replicas: KEDA reads the application's `/metrics`."""
    token = kubernetes.core.v1.Secret(
        f"{name}-queue",
        metadata={"namespace": namespace},
        string_data={"token": queue.token},
        opts=opts,
    )
    login = kubernetes.apiextensions.CustomResource(
        f"{name}-queue",
        api_version="keda.sh/v1alpha1",
        kind="TriggerAuthentication",
        metadata={"namespace": namespace},
        spec={
            "secretTargetRef": [
                {"parameter": "token", "name": token.metadata["name"], "key": "token"}
            ]
        },
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
            "targetValue": str(serving.concurrency),
            "authMode": "bearer",
        },
        "authenticationRef": {"name": login.metadata["name"]},
    }


def _behavior() -> Manifest:
    """How fast Kubernetes follows the numbers."""

    def steps(replicas: int, seconds: int) -> list[Manifest]:
        return [{"type": "Pods", "value": replicas, "periodSeconds": seconds}]

    return {
        "scaleUp": {
            "stabilizationWindowSeconds": SCALE_UP_SECONDS,
            "policies": steps(SCALE_UP_REPLICAS, SCALE_UP_PERIOD_SECONDS),
        },
        "scaleDown": {
            "stabilizationWindowSeconds": SCALE_DOWN_SECONDS,
            "policies": steps(SCALE_DOWN_REPLICAS, SCALE_DOWN_PERIOD_SECONDS),
        },
    }
