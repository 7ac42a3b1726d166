"""Proves which charts a cluster gets, where they run, and that nothing of a platform is doubled."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from components.gpu import gpu
from components.kubernetes.addons import AddOns
from components.kubernetes.charts import CHARTS
from components.kubernetes.sharing import GpuPlatform, Sharing, shared
from policies.catalogue import RULES
from policies.verdict import judge
from resources import SECRET, Resource
from tests.components.kubernetes.cluster import described, objects

OURS = GpuPlatform(product="ours", own_plugin=True, partitions=False)
THEIRS = GpuPlatform(product="theirs", own_plugin=False, partitions=True)
AUTOSCALER = {"cloudProvider": "aws", "autoDiscovery": {"clusterName": "seamless-test"}}
BARE = {"dcgm-exporter": {}, "cluster-autoscaler": AUTOSCALER}
"""What a platform that manages nothing asks for."""


def sharing(platform: GpuPlatform, value: str = "exclusive") -> Sharing:
    return shared(platform, gpu("h100"), value, minimum_nodes=1)


def asked(
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


def test_a_platform_that_manages_its_gpus_gets_monitoring_and_scaling_only() -> None:
    found = releases(asked(sharing(THEIRS), {}))
    assert {name: release["namespace"] for name, release in found.items()} == {
        "kube-prometheus-stack": "monitoring",
        "keda": "keda",
    }


def test_a_bare_platform_gets_plugin_exporter_and_autoscaler_too() -> None:
    found = releases(asked(sharing(OURS), BARE, groups=True))
    assert {name: release["namespace"] for name, release in found.items()} == {
        "kube-prometheus-stack": "monitoring",
        "keda": "keda",
        "lws": "lws-system",
        "nvidia-device-plugin": "gpu-system",
        "dcgm-exporter": "gpu-system",
        "cluster-autoscaler": "kube-system",
    }


def test_a_sliced_gpu_is_handed_out_by_the_operator_in_the_plugin_s_place() -> None:
    found = releases(asked(sharing(OURS, "mig:3g.40gb"), BARE))
    assert "gpu-operator" in found
    assert "nvidia-device-plugin" not in found
    values = found["gpu-operator"]["values"]
    assert values["dcgmExporter"] == {"enabled": False}
    assert "nodeSelector" not in values


def test_claimed_gpus_are_handed_out_by_the_driver_in_the_plugin_s_place() -> None:
    found = releases(asked(sharing(OURS, "dra"), BARE))
    assert "nvidia-device-plugin" not in found
    driver = found["dra-driver-nvidia-gpu"]
    assert driver["namespace"] == "gpu-system"
    assert driver["values"] == {
        "gpuResourcesEnabledOverride": True,
        "resources": {"computeDomains": {"enabled": False}},
    }


def test_an_existing_prometheus_is_used_and_none_installed() -> None:
    found = releases(asked(sharing(THEIRS), {}, existing="http://prometheus.ours:9090"))
    assert set(found) == {"keda"}


def test_charts_come_at_their_version_and_leave_nothing_half_made() -> None:
    for name, release in releases(asked(sharing(OURS), BARE, groups=True)).items():
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


def test_only_what_touches_a_node_may_have_privileges() -> None:
    spaces = {
        r.inputs["metadata"]["name"]: r.inputs["metadata"]["labels"]
        for r in asked(sharing(OURS), BARE, groups=True)
        if r.inputs.get("kind") == "Namespace"
    }
    levels = {name: labels["pod-security.kubernetes.io/enforce"] for name, labels in spaces.items()}
    assert levels == {
        "monitoring": "privileged",
        "gpu-system": "privileged",
        "keda": "restricted",
        "lws-system": "baseline",
    }


def test_prometheus_takes_everybody_s_monitors_and_keeps_its_data() -> None:
    values = releases(asked(sharing(THEIRS), {}))["kube-prometheus-stack"]["values"]
    spec = values["prometheus"]["prometheusSpec"]
    assert spec["serviceMonitorSelectorNilUsesHelmValues"] is False
    assert spec["podMonitorSelectorNilUsesHelmValues"] is False
    assert spec["ruleSelectorNilUsesHelmValues"] is False
    disk = spec["storageSpec"]["volumeClaimTemplate"]["spec"]
    assert disk["resources"] == {"requests": {"storage": "20Gi"}}
    assert spec["retentionSize"] == "16GB"


def test_grafana_s_password_is_generated_and_in_no_value() -> None:
    resources = asked(sharing(THEIRS), {})
    (login,) = [r for r in resources if r.inputs.get("kind") == "Secret"]
    assert login.inputs["stringData"] == SECRET
    grafana = releases(resources)["kube-prometheus-stack"]["values"]["grafana"]
    assert grafana["admin"]["existingSecret"].startswith("add-ons-grafana")


def test_no_rule_is_broken_by_add_ons() -> None:
    resources = asked(sharing(OURS), BARE, groups=True)
    assert judge(RULES, resources, environment="prod", today=date(2026, 11, 22)) == []


def test_the_autoscaler_knows_its_platform_and_lets_gpu_nodes_go() -> None:
    values = releases(asked(sharing(OURS), BARE))["cluster-autoscaler"]["values"]
    assert values["autoDiscovery"] == {"clusterName": "seamless-test"}
    assert values["extraArgs"]["skip-nodes-with-local-storage"] is False


def test_what_serves_gpus_runs_on_their_nodes_and_tolerates_their_taint() -> None:
    found = releases(asked(sharing(OURS), BARE))
    for name in ("nvidia-device-plugin", "dcgm-exporter"):
        assert found[name]["values"]["nodeSelector"] == {"seamless.dev/pool": "gpu"}
        assert found[name]["values"]["tolerations"][0]["key"] == "nvidia.com/gpu"
