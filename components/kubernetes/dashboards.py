"""Grafana dashboards from tables of panels: a row of three each, in the order of the table."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from components.kubernetes.rules import POWER, TEMPERATURE, XID
from components.kubernetes.scaling import KV_USE, RUNNING, WAITING

COLUMNS, HEIGHT = 3, 8
_GRID = 24
"""Units of Grafana's width."""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A graph over time.

    Attributes:
        unit: Grafana's name for it; `short` is a plain number.
        legend: Of each line, with `{{label}}` for a label's value.
    """

    title: str
    query: str
    unit: str = "short"
    legend: str = "{{model_name}}"


def _quantile(share: float, metric: str) -> str:
    return f"histogram_quantile({share:g}, sum by (model_name, le) (rate({metric}_bucket[5m])))"


MODEL_SERVERS = (
    Panel(title="Requests running", query=f"sum by (model_name) ({RUNNING})"),
    Panel(title="Requests waiting", query=f"sum by (model_name) ({WAITING})"),
    Panel(title="Replicas", query=f"count by (model_name) ({RUNNING})"),
    Panel(title="KV cache used", query=KV_USE, unit="percentunit", legend="{{pod}}"),
    Panel(
        title="First token, 95th percentile",
        query=_quantile(0.95, "vllm:time_to_first_token_seconds"),
        unit="s",
    ),
    Panel(
        title="Between tokens, 95th percentile",
        query=_quantile(0.95, "vllm:inter_token_latency_seconds"),
        unit="s",
    ),
    Panel(title="Tokens per second", query="seamless:generation_tokens:rate5m"),
    Panel(
        title="Energy per 1,000 tokens",
        query="seamless:watt_hours_per_1000_tokens",
        unit="watth",
        legend="all models",
    ),
    Panel(
        title="Requests per GPU-hour", query="seamless:requests_per_gpu_hour", legend="all models"
    ),
)

_GPU = "{{hostname}} {{gpu}}"

GPUS = (
    Panel(title="Power", query=POWER, unit="watt", legend=_GPU),
    Panel(title="Temperature", query=TEMPERATURE, unit="celsius", legend=_GPU),
    Panel(title="Last Xid", query=XID, legend=_GPU),
    Panel(title="Memory used", query="DCGM_FI_DEV_FB_USED", unit="decmbytes", legend=_GPU),
    Panel(
        title="Tensor cores busy",
        query="DCGM_FI_PROF_PIPE_TENSOR_ACTIVE",
        unit="percentunit",
        legend=_GPU,
    ),
    Panel(
        title="Memory bandwidth used",
        query="DCGM_FI_PROF_DRAM_ACTIVE",
        unit="percentunit",
        legend=_GPU,
    ),
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
