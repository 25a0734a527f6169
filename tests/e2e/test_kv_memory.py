"""vLLM's own measure of its KV cache agrees with the arithmetic that `lane models fit` and the planner rest on."""

import re
from typing import Any

import orjson
import pytest

from models.architecture import architecture_of
from models.catalogue import find_model
from models.memory import GIB, KvFormat, kv_cache_tokens
from router.bundle import load_bundle
from tests.e2e.systems import MODEL, RunningSystem

pytestmark = pytest.mark.e2e

FORMATS: dict[str, KvFormat] = {"bfloat16": "bf16", "float32": "fp32"}


def test_the_cache_that_vllm_reports_is_the_one_that_was_reckoned(system: RunningSystem, private: Any) -> None:
    engine = load_bundle(system.settings.bundle).models[MODEL].engine
    architecture = architecture_of(orjson.loads((system.model_folder / "config.json").read_bytes()))
    kv = FORMATS[private.run(private.dtype())]

    reckoned = kv_cache_tokens(architecture, (engine.kv_cache_gib or 0) * GIB, kv, engine.block_size or 0)

    assert reckoned == pytest.approx(logged_tokens(system), rel=0.03)


def test_the_served_model_has_the_shape_that_the_catalogue_says(system: RunningSystem) -> None:
    served = architecture_of(orjson.loads((system.model_folder / "config.json").read_bytes()))

    assert served == find_model(MODEL).architecture


def logged_tokens(system: RunningSystem) -> int:
    """The tokens that the engine's process said its cache holds, in its replica's log."""
    logs = (system.settings.ray_folder / "session_latest" / "logs").glob("worker-*.out")
    said = [
        found
        for log in logs
        for found in re.findall(r"KV cache size: ([\d,]+) tokens", log.read_text("utf-8", "replace"))
    ]
    assert said, "no replica has logged the size of its KV cache"
    return int(said[-1].replace(",", ""))
