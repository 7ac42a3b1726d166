"""Proves that a real API server takes every object of ours, and places it where it should be."""

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
    """A node that KWOK plays, as the clouds label and taint it."""
    size = {"cpu": "16", "memory": "256Gi", "pods": "110", "ephemeral-storage": "500Gi"}
    size |= {GPU: str(gpus)} if gpus else {}
    api.post(
        "/api/v1/nodes",
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": name,
                "labels": {
                    "kubernetes.io/hostname": name,
                    "seamless.dev/pool": pool if gpus else "system",
                },
            },
            "spec": {"taints": [{"key": GPU, "value": "present", "effect": "NoSchedule"}]}
            if gpus
            else {},
            "status": {"capacity": size, "allocatable": size},
        },
    )


def pods(api: Api, namespace: str, app: str) -> list[dict[str, Any]]:
    selector = f"labelSelector=app.kubernetes.io/name={app}"
    items: list[dict[str, Any]] = api.get(f"/api/v1/namespaces/{namespace}/pods?{selector}")[
        "items"
    ]
    return items


def test_a_replica_runs_on_a_gpu_node_and_the_next_waits_for_one(api: Api) -> None:
    node(api, "gpu-1", gpus=1)
    node(api, "system-1")
    namespace = deploy(api, lambda: model("placed", replace(SMALL, minimum=2, maximum=2)))

    def settled() -> list[dict[str, Any]] | None:
        found = pods(api, namespace, "model-server")
        bound = [pod for pod in found if pod["spec"].get("nodeName")]
        told = [
            condition["message"]
            for pod in found
            for condition in pod["status"].get("conditions", [])
            if condition["type"] == "PodScheduled" and condition["status"] == "False"
        ]
        ready = len(found) == 2 and len(bound) == 1 and told
        return [*bound, {"told": told}] if ready else None

    bound, waiting = until(settled, seconds=60)
    assert bound["spec"]["nodeName"] == "gpu-1"
    assert "Insufficient nvidia.com/gpu" in waiting["told"][0]
    gateways = until(
        lambda: (
            found
            if len(found := pods(api, namespace, "gateway")) == 2
            and all(pod["spec"].get("nodeName") for pod in found)
            else None
        ),
        seconds=60,
    )
    assert {pod["spec"]["nodeName"] for pod in gateways} == {"system-1"}


def test_a_pod_with_more_privileges_than_ours_is_refused(api: Api) -> None:
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
