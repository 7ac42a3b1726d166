"""Models with open weights that a model server of ours can hold: what their memory depends on.

The figures are those of each model's `config.json`; weights are the bytes of the published
safetensors. Models whose cache is not plain grouped-query attention, except for gpt-oss's sliding
windows, are left out until their arithmetic is known exactly (DeepSeek, Gemma, Qwen 3.5, Nemotron).
"""

from dataclasses import dataclass
from datetime import date
from typing import Literal

WeightFormat = Literal["bf16", "fp8", "mxfp4"]


@dataclass(frozen=True, kw_only=True)
class Model:
    """One set of weights.

    Attributes:
        name: What the application calls the model; the server answers to it.
        hugging_face: Where the weights are.
        base: Name that variants of the same model in other formats share.
        parameters: All of them.
        active_parameters: Those that one token passes through.
        ffn: Width of a feed-forward block, summed over the experts that one token passes through.
        experts: Experts that one token passes through; 0 where there are none.
        kv_heads: Heads that have keys and values of their own.
        context_tokens: The longest prompt and answer together without stretching the positions.
        weights_bytes: Size of the weights.
        weights_published: False where the size is computed: linear layers at one byte.
        loaded_bytes: What vLLM says that the weights take, where that is more: kernels for a format
            that the GPU lacks pad and reorder.
        sliding_layers: Layers that see only the last `window` tokens.
        gated: A person must accept the licence at Hugging Face, with a token.
    """

    name: str
    hugging_face: str
    base: str
    parameters: int
    active_parameters: int
    layers: int
    hidden: int
    ffn: int
    experts: int = 0
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    context_tokens: int
    format: WeightFormat
    weights_bytes: int
    weights_published: bool = True
    loaded_bytes: int | None = None
    sliding_layers: int = 0
    window: int = 0
    gated: bool = False
    licence: str
    source: str
    seen: date

    @property
    def revision(self) -> str | None:
        """Commit of the weights that we serve; None where no public source of one was found."""
        return REVISIONS.get(self.hugging_face)

    @property
    def resident_bytes(self) -> int:
        """Bytes of the weights once they are loaded."""
        return self.loaded_bytes or self.weights_bytes


_READ = date(2026, 11, 22)
_CARD = "arxiv.org/abs/2508.10925 table 1; config.json and model.safetensors.index.json"


def _gpt_oss(
    size: str, *, total: int, active: int, layers: int, weights: int, loaded: int
) -> Model:
    """gpt-oss: every other layer sees a window of 128 tokens; four experts a token.

    `loaded` is the log line "Model loading took" (120b: blog.huikang.dev/2025/12/28/vllm-logs.html,
    65.9651 GiB with Marlin; 20b: myoceane.fr, 2026-04-18, 13.72 GiB).
    """
    return Model(
        name=f"gpt-oss-{size}",
        hugging_face=f"openai/gpt-oss-{size}",
        base=f"gpt-oss-{size}",
        parameters=total,
        active_parameters=active,
        layers=layers,
        hidden=2880,
        ffn=4 * 2880,
        experts=4,
        heads=64,
        kv_heads=8,
        head_dim=64,
        vocabulary=201_088,
        context_tokens=131_072,
        format="mxfp4",
        weights_bytes=weights,
        loaded_bytes=loaded,
        sliding_layers=layers // 2,
        window=128,
        licence="Apache-2.0",
        source=_CARD,
        seen=date(2025, 8, 5),
    )


def _dense(
    name: str,
    hugging_face: str,
    *,
    parameters: int,
    shape: tuple[int, int, int, int, int, int],
    context_tokens: int,
    licence: str,
    gated: bool = False,
    fp8: str = "",
) -> tuple[Model, ...]:
    """A dense model in bfloat16 and, where somebody published it, in FP8.

    `shape` is layers, hidden, ffn, heads, kv_heads, vocabulary; heads are 128 wide in all of them.
    """
    layers, hidden, ffn, heads, kv_heads, vocabulary = shape
    linear = layers * (hidden * 128 * (2 * heads + 2 * kv_heads) + 3 * hidden * ffn)

    def variant(suffix: str, at: str, weight_format: WeightFormat, weights: int) -> Model:
        return Model(
            name=f"{name}{suffix}",
            hugging_face=at,
            base=name,
            parameters=parameters,
            active_parameters=parameters,
            layers=layers,
            hidden=hidden,
            ffn=ffn,
            heads=heads,
            kv_heads=kv_heads,
            head_dim=128,
            vocabulary=vocabulary,
            context_tokens=context_tokens,
            format=weight_format,
            weights_bytes=weights,
            weights_published=weight_format == "bf16",
            gated=gated and weight_format == "bf16",
            licence=licence,
            source=f"huggingface.co/{at} config.json and model.safetensors.index.json",
            seen=_READ,
        )

    rows = [variant("", hugging_face, "bf16", 2 * parameters)]
    if fp8:
        rows.append(variant("-fp8", fp8, "fp8", 2 * parameters - linear))
    return tuple(rows)


REVISIONS = {
    "openai/gpt-oss-120b": "b5c939de8f754692c1647ca79fbf85e8c1e70f8a",
    "openai/gpt-oss-20b": "6cee5e81ee83917806bbde320786a8fb61efebee",
    "meta-llama/Llama-3.1-8B-Instruct": "0e9e39f249a16976918f6564b8830bc894c89659",
    "meta-llama/Llama-3.3-70B-Instruct": "6f6073b423013f6a7d4d9f39144961bfbfbc386b",
    "Qwen/Qwen3-8B": "b968826d9c46dd6066d109eabc6255188de91218",
    "Qwen/Qwen3-32B": "9216db5781bf21249d130ec9da846c4624c16137",
}
"""Commits at Hugging Face, each as several public repositories pin it (read 2026-11-22)."""

MODELS = {
    row.name: row
    for row in (
        _gpt_oss(
            "120b",
            total=116_830_000_000,
            active=5_130_000_000,
            layers=36,
            weights=65_248_815_744,
            loaded=70_829_486_794,
        ),
        _gpt_oss(
            "20b",
            total=20_910_000_000,
            active=3_610_000_000,
            layers=24,
            weights=13_761_264_768,
            loaded=14_731_737_825,
        ),
        *_dense(
            "llama-3.1-8b-instruct",
            "meta-llama/Llama-3.1-8B-Instruct",
            parameters=8_030_261_248,
            shape=(32, 4096, 14_336, 32, 8, 128_256),
            context_tokens=131_072,
            licence="Llama 3.1 Community License",
            gated=True,
            fp8="RedHatAI/Meta-Llama-3.1-8B-Instruct-FP8",
        ),
        *_dense(
            "llama-3.3-70b-instruct",
            "meta-llama/Llama-3.3-70B-Instruct",
            parameters=70_553_706_496,
            shape=(80, 8192, 28_672, 64, 8, 128_256),
            context_tokens=131_072,
            licence="Llama 3.3 Community License",
            gated=True,
            fp8="RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic",
        ),
        *_dense(
            "qwen3-8b",
            "Qwen/Qwen3-8B",
            parameters=8_190_735_360,
            shape=(36, 4096, 12_288, 32, 8, 151_936),
            context_tokens=40_960,
            licence="Apache-2.0",
            fp8="Qwen/Qwen3-8B-FP8",
        ),
        *_dense(
            "qwen3-14b",
            "Qwen/Qwen3-14B",
            parameters=14_768_307_200,
            shape=(40, 5120, 17_408, 40, 8, 151_936),
            context_tokens=40_960,
            licence="Apache-2.0",
            fp8="Qwen/Qwen3-14B-FP8",
        ),
        *_dense(
            "qwen3-32b",
            "Qwen/Qwen3-32B",
            parameters=32_762_123_264,
            shape=(64, 5120, 25_600, 64, 8, 151_936),
            context_tokens=40_960,
            licence="Apache-2.0",
            fp8="Qwen/Qwen3-32B-FP8",
        ),
        *_dense(
            "mistral-nemo-12b-instruct",
            "mistralai/Mistral-Nemo-Instruct-2407",
            parameters=12_247_782_400,
            shape=(40, 5120, 14_336, 32, 8, 131_072),
            context_tokens=131_072,
            licence="Apache-2.0",
            fp8="RedHatAI/Mistral-Nemo-Instruct-2407-FP8",
        ),
        *_dense(
            "mistral-small-24b-instruct",
            "mistralai/Mistral-Small-24B-Instruct-2501",
            parameters=23_572_403_200,
            shape=(40, 5120, 32_768, 32, 8, 131_072),
            context_tokens=32_768,
            licence="Apache-2.0",
            fp8="RedHatAI/Mistral-Small-24B-Instruct-2501-FP8-dynamic",
        ),
        Model(
            name="qwen3-coder-30b-a3b-instruct",
            hugging_face="Qwen/Qwen3-Coder-30B-A3B-Instruct",
            base="qwen3-coder-30b-a3b-instruct",
            parameters=30_532_122_624,
            active_parameters=3_300_000_000,
            layers=48,
            hidden=2048,
            ffn=8 * 768,
            experts=8,
            heads=32,
            kv_heads=4,
            head_dim=128,
            vocabulary=151_936,
            context_tokens=262_144,
            format="bf16",
            weights_bytes=61_064_245_248,
            licence="Apache-2.0",
            source="huggingface.co/Qwen/Qwen3-Coder-30B-A3B-Instruct config.json",
            seen=_READ,
        ),
    )
}


def model(name: str) -> Model:
    """The model of that name; `ValueError` names the known ones and how to choose one."""
    try:
        return MODELS[name]
    except KeyError:
        raise ValueError(
            f"Unknown model {name!r}: its memory can be computed for {', '.join(sorted(MODELS))}."
            f" Choose one: pulumi config set inference_model {next(iter(MODELS))}"
        ) from None
