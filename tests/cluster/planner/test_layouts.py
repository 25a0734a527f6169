import pytest

from cluster.planner.layouts import measured, options_of
from cluster.profile import Fingerprint, Point, Profile, Quantiles, StepFit
from models.catalogue import find_model
from models.fit import Wish
from models.gpus import find_gpu

LLAMA, H100 = find_model("llama-3.1-8b"), find_gpu("h100")
WISH = Wish(context=4096, precision="fp8")
SECONDS = Quantiles(p50=0.1, p95=0.2, p99=0.3, mean=0.12)
POINT = Point(
    concurrency=32, input_tokens=1000, output_tokens=200, requests=100, seconds=10, output_tokens_per_second=100,
    ttft=SECONDS, tpot=SECONDS, end_to_end=SECONDS,
)  # fmt: skip


def profile(fit: StepFit) -> Profile:
    machine = Fingerprint(gpu="h100", gpu_count=1, processor="any", cores=2, memory_bytes=1)
    return Profile(
        model=LLAMA.name, weights_hash="0" * 64, side="engine", at="now", machine=machine, dtype="fp8", points=(POINT,), fit=fit,
        kv_capacity_tokens=400_000, max_num_seqs=256,
    )  # fmt: skip


def test_tensor_parallelism_by_powers_of_two_comes_before_pipelines() -> None:
    options, unfit = options_of(LLAMA, H100, 8, WISH, None)

    assert [option.layout for option in options] == ["TP1", "TP2", "TP4", "TP8"]
    assert unfit == []


def test_a_pipeline_is_taken_where_tensor_parallelism_alone_does_not_fit() -> None:
    """Ten KV heads can't be shared by four, and two GPUs are too small."""
    options, unfit = options_of(find_model("phi-4-14b"), find_gpu("l4"), 4, Wish(context=4096, precision="fp32"), None)

    assert [option.layout for option in options] == ["TP2×PP2", "TP1×PP4"]
    said = dict(unfit)
    assert "KV heads" in said["TP4"]
    assert "GiB a GPU are missing" in said["TP2"]


def test_a_profile_takes_its_layouts_place_and_corrects_the_others() -> None:
    plain, _ = options_of(LLAMA, H100, 2, WISH, None)
    decode = 2 * plain[0].times.decode_seconds(32, 32 * 1100)
    prefill = 3 * plain[0].times.prefill_seconds(1000, 0)
    slow = StepFit(
        prefill_step=prefill,
        prefill_token=0,
        prefill_pair=0,
        decode_step=decode,
        decode_sequence=0,
        decode_context=0,
        error_factor=1.1,
    )

    (one, two), _ = options_of(LLAMA, H100, 2, WISH, profile(slow))

    assert one.times.error_factor == 1.1
    assert two.times.decode_seconds(32, 32 * 1100) == pytest.approx(
        2 * plain[1].times.decode_seconds(32, 32 * 1100), rel=0.02
    )
    assert two.times.prefill_seconds(1000, 0) == pytest.approx(3 * plain[1].times.prefill_seconds(1000, 0), rel=0.02)


def test_a_profile_that_does_not_say_what_its_cache_holds_gets_what_memory_allows() -> None:
    """Earlier versions' profiles of GPUs."""
    plain, _ = options_of(LLAMA, H100, 1, WISH, None)
    fit = StepFit(
        prefill_step=0.01, prefill_token=1e-5, prefill_pair=0, decode_step=0.01, decode_sequence=0, decode_context=0
    )

    (seen,), _ = options_of(LLAMA, H100, 1, WISH, profile(fit).model_copy(update={"kv_capacity_tokens": None}))

    assert seen.times.provenance == "fitted"
    assert seen.times.kv_capacity_tokens == plain[0].times.kv_capacity_tokens


def test_a_profile_of_a_pipeline_takes_the_gpus_of_all_its_stages() -> None:
    fit = StepFit(
        prefill_step=0.01, prefill_token=1e-5, prefill_pair=0, decode_step=0.01, decode_sequence=0, decode_context=0
    )
    deep = profile(fit).model_copy(update={"engine": {"tensor_parallel_size": 2, "pipeline_parallel_size": 2}})

    assert (measured(deep).layout, measured(deep).gpus) == ("TP2×PP2", 4)
