"""Proves what is read of a model server, when somebody is called, and what a dashboard shows.

Whether Prometheus understands the queries is `tests/cluster/test_prometheus.py`'s to say.
"""

import json
from dataclasses import replace
from typing import Any

import kubernetes_validate
import pulumi
import pytest

from components.kubernetes.dashboards import GPUS, MODEL_SERVERS, dashboard
from components.kubernetes.examiner import EXAMINER
from components.kubernetes.model_server import LEADER
from components.kubernetes.rules import (
    APPLICATION_XIDS,
    GPU_ALERTS,
    HARDWARE_XIDS,
    RECORDS,
    Alert,
    server_alerts,
)
from components.kubernetes.space import Space
from components.kubernetes.watching import Watching
from resources import Resource
from tests.components.kubernetes.cluster import SMALL, manifest, objects

ALERTS: list[Alert] = [*server_alerts(SMALL, "space"), *GPU_ALERTS]


def asked() -> list[Resource]:
    return objects(
        lambda: Watching(
            "watching",
            serving=SMALL,
            namespace=Space("model").namespace,
            monitoring=pulumi.Output.from_input("monitoring"),
        )
    )


def one(kind: str, name: str = "watching") -> dict[str, Any]:
    (found,) = [r for r in asked() if r.inputs.get("kind") == kind and r.name == name]
    return manifest(found)


def test_prometheus_may_read_the_pods_that_answer_and_nobody_else_new_may() -> None:
    (way,) = [r.inputs["spec"] for r in asked() if r.name == "watching-prometheus"]
    assert way["podSelector"] == {"matchLabels": LEADER}
    assert way["ingress"] == [
        {
            "ports": [{"protocol": "TCP", "port": 8000}],
            "from": [
                {
                    "namespaceSelector": {
                        "matchLabels": {"kubernetes.io/metadata.name": "monitoring"}
                    }
                }
            ],
        }
    ]
    assert one("PodMonitor")["spec"] == {
        "selector": {"matchLabels": LEADER},
        "podMetricsEndpoints": [{"port": "http", "path": "/metrics", "interval": "15s"}],
    }


def test_prometheus_may_read_who_examines_them() -> None:
    (way,) = [r.inputs["spec"] for r in asked() if r.name == "watching-examiner-prometheus"]
    assert way["podSelector"] == {"matchLabels": EXAMINER}
    assert way["ingress"][0]["ports"] == [{"protocol": "TCP", "port": 8002}]
    monitor = one("PodMonitor", "watching-examiner")
    assert monitor["spec"]["selector"] == {"matchLabels": EXAMINER}


def test_rules_come_in_three_groups() -> None:
    groups = {group["name"]: group["rules"] for group in one("PrometheusRule")["spec"]["groups"]}
    assert {name: len(rules) for name, rules in groups.items()} == {
        "seamless": 5,
        "model-server": 8,
        "gpu": 7,
    }


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_says_what_is_wrong_and_what_to_do(alert: Alert) -> None:
    assert alert.summary.endswith(".")
    assert len(alert.runbook) > 60
    assert alert.as_dict()["annotations"] == {"summary": alert.summary, "runbook": alert.runbook}


def test_a_model_that_may_sleep_raises_no_alarm_by_sleeping() -> None:
    names = [alert.name for alert in server_alerts(replace(SMALL, minimum=0), "space")]
    assert "ModelServerGone" not in names
    assert "ModelServerGone" in [alert.name for alert in server_alerts(SMALL, "space")]


def test_an_error_of_the_hardware_is_none_of_a_program() -> None:
    assert not set(HARDWARE_XIDS) & set(APPLICATION_XIDS)
    by_name = {alert.name: alert for alert in GPU_ALERTS}
    assert "DCGM_FI_DEV_XID_ERRORS == 79" in by_name["GpuHardwareError"].query
    assert "DCGM_FI_DEV_XID_ERRORS == 31" in by_name["GpuApplicationError"].query
    assert by_name["GpuApplicationError"].severity == "warning"


def test_energy_falls_back_to_power_where_a_gpu_counts_none() -> None:
    (watts,) = [record for record in RECORDS if record.name == "seamless:gpu_watts:sum"]
    assert watts.query == (
        "sum(rate(DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION[5m]) / 1000 or DCGM_FI_DEV_POWER_USAGE)"
    )


@pytest.mark.parametrize(
    ("uid", "panels"), [("seamless-models", MODEL_SERVERS), ("seamless-gpus", GPUS)]
)
def test_a_dashboard_shows_every_panel_beside_the_others(uid: str, panels: Any) -> None:
    body = json.loads(dashboard(uid, "Title", panels))
    assert [panel["title"] for panel in body["panels"]] == [panel.title for panel in panels]
    corners = {(p["gridPos"]["x"], p["gridPos"]["y"]) for p in body["panels"]}
    assert len(corners) == len(panels)
    assert max(p["gridPos"]["x"] + p["gridPos"]["w"] for p in body["panels"]) == 24


def test_dashboards_are_labelled_for_grafana_and_lie_beside_it() -> None:
    found = [r.inputs for r in asked() if r.inputs.get("kind") == "ConfigMap"]
    assert len(found) == 2
    for config in found:
        assert config["metadata"]["labels"] == {"grafana_dashboard": "1"}
        assert config["metadata"]["namespace"] == "monitoring"


def test_every_object_of_kubernetes_own_is_valid() -> None:
    own = [manifest(r) for r in asked() if r.inputs.get("kind") in ("ConfigMap", "NetworkPolicy")]
    assert len(own) == 6
    for body in own:
        kubernetes_validate.validate(body, "1.36", strict=True)
