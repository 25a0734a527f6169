from collections.abc import Mapping
from typing import Any

import pytest

from models.architecture import Architecture, LatentAttention, architecture_of
from models.errors import ConfigUnreadable
from models.memory import published_precision

LLAMA_8B: Mapping[str, Any] = {
    "model_type": "llama",
    "num_hidden_layers": 32,
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
}
GPT_OSS_120B: Mapping[str, Any] = {
    "model_type": "gpt_oss",
    "num_hidden_layers": 36,
    "hidden_size": 2880,
    "head_dim": 64,
    "intermediate_size": 2880,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "num_local_experts": 128,
    "num_experts_per_tok": 4,
    "vocab_size": 201088,
    "sliding_window": 128,
    "attention_bias": True,
    "max_position_embeddings": 131072,
    "quantization_config": {"quant_method": "mxfp4"},
}
DEEPSEEK_V3: Mapping[str, Any] = {
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
    "num_key_value_heads": 128,
    "kv_lora_rank": 512,
    "q_lora_rank": 1536,
    "qk_rope_head_dim": 64,
    "qk_nope_head_dim": 128,
    "v_head_dim": 128,
    "topk_method": "noaux_tc",
    "vocab_size": 129280,
    "max_position_embeddings": 163840,
}


def test_a_dense_model_has_the_published_number_of_parameters() -> None:
    assert architecture_of(LLAMA_8B).parameters == 8_030_261_248


def test_a_model_with_windows_and_biased_experts_has_the_published_number_of_parameters() -> None:
    architecture = architecture_of(GPT_OSS_120B)

    assert architecture.parameters == 116_829_156_672
    assert architecture.active_parameters / 1e9 == pytest.approx(5.1, abs=0.05)
    assert architecture.windows[:3] == (128, None, 128)
    assert architecture.quantised_as == "mxfp4"


@pytest.mark.parametrize(
    ("quantised", "precision"),
    [
        ({"quant_method": "fp8"}, "fp8"),
        ({"quant_method": "gptq", "bits": 8}, "int8"),
        ({"quant_method": "awq", "bits": 4}, "int4"),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "int4"),
        ({"quant_method": "modelopt", "quant_algo": "FP8"}, "fp8"),
        ({"quant_method": "modelopt_fp4", "quant_algo": "NVFP4"}, "fp4"),
        ({"quant_method": "compressed-tensors", "config_groups": {"g": {"weights": {"type": "float", "num_bits": 8}}}}, "fp8"),
        ({"quant_method": "compressed-tensors", "config_groups": {"g": {"weights": {"type": "int", "num_bits": 4}}}}, "int4"),
    ],
)  # fmt: skip
def test_the_weights_format_is_read_however_its_maker_says_it(quantised: dict[str, object], precision: str) -> None:
    assert published_precision(architecture_of(LLAMA_8B | {"quantization_config": quantised})) == precision


def test_a_model_with_latent_attention_has_the_published_number_of_parameters() -> None:
    architecture = architecture_of(DEEPSEEK_V3)

    assert architecture.parameters == 671_026_419_200
    assert isinstance(architecture.attention, LatentAttention)
    assert architecture.moe_layers.index(True) == 3


def test_tied_embeddings_are_counted_once_and_still_multiplied() -> None:
    untied, tied = architecture_of(LLAMA_8B), architecture_of({**LLAMA_8B, "tie_word_embeddings": True})

    assert untied.parameters - tied.parameters == 128256 * 4096
    assert untied.active_parameters == tied.active_parameters


def test_more_tokens_read_more_experts_but_never_more_than_there_are() -> None:
    architecture = architecture_of(GPT_OSS_120B)

    read = [architecture.experts_read(tokens) for tokens in (1, 8, 64, 10_000)]

    assert read[0] == pytest.approx(4)
    assert read == sorted(read)
    assert read[-1] == pytest.approx(128)


def test_a_window_bounds_what_attention_costs() -> None:
    architecture = architecture_of(GPT_OSS_120B)
    half = architecture.attention_flops(10_000) / architecture.attention_flops(128)

    assert half == pytest.approx((10_000 / 128 + 1) / 2)


def test_the_text_model_of_one_that_sees_images_is_read() -> None:
    wrapped = {"model_type": "mistral3", "text_config": {**LLAMA_8B, "model_type": "mistral", "sliding_window": None}}

    assert architecture_of(wrapped).parameters == architecture_of(LLAMA_8B).parameters


def test_a_window_that_is_switched_off_is_none() -> None:
    qwen = {**LLAMA_8B, "model_type": "qwen2", "use_sliding_window": False, "sliding_window": 131072}

    assert set(architecture_of(qwen).windows) == {None}


@pytest.mark.parametrize(
    "field", ["num_hidden_layers", "hidden_size", "intermediate_size", "num_attention_heads", "vocab_size"]
)
def test_a_missing_field_is_named(field: str) -> None:
    config = {name: value for name, value in LLAMA_8B.items() if name != field}

    with pytest.raises(ConfigUnreadable, match=f"`{field}`"):
        architecture_of(config)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"model_type": "mamba"}, "'mamba' is not known"),
        ({"num_key_value_heads": 5}, "5 KV heads"),
        ({"vocab_size": "many"}, "`vocab_size` is 'many'"),
        ({"layer_types": ["full_attention"] * 3}, "names 3 layers"),
    ],
)
def test_a_configuration_that_can_not_be_is_refused(change: Mapping[str, Any], named: str) -> None:
    with pytest.raises(ConfigUnreadable, match=named):
        architecture_of({**LLAMA_8B, **change})


def test_all_parts_add_up() -> None:
    for config in (LLAMA_8B, GPT_OSS_120B, DEEPSEEK_V3):
        assert _sum_of_parts(architecture_of(config)) == architecture_of(config).parameters


def _sum_of_parts(one: Architecture) -> int:
    embeddings = one.embedding_parameters + (0 if one.tied_embeddings else one.head_parameters)
    mlps = one.dense_mlp_parameters + one.routed_parameters + one.shared_expert_parameters + one.router_parameters
    return embeddings + one.attention_parameters + one.norm_parameters + mlps
