"""The formulas count what transformers builds: each architecture of the catalogue, with few layers, without weights."""

from typing import Any

import pytest

from models.architecture import architecture_of
from models.catalogue import Entry, entries

pytestmark = pytest.mark.slow

LAYERS = 4
OWN_CODE = {"qwen", "kimi_k2"}
"""Types that transformers only knows by code from the model's own folder, which nothing here loads."""

KINDS = {entry.architecture.model_type: entry for entry in entries().values()}


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - OWN_CODE))
def test_as_many_parameters_are_counted_as_transformers_makes(kind: str) -> None:
    config = few_layers(KINDS[kind])

    assert architecture_of(config).parameters == made_by_transformers(config)


def few_layers(entry: Entry) -> dict[str, Any]:
    named = "n_layer" if "n_layer" in entry.config else "num_hidden_layers"
    return {name: value for name, value in entry.config.items() if name != "quantization_config"} | {named: LAYERS}


def made_by_transformers(config: dict[str, Any]) -> int:
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    fields = {name: value for name, value in config.items() if name not in {"model_type", "torch_dtype"}}
    described = transformers.AutoConfig.for_model(config["model_type"], **fields)
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(described)
    # A bias of DeepSeek's router is part of its weights, and no parameter in transformers' sense.
    beside = sum(one.numel() for name, one in model.named_buffers() if name.endswith("e_score_correction_bias"))
    return beside + sum(one.numel() for one in model.parameters())
