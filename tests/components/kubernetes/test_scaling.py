"""Autoscaling: its metrics, how fast the number of replicas changes, and scaling from zero."""

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
from tests.support.accounts.kubernetes import SMALL, WIDE, described, manifest, objects

QUEUE = QueueMetrics(url="https://app.example/metrics", token="t0ken")
ASLEEP = replace(SMALL, minimum=0, maximum=3)


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
    (found,) = [r for r in planned(spec) if r.inputs.get("kind") == "ScaledObject"]
    scaled_object: dict[str, Any] = found.inputs["spec"]
    return scaled_object


def test_load_and_waiting_requests_are_divided_by_the_replicas_and_the_cache_is_not() -> None:
    found = {
        t["name"]: (t["metricType"], t["metadata"]["threshold"]) for t in scaled(SMALL)["triggers"]
    }
    assert found == {
        "load": ("AverageValue", "12.8"),
        "waiting": ("AverageValue", "4"),
        "memory": ("Value", "0.8"),
    }


def test_every_metric_is_of_this_model_in_this_namespace() -> None:
    for trigger in scaled(SMALL)["triggers"]:
        query = trigger["metadata"]["query"]
        of = '{namespace="model-00000000",model_name="llama-3.1-8b"}'
        assert query.count(of) == query.count("vllm:") > 0


def test_canaries_alone_keep_no_replica_running() -> None:
    triggers = scaled(ASLEEP)["triggers"]
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
def test_the_replicas_are_scaled_whatever_their_kind(
    spec: ModelSpec, kind: tuple[str, str]
) -> None:
    target = scaled(spec)["scaleTargetRef"]
    assert (target["apiVersion"], target["kind"]) == kind
    assert target["name"].startswith("server")


def test_without_metrics_no_replica_is_stopped() -> None:
    spec = scaled(replace(SMALL, minimum=2, maximum=4))
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (2, 4)
    assert spec["fallback"] == {
        "failureThreshold": 3,
        "replicas": 2,
        "behavior": "currentReplicasIfHigher",
    }
    assert {t["metadata"]["ignoreNullValues"] for t in spec["triggers"]} == {"false"}


def test_at_zero_replicas_no_data_is_no_failure_but_the_fallback_still_runs_one() -> None:
    spec = scaled(ASLEEP)
    assert spec["minReplicaCount"] == 0
    assert spec["fallback"]["replicas"] == 1
    *by_load, _ = spec["triggers"]
    assert {t["metadata"]["ignoreNullValues"] for t in by_load} == {"true"}


def test_the_application_s_queue_starts_the_first_replica() -> None:
    *_, queue = scaled(ASLEEP)["triggers"]
    assert queue["type"] == "metrics-api"
    assert queue["metadata"]["url"] == "https://app.example/metrics"
    assert queue["metadata"]["valueLocation"] == "seamless_documents_unfinished"
    objects_of_queue = {r.inputs["kind"]: r for r in planned(ASLEEP) if r.name == "scaling-queue"}
    login = manifest(objects_of_queue["TriggerAuthentication"])
    assert queue["authenticationRef"]["name"] == login["metadata"]["name"]
    assert objects_of_queue["Secret"].inputs["stringData"] == SECRET


def test_scaling_to_zero_without_a_queue_is_refused() -> None:
    with pytest.raises(Exception, match="pulumi config set gpu_minimum 1"):
        planned(ASLEEP, queue=None)


def test_replicas_start_fast_and_stop_slowly() -> None:
    behavior = scaled(SMALL)["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    (up,), (down,) = behavior["scaleUp"]["policies"], behavior["scaleDown"]["policies"]
    assert up["value"] / up["periodSeconds"] > 5 * down["value"] / down["periodSeconds"]
    assert behavior["scaleUp"]["stabilizationWindowSeconds"] == 60
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] == 900


def test_headroom_requests_what_a_replica_needs_at_a_lower_priority() -> None:
    found = {(r.inputs.get("kind"), r.name): r.inputs for r in planned(WIDE)}
    room = found["Deployment", "room"]["spec"]
    (placeholder,) = room["template"]["spec"]["containers"]
    assert room["replicas"] == 2
    assert placeholder["resources"]["limits"]["nvidia.com/gpu"] == "8"
    priority = found["PriorityClass", "room"]
    assert priority["value"] == -10 < PRIORITY
    assert priority["preemptionPolicy"] == "Never"


def test_every_object_of_kubernetes_own_is_valid() -> None:
    bodies = [manifest(r) for r in planned(ASLEEP) if not r.type.startswith("pulumi:")]
    own = [body for body in bodies if "keda" not in body["apiVersion"]]
    assert {"Secret", "Deployment", "PriorityClass"} <= {body["kind"] for body in own}
    for body in own:
        kubernetes_validate.validate(body, "1.36", strict=True)
