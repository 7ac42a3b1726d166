"""The memory of a model server, term by term: vLLM's arithmetic before vLLM runs.

Per GPU and in whole bytes:

    room for the cache = utilisation x memory - weights - peak of a step - what is outside of torch

vLLM measures the terms when it starts and logs the rest ("Available KV cache memory"); this module
predicts them. A token of cache is 2 (key, value) x layers x heads x head size x bytes; tensor
parallelism divides the heads and, once they run out, copies them; a page is 16 tokens. A sliding
window holds its window and one prefill step (`SlidingWindowSpec.max_admission_blocks_per_request`).
The peak of a step is the widest activations of the feed-forward block, which agrees with the log of
vllm#10517 to 1 %, or the sampler's copies of the logits. The allowances for the rest err towards
promising less; docs/reference/sizing.md has the outcome beside published figures.
"""

from dataclasses import dataclass

from sizing.machines import Gpu, Machine, gpu
from sizing.models import Model

GIB = 2**30
PAGE_TOKENS = 16
"""vLLM's default block size."""

_VISIBLE_PER_MILLE = 985
"""What the driver leaves of the counted memory: 39.50 of 40 GiB on an A100 (vllm#12330), 44.42 of
44.70 on an L40S, 95.01 of 96 on an RTX PRO 6000."""
_OUTSIDE_TORCH = GIB
"""CUDA context, NCCL's buffers and fragmentation: 0.2 to 0.4 GiB in logs of one GPU, more of 8."""
_CUDA_GRAPHS = GIB
"""Captured graphs: 0.6 to 1.9 GiB in logs of models of this size, 3.5 of one of 235B."""
_SAMPLER_BYTES = 16
"""Per sequence and word of the vocabulary while sampling: logits, sorted copy, indices."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """A term of the arithmetic, in bytes of one GPU."""

    what: str
    size: int

    def __str__(self) -> str:
        return f"{self.size / GIB:9.2f} GiB  {self.what}"


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A model on `nodes` machines of one kind, as one server.

    Attributes:
        tensor_parallel: GPUs of a machine that share each layer.
        nodes: Machines that share the layers (pipeline parallelism); 1 unless one is too small.
        max_num_batched_tokens: Pass it to the server: the arithmetic depends on it.
        max_num_seqs: Likewise.
        available_bytes: Room for the cache in each GPU; below zero where not even the weights fit.
        request_bytes: Cache in each GPU for one request as long as the context.
        notes: Kernels that stand in for missing hardware support.
    """

    machine: Machine
    gpu: Gpu
    tensor_parallel: int
    nodes: int
    max_num_batched_tokens: int
    max_num_seqs: int
    lines: tuple[Line, ...]
    available_bytes: int
    request_bytes: int
    context_tokens: int
    notes: tuple[str, ...] = ()

    @property
    def replicas_per_machine(self) -> int:
        """Servers of this size that one machine has GPUs for."""
        return 1 if self.nodes > 1 else self.machine.count // self.tensor_parallel

    @property
    def max_concurrency(self) -> int:
        """Requests as long as the context that the cache holds at once."""
        return max(0, self.available_bytes) // self.request_bytes

    @property
    def kv_tokens(self) -> int:
        """Tokens that the cache holds, as vLLM logs them ("GPU KV cache size")."""
        return max(0, self.available_bytes) * self.context_tokens // self.request_bytes

    @property
    def usd_hour(self) -> float | None:
        """Price of an hour of all the machines in US dollars; None is unknown."""
        hour = self.machine.usd_hour
        return None if hour is None else round(hour * self.nodes, 4)

    @property
    def price(self) -> str:
        """The price, or that it is unknown, to show."""
        return "price unknown" if self.usd_hour is None else f"${self.usd_hour:.2f}/h"

    @property
    def text(self) -> str:
        """The arithmetic, a line a term."""
        nodes = f"{self.nodes} x " if self.nodes > 1 else ""
        head = (
            f"{nodes}{self.machine.slug} ({self.machine.count} x {self.gpu.product}), {self.price},"
            f" tensor parallel {self.tensor_parallel}; per GPU:"
        )
        holds = (
            f"holds {self.kv_tokens:,} tokens: {self.max_concurrency} requests of"
            f" {self.context_tokens:,} at once"
        )
        return "\n".join([head, *map(str, self.lines), holds, self.machine.sold, *self.notes])


def step_tokens(card: Gpu) -> int:
    """Tokens that vLLM puts into one step by default: more where memory is plenty.

    `EngineArgs.get_batch_defaults`, vLLM 0.9 to 0.27: 8,192 from 70 GiB on but for the A100.
    """
    plenty = card.memory_mib >= 70 * 1024 and not card.name.startswith("a100")
    return 8192 if plenty else 2048


def request_bytes(
    wanted: Model,
    context_tokens: int,
    *,
    tensor_parallel: int,
    nodes: int = 1,
    max_num_batched_tokens: int,
) -> int:
    """Cache in each GPU for one request of that length."""
    heads = -(-wanted.kv_heads // tensor_parallel)
    page = PAGE_TOKENS * 2 * heads * wanted.head_dim * 2
    sliding = -(-wanted.sliding_layers // nodes)
    full = -(-(wanted.layers - wanted.sliding_layers) // nodes)
    seen = min(wanted.window - 1 + max_num_batched_tokens, context_tokens)
    return page * (full * _pages(context_tokens) + sliding * (_pages(seen) + 1))


def arithmetic(
    wanted: Model,
    row: Machine,
    *,
    context_tokens: int,
    tensor_parallel: int,
    nodes: int = 1,
    gpu_memory_utilization: float = 0.9,
    max_num_seqs: int,
    max_num_batched_tokens: int | None = None,
) -> Fit:
    """The memory of one server on such machines, even where it does not fit."""
    card = gpu(row.gpu)
    step = max_num_batched_tokens or step_tokens(card)
    per_mille = _per_mille(gpu_memory_utilization)
    visible = card.memory_mib * 2**20 * _VISIBLE_PER_MILLE // 1000
    feed_forward = -(-3 * wanted.ffn // tensor_parallel) + wanted.experts * wanted.hidden
    lines = (
        Line(
            what=f"{per_mille / 10:g} % of what the driver shows of {card.memory_gib:.1f} GiB",
            size=visible * per_mille // 1000,
        ),
        Line(
            what=f"weights ({wanted.format}) over {tensor_parallel * nodes} GPUs",
            size=-wanted.resident_bytes // (tensor_parallel * nodes),
        ),
        Line(
            what=f"peak of a step of {step:,} tokens and {max_num_seqs} sequences",
            size=-max(
                2 * step * (3 * wanted.hidden + feed_forward),
                _SAMPLER_BYTES * max_num_seqs * wanted.vocabulary,
            ),
        ),
        Line(what="CUDA graphs", size=-_CUDA_GRAPHS),
        Line(what="CUDA context, NCCL, fragmentation", size=-_OUTSIDE_TORCH),
    )
    available = sum(line.size for line in lines)
    request = request_bytes(
        wanted,
        context_tokens,
        tensor_parallel=tensor_parallel,
        nodes=nodes,
        max_num_batched_tokens=step,
    )
    return Fit(
        machine=row,
        gpu=card,
        tensor_parallel=tensor_parallel,
        nodes=nodes,
        max_num_batched_tokens=step,
        max_num_seqs=max_num_seqs,
        lines=(
            *lines,
            Line(what="left for the KV cache", size=available),
            Line(what=f"KV cache of one request of {context_tokens:,} tokens", size=request),
        ),
        available_bytes=available,
        request_bytes=request,
        context_tokens=context_tokens,
        notes=_notes(wanted, card),
    )


def _notes(wanted: Model, card: Gpu) -> tuple[str, ...]:
    """Formats that the GPU lacks run by other kernels, which is allowed and said.

    FP8 on Ampere: docs.vllm.ai features/quantization (weight-only W8A16 by Marlin). MXFP4 on A100
    and Hopper: github.com/vllm-project/recipes OpenAI/GPT-OSS.md; on Ada: devforth.io, 2026-02-20.
    """
    if wanted.format == "fp8" and not card.fp8:
        return (f"the {card.product} lacks FP8: vLLM's Marlin kernels, weights only",)
    if wanted.format == "mxfp4" and not card.mxfp4:
        kernels = "Triton or Marlin" if card.vendor == "nvidia" else "Triton"
        return (f"the {card.product} lacks MXFP4: vLLM's {kernels} kernels, weights only",)
    return ()


def _pages(tokens: int) -> int:
    return -(-tokens // PAGE_TOKENS)


def _per_mille(share: float) -> int:
    """A share in whole thousandths, so that bytes stay whole."""
    if not 0 < share <= 1:
        raise ValueError(f"gpu_memory_utilization is {share}: it must be over 0 and at most 1.")
    return round(share * 1000)
