from itertools import product
from pathlib import Path
from typing import Any

import pytest

from models.catalogue import engine_for, entries
from models.exactness import made_exact
from models.gpus import GPUS
from models.sound import spec_faults
from models.spec import Adapter, EngineSpec, ModelSpec, Scaling
from serving.private.arguments import adapter_folders, engine_settings, environment_settings

FOLDER = Path("/models/m")
AVX2 = {"architecture": "x86_64", "avx512_bw": False}
CPU_ENGINE = EngineSpec(dtype="auto", enforce_eager=True, block_size=32, kv_cache_gib=1, stream_interval=8)


def a_spec(**changes: Any) -> ModelSpec:
    fields: dict[str, Any] = {
        "name": "m",
        "family": "llama",
        "source": "x",
        "folder": "m",
        "licence": "x",
        "context_tokens": 512,
    }
    return ModelSpec(**{**fields, **changes})


def test_no_cpu_work_around_reaches_a_gpu() -> None:
    spec = a_spec(gpu="h100", engine=EngineSpec(tensor_parallel_size=2))

    settings, environment = engine_settings(spec, FOLDER, cpu={}), environment_settings(spec)

    assert spec_faults(spec) == ()
    assert not {"block_size", "kv_cache_memory_bytes"} & settings.keys()
    assert (settings["enforce_eager"], settings["dtype"], settings["stream_interval"]) == (False, "auto", 1)
    assert settings["distributed_executor_backend"] == "mp"
    # Not only left unset: what the surroundings hold is taken away.
    assert {name: environment[name] for name in ("TORCHDYNAMO_DISABLE", "VLLM_CPU_KVCACHE_SPACE")} == {
        "TORCHDYNAMO_DISABLE": None,
        "VLLM_CPU_KVCACHE_SPACE": None,
    }


def test_no_cpu_work_around_reaches_a_gpu_by_way_of_the_catalogue() -> None:
    rendered = 0
    for entry, gpu in product(entries().values(), GPUS):
        if entry.setup_for(gpu.name) is None:
            continue
        arguments = {name: argument.value for name, argument in engine_for(entry, gpu.name).items()}
        spec = a_spec(gpu=gpu.name, engine=EngineSpec.model_validate(arguments))

        settings = engine_settings(spec, FOLDER, cpu={})

        assert spec_faults(spec) == ()
        assert not {"block_size", "kv_cache_memory_bytes"} & settings.keys()
        assert (settings["enforce_eager"], settings["stream_interval"], settings["dtype"]) == (False, 1, "auto")
        assert environment_settings(spec)["TORCHDYNAMO_DISABLE"] is None
        rendered += 1
    assert rendered > 50


def test_each_cpu_setting_that_the_starter_uses_is_refused_beside_a_gpu() -> None:
    named = {fault.field[-1] for fault in spec_faults(a_spec(gpu="h100", engine=CPU_ENGINE))}

    assert named == {"enforce_eager", "block_size", "kv_cache_gib", "stream_interval"}


def test_a_cpu_gets_its_work_arounds() -> None:
    spec = a_spec(engine=CPU_ENGINE)

    settings, environment = engine_settings(spec, FOLDER, cpu=AVX2), environment_settings(spec)

    assert settings["dtype"] == "float32"
    assert (settings["enforce_eager"], settings["block_size"], settings["kv_cache_memory_bytes"]) == (True, 32, 2**30)
    assert environment == {"VLLM_BATCH_INVARIANT": None, "VLLM_CPU_KVCACHE_SPACE": None, "TORCHDYNAMO_DISABLE": "1"}


def test_replicas_that_may_share_a_machines_cores_are_not_bound_to_the_same_ones() -> None:
    bound = [
        environment_settings(spec).get("VLLM_CPU_OMP_THREADS_BIND")
        for spec in (
            a_spec(),
            a_spec(replicas=2),
            a_spec(scaling=Scaling(max_replicas=2)),
            a_spec(replicas=2, gpu="h100"),
        )
    ]

    assert bound == [None, "nobind", "nobind", None]


def test_cache_and_prefill_settings_go_over_and_what_is_left_open_stays_vllms_own() -> None:
    chosen = EngineSpec(max_num_batched_tokens=2048, max_num_seqs=64, enable_prefix_caching=False, kv_cache_dtype="fp8")

    settings = engine_settings(a_spec(gpu="h100", engine=chosen), FOLDER, cpu={})

    asked = {
        "max_num_batched_tokens": 2048,
        "max_num_seqs": 64,
        "enable_prefix_caching": False,
        "kv_cache_dtype": "fp8",
    }
    assert asked.items() <= settings.items()
    left = engine_settings(a_spec(), FOLDER, cpu={})
    assert not {"max_num_batched_tokens", "max_num_seqs", "enable_prefix_caching", "enable_lora"} & left.keys()


def test_an_exact_models_kernels_are_asked_for_in_the_environment_and_no_other_models_are() -> None:
    exact, other = made_exact(a_spec(gpu="h100")), a_spec(gpu="h100")

    assert environment_settings(exact)["VLLM_BATCH_INVARIANT"] == "1"
    assert environment_settings(other)["VLLM_BATCH_INVARIANT"] is None


@pytest.mark.parametrize(("rank", "slot"), [(1, 1), (12, 16), (16, 16), (65, 128), (512, 512)])
def test_adapters_share_the_engine_in_slots_that_hold_the_largest(rank: int, slot: int) -> None:
    adapters = (
        Adapter(name="support", folder="adapters/s", max_rank=rank),
        Adapter(name="law", folder="adapters/l", max_rank=1),
    )
    spec = a_spec(folder="deep/m", adapters=adapters)

    settings = engine_settings(spec, Path("/models/deep/m"), cpu={})

    assert (settings["enable_lora"], settings["max_lora_rank"], settings["max_loras"]) == (True, slot, 2)
    assert adapter_folders(spec, Path("/models/deep/m")) == {
        "m:support": Path("/models/adapters/s"),
        "m:law": Path("/models/adapters/l"),
    }
