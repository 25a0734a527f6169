"""What a new version's models take of a box's memory beside those that run."""

from pathlib import Path

import pytest

from models.spec import EngineSpec, ModelSpec, Scaling
from serving.surge import NoRoom, added_at_once, check_memory, replica_bytes

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


def test_a_replica_on_cpus_takes_weights_cache_and_an_engine(folder: Path) -> None:
    assert replica_bytes(a_model(), folder) == 1000 + GIB // 4 + 3 * GIB // 2


def test_a_model_on_gpus_is_counted_by_ray_alone(folder: Path) -> None:
    assert replica_bytes(a_model(gpu="h100", gpus_per_replica=1, engine=EngineSpec()), folder) == 0


@pytest.mark.parametrize(
    ("least", "now", "goes_on", "added"),
    [
        (2, 1, True, 1),
        (3, 1, True, 2),
        (1, 3, True, 0),
        (0, 0, True, 0),
        (1, 0, False, 1),
        (1, 3, False, 3),
        (2, 9, False, 4),
    ],
)
def test_a_model_that_goes_on_adds_what_it_lacks_and_an_exchanged_one_as_many_as_it_has(
    least: int, now: int, goes_on: bool, added: int
) -> None:
    spec = a_model(scaling=Scaling(min_replicas=least, max_replicas=4))
    assert added_at_once(spec, now, goes_on=goes_on) == added


def test_what_does_not_fit_is_refused_with_both_figures() -> None:
    check_memory({"small": 2 * GIB}, 2 * GIB)
    with pytest.raises(NoRoom, match=r"small 2\.0 GiB, other 1\.0 GiB beside what runs; 2\.5 GiB are free"):
        check_memory({"small": 2 * GIB, "other": GIB}, 5 * GIB // 2)
