"""The application's metrics as Prometheus text.

The format: prometheus.io/docs/instrumenting/exposition_formats, version 0.0.4.
"""

from collections.abc import Sequence

from functions.inference.endpoint import Endpoint
from functions.storage.ledger import Ledger

CONTENT_TYPE = "text/plain; version=0.0.4"

Samples = list[tuple[str, int]]
"""Labels and value of each sample of one metric."""


async def prometheus_text(ledger: Ledger, endpoints: Sequence[Endpoint]) -> str:
    """All metrics: documents and usage from the ledger, and the health of these endpoints."""
    lines = []
    for name, samples in {**await _documents(ledger), **await _health(ledger, endpoints)}.items():
        lines.append(f"# TYPE {name} {'counter' if name.endswith('_total') else 'gauge'}")
        lines += [f"{name}{labels} {value}" for labels, value in samples]
    return "\n".join(lines) + "\n"


async def _documents(ledger: Ledger) -> dict[str, Samples]:
    totals = await ledger.totals()
    answered = await ledger.endpoint_health.answered()
    starts = await ledger.worker_starts.state()
    return {
        "seamless_documents": [(f'{{status="{s}"}}', n) for s, n, *_ in totals],
        # Always present: the autoscaler of the model servers treats a missing metric as an error.
        "seamless_documents_unfinished": [
            ("", sum(n for status, n, *_ in totals if status in ("queued", "working")))
        ],
        "seamless_model_calls_total": [("", sum(calls for _, _, calls, _, _ in totals))],
        "seamless_prompt_tokens_total": [("", sum(tokens for *_, tokens, _ in totals))],
        "seamless_completion_tokens_total": [("", sum(tokens for *_, tokens in totals))],
        "seamless_endpoint_documents": [
            (f'{{endpoint="{name}"}}', count) for name, count in answered.items()
        ],
        "seamless_worker_starts_refused_total": [("", starts.refused_total)],
    }


async def _health(ledger: Ledger, endpoints: Sequence[Endpoint]) -> dict[str, Samples]:
    names = {endpoint.name for endpoint in endpoints}
    monitored = {endpoint.name for endpoint in endpoints if endpoint.replicas_url}
    store = ledger.endpoint_health
    known = [health for health in await store.all() if health.name in names]
    return {
        "seamless_endpoint_up": [(f'{{endpoint="{h.name}"}}', int(h.state == "ok")) for h in known],
        "seamless_canary_total": [
            (f'{{endpoint="{h.name}",result="{result}"}}', count)
            for h in known
            for result, count in (
                ("good", h.good_canaries),
                ("wrong", h.wrong_canaries),
                ("unreachable", h.unreachable_canaries),
            )
        ],
        "seamless_canary_prompt_tokens_total": [
            (f'{{endpoint="{h.name}"}}', h.prompt_tokens) for h in known
        ],
        "seamless_canary_completion_tokens_total": [
            (f'{{endpoint="{h.name}"}}', h.completion_tokens) for h in known
        ],
        "seamless_replica_up": [
            (f'{{endpoint="{r.endpoint}",replica="{r.name}"}}', int(r.state == "ok"))
            for r in await store.replica_health()
            if r.endpoint in monitored
        ],
        "seamless_replica_verdicts_total": [
            (f'{{endpoint="{h.name}",result="{result}"}}', count)
            for h in known
            if h.name in monitored
            for result, count in (
                ("had", h.replica_reports),
                ("missing", h.missing_replica_reports),
            )
        ],
    }
