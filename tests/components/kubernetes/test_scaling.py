"""Proves by what replicas are counted, how fast their number follows, and who wakes the first."""

from dataclasses import replace
from typing import Any

import kubernetes_validate
import pulumi
import pytest

from components.kubernetes import scaling
from components.kubernetes.gateway import GATEWAY
from components.kubernetes.headroom import Headroom
from components.kubernetes.model_server import PRIORITY, ModelServer
from components.kubernetes.scaling import Queue, Scaling, triggers
from components.kubernetes.serving import Serving
from components.kubernetes.space import Space
from components.kubernetes.weights import Weights
from resources import SECRET, Resource
from tests.components.kubernetes.cluster import SMALL, WIDE, described, manifest, objects

QUEUE = Queue(url="https://app.example/metrics", token="t0ken")
ASLEEP = replace(SMALL, minimum=0, maximum=3)
PROMETHEUS = "http://prometheus.monitoring.svc:9090"


def asked(serving: Serving, queue: Queue | None = QUEUE) -> list[Resource]:
    def program() -> None:
        cluster = described()
        space = Space("model")
        weights = Weights(
            "weights",
            cluster=cluster,
            serving=serving,
            namespace=space.namespace,
            hugging_face_token=None,
        )
        server = ModelServer(
            "server",
            cluster=cluster,
            serving=serving,
            namespace=space.namespace,
            weights=weights,
            api_key=pulumi.Output.secret("key"),
            callers=[GATEWAY],
        )
        Scaling(
            "scaling",
            serving=serving,
            server=server,
            namespace=space.namespace,
            prometheus_url=PROMETHEUS,
            queue=queue,
        )
        Headroom("room", cluster=cluster, serving=serving, namespace=space.namespace, replicas=1)

    return objects(program)


def scaled(serving: Serving) -> dict[str, Any]:
    (found,) = [r for r in asked(serving) if r.inputs.get("kind") == "ScaledObject"]
    spec: dict[str, Any] = found.inputs["spec"]
    return spec


def test_each_trigger_is_one_number_of_this_model_in_this_namespace() -> None:
    found = {trigger.name: trigger for trigger in triggers(SMALL, "space")}
    of = '{namespace="space",model_name="llama-3.1-8b"}'
    assert found["load"].query == (
        f"sum(vllm:num_requests_running{of}) + sum(vllm:num_requests_waiting{of})"
    )
    assert found["waiting"].query == f"sum(vllm:num_requests_waiting{of})"
    assert found["memory"].query == f"avg(vllm:kv_cache_usage_perc{of})"


def test_a_count_is_divided_by_the_replicas_and_a_share_is_not() -> None:
    asked_of_keda = {t["name"]: t for t in scaled(SMALL)["triggers"]}
    assert {name: t["metricType"] for name, t in asked_of_keda.items()} == {
        "load": "AverageValue",
        "waiting": "AverageValue",
        "memory": "Value",
    }
    assert {name: t["metadata"]["threshold"] for name, t in asked_of_keda.items()} == {
        "load": "12.8",
        "waiting": "4",
        "memory": "0.8",
    }


def test_the_examiner_s_canary_alone_keeps_no_replica_awake() -> None:
    triggers = scaled(ASLEEP)["triggers"]
    assert {t["name"]: t["metadata"].get("activationThreshold") for t in triggers} == {
        "load": "1",
        "waiting": "0",
        "memory": "0.01",
        "queue": None,
    }


@pytest.mark.parametrize("serving", [SMALL, WIDE], ids=["one node", "two nodes"])
def test_it_scales_what_the_server_is_made_of(serving: Serving) -> None:
    kinds = {1: ("apps/v1", "Deployment"), 2: ("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet")}
    target = scaled(serving)["scaleTargetRef"]
    assert (target["apiVersion"], target["kind"]) == kinds[serving.nodes]
    assert target["name"].startswith("server")


def test_one_replica_always_runs_unless_asked_otherwise() -> None:
    spec = scaled(replace(SMALL, maximum=4))
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (1, 4)
    assert [t["name"] for t in spec["triggers"]] == ["load", "waiting", "memory"]


def test_a_silent_prometheus_never_shrinks_what_runs() -> None:
    spec = scaled(replace(SMALL, minimum=2, maximum=4))
    assert spec["fallback"] == {
        "failureThreshold": 3,
        "replicas": 2,
        "behavior": "currentReplicasIfHigher",
    }
    assert {t["metadata"]["ignoreNullValues"] for t in spec["triggers"]} == {"false"}


def test_the_application_s_queue_wakes_the_first_replica() -> None:
    *_, queue = scaled(ASLEEP)["triggers"]
    assert queue["type"] == "metrics-api"
    assert queue["metadata"] == {
        "url": "https://app.example/metrics",
        "format": "prometheus",
        "valueLocation": "seamless_documents_unfinished",
        "targetValue": "16",
        "authMode": "bearer",
    }
    (login,) = [r for r in asked(ASLEEP) if r.inputs.get("kind") == "TriggerAuthentication"]
    assert queue["authenticationRef"]["name"] == manifest(login)["metadata"]["name"]


def test_scaling_to_zero_says_no_replicas_but_never_falls_back_to_none() -> None:
    spec = scaled(ASLEEP)
    assert spec["minReplicaCount"] == 0
    assert spec["fallback"]["replicas"] == 1
    assert [t["metadata"].get("ignoreNullValues") for t in spec["triggers"]] == [
        "true",
        "true",
        "true",
        None,
    ]


def test_scaling_to_zero_without_a_queue_is_refused() -> None:
    with pytest.raises(Exception, match="pulumi config set gpu_minimum 1"):
        asked(ASLEEP, queue=None)


def test_the_application_s_token_is_a_secret() -> None:
    (secret,) = [r for r in asked(ASLEEP) if r.name == "scaling-queue" and "stringData" in r.inputs]
    assert secret.inputs["stringData"] == SECRET


def test_replicas_come_fast_and_go_slowly() -> None:
    behavior = scaled(SMALL)["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behavior["scaleUp"] == {
        "stabilizationWindowSeconds": 60,
        "policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}],
    }
    assert behavior["scaleDown"] == {
        "stabilizationWindowSeconds": 900,
        "policies": [{"type": "Pods", "value": 1, "periodSeconds": 300}],
    }
    assert scaling.COOLDOWN_SECONDS >= scaling.SCALE_DOWN_SECONDS


def test_headroom_holds_what_a_replica_needs_and_gives_way_to_it() -> None:
    found = {(r.inputs.get("kind"), r.name): r.inputs for r in asked(WIDE)}
    room = found["Deployment", "room"]["spec"]
    (sleeper,) = room["template"]["spec"]["containers"]
    assert room["replicas"] == 2
    assert sleeper["resources"]["limits"]["nvidia.com/gpu"] == "8"
    priority = found["PriorityClass", "room"]
    assert priority["value"] == -10 < 0 < PRIORITY
    assert priority["preemptionPolicy"] == "Never"


def test_every_object_of_kubernetes_own_is_valid() -> None:
    bodies = [manifest(r) for r in asked(ASLEEP) if not r.type.startswith("pulumi:")]
    own = [body for body in bodies if "keda" not in body["apiVersion"]]
    assert {"Secret", "Deployment", "PriorityClass"} <= {body["kind"] for body in own}
    for body in own:
        kubernetes_validate.validate(body, "1.36", strict=True)
