"""A figure is known by the machine it was measured on."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from benchmarks.throughput.fingerprint import fingerprint, precision_of
from cluster.machine import Gpu
from models.spec import EngineSpec, ModelSpec

SPEC = ModelSpec(name="m", family="llama", source="", folder="m", licence="", context_tokens=512)


def test_processor_instruction_sets_memory_and_versions_are_told(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(
        "model name\t: A Processor 9000\nflags\t\t: fpu avx2 avx512f amx_bf16\n\nmodel name\t: Another\n"
    )

    read = fingerprint(SPEC, cpuinfo)

    assert (read.processor, read.cpu_flags, read.gpu) == ("A Processor 9000", ("avx2", "avx512f", "amx_bf16"), "cpu")
    assert read.cores >= 1
    assert read.memory_bytes > 2**30
    assert {"ray", "torch"} <= read.versions.keys()


def test_where_the_processor_does_not_say_its_name_its_architecture_stands(tmp_path: Path) -> None:
    assert fingerprint(SPEC, tmp_path / "none").processor


def test_a_model_on_gpus_is_known_by_their_class_also_where_their_number_is_left_open() -> None:
    """`gpus_per_replica: 0` is one for each rank."""

    def read_gpus() -> tuple[Gpu, ...]:
        return (Gpu("NVIDIA H100 80GB HBM3", 80 * 2**30, "570.1"),)

    on_gpus = SPEC.model_copy(update={"gpu": "h100"})

    assert fingerprint(on_gpus, read_gpus=read_gpus).gpu == "h100"
    assert fingerprint(SPEC, read_gpus=read_gpus).gpu == "cpu"


@pytest.mark.parametrize(
    ("config", "quantization", "precision"),
    [
        ({"torch_dtype": "bfloat16"}, None, "bf16"),
        ({"torch_dtype": "bfloat16"}, "fp8", "fp8"),
        ({"torch_dtype": "bfloat16", "quantization_config": {"quant_method": "awq"}}, None, "int4"),
        (
            {
                "quantization_config": {
                    "quant_method": "compressed-tensors",
                    "config_groups": {"group_0": {"weights": {"type": "float", "num_bits": 8}}},
                }
            },
            None,
            "fp8",
        ),
        ({"quantization_config": {"quant_method": "of-tomorrow"}}, None, None),
    ],
)
def test_the_weights_precision_is_the_engines_else_that_of_the_files(
    tmp_path: Path, config: dict[str, Any], quantization: str | None, precision: str | None
) -> None:
    (tmp_path / "config.json").write_bytes(orjson.dumps(config))
    spec = SPEC.model_copy(update={"engine": EngineSpec(quantization=quantization)})

    assert precision_of(spec, tmp_path) == precision
