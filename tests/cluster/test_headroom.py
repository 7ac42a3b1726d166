"""On a real scheduler a replica takes the place of a headroom pod at once."""

from dataclasses import replace
from typing import Any

import pytest

from components.kubernetes.base.namespace import IsolatedNamespace
from components.kubernetes.scheduling.headroom import Headroom
from tests.cluster.test_admission import node, pods
from tests.support.accounts.kubernetes import SMALL, DescribedCluster, described, model
from tests.support.cluster.control_plane import Api
from tests.support.cluster.deployed import deploy
from tests.support.local import until

pytestmark = pytest.mark.cluster


def on(api: Api, namespace: str, app: str, name: str) -> list[dict[str, Any]] | None:
    """The pods of an application on a node."""
    found = [pod for pod in pods(api, namespace, app) if pod["spec"].get("nodeName") == name]
    return found or None


def test_a_replica_takes_the_place_of_a_headroom_pod_which_waits(api: Api) -> None:
    node(api, "warm-1", gpus=1, pool="warm-1")

    def cluster() -> DescribedCluster:
        return replace(described(), gpu_labels={"seamless.dev/pool": "warm-1"})

    def room() -> None:
        namespace = IsolatedNamespace("room").namespace
        Headroom(
            "room", cluster=cluster(), model_spec=SMALL, namespace=namespace, replicas=1, nodes=1
        )

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
