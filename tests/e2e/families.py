"""One tiny model of each family, made on the spot: the architecture is the family's own, the weights are random.

Random weights say nothing, and say it exactly: each norm, bias and matrix is far from its neutral value, so that a family's path through
the engine that skipped one of them would answer with other tokens. The vocabulary, tokenizer and chat template are the small model's.
"""

import json
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from models.manifest import write_manifest

_TOKENIZER_FILES: Final = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "generation_config.json",
)
_SHAPE: Final[Mapping[str, Any]] = {
    "hidden_size": 256,
    "intermediate_size": 256,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 64,
    "max_position_embeddings": 1024,
}
_EXPERTS: Final[Mapping[str, Any]] = {"num_experts_per_tok": 2, "moe_intermediate_size": 128}
FAMILIES: Final[Mapping[str, Mapping[str, Any]]] = {
    # Llama 3.1 stretches its rotary frequencies; a short original length puts the prompts here on both sides of the stretch.
    "llama": {
        "model_type": "llama",
        "rope_parameters": {
            "rope_type": "llama3",
            "rope_theta": 500_000.0,
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64,
        },
    },
    "mistral": {"model_type": "mistral", "sliding_window": None},
    "mixtral": {"model_type": "mixtral", "num_local_experts": 8, "num_experts_per_tok": 2, "sliding_window": None},
    "qwen2.5": {"model_type": "qwen2", "tie_word_embeddings": True},
    "qwen3": {"model_type": "qwen3", "tie_word_embeddings": True},
    "qwen3-moe": {"model_type": "qwen3_moe", "num_experts": 8, "norm_topk_prob": True, **_EXPERTS},
}
"""What sets each family's architecture apart, as `config.json` says it."""

ADAPTER_RANK: Final = 8


def make_model(family: str, folder: Path, small_model: Path) -> None:
    """Write a model of this family with a manifest. Equal families give equal bytes."""
    small = AutoConfig.from_pretrained(small_model)
    shape = {**_SHAPE, **FAMILIES[family], "vocab_size": small.vocab_size}
    tokens = {name: getattr(small, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    config = AutoConfig.for_model(**{**shape, **tokens})
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    _fill(model, torch.Generator().manual_seed(len(family)))
    _hush(model, _untellable(small_model, small.vocab_size))
    model.to(torch.bfloat16).save_pretrained(folder)
    for name in _TOKENIZER_FILES:
        if (small_model / name).exists():
            shutil.copyfile(small_model / name, folder / name)
    write_manifest(folder)


def _fill(model: PreTrainedModel, chance: torch.Generator) -> None:
    """Weights that keep a signal's size from layer to layer, with every part of the network heard in the answer."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            noise = torch.empty_like(weight).normal_(generator=chance)
            match weight.dim():
                case 1 if "norm" in name:
                    weight.copy_(1 + noise / 4)
                case 1:
                    weight.copy_(noise / 4)
                case _:
                    weight.copy_(noise * weight.shape[-1] ** -0.5 * 1.5)


def _untellable(small_model: Path, vocabulary: int) -> list[int]:
    """Tokens that a text does not tell apart: special ones, halves of a character, equal spellings."""
    tokenizer = AutoTokenizer.from_pretrained(small_model)
    texts = tokenizer.batch_decode([[token] for token in range(vocabulary)])
    often = Counter(texts)
    special = set(tokenizer.all_special_ids)
    return [n for n, text in enumerate(texts) if n in special or not text or "\ufffd" in text or often[text] > 1]


def _hush(model: PreTrainedModel, tokens: list[int]) -> None:
    """Make tokens so faint that no answer holds them: answers are compared by their texts."""
    with torch.no_grad():
        model.get_output_embeddings().weight[tokens] *= 0.01


def make_adapter(folder: Path, model: Path) -> None:
    """Write a LoRA adapter for the attention of a model, loud enough to change its answers."""
    config = AutoConfig.from_pretrained(model)
    heads, pairs = config.num_attention_heads, config.num_key_value_heads
    head = getattr(config, "head_dim", None) or config.hidden_size // heads
    chance = torch.Generator().manual_seed(7)
    weights: dict[str, torch.Tensor] = {}
    for layer in range(config.num_hidden_layers):
        for part, rows in (("q_proj", heads * head), ("v_proj", pairs * head)):
            name = f"base_model.model.model.layers.{layer}.self_attn.{part}"
            weights[f"{name}.lora_A.weight"] = torch.randn(ADAPTER_RANK, config.hidden_size, generator=chance)
            weights[f"{name}.lora_B.weight"] = torch.randn(rows, ADAPTER_RANK, generator=chance) / 32
    folder.mkdir(parents=True)
    save_file(weights, folder / "adapter_model.safetensors")
    settings = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": ADAPTER_RANK,
        "lora_alpha": 2 * ADAPTER_RANK,
        "target_modules": ["q_proj", "v_proj"],
        "bias": "none",
        "base_model_name_or_path": model.name,
    }
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    write_manifest(folder)


def merge(model: PreTrainedModel, weights: Mapping[str, torch.Tensor], alpha: float, rank: int) -> None:
    """Add an adapter to a model's own weights, by hand: W + alpha / rank * B A."""
    parameters = dict(model.named_parameters())
    for name in weights:
        if name.endswith("lora_A.weight"):
            part = name.removeprefix("base_model.model.").removesuffix(".lora_A.weight")
            down, up = weights[name].double(), weights[name.replace("lora_A", "lora_B")].double()
            target = parameters[f"{part}.weight"]
            target.data.add_((up @ down * (alpha / rank)).to(target.dtype))
