from typing import Any

import pytest

from models.exactness import Exact, NotExact, exactness, made_exact, variant_format
from models.spec import EngineSpec, ModelSpec


def a_spec(gpu: str | None = None, **engine: Any) -> ModelSpec:
    return ModelSpec(
        name="m",
        family="llama",
        source="x",
        folder="m",
        licence="x",
        context_tokens=512,
        gpu=gpu,
        engine=EngineSpec(**engine),
    )


def test_a_cpu_keeps_answers_exact_one_request_at_a_time_and_without_a_prefix_cache() -> None:
    alone = a_spec(max_num_seqs=1, enable_prefix_caching=True)

    assert exactness(alone) == Exact("one request at a time", 1.0, "assumed")
    assert made_exact(alone).engine == EngineSpec(max_num_seqs=1, enable_prefix_caching=False)


def test_a_cpu_that_batches_keeps_nothing_exact_and_says_what_would() -> None:
    verdict = exactness(a_spec(max_num_seqs=8))

    assert isinstance(verdict, NotExact)
    assert verdict.field == "gpu"
    assert "max_num_seqs: 1" in verdict.mend
    with pytest.raises(ValueError, match="m: gpu:"):
        made_exact(a_spec())


@pytest.mark.parametrize("gpu", ["h100", "H100-SXM-80GB", "a100-40gb", "l40s", "b200", "mi300x", "rtx-pro-6000"])
def test_a_gpu_with_batch_invariant_kernels_keeps_them_and_its_prefix_cache(gpu: str) -> None:
    spec = a_spec(gpu, enable_prefix_caching=True)

    verdict = exactness(spec)

    assert isinstance(verdict, Exact)
    assert (verdict.kept_by, verdict.factor_is) == ("batch-invariant kernels", "assumed")
    assert 0 < verdict.throughput_factor < 1
    assert made_exact(spec).engine == EngineSpec(batch_invariant=True, enable_prefix_caching=True)


@pytest.mark.parametrize("gpu", ["t4", "v100", "unheard-of"])
def test_a_gpu_without_such_kernels_is_refused(gpu: str) -> None:
    verdict = exactness(a_spec(gpu))

    assert isinstance(verdict, NotExact)
    assert gpu in verdict.because


def test_weights_without_such_kernels_are_refused() -> None:
    verdict = exactness(a_spec("h100", quantization="gptq_marlin"))

    assert isinstance(verdict, NotExact)
    assert verdict.field == "engine.quantization"
    assert isinstance(exactness(a_spec("h100", quantization="fp8")), Exact)


def int4(activations: object = None) -> dict[str, object]:
    group = {"weights": {"num_bits": 4, "type": "int"}, "input_activations": activations}
    return {"quant_method": "compressed-tensors", "config_groups": {"group_0": group}}


@pytest.mark.parametrize(
    ("quantized", "found"),
    [
        (None, None),
        ({"quant_method": "fp8"}, None),
        ({"quant_method": "gptq", "bits": 4}, "gptq"),
        ({"quant_method": "awq"}, "awq"),
        (int4(), "compressed-tensors, integers of 4 bits"),
        (int4({"num_bits": 8, "type": "int"}), None),
        (
            {
                "quant_method": "compressed-tensors",
                "config_groups": {"g": {"weights": {"num_bits": 8, "type": "float"}}},
            },
            None,
        ),
    ],
)
def test_the_format_is_found_in_the_folders_own_configuration(quantized: object, found: str | None) -> None:
    assert variant_format({"model_type": "llama", "quantization_config": quantized}) == found
