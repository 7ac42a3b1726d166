"""Grafana dashboards, generated from tables of panels; each row of the grid has three."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from components.kubernetes.monitoring.prometheus_rules import POWER, TEMPERATURE, XID
from components.kubernetes.scheduling.autoscaling import KV_USE, RUNNING, WAITING

COLUMNS, HEIGHT = 3, 8
_GRID = 24
"""Width of Grafana's grid."""


@dataclass(frozen=True)
class Panel:
    """A graph over time.

    Attributes:
        unit: By Grafana's name; `short` is a plain number.
        legend: Of each line; `{{label}}` is the value of a label.
    """

    title: str
    query: str
    unit: str = "short"
    legend: str = "{{model_name}}"


def _quantile(share: float, metric: str) -> str:
    return f"histogram_quantile({share:g}, sum by (model_name, le) (rate({metric}_bucket[5m])))"


MODEL_SERVERS = (
    Panel("Requests running", f"sum by (model_name) ({RUNNING})"),
    Panel("Requests waiting", f"sum by (model_name) ({WAITING})"),
    Panel("Replicas", f"count by (model_name) ({RUNNING})"),
    Panel("KV cache used", KV_USE, "percentunit", "{{pod}}"),
    Panel("First token, 95th percentile", _quantile(0.95, "vllm:time_to_first_token_seconds"), "s"),
    Panel(
        "Between tokens, 95th percentile", _quantile(0.95, "vllm:inter_token_latency_seconds"), "s"
    ),
    Panel("Tokens per second", "seamless:generation_tokens:rate5m"),
    Panel("Energy per 1,000 tokens", "seamless:watt_hours_per_1000_tokens", "watth", "all models"),
    Panel("Requests per GPU-hour", "seamless:requests_per_gpu_hour", legend="all models"),
)

_GPU = "{{hostname}} {{gpu}}"

GPUS = (
    Panel("Power", POWER, "watt", _GPU),
    Panel("Temperature", TEMPERATURE, "celsius", _GPU),
    Panel("Last Xid", XID, legend=_GPU),
    Panel("Memory used", "DCGM_FI_DEV_FB_USED", "decmbytes", _GPU),
    Panel("Tensor cores busy", "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", "percentunit", _GPU),
    Panel("Memory bandwidth used", "DCGM_FI_PROF_DRAM_ACTIVE", "percentunit", _GPU),
)


def dashboard(uid: str, title: str, panels: Sequence[Panel]) -> str:
    """The JSON of a dashboard."""
    width = _GRID // COLUMNS
    return json.dumps(
        {
            "uid": uid,
            "title": title,
            "schemaVersion": 39,
            "time": {"from": "now-6h", "to": "now"},
            "refresh": "30s",
            "panels": [
                {
                    "id": index + 1,
                    "type": "timeseries",
                    "title": panel.title,
                    "gridPos": {
                        "x": index % COLUMNS * width,
                        "y": index // COLUMNS * HEIGHT,
                        "w": width,
                        "h": HEIGHT,
                    },
                    "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
                    "targets": [{"refId": "A", "expr": panel.query, "legendFormat": panel.legend}],
                }
                for index, panel in enumerate(panels)
            ],
        },
        indent=1,
    )
