"""A step takes longer for more work and less for better hardware; the published anchors are met; no row is left without a line."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.planner.efficiencies import calibration
from cluster.planner.knee import CurvePoint, knee
from cluster.planner.predict import Case, RowUnreadable, engine_of, read_case, settle
from cluster.planner.roofline import Roofline
from models.memory import Layout

ROW = {
    "model": "Llama-3.3-70B",
    "gpu": "H100-SXM-80GB",
    "gpu_count": "2",
    "parallelism": "TP2",
    "precision": "FP8",
    "isl": "5000",
    "osl": "500",
    "concurrency_or_batch": "max",
}


def engine(**changes: str) -> Roofline:
    return engine_of(read_case(ROW | changes), calibration())


def tokens_per_second(**changes: str) -> float:
    case = read_case(ROW | changes)
    return settle(case, engine_of(case, calibration())).output_tokens_per_second


def test_a_70b_model_in_fp8_on_two_h100_has_its_knee_between_50_and_100_requests() -> None:
    levels = (1, 2, 4, 8, 16, 32, 48, 64, 80, 96, 128, 192, 256)

    curve = [CurvePoint(level, tokens_per_second(concurrency_or_batch=str(level))) for level in levels]

    assert 50 <= knee(curve).concurrency <= 100


@given(st.integers(1, 512), st.integers(1, 200_000), st.integers(1, 64))
def test_a_step_with_more_sequences_or_longer_contexts_never_takes_less(batch: int, context: int, more: int) -> None:
    one = engine()

    assert one.decode_seconds(batch + more, context) >= one.decode_seconds(batch, context)
    assert one.decode_seconds(batch, context + more) >= one.decode_seconds(batch, context)


@given(st.integers(1, 16_384), st.integers(0, 32_768), st.integers(1, 4096))
def test_reading_more_prompt_or_behind_more_context_never_takes_less(tokens: int, context: int, more: int) -> None:
    one = engine()

    assert one.prefill_seconds(tokens + more, context) >= one.prefill_seconds(tokens, context)
    assert one.prefill_seconds(tokens, context + more) >= one.prefill_seconds(tokens, context)


def test_an_h200_is_faster_than_an_h100_and_holds_more() -> None:
    assert tokens_per_second(gpu="H200") > 1.2 * tokens_per_second()
    assert engine(gpu="h200").kv_capacity_tokens > 2 * engine().kv_capacity_tokens


def test_a_gpu_that_cannot_multiply_in_fp8_unpacks_to_sixteen_bits() -> None:
    on_a100 = engine(gpu="A100-80GB", gpu_count="4", parallelism="TP4")

    eight, sixteen = on_a100, replace(on_a100, precision="bf16")

    assert eight.decode_seconds(1, 1000) < 0.7 * sixteen.decode_seconds(1, 1000)
    assert eight.prefill_seconds(8192, 0) == pytest.approx(sixteen.prefill_seconds(8192, 0), rel=0.1)


@given(st.integers(1, 600))
def test_more_requests_at_once_never_lower_the_throughput_nor_the_wait(at_once: int) -> None:
    fewer, more = (read_case(ROW | {"concurrency_or_batch": str(count)}) for count in (at_once, at_once + 8))
    one = engine_of(fewer, calibration())

    before, after = settle(fewer, one), settle(more, one)

    assert after.output_tokens_per_second >= before.output_tokens_per_second
    assert after.ttft_seconds >= before.ttft_seconds
    assert after.concurrency <= one.max_batch


def test_names_are_read_in_any_case_and_numbers_among_words() -> None:
    case = read_case(
        ROW
        | {"model": "QWEN3-235b-a22b", "gpu": "h200", "gpu_count": "8", "parallelism": "DEP8", "isl": "OpenOrca ~294"}
    )

    assert case == Case("qwen3-235b-a22b", "h200", "fp8", "fp8", Layout(data=8), 1, 294, 500, None)


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"model": "no-such-model"}, "no-such-model"),
        ({"gpu": "abacus"}, "abacus"),
        ({"precision": "fp3"}, "fp3"),
        ({"osl": "?"}, "osl: '\\?' holds no single number"),
        ({"parallelism": "TP3"}, "parallelism: TP3 takes 3 GPUs, gpu_count is 2"),
        ({"parallelism": "TP3", "gpu_count": "3"}, "can't be shared as TP3: 64 heads are not divisible by 3"),
        ({"parallelism": "?", "gpu_count": "3", "model": "Llama-3.1-405B"}, "can't be shared as TP3"),
        ({"model": "Llama-3.1-405B"}, "lacks .* GiB for one request"),
    ],
)
def test_a_row_that_cannot_be_says_which_field_is_why(changes: dict[str, str], because: str) -> None:
    with pytest.raises(RowUnreadable, match=because):
        engine(**changes)


def test_a_row_without_a_layout_takes_the_smallest_that_holds_the_model() -> None:
    case = read_case(ROW | {"model": "Llama-3.1-8B", "gpu_count": "8", "parallelism": "?"})

    assert (case.layout, case.copies) == (Layout(1), 8)
    assert read_case(ROW | {"model": "Llama-3.1-405B", "parallelism": "?", "gpu_count": "8"}).layout == Layout(8)
