"""Notebooks: their priority, quota and access."""

from typing import Any

import kubernetes_validate
import pytest

from components.kubernetes.scheduling import headroom, notebooks
from components.kubernetes.scheduling.gpu_sharing import GpuPlatform, Sharing, shared
from components.kubernetes.scheduling.notebooks import Notebooks
from components.kubernetes.serving import model_server
from policies.resource import SECRET, Resource
from sizing.machines import gpu
from tests.support.accounts.kubernetes import described, objects, one

OWN = GpuPlatform(product="own", configurable_plugin=True, partitions=False)
SLICED = shared(OWN, gpu("l40s"), "time-slicing:4", minimum_nodes=0)
WHOLE = shared(OWN, gpu("l40s"), "exclusive", minimum_nodes=0)


def planned(sharing: Sharing | None = None) -> list[Resource]:
    return objects(lambda: Notebooks("notes", cluster=described(), people=3, sharing=sharing))


def values(sharing: Sharing | None = None) -> dict[str, Any]:
    (found,) = [r for r in planned(sharing) if r.type == "kubernetes:helm.sh/v3:Release"]
    return dict(found.inputs["values"])


def test_a_notebook_has_a_lower_priority_than_a_model() -> None:
    assert headroom.PRIORITY < notebooks.PRIORITY < 0 < model_server.PRIORITY
    priority = one(planned(), "PriorityClass")
    assert (priority["value"], priority["preemptionPolicy"]) == (-5, "Never")
    pods = values()["singleuser"]["extraPodConfig"]
    assert pods == {"priorityClassName": priority["metadata"]["name"]}


def test_the_quota_of_three_people_has_no_gpu_by_default() -> None:
    assert one(planned(), "ResourceQuota")["spec"]["hard"] == {
        "requests.cpu": "4",
        "requests.memory": "14Gi",
        "requests.storage": "31Gi",
        "services.loadbalancers": "0",
        "requests.nvidia.com/gpu": "0",
    }
    assert "extraResource" not in values()["singleuser"]


def test_each_person_has_a_share_of_a_shared_gpu() -> None:
    quota = one(planned(SLICED), "ResourceQuota")["spec"]["hard"]
    assert quota["requests.nvidia.com/gpu.shared"] == "3"
    person = values(SLICED)["singleuser"]
    assert person["extraResource"]["limits"] == {"nvidia.com/gpu.shared": "1"}
    assert person["nodeSelector"] == {"seamless.dev/pool": "gpu"}


def test_a_whole_gpu_is_refused() -> None:
    with pytest.raises(Exception, match="pulumi config set gpu_sharing time-slicing:4"):
        planned(WHOLE)


def test_the_hub_has_a_cluster_ip_and_a_password() -> None:
    assert values()["proxy"]["service"] == {"type": "ClusterIP"}
    assert values()["hub"]["config"]["DummyAuthenticator"] == {"password": SECRET}


def test_a_notebook_needs_no_privileges() -> None:
    assert values()["singleuser"]["cloudMetadata"] == {"blockWithIptables": False}
    labels = one(planned(), "Namespace")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "baseline"


def test_built_in_objects_match_the_schema_of_kubernetes() -> None:
    for kind in ("Namespace", "PriorityClass", "ResourceQuota"):
        kubernetes_validate.validate(one(planned(SLICED), kind), "1.36", strict=True)
