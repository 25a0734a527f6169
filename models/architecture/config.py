"""What architecture does a `config.json` describe? One reader for each `model_type`; a missing field is an error that names it.

Models that read images or sound keep the text model's fields under `text_config`: those are read.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from models.architecture.quantisation import weights_format
from models.architecture.shape import Architecture, Attention, Experts, GroupedAttention, LatentAttention
from models.errors import ConfigUnreadable


def architecture_of(config: Mapping[str, Any]) -> Architecture:
    """Return the architecture that a parsed `config.json` describes. Raises `ConfigUnreadable`."""
    outer = _Fields(config)
    inner = config.get("text_config")
    fields = _Fields({**config, **inner}, within="text_config.") if isinstance(inner, Mapping) else outer
    model_type = fields.text("model_type")
    if model_type not in _READERS:
        known = ", ".join(sorted(_READERS))
        raise ConfigUnreadable(f"config.json: `model_type` {model_type!r} is not known here; known: {known}")
    architecture = _READERS[model_type](fields)
    quantised = config.get("quantization_config")
    if isinstance(quantised, Mapping):
        architecture = replace(architecture, quantised_as=weights_format(quantised))
    _check(architecture)
    return architecture


@dataclass(frozen=True, slots=True)
class _Fields:
    """The fields of a configuration, asked for by name."""

    values: Mapping[str, Any]
    within: str = ""

    def number(self, *names: str, otherwise: int | None = None) -> int:
        """Return the first of these fields that is there: older configurations have other names for the same thing."""
        for name in names:
            value = self.values.get(name)
            if value is None:
                continue
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise ConfigUnreadable(f"config.json: `{self.within}{name}` is {value!r}, expected a whole number")
            return value
        if otherwise is None:
            asked = " or ".join(f"`{self.within}{name}`" for name in names)
            raise ConfigUnreadable(f"config.json: {asked} is missing (model type {self.values.get('model_type')!r})")
        return otherwise

    def text(self, name: str, otherwise: str | None = None) -> str:
        value = self.values.get(name, otherwise)
        if not isinstance(value, str):
            raise ConfigUnreadable(f"config.json: `{self.within}{name}` is missing: it names the architecture")
        return value

    def flag(self, name: str, *, otherwise: bool = False) -> bool:
        value = self.values.get(name, otherwise)
        return otherwise if value is None else bool(value)

    def layer_types(self) -> tuple[str, ...] | None:
        kinds = self.values.get("layer_types")
        return tuple(map(str, kinds)) if isinstance(kinds, list | tuple) else None


def _check(architecture: Architecture) -> None:
    """Raise `ConfigUnreadable` for fields that contradict each other."""
    if len(architecture.windows) != architecture.layers:
        raise ConfigUnreadable(
            f"config.json: `layer_types` names {len(architecture.windows)} layers, `num_hidden_layers` is {architecture.layers}"
        )
    match architecture.attention:
        case GroupedAttention(heads, kv_heads) if kv_heads == 0 or heads % kv_heads:
            raise ConfigUnreadable(
                f"config.json: {heads} heads (`num_attention_heads`) can't share {kv_heads} KV heads (`num_key_value_heads`) evenly"
            )
        case GroupedAttention() | LatentAttention():
            pass


def _dense(fields: _Fields) -> Architecture:
    """Llama and those shaped like it: grouped attention, a gated MLP, RMS norms without bias."""
    layers = fields.number("num_hidden_layers", "n_layer")
    return Architecture(
        model_type=fields.text("model_type"),
        layers=layers,
        hidden=fields.number("hidden_size", "n_embd"),
        vocabulary=fields.number("vocab_size"),
        intermediate=fields.number("intermediate_size", "intermediate_size_mlp"),
        attention=_grouped(fields),
        windows=_windows(fields, layers),
        moe_layers=(False,) * layers,
        experts=None,
        tied_embeddings=fields.flag("tie_word_embeddings"),
        context=fields.number("max_position_embeddings", "n_positions", "seq_length"),
        dtype=fields.text("dtype", fields.text("torch_dtype", "bfloat16")),
        mlp_bias=fields.flag("mlp_bias"),
    )


def _grouped(fields: _Fields) -> GroupedAttention:
    heads, hidden = fields.number("num_attention_heads", "n_head"), fields.number("hidden_size", "n_embd")
    bias = fields.flag("attention_bias")
    return GroupedAttention(
        heads=heads,
        kv_heads=fields.number("num_key_value_heads", otherwise=heads),
        head_size=fields.number("head_dim", otherwise=hidden // heads),
        query_bias=bias,
        output_bias=bias,
    )


def _windows(fields: _Fields, layers: int) -> tuple[int | None, ...]:
    """Read which layers look back how far: by `layer_types`, else the same `sliding_window` everywhere, unless switched off."""
    kinds = fields.layer_types()
    if kinds is not None:
        narrow = {"sliding_attention": "sliding_window", "chunked_attention": "attention_chunk_size"}
        return tuple(fields.number(narrow[kind]) if kind in narrow else None for kind in kinds)
    window = fields.number("sliding_window", otherwise=0) if fields.flag("use_sliding_window", otherwise=True) else 0
    return (window or None,) * layers


def _qwen2(fields: _Fields) -> Architecture:
    """Qwen2 and Qwen2.5: biases on q, k and v, which the configuration does not mention; a window only where it is switched on."""
    dense = _dense(_Fields({"use_sliding_window": False, **fields.values}, fields.within))
    return replace(dense, attention=replace(_grouped(fields), query_bias=True, output_bias=False))


def _qwen3(fields: _Fields) -> Architecture:
    """Qwen3: no biases, and a norm over each head's query and key."""
    dense = _dense(_Fields({"use_sliding_window": False, **fields.values}, fields.within))
    return replace(dense, attention=replace(_grouped(fields), head_norms=True))


def _mixtral(fields: _Fields) -> Architecture:
    dense = _dense(fields)
    experts = Experts(
        count=fields.number("num_local_experts"),
        active=fields.number("num_experts_per_tok"),
        intermediate=dense.intermediate,
    )
    return replace(dense, experts=experts, moe_layers=(True,) * dense.layers)


def _qwen3_moe(fields: _Fields) -> Architecture:
    dense = _qwen3(fields)
    step, plain = fields.number("decoder_sparse_step", otherwise=1), fields.values.get("mlp_only_layers") or ()
    experts = Experts(
        count=fields.number("num_experts"),
        active=fields.number("num_experts_per_tok"),
        intermediate=fields.number("moe_intermediate_size"),
    )
    layers = tuple(layer not in plain and (layer + 1) % step == 0 for layer in range(dense.layers))
    return replace(dense, experts=experts, moe_layers=layers)


def _gpt_oss(fields: _Fields) -> Architecture:
    """gpt-oss: every other layer sees a window; attention, router and experts have biases; each head a sink."""
    dense = _dense(fields)
    if fields.layer_types() is None:
        window = fields.number("sliding_window")
        dense = replace(dense, windows=tuple(window if layer % 2 == 0 else None for layer in range(dense.layers)))
    experts = Experts(
        count=fields.number("num_local_experts"),
        active=fields.number("num_experts_per_tok", "experts_per_token"),
        intermediate=dense.intermediate,
        router_extras=fields.number("num_local_experts"),
        expert_biases=True,
    )
    attention = replace(_grouped(fields), sinks=True)
    return replace(dense, attention=attention, experts=experts, moe_layers=(True,) * dense.layers)


def _llama4(fields: _Fields) -> Architecture:
    """Llama 4's text model: experts in every n-th layer with one shared expert; three layers of four see a chunk of the context."""
    layers = fields.number("num_hidden_layers")
    dense = _dense(
        _Fields({**fields.values, "intermediate_size": fields.number("intermediate_size_mlp")}, fields.within)
    )
    if fields.layer_types() is None:
        chunk = fields.number("attention_chunk_size")
        dense = replace(dense, windows=tuple(None if layer % 4 == 3 else chunk for layer in range(layers)))
    step = fields.number("interleave_moe_layer_step", otherwise=1)
    middle = fields.number("intermediate_size")
    experts = Experts(
        count=fields.number("num_local_experts"),
        active=fields.number("num_experts_per_tok"),
        intermediate=middle,
        shared=1,
        shared_intermediate=middle,
    )
    return replace(dense, experts=experts, moe_layers=tuple((layer + 1) % step == 0 for layer in range(layers)))


def _deepseek(fields: _Fields) -> Architecture:
    """DeepSeek V2 and V3, Kimi K2: latent attention, and experts after the first few layers."""
    dense = _dense(_Fields({**fields.values, "head_dim": 0}, fields.within))
    attention: Attention = LatentAttention(
        heads=fields.number("num_attention_heads"),
        kv_rank=fields.number("kv_lora_rank"),
        rope_size=fields.number("qk_rope_head_dim"),
        nope_size=fields.number("qk_nope_head_dim"),
        value_size=fields.number("v_head_dim"),
        query_rank=fields.number("q_lora_rank", otherwise=0) or None,
    )
    count, first = fields.number("n_routed_experts"), fields.number("first_k_dense_replace", otherwise=0)
    middle = fields.number("moe_intermediate_size")
    experts = Experts(
        count=count,
        active=fields.number("num_experts_per_tok"),
        intermediate=middle,
        shared=fields.number("n_shared_experts", otherwise=0),
        shared_intermediate=middle,
        router_extras=count if fields.values.get("topk_method") == "noaux_tc" else 0,
    )
    step = fields.number("moe_layer_freq", otherwise=1)
    layers = tuple(layer >= first and layer % step == 0 for layer in range(dense.layers))
    return replace(dense, attention=attention, experts=experts, moe_layers=layers)


def _gemma(fields: _Fields) -> Architecture:
    """Gemma 2 and 3: four norms a layer, embeddings tied, and most layers see a window."""
    dense = _dense(_Fields({"tie_word_embeddings": True, **fields.values}, fields.within))
    third = fields.text("model_type").startswith("gemma3")
    if fields.layer_types() is None:
        window = fields.number("sliding_window")
        every = fields.number("sliding_window_pattern", otherwise=6 if third else 2)
        layers = range(dense.layers)
        dense = replace(dense, windows=tuple(None if (layer + 1) % every == 0 else window for layer in layers))
    return replace(dense, norms_per_layer=4, attention=replace(_grouped(fields), head_norms=third))


def _qwen(fields: _Fields) -> Architecture:
    """The first Qwen: multi-head attention with biases on q, k, v; `intermediate_size` counts both halves of its gated MLP."""
    heads, hidden = fields.number("num_attention_heads"), fields.number("hidden_size")
    dense = _dense(_Fields({"sliding_window": None, **fields.values}, fields.within))
    attention = GroupedAttention(heads, heads, fields.number("kv_channels", otherwise=hidden // heads), query_bias=True)
    return replace(dense, intermediate=dense.intermediate // 2, attention=attention)


def _gptj(fields: _Fields) -> Architecture:
    """GPT-J: multi-head attention without biases, a plain MLP with them, one norm a layer, a head with a bias."""
    hidden, heads = fields.number("n_embd"), fields.number("n_head")
    middle = fields.number("n_inner", otherwise=4 * hidden)
    dense = _dense(_Fields({**fields.values, "intermediate_size": middle}, fields.within))
    attention = GroupedAttention(heads, heads, hidden // heads)
    return replace(
        dense, attention=attention, gated_mlp=False, mlp_bias=True, norms_per_layer=1, norm_bias=True, head_bias=True
    )


def _falcon(fields: _Fields) -> Architecture:
    """Falcon 7B, 40B and 180B: one KV head, or a few (`num_kv_heads`), a plain MLP four times as wide."""
    hidden, heads = fields.number("hidden_size"), fields.number("num_attention_heads")
    grouped = fields.flag("new_decoder_architecture")
    kv_heads = fields.number("num_kv_heads", otherwise=heads) if grouped else 1 if fields.flag("multi_query") else heads
    filled = {
        "intermediate_size": fields.number("ffn_hidden_size", otherwise=4 * hidden),
        "num_key_value_heads": kv_heads,
        "max_position_embeddings": fields.number("max_position_embeddings", otherwise=2048),
        "tie_word_embeddings": fields.flag("tie_word_embeddings", otherwise=True),
    }
    dense = _dense(_Fields({**fields.values, **filled}, fields.within))
    norms = 2 if grouped else 1 if fields.flag("parallel_attn") else 2
    return replace(dense, gated_mlp=False, norms_per_layer=norms, norm_bias=True)


_READERS: Final[Mapping[str, Callable[[_Fields], Architecture]]] = {
    "llama": _dense,
    "mistral": _dense,
    "mistral3": _dense,
    "phi3": _dense,
    "qwen2": _qwen2,
    "qwen3": _qwen3,
    "mixtral": _mixtral,
    "qwen3_moe": _qwen3_moe,
    "gpt_oss": _gpt_oss,
    "llama4": _llama4,
    "llama4_text": _llama4,
    "deepseek_v2": _deepseek,
    "deepseek_v3": _deepseek,
    "kimi_k2": _deepseek,
    "gemma2": _gemma,
    "gemma3": _gemma,
    "gemma3_text": _gemma,
    "qwen": _qwen,
    "gptj": _gptj,
    "falcon": _falcon,
}
