"""Tables of docs/reference/sizing.md: right-sizing results, and its arithmetic beside vLLM logs."""

from collections.abc import Iterator

from msgspec.structs import replace

from catalog import Row, Table
from sizing.machines import MACHINES, machines
from sizing.memory import GIB, Fit, arithmetic, request_bytes
from sizing.models import MODELS, Model
from sizing.right_sizing import DoesNotFit, size

_SHOWN = ("gpt-oss-120b", "llama-3.1-8b-instruct", "llama-3.3-70b-instruct")
_CONTEXTS = (8_192, 32_768, 131_072)
_CONCURRENCY = 8


class Published(Row, frozen=True, kw_only=True):
    """What a server of vLLM logged when it started.

    Attributes:
        where: The GPUs.
        machine: A machine of the catalogue with this GPU; None where none has it or it is not said.
        every_layer_full: The version logged tokens as if no layer had a window (before 0.14 or so).
        available_gib: "Available KV cache memory".
        kv_tokens: "GPU KV cache size", or blocks x 16.
        concurrency: "Maximum concurrency for N tokens per request".
    """

    model: str
    where: str
    machine: str | None
    tensor_parallel: int = 1
    utilization: float = 0.9
    context_tokens: int
    max_num_seqs: int = 256
    max_num_batched_tokens: int = 2048
    every_layer_full: bool = False
    available_gib: float
    kv_tokens: int | None = None
    concurrency: float | None = None

    @property
    def counted(self) -> Model:
        """The model as that version of vLLM counted its cache."""
        model = MODELS[self.model]
        return replace(model, sliding_layers=0) if self.every_layer_full else model

    @property
    def tokens_from_available(self) -> int:
        """Tokens that this arithmetic finds in the logged memory."""
        request = request_bytes(
            self.counted,
            self.context_tokens,
            tensor_parallel=self.tensor_parallel,
            max_num_batched_tokens=self.max_num_batched_tokens,
        )
        return int(self.available_gib * GIB) * self.context_tokens // request

    @property
    def predicted(self) -> Fit | None:
        """The whole arithmetic, where the GPU is in the catalogue."""
        if self.machine is None:
            return None
        return arithmetic(
            MODELS[self.model],
            MACHINES[self.machine],
            context_tokens=self.context_tokens,
            tensor_parallel=self.tensor_parallel,
            gpu_memory_utilization=self.utilization,
            max_num_seqs=self.max_num_seqs,
            max_num_batched_tokens=self.max_num_batched_tokens,
        )


PUBLISHED = Table("vllm_logs", Published, "model", "where")


def answers() -> Iterator[list[str]]:
    """A row for each model, context and platform: the cheapest machine and the arithmetic's sum."""
    for name in _SHOWN:
        for context in _CONTEXTS:
            for platform in sorted({row.platform for row in MACHINES.values()}):
                yield [name, f"{context:,}", platform, *_answer(name, context, platform)]


def _answer(name: str, context: int, platform: str) -> list[str]:
    try:
        sizing = size(
            name,
            context_tokens=context,
            concurrency=_CONCURRENCY,
            machines=machines(platform),
        )
    except DoesNotFit:
        return ["none", "", "", "", ""]
    fit = sizing.chosen
    price = "unknown" if fit.usd_hour is None else f"{fit.usd_hour:.2f}"
    return [
        f"`{fit.machine.slug}`",
        str(fit.tensor_parallel),
        price,
        f"{fit.available_bytes * fit.tensor_parallel / GIB:.1f}",
        str(fit.max_concurrency),
    ]


def comparisons() -> Iterator[list[str]]:
    """A row for each published log: what it says and what this arithmetic says."""
    for row in PUBLISHED.values():
        predicted = row.predicted
        yield [
            row.model,
            f"{row.where}, TP {row.tensor_parallel}, {row.utilization:g}",
            "" if row.kv_tokens is None else f"{row.kv_tokens:,}",
            "" if row.kv_tokens is None else f"{row.tokens_from_available:,}",
            f"{row.available_gib:.2f}",
            "" if predicted is None else f"{predicted.available_bytes / GIB:.2f}",
            row.origin,
        ]
