import shutil
from pathlib import Path

import pytest
import yaml

from router.bundle import BundleFinding, check_bundle, load_bundle
from router.bundle.files import LaneSpec
from router.bundle.references import reference_findings
from router.bundle.served import served_models, serving_findings
from router.bundle.source import read_source
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


def findings(folder: Path) -> list[BundleFinding]:
    """What the references and the models are told, without the proof that a whole check runs beside them."""
    source = read_source(folder)
    reference_findings(source)
    serving_findings(source)
    return source.findings


def test_cpu_settings_beside_a_gpu_are_refused_by_file_and_field(folder: Path) -> None:
    change(folder, "models.yaml", 0, gpu="h100")

    found = findings(folder)

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

    (finding,) = findings(folder)
    change(folder, "models.yaml", 0, engine={"max_num_seqs": 1})
    bundle = load_bundle(folder, heads)

    assert finding.file == "lanes.yaml"
    assert "`private` can't be exact" in finding.message
    assert "max_num_seqs: 1" in finding.mend
    assert bundle.models["smollm2-135m-instruct"].engine.enable_prefix_caching is False


def test_a_whole_check_says_what_the_models_are_told(folder: Path, heads: ScriptedHeads) -> None:
    change(folder, "lanes.yaml", 2, determinism="exact")

    (finding,) = check_bundle(folder, heads)

    assert "no provider keeps it" in finding.message


def test_a_lane_may_name_an_adapter_of_a_model_and_no_other(folder: Path) -> None:
    name = "smollm2-135m-instruct:support"
    change(folder, "lanes.yaml", 1, model=name)

    (unknown,) = findings(folder)
    change(folder, "models.yaml", 0, adapters=[{"name": "support", "folder": "support"}])

    assert unknown.message == f"unknown model `{name}`"
    assert findings(folder) == []
    lane = LaneSpec(name="private", model=name)
    assert (lane.base_model, lane.model_name) == ("smollm2-135m-instruct", name)


def test_a_model_is_served_under_the_laws_that_all_its_lanes_claim(folder: Path) -> None:
    change(folder, "lanes.yaml", 0, jurisdictions=["US", "EU"])
    change(folder, "lanes.yaml", 1, jurisdictions=["EU", "UK"])

    source = read_source(folder)

    assert findings(folder) == []
    assert source.models is not None
    assert source.lanes is not None
    served = served_models(source.models.models, source.lanes.lanes)
    assert served["smollm2-135m-instruct"].jurisdictions == ("eu",)
    assert served["all-minilm-l6-v2"].jurisdictions == ("eu", "uk", "us")


def test_lanes_that_no_node_could_keep_together_are_refused(folder: Path) -> None:
    change(folder, "lanes.yaml", 0, jurisdictions=["US"])
    change(folder, "lanes.yaml", 1, jurisdictions=["UK"])

    (finding,) = findings(folder)

    assert finding.file == "models.yaml"
    assert "laws of which no node can keep all" in finding.message
