"""Proves that notebooks give way to everything, take no whole GPU, and are nobody's way in."""

from typing import Any

import kubernetes_validate
import pytest

from components.gpu import gpu
from components.kubernetes import headroom, model_server, notebooks
from components.kubernetes.notebooks import Notebooks
from components.kubernetes.sharing import GpuPlatform, Sharing, shared
from resources import SECRET, Resource
from tests.components.kubernetes.cluster import described, manifest, objects

OURS = GpuPlatform(product="ours", own_plugin=True, partitions=False)
SLICED = shared(OURS, gpu("l40s"), "time-slicing:4", minimum_nodes=0)
WHOLE = shared(OURS, gpu("l40s"), "exclusive", minimum_nodes=0)


def asked(sharing: Sharing | None = None) -> list[Resource]:
    return objects(lambda: Notebooks("notes", cluster=described(), people=3, sharing=sharing))


def one(kind: str, sharing: Sharing | None = None) -> dict[str, Any]:
    (found,) = [r for r in asked(sharing) if r.inputs.get("kind") == kind]
    return manifest(found)


def values(sharing: Sharing | None = None) -> dict[str, Any]:
    (found,) = [r for r in asked(sharing) if r.type == "kubernetes:helm.sh/v3:Release"]
    given: dict[str, Any] = found.inputs["values"]
    return given


def test_everything_that_serves_comes_before_a_notebook() -> None:
    assert headroom.PRIORITY < notebooks.PRIORITY < 0 < model_server.PRIORITY
    priority = one("PriorityClass")
    assert (priority["value"], priority["preemptionPolicy"]) == (-5, "Never")
    pods = values()["singleuser"]["extraPodConfig"]
    assert pods == {"priorityClassName": priority["metadata"]["name"]}


def test_three_people_fill_the_quota_and_no_gpu_is_in_it() -> None:
    assert one("ResourceQuota")["spec"]["hard"] == {
        "requests.cpu": "4",
        "requests.memory": "14Gi",
        "requests.storage": "31Gi",
        "services.loadbalancers": "0",
        "requests.nvidia.com/gpu": "0",
    }
    assert "extraResource" not in values()["singleuser"]


def test_a_share_of_a_gpu_can_be_had_by_each() -> None:
    assert one("ResourceQuota", SLICED)["spec"]["hard"]["requests.nvidia.com/gpu.shared"] == "3"
    person = values(SLICED)["singleuser"]
    assert person["extraResource"]["limits"] == {"nvidia.com/gpu.shared": "1"}
    assert person["nodeSelector"] == {"seamless.dev/pool": "gpu"}


def test_a_whole_gpu_is_refused() -> None:
    with pytest.raises(Exception, match="pulumi config set gpu_sharing time-slicing:4"):
        asked(WHOLE)


def test_the_hub_is_reached_through_the_cluster_alone_and_with_a_password() -> None:
    assert values()["proxy"]["service"] == {"type": "ClusterIP"}
    assert values()["hub"]["config"]["DummyAuthenticator"] == {"password": SECRET}


def test_a_notebook_needs_no_privileges() -> None:
    assert values()["singleuser"]["cloudMetadata"] == {"blockWithIptables": False}
    labels = one("Namespace")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "baseline"


def test_every_object_of_kubernetes_own_is_valid() -> None:
    for kind in ("Namespace", "PriorityClass", "ResourceQuota"):
        kubernetes_validate.validate(one(kind, SLICED), "1.36", strict=True)
