import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.architecture import Architecture, architecture_of
from models.catalogue import find_model
from models.errors import UnknownPrecision
from models.fit import Fit, NoLayout, Wish, fit, layouts, remedies
from models.gpus import GPUS, find_gpu
from models.memory import (
    Layout,
    Precision,
    activation_bytes,
    kv_bytes_of_sequence,
    kv_bytes_per_token,
    kv_cache_tokens,
    read_precision,
    stages,
    weight_bytes,
)

KIB = 1024


def dense(
    layers: int, hidden: int, middle: int, heads: int, kv_heads: int, vocabulary: int, kind: str = "llama"
) -> Architecture:
    return architecture_of(
        {
            "model_type": kind,
            "num_hidden_layers": layers,
            "hidden_size": hidden,
            "intermediate_size": middle,
            "num_attention_heads": heads,
            "num_key_value_heads": kv_heads,
            "vocab_size": vocabulary,
            "max_position_embeddings": 131072,
        }
    )


LLAMA_8B = dense(32, 4096, 14336, 32, 8, 128256)
LLAMA_70B = dense(80, 8192, 28672, 64, 8, 128256)
QWEN_7B = dense(28, 3584, 18944, 28, 4, 152064, "qwen2")
GPT_OSS = architecture_of(
    {
        "model_type": "gpt_oss",
        "num_hidden_layers": 24,
        "hidden_size": 2880,
        "head_dim": 64,
        "intermediate_size": 2880,
        "num_attention_heads": 64,
        "num_key_value_heads": 8,
        "num_local_experts": 32,
        "num_experts_per_tok": 4,
        "vocab_size": 201088,
        "sliding_window": 128,
        "attention_bias": True,
        "max_position_embeddings": 131072,
    }
)
DEEPSEEK = architecture_of(
    {
        "model_type": "deepseek_v3",
        "num_hidden_layers": 61,
        "hidden_size": 7168,
        "intermediate_size": 18432,
        "moe_intermediate_size": 2048,
        "n_routed_experts": 256,
        "n_shared_experts": 1,
        "num_experts_per_tok": 8,
        "first_k_dense_replace": 3,
        "num_attention_heads": 128,
        "kv_lora_rank": 512,
        "q_lora_rank": 1536,
        "qk_rope_head_dim": 64,
        "qk_nope_head_dim": 128,
        "v_head_dim": 128,
        "vocab_size": 129280,
        "max_position_embeddings": 163840,
    }
)
MODELS = (LLAMA_8B, LLAMA_70B, QWEN_7B, GPT_OSS, DEEPSEEK)


@pytest.mark.parametrize(("architecture", "kib"), [(LLAMA_8B, 128), (LLAMA_70B, 320), (QWEN_7B, 56)])
def test_a_token_takes_the_kv_bytes_that_are_published(architecture: Architecture, kib: int) -> None:
    assert kv_bytes_per_token(architecture, "bf16").value == kib * KIB


def test_latent_attention_keeps_one_vector_a_token_on_every_gpu() -> None:
    alone, of_eight = (kv_bytes_per_token(DEEPSEEK, "bf16", layout).value for layout in (Layout(), Layout(tensor=8)))

    assert alone == of_eight == 61 * (512 + 64) * 2


def test_kv_heads_are_split_and_then_repeated() -> None:
    per_gpu = [kv_bytes_per_token(LLAMA_8B, "bf16", Layout(tensor=tensor)).value for tensor in (1, 2, 8, 16)]

    assert per_gpu == [128 * KIB, 64 * KIB, 16 * KIB, 16 * KIB]


def test_layers_with_a_window_stop_growing() -> None:
    inside, beyond = (kv_bytes_of_sequence(GPT_OSS, tokens, "bf16") for tokens in (128, 10_128))

    assert inside == 128 * kv_bytes_per_token(GPT_OSS, "bf16").value
    assert beyond - inside == 10_000 * kv_bytes_per_token(GPT_OSS, "bf16").value / 2


def test_weights_of_a_published_fp8_checkpoint_are_reckoned_within_one_percent() -> None:
    # Its embeddings and head stay in bfloat16: 9.08 GB of safetensors.
    assert weight_bytes(LLAMA_8B, "fp8").value == pytest.approx(9.08e9, rel=0.01)


def test_weights_of_a_published_mxfp4_checkpoint_are_reckoned_within_one_percent() -> None:
    # The card's 13.8 GB of safetensors: experts in MXFP4, the rest in bfloat16.
    assert weight_bytes(GPT_OSS, "mxfp4").value == pytest.approx(13.76e9, rel=0.01)


def test_an_unquantised_model_takes_two_bytes_a_parameter() -> None:
    assert weight_bytes(LLAMA_8B, "bf16").value == 2 * LLAMA_8B.parameters


@pytest.mark.parametrize("architecture", MODELS)
@pytest.mark.parametrize("precision", ["bf16", "fp8", "mxfp4"])
def test_the_printed_formula_comes_to_the_value(architecture: Architecture, precision: Precision) -> None:
    figure = weight_bytes(architecture, precision)
    terms = re.match(r"([\d,]+) parameters × ([\d.]+) B .*? \+ ([\d,]+) × (\d) B", figure.formula)

    assert terms is not None
    narrow, narrow_bytes, plain, plain_bytes = (float(term.replace(",", "")) for term in terms.groups())
    assert narrow * narrow_bytes + plain * plain_bytes == pytest.approx(figure.value, rel=1e-3)


# vLLM's start-up logs on H100s (79.18 GiB) at a utilisation of 0.9 with 1,024 sequences and 8,192 tokens a step, published by
# llm-d-benchmark: GiB of weights, of the activations' peak, and left for the cache.
STARTS = [
    ("llama-3.1-8b", "bf16", 1, 14.99, 4.76, 51.38),
    ("llama-3.3-70b", "fp8", 2, 33.88, 4.84, 32.0),
    ("qwen3-0.6b", "bf16", 1, 1.12, 5.56, 64.45),
]


@pytest.mark.parametrize(("name", "precision", "gpus", "weights", "activations", "room"), STARTS)
def test_what_is_reckoned_is_what_vllm_logged_on_an_h100(
    name: str, precision: Precision, gpus: int, weights: float, activations: float, room: float
) -> None:
    wish = Wish(16_000, precision, sequences=1024, batched_tokens=8192, utilization=0.9)

    one = fit(find_model(name).architecture, find_gpu("h100"), Layout(tensor=gpus), wish)

    assert one.weights.gib == pytest.approx(weights, rel=0.01)
    assert one.activations.gib == pytest.approx(activations, rel=0.01)
    assert one.kv_room.gib == pytest.approx(room, rel=0.02)


def test_an_older_log_with_fewer_sequences_agrees() -> None:
    # 256 sequences: 1.19 and 1.23 GiB were published.
    assert activation_bytes(LLAMA_8B, 8192, 256).gib == pytest.approx(1.21, rel=0.03)


def test_pipeline_stages_hold_every_layer_once_and_the_surplus_before_the_last() -> None:
    parts = stages(61, 4)

    assert [len(part) for part in parts] == [15, 15, 16, 15]
    assert [layer for part in parts for layer in part] == list(range(61))


def test_the_cache_holds_whole_blocks() -> None:
    assert kv_cache_tokens(LLAMA_8B, 10.9 * 16 * 128 * KIB, "bf16", 16) == 160


def test_precisions_have_other_names() -> None:
    assert [read_precision(text) for text in ("FP8", "bfloat16", "NVFP4", "awq")] == ["fp8", "bf16", "fp4", "int4"]
    with pytest.raises(UnknownPrecision, match="fp7"):
        read_precision("fp7")


def test_a_layout_that_can_not_be_says_why() -> None:
    said = {one.layout.name: one.because for one in layouts(QWEN_7B, 8) if isinstance(one, NoLayout)}

    assert "28 heads are not divisible by 8" in said["TP8"]


def test_a_70b_model_in_fp8_fits_two_h100_and_in_bfloat16_short_of_its_whole_context() -> None:
    h100, pair = find_gpu("h100"), Layout(tensor=2)

    assert fit(LLAMA_70B, h100, pair, Wish(131072, "fp8")).fits
    assert not fit(LLAMA_70B, h100, pair, Wish(131072, "bf16")).fits
    assert not fit(LLAMA_70B, h100, Layout(), Wish(1, "bf16")).fits


def test_remedies_are_tried_before_they_are_named() -> None:
    named = remedies(LLAMA_70B, find_gpu("h100"), 2, Wish(131072, "bf16"))

    assert [remedy.split(":")[0].split()[0] for remedy in named] == ["--context", "--precision", "--precision", "--gpu"]
    assert any(remedy.startswith("--gpu h100:4") for remedy in named)


fits = st.builds(
    lambda architecture, gpu, tensor, context, precision: fit(
        architecture, gpu, Layout(tensor=tensor), Wish(context, precision)
    ),
    st.sampled_from(MODELS),
    st.sampled_from(GPUS),
    st.sampled_from([1, 2, 4]),
    st.integers(1, 131072),
    st.sampled_from(["bf16", "fp8", "int4"]),
)


@given(fits)
def test_what_is_promised_never_exceeds_memory(one: Fit) -> None:
    batch, beside = int(one.largest_batch.value), one.weights.value + one.activations.value + one.overhead.value

    assert one.fits == (batch >= 1)
    if one.fits:
        assert beside + batch * _kv(one) <= one.budget.value * (1 + 1e-9)
        assert beside + (batch + 1) * _kv(one) > one.budget.value * (1 - 1e-9)


@given(fits)
def test_the_largest_context_fits_and_one_more_token_does_not(one: Fit) -> None:
    assert one.fits == (one.largest_context.value >= one.wish.context)


@given(fits)
def test_what_is_short_is_what_is_lacking(one: Fit) -> None:
    assert one.short_bytes == pytest.approx(max(0.0, _kv(one) - one.kv_room.value))


@given(fits)
def test_narrower_weights_a_narrower_cache_and_more_memory_never_hold_less(one: Fit) -> None:
    architecture = _architecture_of(one)
    narrower = replace(one.wish, precision="int4"), replace(one.wish, kv="fp8"), replace(one.wish, utilization=0.99)

    for wish in narrower:
        other = fit(architecture, find_gpu("h200"), one.layout, wish)
        base = fit(architecture, find_gpu("h200"), one.layout, one.wish)
        assert other.largest_batch.value >= base.largest_batch.value
        assert other.largest_context.value >= base.largest_context.value


@given(st.integers(1, 100_000), st.integers(1, 100_000), st.sampled_from(MODELS))
def test_a_longer_sequence_never_takes_less_cache(tokens: int, more: int, architecture: Architecture) -> None:
    shorter, longer = (kv_bytes_of_sequence(architecture, count, "bf16") for count in (tokens, tokens + more))

    assert shorter <= longer


def _kv(one: Fit) -> float:
    return kv_bytes_of_sequence(_architecture_of(one), one.wish.context, one.wish.kv, one.layout)


def _architecture_of(one: Fit) -> Architecture:
    return next(model for model in MODELS if kv_bytes_per_token(model, one.wish.kv, one.layout) == one.kv_per_token)
