import shutil
from pathlib import Path

import pytest
import yaml

from router.bundle import check_bundle, load_bundle
from router.testing import ScriptedHeads


@pytest.fixture
def folder(tmp_path: Path, starter_folder: Path) -> Path:
    return shutil.copytree(starter_folder, tmp_path / "bundle")


def change(folder: Path, file: str, entry: int, **fields: object) -> None:
    """Set fields of an entry: a nested mapping is merged into what is there."""
    kind = file.removesuffix(".yaml")
    content = yaml.safe_load((folder / file).read_text())
    for name, value in fields.items():
        old = content[kind][entry].get(name)
        content[kind][entry][name] = {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value
    (folder / file).write_text(yaml.safe_dump(content, sort_keys=False))


def test_cpu_settings_beside_a_gpu_are_refused_by_file_and_field(folder: Path, heads: ScriptedHeads) -> None:
    change(folder, "models.yaml", 0, gpu="h100")

    found = check_bundle(folder, heads)

    assert {finding.file for finding in found} == {"models.yaml"}
    assert [finding.message.split(": ")[1] for finding in found] == [
        "engine.enforce_eager",
        "engine.block_size",
        "engine.kv_cache_gib",
    ]
    assert [finding.line for finding in found] == sorted({finding.line for finding in found})


def test_a_lane_is_exact_where_its_model_can_be_and_the_model_is_then_served_so(
    folder: Path, heads: ScriptedHeads
) -> None:
    change(folder, "lanes.yaml", 1, determinism="exact")

    (finding,) = check_bundle(folder, heads)
    change(folder, "models.yaml", 0, engine={"max_num_seqs": 1})
    bundle = load_bundle(folder, heads)

    assert finding.file == "lanes.yaml"
    assert "`private` can't be exact" in finding.message
    assert "max_num_seqs: 1" in finding.mend
    assert bundle.models["smollm2-135m-instruct"].engine.enable_prefix_caching is False


def test_no_provider_keeps_exactness(folder: Path, heads: ScriptedHeads) -> None:
    change(folder, "lanes.yaml", 2, determinism="exact")

    (finding,) = check_bundle(folder, heads)

    assert "no provider keeps it" in finding.message


def test_a_lane_may_name_an_adapter_and_has_its_models_context(folder: Path, heads: ScriptedHeads) -> None:
    name = "smollm2-135m-instruct:support"
    change(folder, "lanes.yaml", 1, model=name)

    (unknown, *_) = check_bundle(folder, heads)
    change(folder, "models.yaml", 0, adapters=[{"name": "support", "folder": "support"}])
    bundle = load_bundle(folder, heads)

    assert unknown.message == f"unknown model `{name}`"
    lane = bundle.lanes["private"]
    assert (lane.base_model, lane.model_name) == ("smollm2-135m-instruct", name)
    assert bundle.context_tokens(lane) == bundle.models["smollm2-135m-instruct"].context_tokens
