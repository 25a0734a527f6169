import csv
import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from models.catalogue import Entry, engine_for, entries, find_model, find_weights
from models.catalogue.entry import CPU_WORKAROUNDS
from models.errors import UnknownEntry
from models.gpus import CPU, find_gpu
from models.spec import EngineSpec

SERVED = {
    "llama-3.1-8b",
    "llama-3.3-70b",
    "mistral-small-24b",
    "mixtral-8x7b",
    "mixtral-8x22b",
    "qwen2.5-7b",
    "qwen2.5-14b",
    "qwen2.5-32b",
    "qwen2.5-72b",
    "qwen3-8b",
    "qwen3-14b",
    "qwen3-32b",
    "qwen3-30b-a3b",
    "qwen3-coder-30b-a3b",
    "smollm2-135m-instruct",
}
TOY: dict[str, Any] = {
    "name": "toy",
    "title": "Toy",
    "family": "llama",
    "licence": "Apache-2.0",
    "source": "local:toy",
    "parameters": 134_515_008,
    "config": find_model("smollm2").config,
    "variants": {"bf16": {"source": "local:toy", "because": "weights made on the spot"}},
    "setups": [{"gpus": ["h100"], "precision": "bf16", "because": "it is small enough"}],
}


def test_the_models_that_are_served_are_there_and_the_rest_is_for_planning() -> None:
    # Every file was read and held against its published number of parameters: `Entry` refuses one that is off by one.
    assert {entry.name for entry in entries().values() if not entry.planning_only} == SERVED


@pytest.mark.parametrize(
    ("published", "name"),
    [
        ("Llama-3.1-8B", "llama-3.1-8b"),
        ("meta-llama/Llama-3.1-8B-Instruct", "llama-3.1-8b"),
        ("RedHatAI/Meta-Llama-3.1-8B-Instruct-FP8", "llama-3.1-8b"),
        ("llama3.1_8b", "llama-3.1-8b"),
        ("LLaMA-7B", "llama-7b"),
        ("LLaMA-2-70B", "llama-2-70b"),
        ("Llama-2-70B-99", "llama-2-70b"),
        ("llama2-70b-99.9", "llama-2-70b"),
        ("llama2-70b-99-interactive", "llama-2-70b"),
        ("llama3_1-405b", "llama-3.1-405b"),
        ("llama-3-1-8b", "llama-3.1-8b"),
        ("llama_3_8b", "llama-3-8b"),
        ("Meta-Llama-3.1-8B-Instruct-Turbo", "llama-3.1-8b"),
        ("Llama-v3.3-70B-Instruct-FP4", "llama-3.3-70b"),
        ("Llama-4-Scout-17B-16E", "llama-4-scout-17b-16e"),
        ("Qwen3-235B-A22B", "qwen3-235b-a22b"),
        ("Qwen/Qwen2.5-7B-Instruct-AWQ", "qwen2.5-7b"),
        ("Qwen-72B", "qwen-72b"),
        ("openai/gpt-oss-120b", "gpt-oss-120b"),
        ("DeepSeek-R1", "deepseek-v3"),
        ("GPT-J-6B", "gpt-j-6b"),
        ("mistralai/Mixtral-8x7B-Instruct-v0.1", "mixtral-8x7b"),
    ],
)
def test_a_model_is_found_by_the_names_it_is_published_under_in_any_case(published: str, name: str) -> None:
    assert find_model(published).name == name
    assert find_model(published.upper()).name == name


@pytest.mark.skipif("LANE_DATA" not in os.environ, reason="the published figures are not here: set LANE_DATA")
def test_every_model_and_gpu_of_the_published_figures_is_known() -> None:
    with (Path(os.environ["LANE_DATA"]) / "capacity" / "published_throughput.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))

    assert all(find_model(row["model"]) and find_gpu(row["gpu"]) for row in rows)


def test_an_unknown_name_is_told_the_nearest() -> None:
    with pytest.raises(UnknownEntry, match=r"did you mean .*llama-3\.1-8b"):
        find_model("llama-3.1-9b")


def test_a_name_that_only_shares_the_shape_gets_no_other_models_weights() -> None:
    assert find_model("DeepSeek-R1-Distill-Llama-8B").name == "llama-3.1-8b"
    with pytest.raises(UnknownEntry, match="weights of its own"):
        find_weights("DeepSeek-R1-Distill-Llama-8B")


def test_no_cpu_workaround_reaches_a_gpu() -> None:
    plain = EngineSpec()
    for entry in entries().values():
        for gpu in {name for setup in entry.setups for name in setup.gpus} - {CPU}:
            arguments = {name: argument.value for name, argument in engine_for(entry, gpu).items()}
            spec = EngineSpec.model_validate(arguments)

            assert not arguments.keys() & CPU_WORKAROUNDS, f"{entry.name} on {gpu}"
            assert {name: getattr(spec, name) for name in CPU_WORKAROUNDS} == {
                name: getattr(plain, name) for name in CPU_WORKAROUNDS
            }


def test_every_class_of_gpus_has_a_step_size_and_every_argument_a_reason() -> None:
    for entry in entries().values():
        for gpu in {name for setup in entry.setups for name in setup.gpus} - {CPU}:
            assert "max_num_batched_tokens" in engine_for(entry, gpu)
            assert all(argument.because for argument in engine_for(entry, gpu).values())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"parameters": 134_515_009}, "published are 134,515,009"),
        ({"config": {"model_type": "llama"}}, "`num_hidden_layers`"),
        ({"setups": []}, "planning_only"),
        ({"family": "gpt-oss"}, "is none that is served"),
        ({"variants": {}}, "no variant has the precision"),
        ({"setups": [*TOY["setups"], *TOY["setups"]]}, "several setups"),
    ],
)
def test_an_entry_that_contradicts_itself_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Entry.model_validate({**TOY, **change})


@pytest.mark.parametrize("workaround", sorted(CPU_WORKAROUNDS))
def test_a_cpu_workaround_is_refused_under_a_gpu(workaround: str) -> None:
    value = {"enforce_eager": True, "kv_cache_gib": 1, "block_size": 32, "stream_interval": 8, "dtype": "float32"}
    engine = {workaround: {"value": value[workaround], "because": "it helped on a CPU"}}

    with pytest.raises(ValidationError, match="only for the CPU build"):
        Entry.model_validate({**TOY, "setups": [{**TOY["setups"][0], "engine": engine}]})
    assert Entry.model_validate({**TOY, "setups": [{**TOY["setups"][0], "gpus": ["cpu"], "engine": engine}]})


@pytest.mark.slow
def test_parsers_have_names_that_this_vllm_knows() -> None:
    reasoning = pytest.importorskip("vllm.reasoning")
    tools = pytest.importorskip("vllm.tool_parsers")
    for entry in entries().values():
        chat = {name: argument.value for name, argument in entry.chat.items()}
        assert chat.get("tool_call_parser", "hermes") in tools.ToolParserManager.list_registered()
        assert chat.get("reasoning_parser", "qwen3") in reasoning.ReasoningParserManager.list_registered()
