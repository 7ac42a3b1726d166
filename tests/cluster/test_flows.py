"""Drain, rollout, scaling and node loss on a real scheduler and controllers; KWOK runs the pods."""

from dataclasses import replace
from typing import Any

import pytest

from tests.cluster.test_admission import node, pods, unscheduled
from tests.support.accounts.kubernetes import SMALL, model
from tests.support.cluster.control_plane import Api, RefusedError
from tests.support.cluster.deployed import deploy
from tests.support.local import until

pytestmark = pytest.mark.cluster

TWO = replace(SMALL, minimum=2, maximum=4)


def serving(api: Api, namespace: str, count: int) -> list[dict[str, Any]]:
    """The replicas, once exactly `count` exist and are ready."""

    def all_ready() -> list[dict[str, Any]] | None:
        found = pods(api, namespace, "model-server")
        ready = [pod for pod in found if _is_ready(pod)]
        return ready if len(ready) == len(found) == count else None

    return until(all_ready, seconds=60)


def _is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod["status"].get("conditions", [])
    return "deletionTimestamp" not in pod["metadata"] and any(
        condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions
    )


def in_pool(api: Api, pool: str, *, nodes: int) -> str:
    """Deploy two replicas on their own GPU pool, and return the namespace."""
    for number in range(nodes):
        node(api, f"{pool}-{number}", gpus=1, pool=pool)
    return deploy(api, lambda: model(pool, TWO, gpu_labels={"seamless.dev/pool": pool}))


def evict(api: Api, namespace: str, pod: dict[str, Any]) -> None:
    """Evict a pod, as a drain does."""
    metadata = {"name": pod["metadata"]["name"], "namespace": namespace}
    api.post(
        f"/api/v1/namespaces/{namespace}/pods/{metadata['name']}/eviction",
        {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata},
    )


def deployment(namespace: str, pool: str) -> str:
    return f"/apis/apps/v1/namespaces/{namespace}/deployments/{pool}-server-00000000"


def test_a_drain_evicts_one_replica_at_a_time(api: Api) -> None:
    namespace = in_pool(api, "drained", nodes=2)
    first, second = serving(api, namespace, 2)
    budget = f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets/drained-server-00000000"
    until(lambda: api.get(budget)["status"].get("disruptionsAllowed") == 1 or None, seconds=60)
    for number in range(2):  # no new pod starts during the drain
        api.patch(f"/api/v1/nodes/drained-{number}", {"spec": {"unschedulable": True}})

    evict(api, namespace, first)
    with pytest.raises(RefusedError, match="disruption budget"):
        evict(api, namespace, second)

    api.patch("/api/v1/nodes/drained-0", {"spec": {"unschedulable": None}})
    api.patch("/api/v1/nodes/drained-1", {"spec": {"unschedulable": None}})
    names = {pod["metadata"]["name"] for pod in serving(api, namespace, 2)}
    assert second["metadata"]["name"] in names
    assert first["metadata"]["name"] not in names


def test_a_rollout_needs_no_spare_gpu_and_keeps_one_replica_serving(api: Api) -> None:
    namespace = in_pool(api, "rolled", nodes=2)
    before = {pod["metadata"]["name"] for pod in serving(api, namespace, 2)}
    path = deployment(namespace, "rolled")
    # The deployment's count follows that of its pods.
    until(lambda: api.get(path)["status"].get("availableReplicas") == 2 or None, seconds=30)

    stamp = {"metadata": {"annotations": {"seamless.dev/rolled": "once"}}}
    api.patch(path, {"spec": {"template": stamp}})

    fewest = 2

    def rolled() -> bool | None:
        nonlocal fewest
        known = api.get(path)
        status = known["status"]
        if status["observedGeneration"] < known["metadata"]["generation"]:
            return None
        fewest = min(fewest, status.get("availableReplicas", 0))
        done = status.get("updatedReplicas") == status.get("readyReplicas") == 2
        return (done and status.get("replicas") == 2) or None

    until(rolled, seconds=60)
    after = {pod["metadata"]["name"] for pod in serving(api, namespace, 2)}
    assert not before & after
    assert fewest >= 1


def test_an_additional_replica_waits_for_a_node_and_uses_it(api: Api) -> None:
    namespace = in_pool(api, "grown", nodes=2)
    serving(api, namespace, 2)

    api.patch(f"{deployment(namespace, 'grown')}/scale", {"spec": {"replicas": 3}})
    until(lambda: unscheduled(api, namespace), seconds=60)
    node(api, "grown-2", gpus=1, pool="grown")

    places = {pod["spec"]["nodeName"] for pod in serving(api, namespace, 3)}
    assert places == {"grown-0", "grown-1", "grown-2"}


def test_a_replica_of_a_lost_node_moves_to_another_one(api: Api) -> None:
    namespace = in_pool(api, "moved", nodes=3)
    lost = serving(api, namespace, 2)[0]["spec"]["nodeName"]

    api.delete(f"/api/v1/nodes/{lost}")

    def moved() -> bool | None:
        found = [pod for pod in pods(api, namespace, "model-server") if _is_ready(pod)]
        return (len(found) == 2 and lost not in {p["spec"]["nodeName"] for p in found}) or None

    until(moved, seconds=90)
