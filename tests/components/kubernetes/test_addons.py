"""AddOns: which charts a cluster gets, where they run, and with which privileges."""

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
"""Add-ons of a platform without managed ones."""


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


def test_a_platform_with_managed_gpus_gets_monitoring_and_autoscaling_only() -> None:
    found = releases(planned(sharing(MANAGED), {}))
    assert {name: release["namespace"] for name, release in found.items()} == {
        "kube-prometheus-stack": "monitoring",
        "keda": "keda",
    }


def test_a_bare_platform_gets_a_plugin_an_exporter_and_an_autoscaler_too() -> None:
    found = releases(planned(sharing(OWN), BARE, groups=True))
    assert {name: release["namespace"] for name, release in found.items()} == {
        "kube-prometheus-stack": "monitoring",
        "keda": "keda",
        "lws": "lws-system",
        "nvidia-device-plugin": "gpu-system",
        "dcgm-exporter": "gpu-system",
        "cluster-autoscaler": "kube-system",
    }


def test_mig_slices_need_the_operator_instead_of_the_plugin() -> None:
    found = releases(planned(sharing(OWN, "mig:3g.40gb"), BARE))
    assert "gpu-operator" in found
    assert "nvidia-device-plugin" not in found
    values = found["gpu-operator"]["values"]
    assert values["dcgmExporter"] == {"enabled": False}
    assert "nodeSelector" not in values


def test_claimed_gpus_need_the_driver_instead_of_the_plugin() -> None:
    found = releases(planned(sharing(OWN, "dra"), BARE))
    assert "nvidia-device-plugin" not in found
    driver = found["dra-driver-nvidia-gpu"]
    assert driver["namespace"] == "gpu-system"
    assert driver["values"]["gpuResourcesEnabledOverride"] is True


def test_an_existing_prometheus_is_used_and_none_installed() -> None:
    found = releases(planned(sharing(MANAGED), {}, existing="http://prometheus.existing:9090"))
    assert set(found) == {"keda"}


def test_releases_have_the_chart_s_version_and_are_rolled_back_on_failure() -> None:
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
def test_every_version_is_exact(name: str) -> None:
    version = CHARTS[name].version
    assert version.lstrip("v").replace(".", "").isdigit()
    assert len(version.split(".")) == 3


def test_only_charts_that_access_a_node_may_have_privileges() -> None:
    namespaces = {
        r.inputs["metadata"]["name"]: r.inputs["metadata"]["labels"]
        for r in planned(sharing(OWN), BARE, groups=True)
        if r.inputs.get("kind") == "Namespace"
    }
    levels = {
        name: labels["pod-security.kubernetes.io/enforce"] for name, labels in namespaces.items()
    }
    assert levels == {
        "monitoring": "privileged",
        "gpu-system": "privileged",
        "keda": "restricted",
        "lws-system": "baseline",
    }


def test_prometheus_selects_every_namespace_and_keeps_its_data() -> None:
    values = releases(planned(sharing(MANAGED), {}))["kube-prometheus-stack"]["values"]
    spec = values["prometheus"]["prometheusSpec"]
    assert spec["serviceMonitorSelectorNilUsesHelmValues"] is False
    assert spec["podMonitorSelectorNilUsesHelmValues"] is False
    assert spec["ruleSelectorNilUsesHelmValues"] is False
    disk = spec["storageSpec"]["volumeClaimTemplate"]["spec"]
    assert disk["resources"] == {"requests": {"storage": "20Gi"}}
    assert spec["retentionSize"] == "16GB"


def test_grafana_s_password_is_generated_and_not_among_the_values() -> None:
    resources = planned(sharing(MANAGED), {})
    (login,) = [r for r in resources if r.inputs.get("kind") == "Secret"]
    assert login.inputs["stringData"] == SECRET
    grafana = releases(resources)["kube-prometheus-stack"]["values"]["grafana"]
    assert grafana["admin"]["existingSecret"].startswith("add-ons-grafana")


def test_no_policy_is_violated() -> None:
    resources = planned(sharing(OWN), BARE, groups=True)
    assert evaluate(RULES, resources, environment="prod", today=date(2026, 11, 22)) == []


def test_the_autoscaler_has_the_platform_s_values_and_removes_gpu_nodes() -> None:
    values = releases(planned(sharing(OWN), BARE))["cluster-autoscaler"]["values"]
    assert values["autoDiscovery"] == {"clusterName": "seamless-test"}
    assert values["extraArgs"]["skip-nodes-with-local-storage"] is False


def test_plugin_and_exporter_run_on_gpu_nodes() -> None:
    found = releases(planned(sharing(OWN), BARE))
    for name in ("nvidia-device-plugin", "dcgm-exporter"):
        assert found[name]["values"]["nodeSelector"] == {"seamless.dev/pool": "gpu"}
        assert found[name]["values"]["tolerations"][0]["key"] == "nvidia.com/gpu"
