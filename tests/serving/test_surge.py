"""What a new version's models take of a box's memory beside those that run."""

from pathlib import Path

import pytest

from models.spec import EngineSpec, ModelSpec, Scaling
from serving.surge import NoRoom, check_memory, memory_bytes

GIB = 1024**3


def a_model(**changes: object) -> ModelSpec:
    fields: dict[str, object] = {
        "name": "small",
        "family": "llama",
        "source": "x",
        "folder": "small",
        "licence": "x",
        "context_tokens": 2048,
        "engine": EngineSpec(kv_cache_gib=0.25),
    }
    return ModelSpec.model_validate(fields | changes)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.safetensors").write_bytes(b"w" * 1000)
    return tmp_path


def test_a_model_on_cpus_takes_weights_cache_and_an_engine_for_each_of_its_first_replicas(folder: Path) -> None:
    assert memory_bytes(a_model(), folder) == 1000 + GIB // 4 + 3 * GIB // 2
    assert memory_bytes(a_model(replicas=2), folder) == 2 * memory_bytes(a_model(), folder)
    assert memory_bytes(a_model(scaling=Scaling(min_replicas=0, max_replicas=4)), folder) == 0


def test_a_model_on_gpus_is_counted_by_ray_alone(folder: Path) -> None:
    assert memory_bytes(a_model(gpu="h100", gpus_per_replica=1, engine=EngineSpec()), folder) == 0


def test_what_does_not_fit_is_refused_with_both_figures() -> None:
    check_memory({"small": 2 * GIB}, 2 * GIB)
    with pytest.raises(NoRoom, match=r"small 2\.0 GiB, other 1\.0 GiB beside what runs; 2\.5 GiB are free"):
        check_memory({"small": 2 * GIB, "other": GIB}, 5 * GIB // 2)
