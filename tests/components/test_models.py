"""The catalogue of models is whole, and rows agree with themselves: shape, parameters, bytes."""

import re
from datetime import date

import pytest

from components.models import MODELS, REVISIONS, Model, model

DENSE = [row for row in MODELS.values() if not row.experts]


@pytest.mark.parametrize("row", MODELS.values(), ids=MODELS)
def test_a_model_is_found_by_its_name_and_says_where_its_figures_are_from(row: Model) -> None:
    assert model(row.name) is row
    assert row.source
    assert row.licence
    assert row.seen <= date(2026, 11, 22)
    assert "/" in row.hugging_face


def test_no_two_rows_are_the_same_weights() -> None:
    assert len({row.hugging_face for row in MODELS.values()}) == len(MODELS)


def test_an_unknown_model_is_refused_with_the_known_ones_and_the_line_that_mends_it() -> None:
    with pytest.raises(ValueError, match=r"(?s)'gpt-5': .*llama-3.1-8b-instruct.*config set infer"):
        model("gpt-5")


@pytest.mark.parametrize("row", DENSE, ids=lambda row: row.name)
def test_a_dense_models_shape_adds_up_to_its_parameters(row: Model) -> None:
    normed_heads = 2 * row.head_dim if row.name.startswith("qwen3") else 0
    attention = row.hidden * row.head_dim * 2 * (row.heads + row.kv_heads) + normed_heads
    layer = attention + 3 * row.hidden * row.ffn + 2 * row.hidden
    assert row.layers * layer + 2 * row.vocabulary * row.hidden + row.hidden == row.parameters


@pytest.mark.parametrize("row", DENSE, ids=lambda row: row.name)
def test_bfloat16_is_two_bytes_a_parameter_and_fp8_between_one_and_two(row: Model) -> None:
    if row.format == "bf16":
        assert row.weights_bytes == 2 * row.parameters
    else:
        assert row.parameters < row.weights_bytes < 1.25 * row.parameters
        assert not row.weights_published


def test_an_fp8_variant_has_the_size_of_the_published_files() -> None:
    # huggingface.co/neuralmagic/Meta-Llama-3-8B-Instruct-FP8: two files, 5 GB and 4.08 GB.
    assert model("llama-3.1-8b-instruct-fp8").weights_bytes == pytest.approx(9.08e9, rel=0.001)


def test_a_variant_differs_from_its_base_in_the_format_only() -> None:
    base, variant = model("qwen3-32b"), model("qwen3-32b-fp8")
    assert variant.base == base.base
    assert (variant.layers, variant.kv_heads, variant.head_dim) == (64, 8, 128)


@pytest.mark.parametrize(("name", "gib"), [("gpt-oss-120b", 60.8), ("gpt-oss-20b", 12.8)])
def test_gpt_oss_has_the_size_of_its_model_card_and_takes_more_when_loaded(
    name: str, gib: float
) -> None:
    row = model(name)
    assert row.weights_bytes / 2**30 == pytest.approx(gib, abs=0.05)
    assert row.resident_bytes > row.weights_bytes
    assert row.sliding_layers == row.layers // 2


@pytest.mark.parametrize("row", MODELS.values(), ids=MODELS)
def test_heads_share_keys_and_values_evenly(row: Model) -> None:
    assert row.heads % row.kv_heads == 0
    assert row.active_parameters <= row.parameters


def test_a_revision_is_a_commit_of_weights_in_the_table() -> None:
    repositories = {row.hugging_face for row in MODELS.values()}
    assert repositories >= REVISIONS.keys()
    assert all(re.fullmatch("[0-9a-f]{40}", commit) for commit in REVISIONS.values())
    assert model("gpt-oss-120b").revision == REVISIONS["openai/gpt-oss-120b"]
    assert model("qwen3-14b").revision is None
