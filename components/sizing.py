"""Right-sizing: which machines hold a model at a context and a concurrency, cheapest first.

The arithmetic is vLLM's, per GPU and in whole bytes:

    room for the cache = utilisation x memory - weights - peak of a step - what is outside of torch

which vLLM measures when it starts (`gpu_worker.py`, "Available KV cache memory") and this module
foretells. A token of cache is 2 (key, value) x layers x heads x head size x bytes; tensor
parallelism divides the heads and, once they run out, copies them; a page is 16 tokens. A sliding
window holds its window and one prefill step (`SlidingWindowSpec.max_admission_blocks_per_request`).
The allowances below err towards promising less; docs/sizing.md has them beside published figures.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from components.gpu import Gpu, Machine, gpu
from components.models import MODELS, Model, model

KvCache = Literal["auto", "fp8"]

GIB = 2**30
PAGE_TOKENS = 16
"""vLLM's default block size."""

_VISIBLE_PER_MILLE = 985
"""What the driver leaves of the counted memory: 39.50 of 40 GiB on an A100 (vllm#12330), 44.42 of
44.70 on an L40S, 95.01 of 96 on an RTX PRO 6000."""
_OUTSIDE_TORCH = GIB
"""CUDA context, NCCL's buffers and fragmentation: 0.2 to 0.4 GiB in logs of one GPU, more of eight."""
_CUDA_GRAPHS = GIB
"""Captured graphs: 0.5 to 1.9 GiB in logs."""
_SAMPLER_BYTES = 16
"""Per sequence and word of the vocabulary, while sampling: logits, their sorted copy, its indices."""
_MOST_NODES = 4


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
        nodes: Machines that share the layers (pipeline parallelism); 1 unless eight GPUs are too few.
        replicas_per_machine: Servers of this size that the machine has GPUs for; 0 with `nodes` > 1
            is impossible, it is 1 then.
        max_num_batched_tokens: Pass it to the server: the arithmetic depends on it.
        max_num_seqs: Likewise.
        available_bytes: Room for the cache in each GPU; below zero where not even the weights fit.
        request_bytes: Cache in each GPU for one request as long as the context.
        max_concurrency: Requests as long as the context that the cache holds at once.
        kv_tokens: Tokens that the cache holds, as vLLM logs them ("GPU KV cache size").
        notes: What a person should know: kernels that stand in for missing hardware.
    """

    machine: Machine
    gpu: Gpu
    tensor_parallel: int
    nodes: int
    kv_cache: KvCache
    max_num_batched_tokens: int
    max_num_seqs: int
    lines: tuple[Line, ...]
    available_bytes: int
    request_bytes: int
    context_tokens: int
    notes: tuple[str, ...] = ()

    @property
    def replicas_per_machine(self) -> int:
        return 1 if self.nodes > 1 else self.machine.count // self.tensor_parallel

    @property
    def max_concurrency(self) -> int:
        return max(0, self.available_bytes) // self.request_bytes

    @property
    def kv_tokens(self) -> int:
        return max(0, self.available_bytes) * self.context_tokens // self.request_bytes

    @property
    def usd_hour(self) -> float | None:
        """Price of an hour of all the machines in US dollars; None is unknown."""
        hour = self.machine.usd_hour
        return None if hour is None else round(hour * self.nodes, 4)

    @property
    def text(self) -> str:
        """The arithmetic, a line a term."""
        price = "price unknown" if self.usd_hour is None else f"${self.usd_hour:.2f}/h"
        nodes = f"{self.nodes} x " if self.nodes > 1 else ""
        head = (
            f"{nodes}{self.machine.slug} ({self.machine.count} x {self.gpu.product}), {price},"
            f" tensor parallel {self.tensor_parallel}; per GPU:"
        )
        holds = (
            f"holds {self.kv_tokens:,} tokens: {self.max_concurrency} requests of"
            f" {self.context_tokens:,} at once"
        )
        return "\n".join([head, *map(str, self.lines), holds, *self.notes])


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A machine that does not hold the model, and why: `fit` is None if memory is not the reason."""

    machine: Machine
    reason: str
    fit: Fit | None = None


@dataclass(frozen=True, kw_only=True)
class Sizing:
    """Every machine that holds the model, cheapest first and unknown prices last."""

    model: Model
    context_tokens: int
    concurrency: int
    fits: tuple[Fit, ...]
    refusals: tuple[Refusal, ...]

    @property
    def chosen(self) -> Fit:
        return self.fits[0]

    @property
    def text(self) -> str:
        """The choice with its arithmetic, and what else would do."""
        others = ", ".join(fit.machine.slug for fit in self.fits[1:]) or "nothing"
        ask = _ask(self.model, self.context_tokens, self.concurrency)
        return f"{ask}\n{self.chosen.text}\nwould do as well, dearer: {others}"


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A change of the question that has an answer.

    Attributes:
        settings: Configuration keys and the values that make the change.
        kv_cache: What the change wants of the cache.
    """

    what: str
    settings: Mapping[str, str]
    kv_cache: KvCache
    fit: Fit

    @property
    def text(self) -> str:
        lines = [f"  pulumi config set {key} {value}" for key, value in self.settings.items()]
        return "\n".join([f"- {self.what}: {self.fit.machine.slug}", *lines])


class DoesNotFit(ValueError):  # noqa: N818  # it is an answer, and reads so where it is raised
    """No machine, or not the wanted one, holds the model as asked; the message has the arithmetic.

    Attributes:
        refusals: Every machine that was tried.
        choices: The nearest changes that do fit, nearest first.
    """

    def __init__(self, message: str, refusals: tuple[Refusal, ...], choices: tuple[Choice, ...]):
        super().__init__(message)
        self.refusals = refusals
        self.choices = choices


def size(
    wanted: Model | str,
    *,
    context_tokens: int,
    concurrency: int,
    machines: Iterable[Machine],
    gpu_or_machine: str | None = None,
    kv_cache: KvCache = "auto",
    gpu_memory_utilization: float = 0.9,
    max_num_seqs: int | None = None,
    max_num_batched_tokens: int | None = None,
) -> Sizing:
    """What holds the model for `concurrency` requests of `context_tokens` each, in one server.

    Args:
        wanted: A model or its name.
        machines: The candidates, as of `components.gpu.machines`.
        gpu_or_machine: Only this GPU (`h100`) or this machine (`gpu-h100x1-80gb`), if given.
        kv_cache: `fp8` halves the cache; needs hardware with FP8.
        gpu_memory_utilization: Share of a GPU's memory that the server takes.
        max_num_seqs: Requests in one step; the concurrency unless given.
        max_num_batched_tokens: Tokens in one step; vLLM's default for the GPU unless given.

    Raises:
        DoesNotFit: Nothing holds it, or not what was wanted.
        ValueError: An argument makes no sense.
    """
    asked = _Ask(
        model=model(wanted) if isinstance(wanted, str) else wanted,
        context_tokens=_positive("inference_context_tokens", context_tokens),
        concurrency=_positive("inference_concurrency", concurrency),
        kv_cache=kv_cache,
        utilization_per_mille=_per_mille(gpu_memory_utilization),
        max_num_seqs=max_num_seqs,
        max_num_batched_tokens=max_num_batched_tokens,
    )
    candidates = tuple(machines)
    chosen = tuple(_only(candidates, gpu_or_machine))
    fits, refusals = _answers(asked, chosen)
    if not fits:
        choices = tuple(_choices(asked, chosen, candidates))
        raise DoesNotFit(_refusal(asked, gpu_or_machine, refusals, choices), refusals, choices)
    return Sizing(
        model=asked.model,
        context_tokens=context_tokens,
        concurrency=concurrency,
        fits=fits,
        refusals=refusals,
    )


@dataclass(frozen=True, kw_only=True)
class _Ask:
    """A question, complete."""

    model: Model
    context_tokens: int
    concurrency: int
    kv_cache: KvCache
    utilization_per_mille: int
    max_num_seqs: int | None
    max_num_batched_tokens: int | None


def _answers(ask: _Ask, machines: Iterable[Machine]) -> tuple[tuple[Fit, ...], tuple[Refusal, ...]]:
    """Every machine, as a fit or as a refusal; several nodes only if one of none is enough."""
    machines = tuple(machines)
    if ask.context_tokens > ask.model.context_tokens:
        reason = f"{ask.model.name} reads {ask.model.context_tokens:,} tokens at most"
        return (), tuple(Refusal(machine=row, reason=reason) for row in machines)
    tried = [_on(ask, row, (1,)) for row in machines]
    if not any(isinstance(answer, Fit) for answer in tried):
        nodes = range(2, _MOST_NODES + 1)
        wide = [_on(ask, row, nodes) for row in machines if row.fabric and row.count >= 8]
        tried += [answer for answer in wide if isinstance(answer, Fit)]
    fits = [answer for answer in tried if isinstance(answer, Fit)]
    return tuple(sorted(fits, key=_cost)), tuple(a for a in tried if isinstance(a, Refusal))


def _cost(fit: Fit) -> tuple[bool, float, int, str]:
    return fit.usd_hour is None, fit.usd_hour or 0.0, fit.nodes, fit.machine.slug


def _on(ask: _Ask, row: Machine, nodes: Iterable[int]) -> Fit | Refusal:
    """The smallest server on such machines that holds what is asked, or the largest that does not."""
    card = gpu(row.gpu)
    reason = _unsuited(ask, card)
    if reason:
        return Refusal(machine=row, reason=reason)
    fit = None
    for count in nodes:
        for parallel in _tensor_parallel(ask.model, row, all_gpus=count > 1):
            fit = arithmetic(ask.model, row, card, ask, tensor_parallel=parallel, nodes=count)
            if fit.max_concurrency >= ask.concurrency:
                return fit
    assert fit is not None  # noqa: S101  # one GPU always divides the heads
    reason = f"room for {fit.max_concurrency} requests of {ask.context_tokens:,} tokens"
    return Refusal(machine=row, reason=reason, fit=fit)
