"""A real API server admits every object, and a real scheduler places it."""

from dataclasses import replace
from typing import Any

import pytest

from tests.support.accounts.kubernetes import SMALL, model
from tests.support.cluster.control_plane import Api, RefusedError
from tests.support.cluster.deployed import deploy
from tests.support.local import until

pytestmark = pytest.mark.cluster

GPU = "nvidia.com/gpu"


def node(api: Api, name: str, *, gpus: int = 0, pool: str = "gpu") -> None:
    """A node of KWOK, with the labels and taints of the clouds."""
    size = {"cpu": "16", "memory": "256Gi", "pods": "110", "ephemeral-storage": "500Gi"}
    size |= {GPU: str(gpus)} if gpus else {}
    labels = {"kubernetes.io/hostname": name, "seamless.dev/pool": pool if gpus else "system"}
    taints = [{"key": GPU, "value": "present", "effect": "NoSchedule"}] if gpus else []
    api.post(
        "/api/v1/nodes",
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": labels},
            "spec": {"taints": taints},
            "status": {"capacity": size, "allocatable": size},
        },
    )


def pods(api: Api, namespace: str, app: str) -> list[dict[str, Any]]:
    path = f"/api/v1/namespaces/{namespace}/pods?labelSelector=app.kubernetes.io/name={app}"
    items: list[dict[str, Any]] = api.get(path)["items"]
    return items


def unscheduled(api: Api, namespace: str) -> list[str] | None:
    """Messages of the scheduler about replicas without a node."""
    return [
        condition["message"]
        for pod in pods(api, namespace, "model-server")
        for condition in pod["status"].get("conditions", [])
        if condition["type"] == "PodScheduled" and condition["status"] == "False"
    ] or None


def test_a_replica_runs_on_a_gpu_node_and_the_next_one_waits(api: Api) -> None:
    node(api, "gpu-1", gpus=1)
    node(api, "system-1")
    namespace = deploy(api, lambda: model("placed", replace(SMALL, minimum=2, maximum=2)))

    def nodes(app: str, count: int) -> list[str] | None:
        found = [pod["spec"].get("nodeName") for pod in pods(api, namespace, app)]
        bound = [name for name in found if name]
        return bound if (len(found), len(bound)) == (2, count) else None

    assert until(lambda: nodes("model-server", 1), seconds=60) == ["gpu-1"]
    (message,) = until(lambda: unscheduled(api, namespace), seconds=60)
    assert "Insufficient nvidia.com/gpu" in message
    assert until(lambda: nodes("gateway", 2), seconds=60) == ["system-1", "system-1"]


def test_a_pod_with_more_privileges_is_rejected(api: Api) -> None:
    namespace = deploy(api, lambda: model("restricted"))
    with pytest.raises(RefusedError, match='violates PodSecurity "restricted:latest"'):
        api.apply(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "root", "namespace": namespace},
                "spec": {"hostIPC": True, "containers": [{"name": "root", "image": "busybox"}]},
            }
        )
