"""The charts of a cluster, their namespaces and their privileges."""

import re
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from components.kubernetes.addons import AddOns
from components.kubernetes.base.charts import CHARTS
from components.kubernetes.scheduling.gpu_sharing import GpuPlatform, Sharing, shared
from policies.catalogue import RULES
from policies.evaluation import evaluate
from policies.resource import SECRET, Resource
from sizing.machines import gpu
from tests.support.accounts.kubernetes import described, objects

OWN = GpuPlatform(product="own", configurable_plugin=True, partitions=False)
MANAGED = GpuPlatform(product="managed", configurable_plugin=False, partitions=True)
AUTOSCALER = {"cloudProvider": "aws", "autoDiscovery": {"clusterName": "seamless-test"}}
BARE = {"dcgm-exporter": {}, "cluster-autoscaler": AUTOSCALER}
"""Add-ons of a platform that manages none."""


def sharing(platform: GpuPlatform, value: str = "exclusive") -> Sharing:
    return shared(platform, gpu("h100"), value, minimum_nodes=1)


def planned(
    given: Sharing, add_ons: dict[str, Any], *, groups: bool = False, existing: str | None = None
) -> list[Resource]:
    return objects(
        lambda: AddOns(
            "add-ons",
            cluster=replace(described(), add_ons=add_ons),
            sharing=given,
            groups=groups,
            existing_prometheus=existing,
        )
    )


def releases(resources: list[Resource]) -> dict[str, dict[str, Any]]:
    found = [r.inputs for r in resources if r.type == "kubernetes:helm.sh/v3:Release"]
    return {release["name"]: dict(release) for release in found}


def test_a_platform_gets_the_charts_that_it_does_not_manage() -> None:
    def namespaces(resources: list[Resource]) -> dict[str, str]:
        return {name: release["namespace"] for name, release in releases(resources).items()}

    managed = {"kube-prometheus-stack": "monitoring", "keda": "keda"}
    assert namespaces(planned(sharing(MANAGED), {})) == managed
    assert namespaces(planned(sharing(OWN), BARE, groups=True)) == {
        **managed,
        "lws": "lws-system",
        "nvidia-device-plugin": "gpu-system",
        "dcgm-exporter": "gpu-system",
        "cluster-autoscaler": "kube-system",
    }


def test_mig_slices_need_the_operator_instead_of_the_device_plugin() -> None:
    found = releases(planned(sharing(OWN, "mig:3g.40gb"), BARE))
    assert "gpu-operator" in found
    assert "nvidia-device-plugin" not in found
    values = found["gpu-operator"]["values"]
    assert values["dcgmExporter"] == {"enabled": False}
    assert "nodeSelector" not in values


def test_claimed_gpus_need_the_dra_driver_instead_of_the_device_plugin() -> None:
    found = releases(planned(sharing(OWN, "dra"), BARE))
    assert "nvidia-device-plugin" not in found
    driver = found["dra-driver-nvidia-gpu"]
    assert driver["namespace"] == "gpu-system"
    assert driver["values"]["gpuResourcesEnabledOverride"] is True


def test_no_prometheus_is_installed_if_one_exists() -> None:
    found = releases(planned(sharing(MANAGED), {}, existing="http://prometheus.existing:9090"))
    assert set(found) == {"keda"}


def test_a_release_has_the_version_of_the_catalogue_and_is_rolled_back_on_failure() -> None:
    for name, release in releases(planned(sharing(OWN), BARE, groups=True)).items():
        assert release["version"] == CHARTS[name].version
        assert release["atomic"] is release["cleanupOnFail"] is True
        assert release["timeout"] == 900
        if CHARTS[name].is_image:
            assert release["chart"] == CHARTS[name].repository
            assert "repositoryOpts" not in release
        else:
            assert release["repositoryOpts"] == {"repo": CHARTS[name].repository}


@pytest.mark.parametrize("name", CHARTS)
def test_the_version_of_a_chart_is_exact(name: str) -> None:
    assert re.fullmatch(r"v?\d+\.\d+\.\d+", CHARTS[name].version)


def test_only_charts_that_access_nodes_have_privileged_namespaces() -> None:
    namespaces = [
        r.inputs["metadata"]
        for r in planned(sharing(OWN), BARE, groups=True)
        if r.inputs.get("kind") == "Namespace"
    ]
    assert {n["name"]: n["labels"]["pod-security.kubernetes.io/enforce"] for n in namespaces} == {
        "monitoring": "privileged",
        "gpu-system": "privileged",
        "keda": "restricted",
        "lws-system": "baseline",
    }


def test_prometheus_selects_all_namespaces_and_keeps_its_data() -> None:
    values = releases(planned(sharing(MANAGED), {}))["kube-prometheus-stack"]["values"]
    spec = values["prometheus"]["prometheusSpec"]
    assert spec["serviceMonitorSelectorNilUsesHelmValues"] is False
    assert spec["podMonitorSelectorNilUsesHelmValues"] is False
    assert spec["ruleSelectorNilUsesHelmValues"] is False
    disk = spec["storageSpec"]["volumeClaimTemplate"]["spec"]
    assert disk["resources"] == {"requests": {"storage": "20Gi"}}
    assert spec["retentionSize"] == "16GB"


def test_the_password_of_grafana_is_in_a_secret_and_not_in_the_values() -> None:
    resources = planned(sharing(MANAGED), {})
    (login,) = [r for r in resources if r.inputs.get("kind") == "Secret"]
    assert login.inputs["stringData"] == SECRET
    grafana = releases(resources)["kube-prometheus-stack"]["values"]["grafana"]
    assert grafana["admin"]["existingSecret"].startswith("add-ons-grafana")


def test_all_policies_are_met_in_prod() -> None:
    resources = planned(sharing(OWN), BARE, groups=True)
    assert evaluate(RULES, resources, environment="prod", today=date(2026, 11, 22)) == []


def test_the_autoscaler_has_the_values_of_the_platform_and_removes_gpu_nodes() -> None:
    values = releases(planned(sharing(OWN), BARE))["cluster-autoscaler"]["values"]
    assert values["autoDiscovery"] == {"clusterName": "seamless-test"}
    assert values["extraArgs"]["skip-nodes-with-local-storage"] is False


def test_the_device_plugin_and_the_exporter_run_on_gpu_nodes() -> None:
    found = releases(planned(sharing(OWN), BARE))
    for name in ("nvidia-device-plugin", "dcgm-exporter"):
        assert found[name]["values"]["nodeSelector"] == {"seamless.dev/pool": "gpu"}
        assert found[name]["values"]["tolerations"][0]["key"] == "nvidia.com/gpu"
