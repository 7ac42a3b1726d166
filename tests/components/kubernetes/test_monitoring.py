"""What Prometheus scrapes, the alerts and the dashboards.

`tests/cluster/test_prometheus.py` evaluates every query on a real Prometheus.
"""

import json
from dataclasses import replace
from typing import Any

import pulumi
import pytest

from components.kubernetes.base.namespace import IsolatedNamespace
from components.kubernetes.monitoring.dashboards import GPUS, MODEL_SERVERS, dashboard
from components.kubernetes.monitoring.monitoring import Monitoring
from components.kubernetes.monitoring.prometheus_rules import (
    APPLICATION_XIDS,
    GPU_ALERTS,
    HARDWARE_XIDS,
    RECORDS,
    server_alerts,
)
from components.kubernetes.monitoring.replica_monitor import REPLICA_MONITOR
from components.kubernetes.serving.model_server import LEADER
from policies.resource import Resource
from tests.support.accounts.kubernetes import SMALL, objects, one


def planned() -> list[Resource]:
    return objects(
        lambda: Monitoring(
            "monitoring",
            model_spec=SMALL,
            namespace=IsolatedNamespace("model").namespace,
            prometheus_namespace=pulumi.Output.from_input("prometheus"),
        )
    )


@pytest.mark.parametrize(
    ("name", "labels", "port"),
    [("monitoring", LEADER, 8000), ("monitoring-replica-monitor", REPLICA_MONITOR, 8002)],
)
def test_prometheus_scrapes_the_replicas_and_the_replica_monitor(
    name: str, labels: dict[str, str], port: int
) -> None:
    policy = one(planned(), "NetworkPolicy", f"{name}-prometheus")["spec"]
    assert policy["podSelector"] == {"matchLabels": labels}
    (rule,) = policy["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": port}]
    (source,) = rule["from"]
    prometheus = {"kubernetes.io/metadata.name": "prometheus"}
    assert source["namespaceSelector"] == {"matchLabels": prometheus}
    assert one(planned(), "PodMonitor", name)["spec"]["selector"] == {"matchLabels": labels}


def test_all_rules_are_installed() -> None:
    groups = one(planned(), "PrometheusRule", "monitoring")["spec"]["groups"]
    alerts = server_alerts(SMALL, "model-00000000")
    assert [group["rules"] for group in groups] == [list(RECORDS), list(alerts), list(GPU_ALERTS)]


def test_every_alert_has_a_summary_and_a_runbook() -> None:
    for alert in (*server_alerts(SMALL, "space"), *GPU_ALERTS):
        annotations = alert["annotations"]
        assert annotations["summary"].endswith("."), alert["alert"]
        assert len(annotations["runbook"]) > 60, alert["alert"]


def test_a_model_that_scales_to_zero_has_no_alert_for_zero_replicas() -> None:
    with_one, with_zero = (
        {alert["alert"] for alert in server_alerts(replace(SMALL, minimum=minimum), "space")}
        for minimum in (1, 0)
    )
    assert with_one - with_zero == {"ModelServerGone"}


def test_an_xid_of_a_program_is_no_hardware_error() -> None:
    assert not set(HARDWARE_XIDS) & set(APPLICATION_XIDS)
    by_name = {alert["alert"]: alert for alert in GPU_ALERTS}
    assert "DCGM_FI_DEV_XID_ERRORS == 79" in by_name["GpuHardwareError"]["expr"]
    assert "DCGM_FI_DEV_XID_ERRORS == 31" in by_name["GpuApplicationError"]["expr"]
    assert by_name["GpuApplicationError"]["labels"] == {"severity": "warning"}


@pytest.mark.parametrize("panels", [MODEL_SERVERS, GPUS])
def test_the_panels_of_a_dashboard_do_not_overlap(panels: Any) -> None:
    shown = json.loads(dashboard("uid", "Title", panels))["panels"]
    assert [panel["title"] for panel in shown] == [panel.title for panel in panels]
    assert len({(p["gridPos"]["x"], p["gridPos"]["y"]) for p in shown}) == len(panels)
    assert max(p["gridPos"]["x"] + p["gridPos"]["w"] for p in shown) == 24


def test_dashboards_have_the_namespace_and_the_label_that_grafana_reads() -> None:
    found = [r.inputs["metadata"] for r in planned() if r.inputs.get("kind") == "ConfigMap"]
    assert len(found) == 2
    for metadata in found:
        assert metadata["labels"] == {"grafana_dashboard": "1"}
        assert metadata["namespace"] == "prometheus"
