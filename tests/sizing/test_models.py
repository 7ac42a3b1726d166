"""The catalogue of models: shape, parameters and bytes of a row agree."""

import re

import pytest

from sizing.models import MODELS, Model, model

DENSE = [row for row in MODELS.values() if not row.experts]


def test_every_model_has_other_weights() -> None:
    assert len({row.hugging_face for row in MODELS.values()}) == len(MODELS)


def test_the_error_for_an_unknown_model_has_the_valid_names_and_a_remedy() -> None:
    with pytest.raises(
        ValueError, match=r"(?s)'gpt-5': .*llama-3.1-8b-instruct.*config set gpu_model"
    ):
        model("gpt-5")


@pytest.mark.parametrize("row", DENSE, ids=lambda row: row.name)
def test_the_shape_of_a_dense_model_gives_its_parameters(row: Model) -> None:
    normed_heads = 2 * row.head_dim if row.name.startswith("qwen3") else 0
    attention = row.hidden * row.head_dim * 2 * (row.heads + row.kv_heads) + normed_heads
    layer = attention + 3 * row.hidden * row.ffn + 2 * row.hidden
    assert row.layers * layer + 2 * row.vocabulary * row.hidden + row.hidden == row.parameters


@pytest.mark.parametrize("row", DENSE, ids=lambda row: row.name)
def test_bfloat16_has_two_bytes_per_parameter_and_fp8_between_one_and_two(row: Model) -> None:
    if row.format == "bf16":
        assert row.weights_bytes == 2 * row.parameters
    else:
        assert row.parameters < row.weights_bytes < 1.25 * row.parameters
        assert not row.weights_published


def test_an_fp8_model_has_the_size_of_its_published_files() -> None:
    # huggingface.co/neuralmagic/Meta-Llama-3-8B-Instruct-FP8: two files, 5 GB and 4.08 GB.
    assert model("llama-3.1-8b-instruct-fp8").weights_bytes == pytest.approx(9.08e9, rel=0.001)


@pytest.mark.parametrize(("name", "gib"), [("gpt-oss-120b", 60.8), ("gpt-oss-20b", 12.8)])
def test_gpt_oss_has_the_size_of_its_model_card_and_needs_more_memory(
    name: str, gib: float
) -> None:
    row = model(name)
    assert row.weights_bytes / 2**30 == pytest.approx(gib, abs=0.05)
    assert row.resident_bytes > row.weights_bytes
    assert row.sliding_layers == row.layers // 2


@pytest.mark.parametrize("row", MODELS.values(), ids=MODELS)
def test_the_number_of_heads_is_a_multiple_of_the_kv_heads(row: Model) -> None:
    assert row.heads % row.kv_heads == 0
    assert row.active_parameters <= row.parameters


def test_a_revision_is_a_commit() -> None:
    revisions = [row.revision for row in MODELS.values() if row.revision is not None]
    assert revisions
    assert all(re.fullmatch("[0-9a-f]{40}", commit) for commit in revisions)
