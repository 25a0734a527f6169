"""Which Serve application serves a model: the same settings over the same bytes, and another one as soon as either differs."""

from functools import cache
from pathlib import Path

import pytest

from models.manifest import write_manifest
from models.spec import Adapter, EngineSpec, ModelSpec, Scaling
from router.bundle import load_bundle
from serving.in_service import model_application

pytestmark = pytest.mark.slow

STARTER = Path(__file__).parents[2] / "config" / "starter"


def a_folder(path: Path, weights: bytes) -> Path:
    path.mkdir(exist_ok=True)
    (path / "model.safetensors").write_bytes(weights)
    write_manifest(path)
    return path


@cache
def the_small_model() -> ModelSpec:
    return next(iter(load_bundle(STARTER).models.values()))


def a_model(**changes: object) -> ModelSpec:
    return the_small_model().model_copy(update=changes)


def test_other_weights_are_another_application(tmp_path: Path) -> None:
    before = model_application(a_model(), a_folder(tmp_path / "base", b"one"))
    after = model_application(a_model(), a_folder(tmp_path / "base", b"two"))

    assert before != after


def test_an_adapter_replaced_in_its_folder_is_another_application(tmp_path: Path) -> None:
    spec = a_model(adapters=(Adapter(name="legal", folder="legal"),))
    base = a_folder(tmp_path / "base", b"one")
    a_folder(tmp_path / "legal", b"first")
    before = model_application(spec, base)
    again = model_application(spec, base)

    a_folder(tmp_path / "legal", b"second")

    assert before == again
    assert model_application(spec, base) != before


def test_other_numbers_of_replicas_and_other_limits_are_the_same_application(tmp_path: Path) -> None:
    base, gpu = a_folder(tmp_path / "base", b"one"), {"gpu": "h100", "gpus_per_replica": 1}
    few, many = Scaling(min_replicas=1, max_replicas=1), Scaling(min_replicas=2, max_replicas=9, kv_use=0.5)
    before = model_application(a_model(**gpu, scaling=few), base)

    assert model_application(a_model(**gpu, scaling=many), base) == before
    assert model_application(a_model(**gpu, replicas=3), base) == before
    assert model_application(a_model(**gpu, scaling=few, max_ongoing_requests=7), base) == before
    assert model_application(a_model(**gpu, scaling=few, engine=EngineSpec(max_num_seqs=7)), base) != before


def test_on_cpus_an_engine_that_gets_a_neighbour_is_another_one(tmp_path: Path) -> None:
    """It binds its threads otherwise (`serving.private.arguments`)."""
    base = a_folder(tmp_path / "base", b"one")
    alone = model_application(a_model(scaling=Scaling(max_replicas=1)), base)
    two = model_application(a_model(scaling=Scaling(max_replicas=2)), base)

    assert alone != two
    assert model_application(a_model(scaling=Scaling(max_replicas=4, target_ongoing_requests=2)), base) == two
