"""The metrics of vLLM replicas and their GPUs, with the real names."""

import asyncio
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tests.support.cluster.control_plane import free_ports

MODEL = 'model_name="llama-3.1-8b",engine="0"'


@dataclass(frozen=True, kw_only=True)
class Replica:
    """The load of one replica; rates are per second."""

    running: int
    waiting: int
    kv_use: float
    tokens: float
    requests: float


def _replica(replica: Replica, seconds: float) -> str:
    first_token = "vllm:time_to_first_token_seconds"
    return "\n".join(
        [
            "# TYPE vllm:num_requests_running gauge",
            f"vllm:num_requests_running{{{MODEL}}} {replica.running}",
            "# TYPE vllm:num_requests_waiting gauge",
            f"vllm:num_requests_waiting{{{MODEL}}} {replica.waiting}",
            "# TYPE vllm:kv_cache_usage_perc gauge",
            f"vllm:kv_cache_usage_perc{{{MODEL}}} {replica.kv_use}",
            "# TYPE vllm:generation_tokens_total counter",
            f"vllm:generation_tokens_total{{{MODEL}}} {replica.tokens * seconds}",
            "# TYPE vllm:request_success_total counter",
            f'vllm:request_success_total{{{MODEL},finished_reason="stop"}}'
            f" {replica.requests * seconds}",
            "# TYPE vllm:num_preemptions_total counter",
            f"vllm:num_preemptions_total{{{MODEL}}} 0",
            f"# TYPE {first_token} histogram",
            *(
                f'{first_token}_bucket{{{MODEL},le="{bound}"}} {replica.requests * seconds}'
                for bound in ("0.5", "1.0", "10.0", "+Inf")
            ),
            f"{first_token}_count{{{MODEL}}} {replica.requests * seconds}",
            f"{first_token}_sum{{{MODEL}}} {replica.requests * seconds / 4}",
            "",
        ]
    )


def _gpus(seconds: float) -> str:
    """Metrics of two GPUs, one without an energy counter, and of their node."""
    first, second = ('gpu="0",UUID="GPU-a",hostname="node-1"', 'gpu="1",hostname="node-1"')
    return "\n".join(
        [
            "# TYPE DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION counter",
            f"DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{{{first}}} {300 * 1000 * seconds}",
            "# TYPE DCGM_FI_DEV_POWER_USAGE gauge",
            f"DCGM_FI_DEV_POWER_USAGE{{{first}}} 290",
            f"DCGM_FI_DEV_POWER_USAGE{{{second}}} 100",
            "# TYPE kube_node_status_allocatable gauge",
            'kube_node_status_allocatable{node="node-1",resource="nvidia_com_gpu"} 2',
            'kube_node_status_allocatable{node="node-1",resource="cpu"} 16',
            "",
        ]
    )


@contextmanager
def running(replicas: Mapping[str, Replica]) -> Iterator[int]:
    """Serve each replica's metrics at `/NAME` and the GPUs' at `/gpus`; the port."""
    started = time.monotonic()

    async def metrics(request: Request) -> PlainTextResponse:
        seconds = time.monotonic() - started
        name = request.path_params["name"]
        text = _gpus(seconds) if name == "gpus" else _replica(replicas[name], seconds)
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4")

    (port,) = free_ports(1)
    application = Starlette(routes=[Route("/{name}", metrics)])
    server = uvicorn.Server(
        uvicorn.Config(application, host="127.0.0.1", port=port, log_level="error", ws="none")
    )
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    try:
        yield port
    finally:
        server.should_exit = True
        thread.join()
