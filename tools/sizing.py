"""Tables of docs/reference/sizing.md: right-sizing results, and its arithmetic beside vLLM logs."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

from components.gpu import MACHINES, machines
from components.memory import GIB, Fit, arithmetic, request_bytes
from components.models import MODELS, Model
from components.sizing import DoesNotFit, size

_SHOWN = ("gpt-oss-120b", "llama-3.1-8b-instruct", "llama-3.3-70b-instruct")
_CONTEXTS = (8_192, 32_768, 131_072)
_CONCURRENCY = 8


@dataclass(frozen=True, kw_only=True)
class Published:
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
    source: str
    seen: date

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
    def foretold(self) -> Fit | None:
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


PUBLISHED = (
    Published(
        model="gpt-oss-120b",
        where="1 x H100 80 GB, vLLM 0.11.2",
        machine="p5.4xlarge",
        utilization=0.96,
        context_tokens=98_304,
        max_num_seqs=6,
        every_layer_full=True,
        available_gib=8.99,
        kv_tokens=130_960,
        source="https://blog.huikang.dev/2025/12/28/vllm-logs.html",
        seen=date(2025, 12, 28),
    ),
    Published(
        model="gpt-oss-120b",
        where="1 x H100 80 GB, refused to start",
        machine="p5.4xlarge",
        utilization=0.95,
        context_tokens=131_072,
        max_num_seqs=1024,
        max_num_batched_tokens=1024,
        available_gib=1.71,
        source="https://github.com/vllm-project/vllm/issues/27508",
        seen=date(2025, 10, 31),
    ),
    Published(
        model="gpt-oss-20b",
        where="1 x A100 80 GB, vLLM 0.19",
        machine="p4de.24xlarge",
        utilization=0.65,
        context_tokens=131_072,
        available_gib=36.56,
        source="https://myoceane.fr/index.php/ai-vllm-a100-gemma-4/",
        seen=date(2026, 4, 18),
    ),
    Published(
        model="llama-3.1-8b-instruct",
        where="1 x RTX 3090, vLLM 0.6",
        machine=None,
        context_tokens=20_000,
        available_gib=3.81,
        kv_tokens=1952 * 16,
        concurrency=1.56,
        source="https://github.com/vllm-project/vllm/issues/10517",
        seen=date(2024, 12, 2),
    ),
    Published(
        # Llama 3 8B, of the same shape. That engine ran whole prompts in one step of its own size,
        # so that only the tokens compare.
        model="llama-3.1-8b-instruct",
        where="1 x A100 40 GB, vLLM 0.6",
        machine=None,
        context_tokens=8_192,
        available_gib=11.12,
        kv_tokens=5691 * 16,
        concurrency=11.12,
        source="https://github.com/vllm-project/vllm/issues/12330",
        seen=date(2025, 1, 13),
    ),
    Published(
        model="qwen3-14b",
        where="GPU not said",
        machine=None,
        context_tokens=32_768,
        available_gib=6.51,
        kv_tokens=42_656,
        concurrency=1.30,
        source="https://github.com/LMCache/LMCache/issues/1739",
        seen=date(2025, 10, 3),
    ),
    Published(
        model="qwen3-32b",
        where="2 x RTX PRO 6000, vLLM 0.27.1",
        machine="g7e.12xlarge",
        tensor_parallel=2,
        utilization=0.426,
        context_tokens=32_768,
        max_num_seqs=1024,
        max_num_batched_tokens=8192,
        available_gib=8.22,
        kv_tokens=67_296,
        concurrency=2.05,
        source="Kubesimplify, Running a single LLM across two GPUs with vLLM",
        seen=date(2026, 8, 18),
    ),
    Published(
        model="qwen3-32b",
        where="1 x H100 80 GB, vLLM 0.26",
        machine="p5.4xlarge",
        context_tokens=8_192,
        max_num_seqs=1024,
        max_num_batched_tokens=8192,
        available_gib=8.52,
        source="https://llm-d.ai/docs/dev/operations/startup/pod-snapshot (benchmark)",
        seen=date(2026, 11, 22),
    ),
    Published(
        model="qwen3-coder-30b-a3b-instruct",
        where="4 x L40S (g6e.12xlarge), vLLM 0.24",
        machine="g6e.12xlarge",
        tensor_parallel=4,
        context_tokens=32_768,
        available_gib=23.74,
        kv_tokens=1_037_152,
        concurrency=31.65,
        source="github.com/aws-samples/sample-claude-code-multi-model self-hosted/vllm/README.md",
        seen=date(2026, 7, 31),
    ),
)


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
    for row in PUBLISHED:
        foretold = row.foretold
        yield [
            row.model,
            f"{row.where}, TP {row.tensor_parallel}, {row.utilization:g}",
            "" if row.kv_tokens is None else f"{row.kv_tokens:,}",
            "" if row.kv_tokens is None else f"{row.tokens_from_available:,}",
            f"{row.available_gib:.2f}",
            "" if foretold is None else f"{foretold.available_bytes / GIB:.2f}",
            f"{row.source}, {row.seen}",
        ]
