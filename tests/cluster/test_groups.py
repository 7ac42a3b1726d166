"""Replicas of several nodes with the controller of LeaderWorkerSet; KWOK runs the pods."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.kubernetes.serving.model_server import LEADER
from tests.cluster.test_admission import node
from tests.cluster.test_flows import serving
from tests.support.accounts.kubernetes import WIDE, model
from tests.support.cluster.charts import rendered
from tests.support.cluster.control_plane import Api, RefusedError
from tests.support.cluster.deployed import deploy
from tests.support.cluster.groups import controlling
from tests.support.cluster.parts import there
from tests.support.local import until
from tools.programs.groups import GROUPS

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

POOL = "grouped"
GROUP = "leaderworkerset.sigs.k8s.io"

Pod = dict[str, Any]


@pytest.fixture(scope="module", autouse=True)
def _controller(
    api: Api, helm: Path, charts: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    program = there(GROUPS.find(), "controller of LeaderWorkerSets")
    release = {"name": "lws", "namespace": "lws-system", "values": {}}
    made = rendered(helm, charts / "lws", release)
    with controlling(api, program, made, tmp_path_factory.mktemp("groups")):
        yield


@pytest.fixture(scope="module")
def namespace(api: Api) -> str:
    """The namespace of a model on two nodes."""
    for number in range(2):
        node(api, f"{POOL}-{number}", gpus=8, pool=POOL)
    return deploy(api, lambda: model(POOL, WIDE, gpu_labels={"seamless.dev/pool": POOL}))


def members(api: Api, namespace: str) -> tuple[Pod, Pod]:
    """Leader and worker, once both are ready."""
    leader, worker = sorted(
        serving(api, namespace, 2),
        key=lambda pod: pod["metadata"]["labels"][f"{GROUP}/worker-index"],
    )
    return leader, worker


def environment(pod: Pod) -> dict[str, str]:
    (server,) = pod["spec"]["containers"]
    return {each["name"]: each.get("value", "") for each in server["env"]}


def test_a_group_uses_two_nodes_and_each_member_has_its_index(api: Api, namespace: str) -> None:
    leader, worker = members(api, namespace)

    assert {leader["spec"]["nodeName"], worker["spec"]["nodeName"]} == {f"{POOL}-0", f"{POOL}-1"}
    variables = [environment(pod) for pod in (leader, worker)]
    assert [each["LWS_WORKER_INDEX"] for each in variables] == ["0", "1"]
    (address,) = {each["LWS_LEADER_ADDRESS"] for each in variables}
    assert address.startswith(f"{leader['metadata']['name']}.")
    assert "--headless" not in leader["spec"]["containers"][0]["args"]
    assert "--headless" in worker["spec"]["containers"][0]["args"]


def test_only_the_leader_is_an_endpoint_of_the_service(api: Api, namespace: str) -> None:
    leader, _ = members(api, namespace)
    selector = f"labelSelector=kubernetes.io/service-name={POOL}-server-00000000"

    def ready() -> list[str] | None:
        slices = api.get(
            f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices?{selector}"
        )
        return [
            endpoint["targetRef"]["name"]
            for each in slices["items"]
            for endpoint in each.get("endpoints") or []
            if endpoint["conditions"]["ready"]
        ] or None

    assert until(ready, seconds=60) == [leader["metadata"]["name"]]
    assert leader["metadata"]["labels"].items() >= LEADER.items()


def test_a_group_that_lost_a_member_is_recreated(api: Api, namespace: str) -> None:
    before = {pod["metadata"]["uid"] for pod in members(api, namespace)}
    _, worker = members(api, namespace)

    api.delete(f"/api/v1/namespaces/{namespace}/pods/{worker['metadata']['name']}")

    def recreated() -> bool | None:
        found = {pod["metadata"]["uid"] for pod in members(api, namespace)}
        return not found & before or None

    until(recreated, seconds=120)


def test_the_webhook_rejects_a_group_without_members(api: Api, namespace: str) -> None:
    path = f"/apis/leaderworkerset.x-k8s.io/v1/namespaces/{namespace}/leaderworkersets"
    with pytest.raises(RefusedError, match="size"):
        api.patch(f"{path}/{POOL}-server-00000000", {"spec": {"leaderWorkerTemplate": {"size": 0}}})
