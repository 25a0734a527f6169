from typing import Any

import pytest

from models.sound import spec_faults
from models.spec import Adapter, EngineSpec, ModelSpec, split_served_name


def a_spec(engine: dict[str, Any] | None = None, **changes: Any) -> ModelSpec:
    fields: dict[str, Any] = {
        "name": "m",
        "family": "llama",
        "source": "x",
        "folder": "m",
        "licence": "x",
        "context_tokens": 512,
        "engine": EngineSpec(**(engine or {})),
    }
    return ModelSpec(**{**fields, **changes})


CPU_SETTINGS = [
    ("dtype", "float32"),
    ("enforce_eager", True),
    ("block_size", 32),
    ("kv_cache_gib", 1.0),
    ("stream_interval", 8),
]


@pytest.mark.parametrize(("field", "value"), CPU_SETTINGS)
def test_what_helps_on_a_cpu_is_refused_beside_a_gpu_by_the_fields_name(field: str, value: Any) -> None:
    faults = spec_faults(a_spec({field: value}, gpu="h100"))

    assert [fault.field for fault in faults] == [("engine", field)]
    assert "CPU" in faults[0].because
    assert "leave it out" in faults[0].mend


@pytest.mark.parametrize(("field", "value"), CPU_SETTINGS)
def test_the_same_is_sound_on_a_cpu(field: str, value: Any) -> None:
    assert spec_faults(a_spec({field: value})) == ()


def test_gpus_are_one_for_each_rank_and_named_by_their_class() -> None:
    pair = {"tensor_parallel_size": 2}

    assert spec_faults(a_spec(pair, gpu="h100")) == ()
    assert spec_faults(a_spec(pair, gpu="h100", gpus_per_replica=2)) == ()
    assert a_spec(pair, gpu="h100").gpus == 2
    assert [fault.field for fault in spec_faults(a_spec(pair, gpu="h100", gpus_per_replica=4))] == [
        ("gpus_per_replica",)
    ]
    assert [fault.field for fault in spec_faults(a_spec(gpus_per_replica=1))] == [("gpus_per_replica",)]
    assert [fault.field for fault in spec_faults(a_spec({"pipeline_parallel_size": 2}))] == [
        ("engine", "pipeline_parallel_size")
    ]


def test_a_model_is_served_by_its_name_and_by_its_name_with_each_adapters() -> None:
    spec = a_spec(adapters=(Adapter(name="support", folder="a"), Adapter(name="law", folder="b")))

    assert spec.served_names == ("m", "m:support", "m:law")
    assert [split_served_name(name) for name in spec.served_names] == [("m", None), ("m", "support"), ("m", "law")]
    assert spec_faults(spec) == ()


def test_names_that_could_be_taken_for_one_another_are_refused() -> None:
    twice = a_spec(adapters=(Adapter(name="support", folder="a"), Adapter(name="support", folder="b")))

    assert [fault.field for fault in spec_faults(twice)] == [("adapters",)]
    assert [fault.field for fault in spec_faults(a_spec(name="m:x"))] == [("name",)]
    assert [fault.field for fault in spec_faults(a_spec(adapters=(Adapter(name="a:b", folder="a"),)))] == [
        ("adapters",)
    ]
