"""What does a BERT encoder make of tokens? Its arithmetic alone, over weights from a safetensors file (Devlin et al., 2019).

`transformers` gives the same numbers (a test holds them together) and takes ten seconds to import, which a command and a small service
would pay at each start.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_EMBEDDINGS: Final = "embeddings"


@dataclass(frozen=True, slots=True)
class Bert:
    """An encoder's weights by name, and its shape."""

    weights: dict[str, Any]
    layers: int
    heads: int
    epsilon: float

    @classmethod
    def load(cls, folder: Path) -> "Bert":
        """Read a model folder. Raises `OSError`, `KeyError` or `ValueError` when it is none of a BERT encoder."""
        from safetensors.torch import load_file

        shape = json.loads((folder / "config.json").read_text("utf-8"))
        if shape["model_type"] != "bert" or shape["hidden_act"] != "gelu":
            raise ValueError(f"{folder}: not a BERT encoder with GELU")
        return cls(
            weights=load_file(folder / "model.safetensors"),
            layers=shape["num_hidden_layers"],
            heads=shape["num_attention_heads"],
            epsilon=shape["layer_norm_eps"],
        )

    def hidden(self, tokens: Any, mask: Any) -> Any:
        """Return the last layer's vectors, (texts, tokens, width), for token numbers and a mask that is true where there is a token."""
        from torch.nn import functional

        positions = self.weights[f"{_EMBEDDINGS}.position_embeddings.weight"][: tokens.shape[1]]
        kinds = self.weights[f"{_EMBEDDINGS}.token_type_embeddings.weight"][0]
        state = functional.embedding(tokens, self.weights[f"{_EMBEDDINGS}.word_embeddings.weight"]) + positions + kinds
        state = self._normed(state, _EMBEDDINGS)
        seen = mask[:, None, None, :]
        for layer in range(self.layers):
            state = self._layer(state, seen, f"encoder.layer.{layer}")
        return state

    def _layer(self, state: Any, seen: Any, name: str) -> Any:
        from torch.nn import functional

        texts, length, width = state.shape
        query, key, value = (
            self._linear(state, f"{name}.attention.self.{part}").view(texts, length, self.heads, -1).transpose(1, 2)
            for part in ("query", "key", "value")
        )
        attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=seen)
        attended = attended.transpose(1, 2).reshape(texts, length, width)
        attended = self._linear(attended, f"{name}.attention.output.dense")
        state = self._normed(state + attended, f"{name}.attention.output")
        wide = functional.gelu(self._linear(state, f"{name}.intermediate.dense"))
        return self._normed(state + self._linear(wide, f"{name}.output.dense"), f"{name}.output")

    def _linear(self, state: Any, name: str) -> Any:
        from torch.nn import functional

        return functional.linear(state, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def _normed(self, state: Any, name: str) -> Any:
        from torch.nn import functional

        weight, bias = self.weights[f"{name}.LayerNorm.weight"], self.weights[f"{name}.LayerNorm.bias"]
        return functional.layer_norm(state, (state.shape[-1],), weight, bias, self.epsilon)
