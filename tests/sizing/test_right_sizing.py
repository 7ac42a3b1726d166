"""Right-sizing agrees with manual calculations and with logs of servers."""

from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from sizing.machines import MACHINES, gpu, machine, machines
from sizing.memory import GIB, arithmetic, request_bytes, step_tokens
from sizing.models import MODELS, Model, model
from sizing.right_sizing import DoesNotFit, Sizing, size
from tools.docs.sizing import PUBLISHED, Published

LLAMA_8B = model("llama-3.1-8b-instruct")
LLAMA_70B = model("llama-3.3-70b-instruct")
GPT_OSS = model("gpt-oss-120b")


# Manual calculation


@pytest.mark.parametrize("context", [8_192, 32_768, 131_072])
@pytest.mark.parametrize(
    ("row", "layers", "kib"), [(LLAMA_8B, 32, 128), (LLAMA_70B, 80, 320)], ids=["8b", "70b"]
)
def test_a_token_of_llama_needs_keys_and_values_in_every_layer(
    row: Model, layers: int, kib: int, context: int
) -> None:
    size = request_bytes(row, context, tensor_parallel=1, max_num_batched_tokens=8192)
    assert size == context * kib * 1024 == context * 2 * layers * 8 * 128 * 2


@pytest.mark.parametrize("context", [8_192, 32_768, 131_072])
def test_every_second_layer_of_gpt_oss_has_a_window_and_a_step(context: int) -> None:
    page = 16 * 2 * 8 * 64 * 2
    window = min(127 + 2048, context)
    size = request_bytes(GPT_OSS, context, tensor_parallel=1, max_num_batched_tokens=2048)
    assert size == 18 * page * (context // 16) + 18 * page * (window // 16 + 2)


def test_tensor_parallelism_divides_the_heads_and_then_copies_them() -> None:
    row = model("qwen3-coder-30b-a3b-instruct")
    sizes = [
        request_bytes(row, 8192, tensor_parallel=n, max_num_batched_tokens=2048)
        for n in (1, 2, 4, 8)
    ]
    assert [sizes[0] / size for size in sizes] == [1, 2, 4, 4]


def test_each_of_two_nodes_has_half_of_the_layers() -> None:
    whole, half = (
        request_bytes(LLAMA_70B, 8192, tensor_parallel=8, nodes=nodes, max_num_batched_tokens=8192)
        for nodes in (1, 2)
    )
    assert half * 2 == whole


def test_a_partly_used_page_needs_a_whole_page() -> None:
    one, sixteen, seventeen = (
        request_bytes(LLAMA_8B, tokens, tensor_parallel=1, max_num_batched_tokens=8192)
        for tokens in (1, 16, 17)
    )
    assert one == sixteen == seventeen // 2


def test_the_memory_for_requests_is_the_rest_after_weights_step_and_reserves() -> None:
    arguments = {"context_tokens": 8192, "tensor_parallel": 1, "max_num_seqs": 8}
    fit = arithmetic(LLAMA_8B, machine("g6e.xlarge"), **arguments)
    visible = 45_776 * 2**20 * 985 // 1000 * 900 // 1000
    step = 2 * 2048 * (3 * 4096 + 3 * 14_336)
    assert fit.available_bytes == visible - 16_060_522_496 - step - 2 * GIB
    terms = [visible, -16_060_522_496, -step, -GIB, -GIB]
    assert [line.size for line in fit.lines[:-2]] == terms
    assert fit.max_concurrency == 22
    assert fit.kv_tokens // 8192 == 22


def test_with_many_sequences_the_sampler_needs_the_most_memory() -> None:
    def peak(sequences: int) -> int:
        arguments = {"context_tokens": 8192, "tensor_parallel": 1, "max_num_seqs": sequences}
        return -arithmetic(GPT_OSS, machine("p5.4xlarge"), **arguments).lines[2].size

    assert peak(8) == 2 * 8192 * (3 * 2880 + 3 * 11_520 + 4 * 2880)
    assert peak(1024) == 16 * 1024 * 201_088


def test_a_step_has_fewer_tokens_on_a_small_gpu_and_on_an_a100() -> None:
    expected = {"h100": 8192, "mi300x": 8192, "l40s": 2048, "a100": 2048}
    assert {name: step_tokens(gpu(name)) for name in expected} == expected


# Logs of vLLM servers


@pytest.mark.parametrize(
    "row", [row for row in PUBLISHED.values() if row.kv_tokens], ids=lambda row: row.source
)
def test_the_tokens_for_a_logged_memory_are_the_logged_tokens(row: Published) -> None:
    assert row.tokens_from_available == pytest.approx(row.kv_tokens, rel=0.001)
    if row.concurrency:
        assert row.tokens_from_available / row.context_tokens == pytest.approx(
            row.concurrency, abs=0.01
        )


@pytest.mark.parametrize(
    "row",
    [row for row in PUBLISHED.values() if row.machine and "27508" not in row.origin],
    ids=lambda row: row.source,
)
def test_the_predicted_memory_is_at_most_three_gib_below_the_logged_memory(row: Published) -> None:
    predicted = row.predicted
    assert predicted is not None
    assert row.available_gib - 3 <= predicted.available_bytes / GIB <= row.available_gib


def test_a_server_that_did_not_start_has_a_predicted_concurrency_of_zero() -> None:
    (row,) = (row for row in PUBLISHED.values() if "27508" in row.origin)
    assert row.predicted is not None
    assert row.predicted.max_concurrency == 0


def test_the_activations_are_those_of_the_log_of_vllm_10517() -> None:
    # peak_torch_memory less the weights, for one step of 20,000 and one of 29,000 tokens.
    for tokens, gib in ((20_000, 17.06 - 14.99), (29_000, 17.98 - 14.99)):
        assert 2 * tokens * (3 * 4096 + 3 * 14_336) == pytest.approx(gib * GIB, rel=0.01)


# Choosing


def _size(name: str, platform: str, **arguments: Any) -> Sizing:
    defaults: dict[str, Any] = {"context_tokens": 8192, "concurrency": 8}
    return size(name, **defaults | {"machines": machines(platform)} | arguments)


def test_fits_are_sorted_by_price_with_unknown_prices_last() -> None:
    prices = [fit.usd_hour for fit in _size("gpt-oss-120b", "aws").fits]
    known = [price for price in prices if price is not None]
    assert known == sorted(known)
    assert prices[len(known) :] == [None]


def test_a_machine_has_as_many_replicas_of_the_smallest_server_as_fit() -> None:
    fits = {fit.machine.slug: fit for fit in _size("llama-3.1-8b-instruct", "aws").fits}
    assert fits["p5.48xlarge"].tensor_parallel == 1
    assert fits["p5.48xlarge"].replicas_per_machine == 8
    assert fits["g5.12xlarge"].tensor_parallel == 2
    assert fits["g5.12xlarge"].replicas_per_machine == 2


def test_every_machine_is_either_a_fit_or_a_refusal() -> None:
    sizing = _size("qwen3-32b", "aws")
    named = {fit.machine.slug for fit in sizing.fits} | {r.machine.slug for r in sizing.refusals}
    assert named == {row.slug for row in machines("aws")}


def test_a_gpu_without_bfloat16_is_refused_by_name() -> None:
    reasons = {r.machine.gpu: r.reason for r in _size("qwen3-8b", "aws").refusals}
    assert reasons["t4"] == "the T4 does not compute bfloat16"


def test_a_gpu_without_fp8_takes_fp8_weights_with_a_note() -> None:
    fit = _size("llama-3.1-8b-instruct-fp8", "aws", gpu_or_machine="a10g").chosen
    assert fit.notes == ("the A10G lacks FP8: vLLM's Marlin kernels, weights only",)


def test_mxfp4_is_native_on_blackwell_and_noted_on_hopper() -> None:
    notes = {fit.machine.gpu: fit.notes for fit in _size("gpt-oss-120b", "aws").fits}
    assert notes["b200"] == notes["rtx-pro-6000"] == ()
    assert notes["h100"] == (
        "the H100 SXM5 lacks MXFP4: vLLM's Triton or Marlin kernels, weights only",
    )


def test_a_model_too_large_for_eight_gpus_needs_two_machines_with_a_network() -> None:
    huge = replace(LLAMA_70B, name="huge", base="huge", weights_bytes=810 * 10**9)
    fit = size(huge, context_tokens=8192, concurrency=4, machines=[machine("p5.48xlarge")]).chosen
    assert (fit.nodes, fit.tensor_parallel, fit.replicas_per_machine) == (2, 8, 1)
    assert fit.usd_hour == 110.08
    with pytest.raises(DoesNotFit):
        size(huge, context_tokens=8192, concurrency=4, machines=[machine("gpu-h100x8-640gb")])


def test_too_many_requests_for_one_machine_do_not_need_two_machines() -> None:
    with pytest.raises(DoesNotFit, match="fewer requests at once") as refused:
        size(
            LLAMA_70B,
            context_tokens=131_072,
            concurrency=1000,
            machines=[machine("p5.48xlarge")],
        )
    assert all(choice.fit.nodes == 1 for choice in refused.value.choices)


def test_the_text_has_the_choice_and_the_prices_of_the_others() -> None:
    text = _size("gpt-oss-120b", "aws").text
    assert text.startswith("gpt-oss-120b: g7e.2xlarge (1 x RTX PRO 6000 Blackwell Server Edition)")
    assert "$3.36/h" in text.splitlines()[0]
    assert "p5e.48xlarge (price unknown)" in text.splitlines()[-1]


def test_a_machine_of_a_known_region_comes_before_one_of_an_unknown_region() -> None:
    rows = [machine("gpu-mi300x8-1536gb"), machine("gpu-mi325x8-2048gb")]
    sizing = {
        region: size(LLAMA_70B, context_tokens=131_072, concurrency=8, machines=rows, region=region)
        for region in ("", "tor1")
    }

    assert [row.regions for row in rows] == [None, ("nyc2", "tor1")]
    assert [fit.machine for fit in sizing[""].fits] == rows
    assert [fit.machine for fit in sizing["tor1"].fits] == rows[::-1]


def test_a_vendor_is_no_default_and_is_offered_as_another_machine() -> None:
    assert _size("gpt-oss-120b", "digitalocean", vendors=["nvidia"]).chosen.gpu.vendor == "nvidia"
    arguments: dict[str, Any] = {"region": "tor1", "context_tokens": 131_072, "concurrency": 20}
    one = [row for row in machines("digitalocean", region="tor1") if row.count == 1]
    with pytest.raises(DoesNotFit, match=r"^gpt-oss-120b .* in tor1 does not fit") as refused:
        size("gpt-oss-120b", **arguments, machines=one, vendors=["nvidia"])
    assert refused.value.choices[0].settings == {"gpu_type": "gpu-mi325x1-256gb"}


# Errors


def test_the_error_has_the_arithmetic_and_the_remedies() -> None:
    with pytest.raises(DoesNotFit) as refused:
        _size("gpt-oss-120b", "digitalocean", gpu_or_machine="gpu-l40sx1-48gb")
    text = str(refused.value)
    assert text.startswith(
        "gpt-oss-120b for 8 requests of 8,192 tokens does not fit on gpu_type gpu-l40sx1-48gb."
    )
    assert "-65.97 GiB  weights (mxfp4) over 1 GPUs" in text
    assert "pulumi config set gpu_type gpu-mi325x1-256gb" in text


def test_the_remedies_are_another_machine_fewer_requests_and_less_context() -> None:
    with pytest.raises(DoesNotFit) as refused:
        _size(LLAMA_8B.name, "digitalocean", gpu_or_machine="l40s", context_tokens=32_768)
    assert [(choice.what, dict(choice.settings)) for choice in refused.value.choices] == [
        ("another machine", {"gpu_type": "gpu-mi325x1-256gb"}),
        ("fewer requests at once", {"gpu_concurrency": "5"}),
        ("a shorter context", {"gpu_context_tokens": "22528"}),
    ]


def test_no_choice_has_a_context_below_the_least() -> None:
    arguments: dict[str, Any] = {"gpu_or_machine": "gpu-h100x1-80gb", "context_tokens": 32_768}
    choices = {}
    for least in (1, 4096):
        with pytest.raises(DoesNotFit) as refused:
            _size("gpt-oss-120b", "digitalocean", least_context_tokens=least, **arguments)
        choices[least] = [choice.what for choice in refused.value.choices]
    assert choices[1] == [*choices[4096], "a shorter context"]


def test_the_error_for_a_long_context_has_the_longest_one_of_the_model() -> None:
    with pytest.raises(DoesNotFit, match="qwen3-8b reads 40,960 tokens at most") as refused:
        _size("qwen3-8b", "digitalocean", context_tokens=65_536)
    assert {"gpu_context_tokens": "40960"} in [c.settings for c in refused.value.choices]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"context_tokens": 0}, "gpu_context_tokens is 0: it must be at least 1"),
        ({"concurrency": -1}, "gpu_concurrency is -1: it must be at least 1"),
        ({"gpu_or_machine": "p5.48xlarge"}, "gpu_type is 'p5.48xlarge': it must be a GPU or"),
        ({"machines": []}, "Right-sizing needs at least one machine"),
    ],
)
def test_the_error_for_an_invalid_argument_names_it(
    arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        _size("gpt-oss-120b", "digitalocean", **arguments)


def test_the_remedy_for_an_unknown_gpu_is_a_machine_that_fits() -> None:
    with pytest.raises(DoesNotFit) as refused:
        _size("gpt-oss-120b", "aws", gpu_or_machine="h900")
    text = str(refused.value)
    assert text.startswith("gpu_type is 'h900': it must be a GPU or a machine of the catalogue.")
    assert text.endswith("- another machine: g7e.2xlarge\n  pulumi config set gpu_type g7e.2xlarge")


# Properties for any input

names = st.sampled_from(sorted(MODELS))
contexts = st.sampled_from([1024, 8192, 32_768, 131_072, 262_144])
counts = st.integers(1, 400)
rows = st.sampled_from(sorted(row.slug for row in MACHINES.values()))


@given(name=names, context=contexts, slug=rows, more=st.integers(0, 200_000))
@settings(max_examples=150)
def test_more_memory_has_room_for_as_many_tokens_or_more(
    name: str, context: int, slug: str, more: int
) -> None:
    row = machine(slug)
    card = gpu(row.gpu)
    arguments: dict[str, Any] = {"context_tokens": context, "tensor_parallel": 1}
    arguments |= {"max_num_seqs": 8, "max_num_batched_tokens": 2048}
    less = arithmetic(model(name), row, **arguments)
    bigger = replace(card, memory_mib=card.memory_mib + more)
    with patch("sizing.machines.GPUS", {card.name: bigger}):
        more_tokens = arithmetic(model(name), row, **arguments)
    assert more_tokens.kv_tokens >= less.kv_tokens


@given(
    name=names,
    context=contexts,
    count=counts,
    platform=st.sampled_from(["aws", "digitalocean"]),
    wanted=st.none() | rows,
)
@settings(max_examples=80)
def test_a_fit_has_room_for_the_requests_and_the_choices_of_an_error_do_too(
    name: str, context: int, count: int, platform: str, wanted: str | None
) -> None:
    candidates = tuple(MACHINES.values()) if wanted else tuple(machines(platform))
    arguments: dict[str, Any] = {"context_tokens": context, "concurrency": count}
    answer: Sizing | DoesNotFit
    try:
        answer = size(name, machines=candidates, gpu_or_machine=wanted, **arguments)
    except DoesNotFit as error:
        answer = error
    if isinstance(answer, Sizing):
        costs = [fit.usd_hour for fit in answer.fits if fit.usd_hour is not None]
        assert costs == sorted(costs)
        assert {fit.machine.slug for fit in answer.fits} <= ({wanted} if wanted else set(MACHINES))
        for fit in answer.fits:
            assert answer.model.heads % fit.tensor_parallel == 0
            assert fit.machine.count % fit.tensor_parallel == 0
            assert fit.available_bytes >= count * fit.request_bytes
    else:
        assert answer.choices
        for choice in answer.choices:
            lines = (f"pulumi config set {k} {v}" for k, v in choice.settings.items())
            assert all(line in str(answer) for line in lines)
            again = size(
                choice.settings.get("gpu_model", name),
                context_tokens=int(choice.settings.get("gpu_context_tokens", context)),
                concurrency=int(choice.settings.get("gpu_concurrency", count)),
                machines=candidates,
                gpu_or_machine=choice.settings.get("gpu_type", wanted),
            )
            assert again.chosen == choice.fit
