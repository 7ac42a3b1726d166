"""Models with open weights that a model server of ours can hold: what their memory depends on."""

from typing import Literal

from catalog import Count, Row, Table

WeightFormat = Literal["bf16", "fp8", "mxfp4"]


class Model(Row, frozen=True, kw_only=True):
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
        revision: Commit of the weights that we serve; None where no public source of one was found.
        gated: A person must accept the licence at Hugging Face, with a token.
    """

    name: str
    hugging_face: str
    base: str
    parameters: Count
    active_parameters: Count
    layers: Count
    hidden: Count
    ffn: Count
    experts: Count = 0
    heads: Count
    kv_heads: Count
    head_dim: Count
    vocabulary: Count
    context_tokens: Count
    format: WeightFormat
    weights_bytes: Count
    weights_published: bool = True
    loaded_bytes: Count | None = None
    sliding_layers: Count = 0
    window: Count = 0
    gated: bool = False
    licence: str
    revision: str | None = None

    @property
    def resident_bytes(self) -> int:
        """Bytes of the weights once they are loaded."""
        return self.loaded_bytes or self.weights_bytes


MODELS = Table("models", Model)


def model(name: str) -> Model:
    """The model of that name; `ValueError` names the known ones and how to choose one."""
    try:
        return MODELS[name]
    except KeyError:
        raise ValueError(
            f"Unknown model {name!r}: its memory can be computed for {', '.join(sorted(MODELS))}."
            f" Choose one: pulumi config set gpu_model {next(iter(MODELS))}"
        ) from None
