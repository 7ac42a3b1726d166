"""Proves on a real scheduler that held room is given up at once, and that claimed GPUs are had."""

from dataclasses import replace
from typing import Any

import pytest

from components.kubernetes.headroom import Headroom
from components.kubernetes.space import Space
from tests.cluster.control_plane import Api
from tests.cluster.deployed import deploy
from tests.cluster.test_admission import GPU, pods
from tests.components.kubernetes.cluster import (
    SMALL,
    DescribedCluster,
    described,
    model,
)
from tests.local import until

pytestmark = pytest.mark.cluster

DRIVER = "gpu.nvidia.com"


def gpu_node(api: Api, name: str, *, gpus: int) -> None:
    """A node of a pool that is named as the node."""
    size = {"cpu": "16", "memory": "256Gi", "pods": "110", "ephemeral-storage": "500Gi"}
    size |= {GPU: str(gpus)} if gpus else {}
    api.post(
        "/api/v1/nodes",
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": name,
                "labels": {"kubernetes.io/hostname": name, "seamless.dev/pool": name},
            },
            "spec": {"taints": [{"key": GPU, "value": "present", "effect": "NoSchedule"}]},
            "status": {"capacity": size, "allocatable": size},
        },
    )


def on(api: Api, namespace: str, app: str, node: str) -> list[dict[str, Any]] | None:
    """The pods of an application that are on a node."""
    found = [pod for pod in pods(api, namespace, app) if pod["spec"].get("nodeName") == node]
    return found or None


def test_a_replica_takes_the_held_place_at_once_and_the_holder_waits(api: Api) -> None:
    gpu_node(api, "warm-1", gpus=1)

    def cluster() -> DescribedCluster:
        return replace(described(), gpu_labels={"seamless.dev/pool": "warm-1"})

    def room() -> None:
        namespace = Space("room").namespace
        Headroom("room", cluster=cluster(), serving=SMALL, namespace=namespace, replicas=1)

    held = deploy(api, room)
    until(lambda: on(api, held, "headroom", "warm-1"), seconds=60)

    served = deploy(api, lambda: model("wakes", gpu_labels={"seamless.dev/pool": "warm-1"}))
    until(lambda: on(api, served, "model-server", "warm-1"), seconds=60)

    def waiting() -> list[dict[str, Any]] | None:
        found = pods(api, held, "headroom")
        return found if found and not on(api, held, "headroom", "warm-1") else None

    (holder,) = until(waiting, seconds=60)
    assert holder["spec"]["priority"] == -10
    assert "nodeName" not in holder["spec"]


def test_a_claim_is_pending_without_a_device_and_allocated_with_one(api: Api) -> None:
    gpu_node(api, "claimed-1", gpus=0)
    api.apply(
        {
            "apiVersion": "resource.k8s.io/v1",
            "kind": "DeviceClass",
            "metadata": {"name": DRIVER},
            "spec": {"selectors": [{"cel": {"expression": f"device.driver == '{DRIVER}'"}}]},
        }
    )
    namespace = deploy(
        api,
        lambda: model(
            "claims",
            gpu_labels={"seamless.dev/pool": "claimed-1"},
            gpu_resource="",
            gpu_device_class=DRIVER,
        ),
    )

    def told() -> list[str] | None:
        return [
            condition["message"]
            for pod in pods(api, namespace, "model-server")
            for condition in pod["status"].get("conditions", [])
            if condition["type"] == "PodScheduled" and condition["status"] == "False"
        ] or None

    assert "cannot allocate all claims" in until(told, seconds=60)[0]
    api.apply(
        {
            "apiVersion": "resource.k8s.io/v1",
            "kind": "ResourceSlice",
            "metadata": {"name": "claimed-1"},
            "spec": {
                "driver": DRIVER,
                "nodeName": "claimed-1",
                "pool": {"name": "claimed-1", "generation": 1, "resourceSliceCount": 1},
                "devices": [{"name": "gpu-0"}],
            },
        }
    )
    until(lambda: on(api, namespace, "model-server", "claimed-1"), seconds=60)
    (claim,) = api.get(f"/apis/resource.k8s.io/v1/namespaces/{namespace}/resourceclaims")["items"]
    (device,) = claim["status"]["allocation"]["devices"]["results"]
    assert (device["pool"], device["device"]) == ("claimed-1", "gpu-0")
