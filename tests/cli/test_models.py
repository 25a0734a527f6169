"""`lane models`: what is known of a model, whether it fits, and its way into a bundle."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from cli.main import app
from models.catalogue.entry import CPU_WORKAROUNDS
from models.manifest import write_manifest
from models.spec import ModelSpec
from router.bundle import check_bundle

STARTER = Path("config/starter").resolve()

Lane = Callable[..., Result]


@pytest.fixture
def lane() -> Lane:
    return lambda *arguments: CliRunner().invoke(app, ["models", *arguments])


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(shutil.copytree(STARTER, tmp_path / "bundle"))


def first(result: Result) -> dict[str, Any]:
    return dict(json.loads(result.stdout.splitlines()[0]))


def models_of(bundle: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load((bundle / "models.yaml").read_text(encoding="utf-8"))["models"])


def test_the_list_holds_what_can_be_served_and_with_all_also_what_can_be_sized(lane: Lane) -> None:
    served = [json.loads(line) for line in lane("list", "--json").stdout.splitlines()]
    everything = [json.loads(line) for line in lane("list", "--all", "--json").stdout.splitlines()]

    assert not any(row["planning_only"] for row in served)
    assert {row["name"] for row in everything} > {row["name"] for row in served}
    [qwen] = [row for row in served if row["name"] == "qwen2.5-7b"]
    assert qwen["kv_bytes_per_token"] == 56 * 1024


def test_a_model_is_shown_by_any_of_its_names_with_a_reason_for_each_argument(lane: Lane) -> None:
    shown = first(lane("show", "mistralai/Mixtral-8x7B-Instruct-v0.1", "--json"))

    assert shown["name"] == "mixtral-8x7b"
    assert shown["architecture"]["experts"]["count"] == 8
    assert all(one["because"] for setup in shown["setups"] for one in setup["engine"].values())
    assert "Mixtral 8x7B" in lane("show", "mixtral").stdout


def test_an_unknown_model_or_gpu_is_bad_input(lane: Lane) -> None:
    model, gpu = lane("show", "llama-3.1-9b", "--json"), lane("fit", "llama-3.1-8b", "--gpu", "h1000", "--json")

    assert (model.exit_code, gpu.exit_code) == (2, 2)
    assert "did you mean llama-3.1-8b" in first(model)["error"]["message"]
    assert "did you mean h100" in first(gpu)["error"]["message"]


def test_fit_gives_each_number_with_formula_and_source(lane: Lane) -> None:
    result = lane("fit", "llama-3.3-70b", "--gpu", "h100:2", "--json")
    fits = first(result)

    assert result.exit_code == 0
    assert fits["precision"] == "fp8"
    [pair] = [one for one in fits["layouts"] if one["layout"] == "TP2"]
    figures = [value for value in pair.values() if isinstance(value, dict)]
    assert len(figures) == 9
    assert all(figure["formula"] and figure["source"] for figure in figures)
    assert pair["kv_per_token"]["value"] == 160 * 1024  # Half of the heads' 320 KiB on each GPU.


def test_what_does_not_fit_says_by_how_much_and_what_would(lane: Lane) -> None:
    result = lane("fit", "llama-3.3-70b", "--gpu", "h100:2", "--precision", "bf16", "--context", "131072", "--json")
    said = first(result)

    assert result.exit_code == 1
    assert not said["fits"]
    assert min(one["short_bytes"] for one in said["layouts"]) > 2**30
    [more] = [option for option in said["remedies"] if option.startswith("--gpu h100:4")]
    again = ("fit", "llama-3.3-70b", "--precision", "bf16", "--context", "131072", *more.split(": ")[0].split())
    assert lane(*again).exit_code == 0
    assert "It does not fit" in lane("fit", "llama-3.3-70b", "--gpu", "l40s").stdout


def test_a_folder_of_ones_own_is_reckoned_by_its_config(lane: Lane, tmp_path: Path) -> None:
    config = {"model_type": "llama", "num_hidden_layers": 2, "hidden_size": 64, "intermediate_size": 128}
    config |= {"num_attention_heads": 4, "vocab_size": 256, "max_position_embeddings": 512}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")

    own = first(lane("fit", str(tmp_path), "--gpu", "l4", "--json"))
    (tmp_path / "config.json").write_text(json.dumps({**config, "vocab_size": None}), encoding="utf-8")
    broken = lane("fit", str(tmp_path), "--gpu", "l4", "--json")

    assert own["layouts"][0]["largest_context"]["value"] == 512
    assert broken.exit_code == 2
    assert "`vocab_size` is missing" in first(broken)["error"]["message"]


@pytest.mark.slow
def test_a_model_is_added_beside_the_others_and_nothing_else_changes(lane: Lane, bundle: Path) -> None:
    before = (bundle / "models.yaml").read_text(encoding="utf-8")

    added = lane("add", "meta-llama/Llama-3.3-70B-Instruct", "--bundle", str(bundle), "--gpu", "h100:4", "--json")
    after = (bundle / "models.yaml").read_text(encoding="utf-8")

    assert added.exit_code == 0, added.output
    assert after.startswith(before.rstrip("\n"))
    assert check_bundle(bundle) == check_bundle(STARTER)
    spec = ModelSpec.model_validate(models_of(bundle)[-1])
    assert (spec.gpu, spec.gpus_per_replica, spec.replicas) == ("h100", 2, 2)
    assert spec.engine.tensor_parallel_size == 2
    assert spec.source.startswith("hub:RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic@")
    [line] = [line for line in after.splitlines() if "max_num_batched_tokens" in line]
    assert line.partition("# ")[2] == first(added)["because"]["engine.max_num_batched_tokens"]


@pytest.mark.parametrize(
    ("name", "gpu"),
    [
        ("llama-3.1-8b", "h100:2"),
        ("mistral-small", "a100:2"),
        ("mixtral", "b200:2"),
        ("qwen2.5-7b", "l4:2"),
        ("qwen3-8b", "mi300x"),
        ("qwen3-30b-a3b", "h200:2"),
    ],
)
def test_no_cpu_workaround_is_added_to_a_gpu(lane: Lane, bundle: Path, name: str, gpu: str) -> None:
    plain = ModelSpec.model_fields["engine"].default
    (bundle / "lanes.yaml").unlink()  # What does not check anyway is not checked: this test is about what is written.

    assert lane("add", name, "--bundle", str(bundle), "--gpu", gpu).exit_code == 0

    engine = ModelSpec.model_validate(models_of(bundle)[-1]).engine
    assert {one: getattr(engine, one) for one in CPU_WORKAROUNDS} == {
        one: getattr(plain, one) for one in CPU_WORKAROUNDS
    }


@pytest.mark.slow
def test_the_small_model_is_added_to_cpus_with_what_they_need(lane: Lane, bundle: Path) -> None:
    small, *others = models_of(bundle)
    (bundle / "models.yaml").write_text(yaml.safe_dump({"models": others}, sort_keys=False), encoding="utf-8")

    assert lane("add", "smollm2", "--bundle", str(bundle)).exit_code == 0

    model = next(one for one in models_of(bundle) if one["name"] == small["name"])
    assert model["engine"]["enforce_eager"] is True
    assert "gpu" not in model


def test_what_stands_there_already_is_left_alone(lane: Lane, bundle: Path) -> None:
    before = (bundle / "models.yaml").read_bytes()

    again = lane("add", "smollm2", "--bundle", str(bundle), "--json")

    assert again.exit_code == 2
    assert "stands there already" in first(again)["error"]["message"]
    assert (bundle / "models.yaml").read_bytes() == before


def test_a_model_that_does_not_fit_is_not_added(lane: Lane, bundle: Path) -> None:
    before = (bundle / "models.yaml").read_bytes()

    small = lane("add", "llama-3.3-70b", "--bundle", str(bundle), "--gpu", "l40s", "--json")

    assert small.exit_code == 1
    assert first(small)["error"]["code"] == "does_not_fit"
    assert "--gpu l40s:2" in first(small)["error"]["message"]
    assert (bundle / "models.yaml").read_bytes() == before


def test_a_list_in_another_form_is_not_guessed_at(lane: Lane, bundle: Path) -> None:
    (bundle / "models.yaml").write_text("models: []\n", encoding="utf-8")

    refused = lane("add", "smollm2", "--bundle", str(bundle), "--json")

    assert refused.exit_code == 2
    assert "one `- name:` a model" in first(refused)["error"]["message"]


def test_a_name_for_other_weights_of_the_same_shape_is_not_added(lane: Lane, bundle: Path) -> None:
    refused = lane("add", "Qwen3-30B-A3B-Instruct-2507", "--bundle", str(bundle), "--gpu", "h100", "--json")

    assert refused.exit_code == 2
    assert "weights of its own" in first(refused)["error"]["message"]


def test_a_context_beyond_the_models_own_is_bad_input(lane: Lane, bundle: Path) -> None:
    fit = lane("fit", "qwen3-8b", "--gpu", "h200", "--context", "50000", "--json")
    add = lane("add", "qwen3-8b", "--bundle", str(bundle), "--gpu", "h200", "--context", "50000", "--json")

    assert (fit.exit_code, add.exit_code) == (2, 2)
    assert "takes at most 40960 tokens" in first(add)["error"]["message"]


def test_a_precision_without_units_for_it_is_remarked_on(lane: Lane) -> None:
    ampere = first(lane("fit", "llama-3.1-8b", "--gpu", "a100", "--precision", "fp8", "--json"))
    hopper = first(lane("fit", "llama-3.1-8b", "--gpu", "h100", "--precision", "fp8", "--json"))

    assert "no units for fp8" in ampere["caveats"][0]
    assert not hopper["caveats"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A models folder with what the starter names, and one that nobody does."""
    made = tmp_path / "models"
    for name in ("smollm2-135m-instruct", "other"):
        (made / name).mkdir(parents=True)
        (made / name / "model.safetensors").write_bytes(b"weights")
        write_manifest(made / name)
    monkeypatch.setenv("LANE_MODELS", str(made))
    return made


def test_a_model_that_no_bundle_names_is_evicted(here: Path, bundle: Path, lane: Lane) -> None:
    assert first(lane("evict", "other", "--bundle", str(bundle), "--json")) == {"model": "other", "removed": True}
    assert not (here / "other").exists()


@pytest.mark.parametrize("spelling", ["the-model", "smollm2-135m-instruct", "{here}/smollm2-135m-instruct"])
def test_what_the_bundle_names_stays_however_it_is_spelt(spelling: str, here: Path, bundle: Path, lane: Lane) -> None:
    models = yaml.safe_load((bundle / "models.yaml").read_text())
    models["models"][0] |= {"name": "the-model", "folder": "smollm2-135m-instruct"}
    (bundle / "models.yaml").write_text(yaml.safe_dump(models))
    lanes = (bundle / "lanes.yaml").read_text()
    (bundle / "lanes.yaml").write_text(lanes.replace("smollm2-135m-instruct", "the-model"))

    result = lane("evict", spelling.format(here=here), "--bundle", str(bundle))

    assert result.exit_code == 2
    assert "it stays" in result.stderr
    assert (here / "smollm2-135m-instruct").exists()


def test_a_folder_elsewhere_is_not_removed(here: Path, bundle: Path, lane: Lane) -> None:
    result = lane("evict", str(bundle), "--bundle", str(bundle))

    assert result.exit_code == 2
    assert f"no model folder of {here}" in result.stderr
    assert bundle.exists()
