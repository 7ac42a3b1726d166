"""Recording rules and alerts for Prometheus about model servers and GPUs.

The metrics are those of vLLM (docs.vllm.ai, production metrics), of NVIDIA's DCGM exporter (its
default list, 2026-05) and of kube-state-metrics.
"""

from collections.abc import Sequence
from functools import partial
from typing import Literal

from components.kubernetes.base.pods import Manifest
from components.kubernetes.programs.replica_monitor import DELETIONS_PER_DAY
from components.kubernetes.scheduling.autoscaling import (
    KV_USE,
    RUNNING,
    WAITING,
    WAITING_PER_REPLICA,
    series,
)
from components.kubernetes.serving.model_spec import ModelSpec

HARDWARE_XIDS = (
    *(46, 48, 54, 62, 63, 64, 74, 79, 95, 109, 110, 119, 120, 136, 140, 142, 143, 151),
)
"""Errors of the GPU, its memory or its links, as public classifiers of Xid codes list them."""
APPLICATION_XIDS = (13, 31, 43, 45)
"""Errors that a program causes; another node would show them too."""

KV_FULL = 0.9
FIRST_TOKEN_SECONDS = 10
PREEMPTIONS_PER_SECOND = 0.1
HOT_CELSIUS = 85
"""Our choice, a little below the temperature at which data-centre GPUs throttle."""
NODE_ERRORS_PER_DAY = 3
"""Hardware errors of one node within a day that are no coincidence."""

ENERGY = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"
"""In millijoules since the driver was loaded; slices of a GPU have none."""
POWER = "DCGM_FI_DEV_POWER_USAGE"
TEMPERATURE = "DCGM_FI_DEV_GPU_TEMP"
XID = "DCGM_FI_DEV_XID_ERRORS"
"""The last code, without its time: an alert looks for changes."""

GPU_RESOURCES = '{resource=~"(nvidia|amd)_com_.*"}'
"""Whole GPUs, slices and shares in the spelling of kube-state-metrics."""

_TOKENS = "seamless:generation_tokens:rate5m"
_REQUESTS = "seamless:requests:rate5m"
_WATTS = "seamless:gpu_watts:sum"
_BY_MODEL = "sum by (namespace, model_name)"


def _record(name: str, query: str) -> Manifest:
    return {"record": name, "expr": query}


def _alert(
    severity: Literal["critical", "warning"],
    name: str,
    query: str,
    *,
    minutes: int = 0,
    summary: str,
    runbook: str,
) -> Manifest:
    """An alert that fires when the query has had a result for so many minutes.

    Args:
        summary: What is wrong.
        runbook: What to look at and to do.
    """
    return {
        "alert": name,
        "expr": query,
        "for": f"{minutes}m",
        "labels": {"severity": severity},
        "annotations": {"summary": summary, "runbook": runbook},
    }


_critical = partial(_alert, "critical")
_warning = partial(_alert, "warning")

RECORDS = (
    _record(_TOKENS, f"{_BY_MODEL} (rate(vllm:generation_tokens_total[5m]))"),
    _record(_REQUESTS, f"{_BY_MODEL} (rate(vllm:request_success_total[5m]))"),
    # The energy counter of each GPU, or its current power where it has no counter.
    _record(_WATTS, f"sum(rate({ENERGY}[5m]) / 1000 or {POWER})"),
    _record(
        "seamless:watt_hours_per_1000_tokens", f"{_WATTS} * 1000 / 3600 / (sum({_TOKENS}) > 0)"
    ),
    _record(
        "seamless:requests_per_gpu_hour",
        f"sum({_REQUESTS}) * 3600 / sum(kube_node_status_allocatable{GPU_RESOURCES})",
    ),
)


def _recycle(label: str) -> str:
    """How to replace the node that a label names."""
    return (
        f"kubectl drain {{{{ $labels.{label} }}}} --ignore-daemonsets --delete-emptydir-data, then"
        " delete the node from its pool, which creates a new one: at DOKS with doctl kubernetes"
        " cluster node-pool delete-node. EKS repairs nodes by itself; if its circuit breaker"
        " stopped that, use aws ec2 terminate-instances."
    )


def server_alerts(model_spec: ModelSpec, namespace: str) -> Sequence[Manifest]:
    """Alerts about one model's replicas."""
    model = model_spec.model
    of = series(model_spec, namespace)
    here = f'{{namespace="{namespace}"}}'
    first_token = f"vllm:time_to_first_token_seconds_bucket{of}"
    always_running = _critical(
        "ModelServerGone",
        f"absent({RUNNING}{of})",
        minutes=10,
        summary=f"No replica of {model} answers.",
        runbook=f"kubectl -n {namespace} get pods: a Pending pod waits for a GPU (is the region"
        " sold out, or the quota used up?); kubectl logs has the reason of a CrashLoopBackOff."
        " Until a replica is back, documents stay queued, or use the fallback endpoint if there is"
        " one.",
    )
    return (
        *([always_running] if model_spec.minimum > 0 else []),
        _warning(
            "ModelServerRequestsWait",
            f"avg({WAITING}{of}) > {2 * WAITING_PER_REPLICA}",
            minutes=15,
            summary=f"Requests wait at every replica of {model}.",
            runbook="Another replica should be running by now. kubectl get hpa shows whether the"
            " maximum is reached; a Pending pod means that no GPU is available.",
        ),
        _warning(
            "ModelServerMemoryFull",
            f"max({KV_USE}{of}) > {KV_FULL:g}",
            minutes=10,
            summary=f"The KV cache of a replica of {model} is full.",
            runbook="Requests are longer or more than the sizing assumed: see ./seamless plan."
            " Lower gpu_concurrency, or set gpu_type to a GPU with more memory.",
        ),
        _warning(
            "ModelServerFirstTokenLate",
            f"histogram_quantile(0.95, sum by (le) (rate({first_token}[10m])))"
            f" > {FIRST_TOKEN_SECONDS}",
            minutes=15,
            summary=f"One request in twenty of {model} waits over {FIRST_TOKEN_SECONDS} s for its"
            " first token.",
            runbook="If requests are waiting, the load is too high. If not, look for longer"
            " prompts, and at the GPU's temperature and clock.",
        ),
        _warning(
            "ModelServerPreempts",
            f"sum(rate(vllm:num_preemptions_total{of}[10m])) > {PREEMPTIONS_PER_SECOND:g}",
            minutes=10,
            summary=f"{model} preempts requests and computes them again.",
            runbook="The KV cache is too small for the requests that run at a time: lower the"
            " concurrency.",
        ),
        _warning(
            "ReplicaDrifted",
            f"max by (replica, node) (seamless_replica_out{here}) == 1",
            summary="{{ $labels.replica }} on {{ $labels.node }} answered its canary wrongly.",
            runbook="It gets no more requests and is replaced; documents that it worked on since"
            " its last right answer are summarized again. Replace the node when it is named twice:"
            f" {_recycle('node')}",
        ),
        _critical(
            "ReplicasKeepDrifting",
            f"sum(seamless_replica_out{here}) >= {DELETIONS_PER_DAY}",
            summary="{{ $value }} replicas of " + f"{model} drifted within a day.",
            runbook="Replicas are no longer replaced, because the cause is not a single GPU."
            " Compare the driver, the image and the revision of the weights with those of the last"
            " good day, and go back to them; meanwhile use pulumi config set"
            " inference_mode serverless.",
        ),
        _warning(
            "ReplicaMonitorDown",
            f"absent(seamless_replica_canaries_total{here})",
            minutes=10,
            summary=f"The replicas of {model} are not tested.",
            runbook=f"kubectl -n {namespace} logs -l app.kubernetes.io/name=replica-monitor shows"
            " what the API server refused. The application still tests the endpoint as a whole.",
        ),
    )


def _reported(codes: Sequence[int]) -> str:
    """PromQL for a new Xid that is one of these codes."""
    return f"({' or '.join(f'{XID} == {code}' for code in codes)}) and changes({XID}[15m]) > 0"


_GPU = "GPU {{ $labels.gpu }} of {{ $labels.hostname }}"
_RECYCLE = f"Replace the node: {_recycle('hostname')}"

GPU_ALERTS = (
    _critical(
        "GpuHardwareError",
        _reported(HARDWARE_XIDS),
        summary=f"{_GPU} reported the hardware error Xid {{{{ $value }}}}.",
        runbook=_RECYCLE,
    ),
    _warning(
        "GpuApplicationError",
        _reported(APPLICATION_XIDS),
        summary=f"A program caused the error Xid {{{{ $value }}}} of {_GPU}.",
        runbook="Read the model server's log of that minute; another node would not help.",
    ),
    _critical(
        "GpuNodeErrorsRepeat",
        f"sum by (hostname) (changes({XID}[1d])) >= {NODE_ERRORS_PER_DAY}",
        summary="{{ $labels.hostname }} had {{ $value }} GPU errors within a day.",
        runbook=_RECYCLE,
    ),
    _critical(
        "GpuMemoryRemapFailed",
        "max by (hostname, gpu) (DCGM_FI_DEV_ROW_REMAP_FAILURE) > 0",
        summary=f"{_GPU} has no spare row of memory left.",
        runbook=_RECYCLE,
    ),
    _warning(
        "GpuMemoryError",
        "max by (hostname, gpu) (changes(DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS[1d])) > 0",
        summary=f"{_GPU} lost a row of memory.",
        runbook="A spare row replaces it at the next reset of the GPU. When nothing runs on the"
        f" node, replace it: {_recycle('hostname')}",
    ),
    _warning(
        "GpuHot",
        f"max by (hostname, gpu) ({TEMPERATURE}) > {HOT_CELSIUS}",
        minutes=10,
        summary=f"{_GPU} is at {{{{ $value }}}} °C.",
        runbook=f"It will throttle, and only the cloud can cool it. {_RECYCLE}",
    ),
    _critical(
        "GpuNodeNotReady",
        'kube_node_status_condition{condition="Ready",status="true"} == 0'
        f" and on (node) kube_node_status_capacity{GPU_RESOURCES} > 0",
        minutes=10,
        summary="GPU node {{ $labels.node }} is not ready.",
        runbook=f"Replace the node: {_recycle('node')}",
    ),
)


def group(name: str, rules: Sequence[Manifest]) -> Manifest:
    """A group of a PrometheusRule."""
    return {"name": name, "interval": "30s", "rules": list(rules)}
