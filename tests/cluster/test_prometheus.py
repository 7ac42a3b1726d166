"""Scaling queries, recording rules and alerts on a real Prometheus."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.kubernetes.base.pods import Manifest
from components.kubernetes.monitoring.prometheus_rules import (
    GPU_ALERTS,
    RECORDS,
    group,
    server_alerts,
)
from components.kubernetes.scheduling.autoscaling import load_triggers
from tests.support.accounts.kubernetes import SMALL
from tests.support.cluster import prometheus, vllm
from tests.support.cluster.parts import there
from tests.support.cluster.prometheus import Prometheus, promtool
from tests.support.cluster.vllm import Replica
from tests.support.local import until
from tools.programs import cluster_parts

pytestmark = pytest.mark.cluster

SPACE = "space"
REPLICAS = {
    "one": Replica(running=10, waiting=3, kv_use=0.4, tokens=30, requests=0.2),
    "two": Replica(running=6, waiting=1, kv_use=0.6, tokens=20, requests=0.3),
}
ALERTS = [*server_alerts(SMALL, SPACE), *GPU_ALERTS]
GROUPS = [group("seamless", RECORDS), group("alerts", ALERTS)]


def triggers(namespace: str) -> list[Manifest]:
    return load_triggers(SMALL, namespace=namespace, prometheus_url="http://prometheus:9090")


@pytest.fixture(scope="module")
def programs() -> Path:
    return there(cluster_parts.prometheus(), "Prometheus")


@pytest.fixture(scope="module")
def server(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Prometheus, which scrapes two replicas and their GPUs."""
    with vllm.running(REPLICAS) as port:
        jobs = [
            {
                "job_name": name,
                "metrics_path": f"/{name}",
                "static_configs": [
                    {
                        "targets": [f"127.0.0.1:{port}"],
                        # The labels that the operator adds for a PodMonitor.
                        "labels": {"namespace": SPACE, "pod": name} if name in REPLICAS else {},
                    }
                ],
            }
            for name in (*REPLICAS, "gpus")
        ]
        folder = tmp_path_factory.mktemp("prometheus")
        with prometheus.running(programs, folder, jobs=jobs, groups=GROUPS) as running:
            until(
                lambda: (
                    running.numbers("count_over_time(vllm:num_requests_running[1m]) > 2") or None
                ),
                seconds=60,
            )
            yield running


@pytest.mark.parametrize(("name", "value"), [("load", 20), ("waiting", 4), ("memory", 0.5)])
def test_every_scaling_query_is_one_number_for_all_replicas(
    server: Prometheus, name: str, value: float
) -> None:
    (query,) = [t["metadata"]["query"] for t in triggers(SPACE) if t["name"] == name]
    assert server.numbers(query) == [pytest.approx(value)]


@pytest.mark.parametrize("trigger", triggers("elsewhere"), ids=lambda trigger: trigger["name"])
def test_a_scaling_query_of_a_model_without_replicas_is_empty(
    server: Prometheus, trigger: Any
) -> None:
    assert server.numbers(trigger["metadata"]["query"]) == []


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record["record"])
def test_every_recording_rule_gives_one_number(server: Prometheus, record: Manifest) -> None:
    (number,) = until(lambda: server.numbers(record["record"]) or None, seconds=30)
    assert number > 0


OF = f'{{namespace="{SPACE}",model_name="llama-3.1-8b"'
GPU = '{gpu="0",hostname="node-1"'
OUT = f'seamless_replica_out{{namespace="{SPACE}",replica="model-server-a",node="node-1"}}'
EXAMINED = f'seamless_replica_canaries_total{{namespace="{SPACE}",verdict="good"}}'
XID = f"DCGM_FI_DEV_XID_ERRORS{GPU}}}"
READY = 'kube_node_status_condition{node="node-1",condition="Ready",status="true"}'
CAPACITY = 'kube_node_status_capacity{node="node-1",resource="nvidia_com_gpu"}'


def first_token(within: str, beyond: str) -> dict[str, str]:
    """Histogram series of requests with a first token within and beyond ten seconds."""
    bucket = f"vllm:time_to_first_token_seconds_bucket{OF}"
    bounds = {"10.0": within, "80.0": beyond, "+Inf": beyond}
    return {f'{bucket},le="{bound}"}}': counts for bound, counts in bounds.items()}


HEALTHY = {
    f"vllm:num_requests_running{OF}}}": "4x60",
    f"vllm:num_requests_waiting{OF}}}": "1x60",
    f"vllm:kv_cache_usage_perc{OF}}}": "0.5x60",
    f"vllm:num_preemptions_total{OF}}}": "0x60",
    **first_token("0+60x60", "0+60x60"),
    OUT: "0x60",
    EXAMINED: "0+1x60",
    XID: "0x60",
    f"DCGM_FI_DEV_ROW_REMAP_FAILURE{GPU}}}": "0x60",
    f"DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS{GPU}}}": "0x60",
    f"DCGM_FI_DEV_GPU_TEMP{GPU}}}": "60x60",
    READY: "1x60",
    CAPACITY: "1x60",
}
ILL: dict[str, dict[str, str]] = {
    "ModelServerGone": {f"vllm:num_requests_running{OF}}}": "_x60"},
    "ModelServerRequestsWait": {f"vllm:num_requests_waiting{OF}}}": "9x60"},
    "ModelServerMemoryFull": {f"vllm:kv_cache_usage_perc{OF}}}": "0.95x60"},
    "ModelServerFirstTokenLate": first_token("0+30x60", "0+60x60"),
    "ModelServerPreempts": {f"vllm:num_preemptions_total{OF}}}": "0+60x60"},
    "ReplicaDrifted": {OUT: "0x50 1x10"},
    "ReplicasKeepDrifting": {
        f'seamless_replica_out{{namespace="{SPACE}",replica="{name}"}}': "1x60" for name in "xyz"
    },
    "ReplicaMonitorDown": {EXAMINED: "_x60"},
    "GpuHardwareError": {XID: "0x50 79x10"},
    "GpuApplicationError": {XID: "0x50 31x10"},
    "GpuNodeErrorsRepeat": {XID: "0x10 48x10 0x10 48x30"},
    "GpuMemoryRemapFailed": {f"DCGM_FI_DEV_ROW_REMAP_FAILURE{GPU}}}": "1x60"},
    "GpuMemoryError": {f"DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS{GPU}}}": "0x50 1x10"},
    "GpuHot": {f"DCGM_FI_DEV_GPU_TEMP{GPU}}}": "90x60"},
    "GpuNodeNotReady": {READY: "0x60"},
}
"""For each alert the series, minute by minute, that raise it."""


def an_hour(
    programs: Path, folder: Path, series: Mapping[str, str], expected: Mapping[str, Sequence[Any]]
) -> None:
    """Evaluate queries after an hour of samples, one per minute."""
    rules, tests = folder / "rules.yaml", folder / "tests.yaml"
    rules.write_text(yaml.safe_dump({"groups": GROUPS}))
    queries = [
        {"expr": query, "eval_time": "55m", "exp_samples": list(samples)}
        for query, samples in expected.items()
    ]
    tests.write_text(
        yaml.safe_dump(
            {
                "rule_files": [str(rules)],
                "evaluation_interval": "1m",
                "tests": [
                    {
                        "interval": "1m",
                        "input_series": [
                            {"series": name, "values": values} for name, values in series.items()
                        ],
                        "promql_expr_test": queries,
                    }
                ],
            }
        )
    )
    promtool(programs, "test", "rules", str(tests))


def firing(programs: Path, folder: Path, changed: dict[str, str], alerts: list[str]) -> None:
    """Check that exactly these alerts fire after an hour."""
    samples = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in alerts]
    query = 'group by (alertname) (ALERTS{alertstate="firing"})'
    an_hour(programs, folder, HEALTHY | changed, {query: samples})


def test_energy_per_thousand_tokens_and_requests_per_gpu_are_recorded(
    programs: Path, tmp_path: Path
) -> None:
    """One GPU has an energy counter (300 W), the other only a power gauge (100 W)."""
    of = f'{OF},pod="'
    worked = {
        f'vllm:generation_tokens_total{of}a"}}': "0+1800x60",  # 30 per second
        f'vllm:generation_tokens_total{of}b"}}': "0+1200x60",
        f'vllm:request_success_total{of}a"}}': "0+30x60",
        'DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{gpu="0"}': f"0+{300 * 1000 * 60}x60",
        'DCGM_FI_DEV_POWER_USAGE{gpu="0"}': "290x60",
        'DCGM_FI_DEV_POWER_USAGE{gpu="1"}': "100x60",
        'kube_node_status_allocatable{node="a",resource="nvidia_com_gpu"}': "2x60",
        'kube_node_status_allocatable{node="a",resource="cpu"}': "16x60",
    }
    by_model = '{model_name="llama-3.1-8b",namespace="space"}'
    recorded = {
        "seamless:generation_tokens:rate5m": (by_model, 50),
        "seamless:requests:rate5m": (by_model, 0.5),
        "seamless:gpu_watts:sum": ("{}", 400),
        "seamless:watt_hours_per_1000_tokens": ("{}", 400 / 50 * 1000 / 3600),
        "seamless:requests_per_gpu_hour": ("{}", 0.5 * 3600 / 2),
    }
    assert list(recorded) == [record["record"] for record in RECORDS]
    expected = {
        f"round({name}, 0.001)": [{"labels": labels, "value": round(value, 3)}]
        for name, (labels, value) in recorded.items()
    }
    an_hour(programs, tmp_path, worked, expected)


def test_every_rule_is_valid(programs: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(yaml.safe_dump({"groups": GROUPS}))
    message = promtool(programs, "check", "rules", str(rules))
    assert f"SUCCESS: {len(RECORDS) + len(ALERTS)} rules found" in message


def test_a_healthy_fleet_and_an_old_gpu_error_raise_no_alert(
    programs: Path, tmp_path: Path
) -> None:
    firing(programs, tmp_path, {}, [])
    firing(programs, tmp_path, {XID: "79x60"}, [])


def test_every_alert_is_tested() -> None:
    assert list(ILL) == [alert["alert"] for alert in ALERTS]


@pytest.mark.parametrize("alert", ILL)
def test_each_fault_raises_its_alert_and_no_other(
    programs: Path, tmp_path: Path, alert: str
) -> None:
    # The alert of each replica fires, too.
    also = ["ReplicaDrifted"] if alert == "ReplicasKeepDrifting" else []
    firing(programs, tmp_path, ILL[alert], [*also, alert])
