"""Which Serve application serves a model: the same settings over the same bytes, and another one as soon as either differs."""

from pathlib import Path

from models.manifest import write_manifest
from models.spec import Adapter, ModelSpec
from router.bundle import load_bundle
from serving.in_service import model_application

STARTER = Path(__file__).parents[2] / "config" / "starter"


def a_folder(path: Path, weights: bytes) -> Path:
    path.mkdir(exist_ok=True)
    (path / "model.safetensors").write_bytes(weights)
    write_manifest(path)
    return path


def a_model(**changes: object) -> ModelSpec:
    return next(iter(load_bundle(STARTER).models.values())).model_copy(update=changes)


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
