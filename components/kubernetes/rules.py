"""What Prometheus computes of model servers and GPUs, and when it calls somebody.

The metrics are those of vLLM (docs.vllm.ai, production metrics), of NVIDIA's DCGM exporter (its
default list, 2026-05) and of kube-state-metrics.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from components.kubernetes.inside.examiner import DELETIONS_PER_DAY
from components.kubernetes.scaling import KV_USE, RUNNING, WAITING, WAITING_PER_REPLICA
from components.kubernetes.serving import Serving

HARDWARE_XIDS = (
    *(46, 48, 54, 62, 63, 64, 74, 79, 95, 109, 110, 119, 120, 136, 140, 142, 143, 151),
)
"""Errors of the GPU, its memory or its links, as public classifiers of Xid codes have them."""
APPLICATION_XIDS = (13, 31, 43, 45)
"""Errors that a program makes; no other node would mend them."""

KV_FULL = 0.9
FIRST_TOKEN_SECONDS = 10
"""A document waits longer than that for its first word; the sizing of the pool was not so."""
PREEMPTIONS_PER_SECOND = 0.1
HOT_CELSIUS = 85
"""Our choice, a little below where data-centre GPUs slow themselves down."""
OFFENCES_PER_DAY = 3
"""Hardware errors of one node after which it is no accident."""

ENERGY = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"
"""In millijoules since the driver was loaded; slices of a GPU have none."""
POWER = "DCGM_FI_DEV_POWER_USAGE"
TEMPERATURE = "DCGM_FI_DEV_GPU_TEMP"
XID = "DCGM_FI_DEV_XID_ERRORS"
"""The last code: it says nothing of when, so a change is what counts."""

GPU_RESOURCES = '{resource=~"(nvidia|amd)_com_.*"}'
"""As kube-state-metrics spells whole GPUs, slices and shares."""

Severity = Literal["critical", "warning"]


@dataclass(frozen=True, kw_only=True)
class Record:
    """A number that Prometheus keeps."""

    name: str
    query: str
    unit: str

    def as_dict(self) -> dict[str, Any]:
        """The rule, as Prometheus reads it."""
        return {"record": self.name, "expr": self.query}


@dataclass(frozen=True, kw_only=True)
class Alert:
    """A state that somebody must hear of.

    Attributes:
        query: PromQL that has an answer in that state.
        minutes: It must last so long.
        summary: What is wrong, for the one who is woken.
        runbook: What to look at and to do.
    """

    name: str
    query: str
    minutes: int
    severity: Severity
    summary: str
    runbook: str

    def as_dict(self) -> dict[str, Any]:
        """The rule, as Prometheus reads it."""
        return {
            "alert": self.name,
            "expr": self.query,
            "for": f"{self.minutes}m",
            "labels": {"severity": self.severity},
            "annotations": {"summary": self.summary, "runbook": self.runbook},
        }


_TOKENS = "seamless:generation_tokens:rate5m"
_REQUESTS = "seamless:requests:rate5m"
_WATTS = "seamless:gpu_watts:sum"
_BY_MODEL = "sum by (namespace, model_name)"

RECORDS = (
    Record(
        name=_TOKENS, query=f"{_BY_MODEL} (rate(vllm:generation_tokens_total[5m]))", unit="tokens/s"
    ),
    Record(name=_REQUESTS, query=f"{_BY_MODEL} (rate(vllm:request_success_total[5m]))", unit="/s"),
    Record(
        name=_WATTS,
        # Each GPU by its counter of energy, or by its power at the moment where it has none.
        query=f"sum(rate({ENERGY}[5m]) / 1000 or {POWER})",
        unit="W",
    ),
    Record(
        name="seamless:watt_hours_per_1000_tokens",
        query=f"{_WATTS} * 1000 / 3600 / (sum({_TOKENS}) > 0)",
        unit="Wh",
    ),
    Record(
        name="seamless:requests_per_gpu_hour",
        query=f"sum({_REQUESTS}) * 3600 / sum(kube_node_status_allocatable{GPU_RESOURCES})",
        unit="/h",
    ),
)


def _recycle(label: str) -> str:
    """How to get a new node in the place of the one that a label names."""
    return (
        f"kubectl drain {{{{ $labels.{label} }}}} --ignore-daemonsets --delete-emptydir-data, then"
        " delete the node from its pool, which makes a new one: DOKS by doctl kubernetes cluster"
        " node-pool delete-node; EKS repairs nodes by itself, unless its breaker stopped it, then"
        " by aws ec2 terminate-instances."
    )


def server_alerts(serving: Serving, namespace: str) -> Sequence[Alert]:
    """Of one model's replicas."""
    of = f'{{namespace="{namespace}",model_name="{serving.model}"}}'
    here = f'{{namespace="{namespace}"}}'
    first_token = f"vllm:time_to_first_token_seconds_bucket{of}"
    always = [
        Alert(
            name="ModelServerGone",
            query=f"absent({RUNNING}{of})",
            minutes=10,
            severity="critical",
            summary=f"No replica of {serving.model} answers.",
            runbook=f"kubectl -n {namespace} get pods: Pending waits for a GPU (is the region sold"
            " out, the quota used up?); CrashLoopBackOff has its reason in kubectl logs. Until one"
            " is back, documents stay queued, or go to the fallback endpoint if there is one.",
        )
    ]
    return (
        *(always if serving.minimum > 0 else []),
        Alert(
            name="ModelServerRequestsWait",
            query=f"avg({WAITING}{of}) > {2 * WAITING_PER_REPLICA}",
            minutes=15,
            severity="warning",
            summary=f"Requests wait in front of every replica of {serving.model}.",
            runbook="Another replica should have come by now. kubectl get hpa says whether the"
            " maximum is reached; a Pending pod says that no GPU is to be had.",
        ),
        Alert(
            name="ModelServerMemoryFull",
            query=f"max({KV_USE}{of}) > {KV_FULL:g}",
            minutes=10,
            severity="warning",
            summary=f"The KV cache of a replica of {serving.model} is full.",
            runbook="Requests are longer or more than was sized for: see ./seamless plan; lower"
            " gpu_concurrency, or set gpu_type to a GPU with more memory.",
        ),
        Alert(
            name="ModelServerFirstTokenLate",
            query=f"histogram_quantile(0.95, sum by (le) (rate({first_token}[10m])))"
            f" > {FIRST_TOKEN_SECONDS}",
            minutes=15,
            severity="warning",
            summary=f"One request in twenty of {serving.model} waits over"
            f" {FIRST_TOKEN_SECONDS} s for its first token.",
            runbook="With requests waiting it is load; without, look at prompts that grew, and at"
            " the GPU's temperature and clock.",
        ),
        Alert(
            name="ModelServerPreempts",
            query=f"sum(rate(vllm:num_preemptions_total{of}[10m])) > {PREEMPTIONS_PER_SECOND:g}",
            minutes=10,
            severity="warning",
            summary=f"{serving.model} stops requests and computes them again.",
            runbook="The KV cache is too small for what runs at a time: lower the concurrency.",
        ),
        Alert(
            name="ReplicaDrifted",
            query=f"max by (replica, node) (seamless_replica_out{here}) == 1",
            minutes=0,
            severity="warning",
            summary="{{ $labels.replica }} on {{ $labels.node }} answered its canary wrongly.",
            runbook="It gets no more requests and is replaced; what it answered since its last"
            " right answer is asked again. Recycle the node when it is named a second time."
            f" {_recycle('node')}",
        ),
        Alert(
            name="ReplicasKeepDrifting",
            query=f"sum(seamless_replica_out{here}) >= {DELETIONS_PER_DAY}",
            minutes=0,
            severity="critical",
            summary="{{ $value }} replicas of " + f"{serving.model} drifted within a day.",
            runbook="None is replaced any more: it is no accident of one GPU. Compare the driver,"
            " the image and the revision of the weights with those of the last good day, and go"
            " back to them; pulumi config set inference_mode serverless serves people meanwhile.",
        ),
        Alert(
            name="ReplicasNotExamined",
            query=f"absent(seamless_replica_canaries_total{here})",
            minutes=10,
            severity="warning",
            summary=f"Nobody asks the replicas of {serving.model} their canaries.",
            runbook=f"kubectl -n {namespace} logs -l app.kubernetes.io/name=examiner says what the"
            " API server refused; the endpoint as a whole is still asked its own canary.",
        ),
    )


def _reported(codes: Sequence[int]) -> str:
    """The code, where it is one of these and new."""
    return f"({' or '.join(f'{XID} == {code}' for code in codes)}) and changes({XID}[15m]) > 0"


_RECYCLE = _recycle("hostname")

GPU_ALERTS = (
    Alert(
        name="GpuHardwareError",
        query=_reported(HARDWARE_XIDS),
        minutes=0,
        severity="critical",
        summary="GPU {{ $labels.gpu }} of {{ $labels.hostname }} reported Xid {{ $value }}:"
        " hardware.",
        runbook=_RECYCLE,
    ),
    Alert(
        name="GpuApplicationError",
        query=_reported(APPLICATION_XIDS),
        minutes=0,
        severity="warning",
        summary="A program made GPU {{ $labels.gpu }} of {{ $labels.hostname }} fail.",
        runbook="Read the model server's log of that minute; no other node would mend it.",
    ),
    Alert(
        name="GpuNodeOffendsAgain",
        query=f"sum by (hostname) (changes({XID}[1d])) >= {OFFENCES_PER_DAY}",
        minutes=0,
        severity="critical",
        summary="{{ $labels.hostname }} had {{ $value }} GPU errors within a day.",
        runbook=f"Recycle it before the next one. {_RECYCLE}",
    ),
    Alert(
        name="GpuMemoryWornOut",
        query="max by (hostname, gpu) (DCGM_FI_DEV_ROW_REMAP_FAILURE) > 0",
        minutes=0,
        severity="critical",
        summary="GPU {{ $labels.gpu }} of {{ $labels.hostname }} has no spare row of memory left.",
        runbook=_RECYCLE,
    ),
    Alert(
        name="GpuMemoryError",
        query="max by (hostname, gpu) (changes(DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS[1d])) > 0",
        minutes=0,
        severity="warning",
        summary="GPU {{ $labels.gpu }} of {{ $labels.hostname }} lost a row of memory.",
        runbook="The spare row is used after a reset of the GPU: recycle the node when nothing"
        f" runs on it. {_RECYCLE}",
    ),
    Alert(
        name="GpuHot",
        query=f"max by (hostname, gpu) ({TEMPERATURE}) > {HOT_CELSIUS}",
        minutes=10,
        severity="warning",
        summary="GPU {{ $labels.gpu }} of {{ $labels.hostname }} is at {{ $value }} °C.",
        runbook=f"It will slow down: nothing in our hands cools it. {_RECYCLE}",
    ),
    Alert(
        name="GpuNodeNotReady",
        query='kube_node_status_condition{condition="Ready",status="true"} == 0'
        f" and on (node) kube_node_status_capacity{GPU_RESOURCES} > 0",
        minutes=10,
        severity="critical",
        summary="GPU node {{ $labels.node }} does not answer.",
        runbook=_recycle("node"),
    ),
)


def group(name: str, rules: Sequence[Record | Alert]) -> dict[str, Any]:
    """A group of a PrometheusRule."""
    return {"name": name, "interval": "30s", "rules": [rule.as_dict() for rule in rules]}
