"""The API server admits the custom resources with the definitions of their projects."""

from typing import Any

import pytest

from tests.components.kubernetes import test_monitoring, test_scaling
from tests.support.accounts.kubernetes import SMALL, WIDE, manifest, model, objects
from tests.support.cluster.control_plane import Api, RefusedError

pytestmark = pytest.mark.cluster

Body = dict[str, Any]

SPACE = "definitions"
GROUP = "LeaderWorkerSet"


@pytest.fixture(scope="module")
def defined(api: Api) -> Api:
    """The API server, with a namespace for the custom resources."""
    api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}})
    return api


def resources() -> dict[str, Body]:
    """One custom resource of each kind; the ScaledObject has all triggers."""
    wide = objects(lambda: model("wide", WIDE))
    planned = [*test_scaling.planned(test_scaling.FROM_ZERO), *test_monitoring.planned()]
    planned += [r for r in wide if r.inputs.get("kind") == GROUP]
    kinds = ("ScaledObject", "TriggerAuthentication", "PodMonitor", "PrometheusRule", GROUP)
    found = {r.inputs["kind"]: manifest(r) for r in planned if r.inputs.get("kind") in kinds}
    assert set(found) == set(kinds)
    for body in found.values():
        body["metadata"]["namespace"] = SPACE
    return found


def test_every_custom_resource_is_admitted_without_an_unknown_field(defined: Api) -> None:
    for kind, body in resources().items():
        admitted = defined.apply(body)
        assert admitted["spec"].keys() >= body["spec"].keys(), kind


def test_replicas_of_one_and_of_several_nodes_can_be_scaled(defined: Api) -> None:
    for serving in (SMALL, WIDE):
        metadata = {"name": f"nodes-{serving.nodes}", "namespace": SPACE}
        head = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": metadata}
        defined.apply({**head, "spec": test_scaling.scaled(serving)})


def test_replicas_of_several_nodes_have_a_scale_subresource(defined: Api) -> None:
    body = resources()[GROUP]
    defined.apply(body)
    scale = f"{defined.path(body)}/scale"
    assert defined.get(scale)["spec"] == {"replicas": 1}
    assert defined.patch(scale, {"spec": {"replicas": 3}})["spec"] == {"replicas": 3}
    assert defined.get(defined.path(body))["spec"]["replicas"] == 3


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        ("ScaledObject", {"triggers": [{"metadata": {}}]}, r"triggers\[0\]\.type"),
        ("ScaledObject", {"fallback": {"replicas": 1}}, "failureThreshold"),
        ("ScaledObject", {"cooldown": 300}, "field not declared in schema"),
        (GROUP, {"leaderWorkerTemplate": {"size": "two"}}, "size"),
        (GROUP, {"leaderWorkerTemplate": {"size": 2, "restart": "all"}}, "field not declared"),
        (GROUP, {"replicas": "many"}, "replicas"),
        ("PodMonitor", {"selector": None}, "selector"),
        ("PrometheusRule", {"groups": [{"rules": []}]}, "name"),
    ],
)
def test_a_field_outside_the_definition_is_rejected(
    defined: Api, kind: str, change: Body, message: str
) -> None:
    body = resources()[kind]
    body["metadata"]["name"] = "wrong"
    with pytest.raises(RefusedError, match=message):
        defined.apply({**body, "spec": {**body["spec"], **change}})
