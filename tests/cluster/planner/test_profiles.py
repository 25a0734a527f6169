"""A plan rests on a profile of what is planned, or on none."""

from cluster.planner.profiles import Wanted, choose_profile
from cluster.profile import Fingerprint, Point, Profile, Quantiles, StepFit
from models.spec import EngineSpec

SECONDS = Quantiles(p50=0.1, p95=0.2, p99=0.3, mean=0.12)
POINT = Point(
    concurrency=4, input_tokens=100, output_tokens=50, requests=20, seconds=10, output_tokens_per_second=100,
    ttft=SECONDS, tpot=SECONDS, end_to_end=SECONDS,
)  # fmt: skip
FIT = StepFit(
    prefill_step=0.01, prefill_token=1e-4, prefill_pair=0, decode_step=0.02, decode_sequence=0.002, decode_context=0
)  # fmt: skip
WANTED = Wanted("h100", precision="fp8", own_precision="fp8", kv="bf16", weights_hash="0" * 64)


def a_profile(at: str, gpu: str = "h100", **changes: object) -> Profile:
    machine = Fingerprint(gpu=gpu, gpu_count=1, processor="any", cores=2, memory_bytes=1)
    fields = {
        "model": "m",
        "weights_hash": "0" * 64,
        "side": "lane",
        "at": at,
        "machine": machine,
        "dtype": "bfloat16",
        "points": (POINT,),
        "fit": FIT,
        "max_num_seqs": 128,
    }
    return Profile.model_validate(fields | changes)


OLD = a_profile("old")


def test_the_newest_of_the_same_kind_of_machine_counts() -> None:
    new, elsewhere = a_profile("new"), a_profile("newest", gpu="cpu")

    chosen = choose_profile((elsewhere, new, OLD), WANTED)

    assert (chosen.profile, chosen.differences, chosen.passed_over) == (new, (), ())


def test_one_with_too_few_levels_is_passed_over_for_an_older_one() -> None:
    thin = a_profile("new", fit=None)

    chosen = choose_profile((thin, OLD), WANTED)

    assert chosen.profile == OLD
    assert chosen.passed_over == ("new: fewer than 3 levels of concurrency",)


def test_one_of_other_weights_or_another_cache_is_no_profile_of_what_is_planned() -> None:
    wide = a_profile("wide", precision="bf16")
    narrow_cache = a_profile("narrow", engine={"kv_cache_dtype": "fp8"})
    quantised = a_profile("int8", engine={"quantization": "int8"})

    chosen = choose_profile((wide, narrow_cache, quantised), WANTED)

    assert chosen.profile is None
    assert chosen.passed_over == (
        "wide: bf16 weights, not fp8",
        "narrow: fp8 cache, not bf16",
        "int8: int8 weights, not fp8",
    )


def test_the_lanes_goes_before_a_newer_one_of_the_bare_engine_which_is_better_than_none() -> None:
    bare = a_profile("bare", side="engine")

    assert choose_profile((bare, OLD), WANTED).profile == OLD
    alone = choose_profile((bare,), WANTED)
    assert (alone.profile, alone.differences) == (bare, ("the engine's own server, not the lane",))


def test_one_with_the_present_weights_and_settings_goes_before_a_newer_one_with_others() -> None:
    other_weights, more_at_once = a_profile("w", weights_hash="1" * 64), a_profile("s", max_num_seqs=256)
    wanted = Wanted("h100", engine=EngineSpec(max_num_seqs=128), weights_hash="0" * 64)

    assert choose_profile((other_weights, more_at_once, OLD), wanted).profile == OLD
    assert choose_profile((other_weights,), wanted).differences == ("other weights",)
    assert choose_profile((more_at_once,), wanted).differences == ("max_num_seqs 256, now 128",)
