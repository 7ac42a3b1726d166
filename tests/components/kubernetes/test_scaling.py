"""Autoscaling: its metrics, its speed, and scaling from zero."""

from dataclasses import replace
from typing import Any

import kubernetes_validate
import pulumi
import pytest

from components.kubernetes.base.namespace import IsolatedNamespace
from components.kubernetes.scheduling.autoscaling import Autoscaling, QueueMetrics
from components.kubernetes.scheduling.headroom import Headroom
from components.kubernetes.serving.gateway import GATEWAY
from components.kubernetes.serving.model_server import PRIORITY, ModelServer
from components.kubernetes.serving.model_spec import ModelSpec
from components.kubernetes.serving.weights import Weights
from policies.resource import SECRET, Resource
from tests.support.accounts.kubernetes import SMALL, WIDE, described, manifest, objects, one

QUEUE = QueueMetrics(url="https://app.example/metrics", token="t0ken")
FROM_ZERO = replace(SMALL, minimum=0, maximum=3)


def planned(spec: ModelSpec, queue: QueueMetrics | None = QUEUE) -> list[Resource]:
    def program() -> None:
        cluster = described()
        namespace = IsolatedNamespace("model").namespace
        weights = Weights(
            "weights",
            cluster=cluster,
            model_spec=spec,
            namespace=namespace,
            hugging_face_token=None,
        )
        server = ModelServer(
            "server",
            cluster=cluster,
            model_spec=spec,
            namespace=namespace,
            weights=weights,
            api_key=pulumi.Output.secret("key"),
            callers=[GATEWAY],
        )
        Autoscaling(
            "scaling",
            model_spec=spec,
            server=server,
            namespace=namespace,
            prometheus_url="http://prometheus.monitoring.svc:9090",
            queue=queue,
        )
        Headroom("room", cluster=cluster, model_spec=spec, namespace=namespace, replicas=1, nodes=1)

    return objects(program)


def scaled(spec: ModelSpec) -> dict[str, Any]:
    return dict(one(planned(spec), "ScaledObject")["spec"])


def test_load_and_queue_are_averages_per_replica_and_the_cache_is_not() -> None:
    found = {
        t["name"]: (t["metricType"], t["metadata"]["threshold"]) for t in scaled(SMALL)["triggers"]
    }
    assert found == {
        "load": ("AverageValue", "12.8"),
        "waiting": ("AverageValue", "4"),
        "memory": ("Value", "0.8"),
    }


def test_every_query_selects_this_model_in_this_namespace() -> None:
    for trigger in scaled(SMALL)["triggers"]:
        query = trigger["metadata"]["query"]
        of = '{namespace="model-00000000",model_name="llama-3.1-8b"}'
        assert query.count(of) == query.count("vllm:") > 0


def test_canaries_do_not_start_a_replica() -> None:
    triggers = scaled(FROM_ZERO)["triggers"]
    assert {t["name"]: t["metadata"].get("activationThreshold") for t in triggers} == {
        "load": "1",
        "waiting": "0",
        "memory": "0.01",
        "queue": None,
    }


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        (SMALL, ("apps/v1", "Deployment")),
        (WIDE, ("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet")),
    ],
    ids=["one node", "two nodes"],
)
def test_a_deployment_or_a_leader_worker_set_is_scaled(
    spec: ModelSpec, kind: tuple[str, str]
) -> None:
    target = scaled(spec)["scaleTargetRef"]
    assert (target["apiVersion"], target["kind"]) == kind
    assert target["name"].startswith("server")


def test_missing_metrics_stop_no_replica() -> None:
    spec = scaled(replace(SMALL, minimum=2, maximum=4))
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (2, 4)
    assert spec["fallback"] == {
        "failureThreshold": 3,
        "replicas": 2,
        "behavior": "currentReplicasIfHigher",
    }
    assert {t["metadata"]["ignoreNullValues"] for t in spec["triggers"]} == {"false"}


def test_at_zero_replicas_missing_metrics_are_no_failure() -> None:
    spec = scaled(FROM_ZERO)
    assert spec["minReplicaCount"] == 0
    assert spec["fallback"]["replicas"] == 1
    *by_load, _ = spec["triggers"]
    assert {t["metadata"]["ignoreNullValues"] for t in by_load} == {"true"}


def test_the_queue_of_the_application_starts_the_first_replica() -> None:
    *_, queue = scaled(FROM_ZERO)["triggers"]
    assert queue["type"] == "metrics-api"
    assert queue["metadata"]["url"] == "https://app.example/metrics"
    assert queue["metadata"]["valueLocation"] == "seamless_documents_unfinished"
    authentication = one(planned(FROM_ZERO), "TriggerAuthentication", "scaling-queue")
    assert queue["authenticationRef"]["name"] == authentication["metadata"]["name"]
    (secret,) = [
        r.inputs
        for r in planned(FROM_ZERO)
        if r.name == "scaling-queue" and r.inputs["kind"] == "Secret"
    ]
    assert secret["stringData"] == SECRET


def test_scaling_to_zero_without_a_queue_is_refused() -> None:
    with pytest.raises(Exception, match="pulumi config set gpu_minimum 1"):
        planned(FROM_ZERO, queue=None)


def test_replicas_start_faster_than_they_stop() -> None:
    behavior = scaled(SMALL)["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    (up,), (down,) = behavior["scaleUp"]["policies"], behavior["scaleDown"]["policies"]
    assert up["value"] / up["periodSeconds"] > 5 * down["value"] / down["periodSeconds"]
    assert behavior["scaleUp"]["stabilizationWindowSeconds"] == 60
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] == 900


def test_headroom_requests_the_resources_of_a_replica_at_a_lower_priority() -> None:
    found = {(r.inputs.get("kind"), r.name): r.inputs for r in planned(WIDE)}
    room = found["Deployment", "room"]["spec"]
    (placeholder,) = room["template"]["spec"]["containers"]
    assert room["replicas"] == 2
    assert placeholder["resources"]["limits"]["nvidia.com/gpu"] == "8"
    priority = found["PriorityClass", "room"]
    assert priority["value"] == -10 < PRIORITY
    assert priority["preemptionPolicy"] == "Never"


def test_built_in_objects_match_the_schema_of_kubernetes() -> None:
    bodies = [manifest(r) for r in planned(FROM_ZERO) if not r.type.startswith("pulumi:")]
    built_in = [body for body in bodies if "keda" not in body["apiVersion"]]
    assert {"Secret", "Deployment", "PriorityClass"} <= {body["kind"] for body in built_in}
    for body in built_in:
        kubernetes_validate.validate(body, "1.36", strict=True)
