"""Step times fitted to a profile give the profile back, and what it did not measure."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.planner.fitted import FittedSteps, ProfileTooThin, fit_steps, predict, steps_from
from cluster.profile import Fingerprint, Point, Profile, Quantiles, StepFit

TRUTH = StepFit(
    prefill_step=0.03,
    prefill_token=0.0012,
    prefill_pair=1e-7,
    decode_step=0.028,
    decode_sequence=0.002,
    decode_context=4e-6,
)
MACHINE = Fingerprint(gpu="cpu", gpu_count=0, processor="a processor", cores=2, memory_bytes=2**34)
STEPS = FittedSteps(TRUTH, 46592, 128)


def lengths(count: int, around: tuple[int, int], seed: int) -> tuple[tuple[int, int], ...]:
    chance = random.Random(seed)
    return tuple(
        (round(around[0] * chance.uniform(0.5, 1.5)), round(around[1] * chance.uniform(0.5, 1.5))) for _ in range(count)
    )


def profile_of(points: tuple[Point, ...], **changes: object) -> Profile:
    fields = {
        "model": "m",
        "weights_hash": "",
        "side": "lane",
        "at": "2026-11-24T18:00:00+00:00",
        "machine": MACHINE,
        "dtype": "bfloat16",
        "engine": {"block_size": 32},
        "max_num_seqs": 128,
        "max_num_batched_tokens": 2048,
        "kv_capacity_tokens": 46592,
        "points": points,
    }
    return Profile.model_validate(fields | changes)


def measured(concurrency: int, noise: float = 0.0) -> Point:
    """A level as an engine with the true step times would give it, times off by up to the noise."""
    shapes = lengths(4 * concurrency + 8, (160, 48), concurrency)
    chance = random.Random(concurrency)
    said = predict(profile_of((a_point(1, shapes, 1.0, 1.0, 1.0),)), STEPS, shapes, concurrency)
    throughput, tpot, ttft = (
        value * chance.uniform(1 - noise, 1 + noise) for value in (said.throughput, said.tpot, said.ttft)
    )
    return a_point(concurrency, shapes, throughput, tpot, ttft)


def a_point(
    concurrency: int, shapes: tuple[tuple[int, int], ...], throughput: float, tpot: float, ttft: float
) -> Point:
    def alike(seconds: float) -> Quantiles:
        return Quantiles(p50=seconds, p95=seconds, p99=seconds, mean=seconds)

    return Point(
        concurrency=concurrency,
        input_tokens=160,
        output_tokens=48,
        requests=10,
        seconds=10,
        output_tokens_per_second=throughput,
        ttft=alike(ttft),
        tpot=alike(tpot),
        end_to_end=alike(1.0),
        shapes=shapes,
    )


@pytest.mark.slow
def test_a_fit_predicts_loads_and_lengths_that_it_has_not_seen() -> None:
    profile = profile_of(tuple(measured(concurrency, noise=0.03) for concurrency in (1, 2, 4, 8)))

    fitted = steps_from(profile)

    for concurrency, around in ((3, (160, 48)), (6, (80, 60)), (4, (320, 24))):
        shapes = lengths(24, around, seed=99)
        said, true = (predict(profile, steps, shapes, concurrency) for steps in (fitted, STEPS))
        assert said.throughput == pytest.approx(true.throughput, rel=0.08)
        assert said.tpot == pytest.approx(true.tpot, rel=0.08)
        assert said.ttft == pytest.approx(true.ttft, rel=0.15)
    assert fitted.provenance == "fitted"
    assert 1.0 < fitted.error_factor < 1.15
    assert set(fitted.fit.errors) == {"throughput", "tpot", "ttft"}


def test_a_profile_that_holds_its_fit_is_taken_at_its_word() -> None:
    assert steps_from(profile_of((measured(1),), fit=TRUTH)).fit == TRUTH


def test_too_few_levels_are_refused_with_the_command_that_measures_more() -> None:
    rated = measured(2).model_copy(update={"rate": 1.0})

    with pytest.raises(ProfileTooThin, match="lane bench run m --sweep"):
        fit_steps(profile_of((measured(1), measured(2), rated, rated)))


@given(st.integers(1, 4096), st.integers(0, 4096), st.integers(1, 256), st.integers(1, 100_000))
def test_more_tokens_and_more_sequences_never_take_less_time(tokens: int, context: int, batch: int, held: int) -> None:
    assert STEPS.prefill_seconds(tokens, context) <= STEPS.prefill_seconds(tokens + 1, context)
    assert STEPS.prefill_seconds(tokens, context) <= STEPS.prefill_seconds(tokens, context + 1)
    assert STEPS.decode_seconds(batch, held) <= STEPS.decode_seconds(batch + 1, held)
    assert STEPS.decode_seconds(batch, held) <= STEPS.decode_seconds(batch, held + 1)
