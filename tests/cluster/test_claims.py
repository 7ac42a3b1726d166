"""A replica with a resource claim waits for a device, and runs on its node."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.kubernetes.scheduling.gpu_sharing import shared
from sizing.machines import gpu
from tests.cluster.test_admission import node, pods, unscheduled
from tests.support.accounts.kubernetes import OWN, model
from tests.support.cluster.charts import rendered
from tests.support.cluster.control_plane import Api
from tests.support.cluster.deployed import deploy
from tests.support.local import until

pytestmark = pytest.mark.cluster

POOL = "claimed"
DRIVER = "gpu.nvidia.com"
CLAIMED = shared(OWN, gpu("h100"), "dra", minimum_nodes=1)


@pytest.fixture
def classes(api: Api, helm: Path, charts: Path) -> Iterator[None]:
    """The device classes of the driver's chart, for the whole cluster."""
    release = {"name": "driver", "namespace": "gpu-system", "values": CLAIMED.values}
    made = rendered(helm, charts / "dra-driver-nvidia-gpu", release)
    found = [body for body in made if body["kind"] == "DeviceClass"]
    for body in found:
        api.apply(body)
    yield
    for body in found:
        api.delete(api.path(body))


def published(name: str) -> dict[str, Any]:
    """The ResourceSlice of a node with one GPU."""
    whole = {"name": "gpu-0", "attributes": {"type": {"string": "gpu"}}}
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceSlice",
        "metadata": {"name": f"{name}-{DRIVER}"},
        "spec": {
            "driver": DRIVER,
            "nodeName": name,
            "pool": {"name": name, "generation": 1, "resourceSliceCount": 1},
            "devices": [whole],
        },
    }


@pytest.mark.usefixtures("classes")
def test_a_replica_waits_until_a_driver_publishes_a_device(api: Api) -> None:
    for number in range(2):
        node(api, f"{POOL}-{number}", gpus=1, pool=POOL)
    namespace = deploy(
        api,
        lambda: model(
            POOL,
            gpu_labels={"seamless.dev/pool": POOL},
            gpu_resource=CLAIMED.resource,
            gpu_device_class=CLAIMED.device_class,
        ),
    )

    assert "cannot allocate all claims" in until(lambda: unscheduled(api, namespace), seconds=60)[0]

    api.apply(published(f"{POOL}-1"))

    def nodes() -> list[str] | None:
        found = [pod["spec"].get("nodeName") for pod in pods(api, namespace, "model-server")]
        return [name for name in found if name] or None

    assert until(nodes, seconds=60) == [f"{POOL}-1"]
    (claim,) = api.get(f"/apis/resource.k8s.io/v1/namespaces/{namespace}/resourceclaims")["items"]
    (device,) = claim["status"]["allocation"]["devices"]["results"]
    assert (device["driver"], device["pool"], device["device"]) == (DRIVER, f"{POOL}-1", "gpu-0")
