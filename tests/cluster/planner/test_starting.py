"""What the planner takes a start to last: what was seen here, before what a profile has, before what somebody wrote down."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.planner.starting import paced_by, start_time
from cluster.profile import Fingerprint, Point, Profile, Quantiles
from models.spec import ModelSpec, Scaling
from models.weights.starts import Start

FLAT = Quantiles(p50=0.1, p95=0.2, p99=0.3, mean=0.1)
BY_HAND = ModelSpec(
    name="m",
    family="llama",
    source="x",
    folder="m",
    licence="x",
    context_tokens=4096,
    scaling=Scaling(start_seconds=77),
)


def a_start(load: float | None, *, warm: bool = True, weights: str = "new") -> Start:
    return Start(
        model="m",
        weights_hash=weights,
        at=datetime(2026, 11, 30, tzinfo=UTC),
        warm=warm,
        fetch_seconds=0 if warm else 60,
        check_seconds=1,
        load_seconds=load,
        refused=None if load else "a wrong byte",
    )


def a_profile() -> Profile:
    point = Point(
        concurrency=1,
        input_tokens=1,
        output_tokens=1,
        requests=1,
        seconds=1,
        output_tokens_per_second=1,
        ttft=FLAT,
        tpot=FLAT,
        end_to_end=FLAT,
    )
    machine = Fingerprint(gpu="cpu", gpu_count=0, processor="x", cores=2, memory_bytes=1)
    return Profile(
        model="m",
        weights_hash="x",
        side="lane",
        at="2026-11-24",
        machine=machine,
        dtype="x",
        start_seconds=55,
        points=(point,),
    )


def test_delays_follow_the_warm_start_and_the_cold_one_is_told_beside_it() -> None:
    starts = (a_start(30), a_start(40), a_start(90), a_start(35, warm=False), a_start(None))

    found = start_time(starts, BY_HAND, a_profile())

    assert (found.seconds, found.warm_seconds, found.cold_seconds) == (41, 41, 96)
    assert found.provenance == "measured"
    assert "3 warm start(s), median 41 s; 1 cold start(s), median 96 s" in found.source
    assert paced_by(Scaling(), 41).upscale_delay_seconds == pytest.approx(4.1)
    assert paced_by(Scaling(), 41).downscale_delay_seconds == 205


def test_starts_with_weights_that_were_replaced_count_no_more() -> None:
    found = start_time((a_start(500, weights="old"), a_start(20)), None, None)

    assert found.seconds == 21


def test_where_no_start_was_warm_the_cold_one_counts() -> None:
    assert start_time((a_start(20, warm=False),), None, None).seconds == 81


def test_without_a_start_here_the_profile_counts_then_what_was_written_then_nothing() -> None:
    measured, by_hand, none = (
        start_time((), BY_HAND, a_profile()),
        start_time((a_start(None),), BY_HAND, None),
        start_time((), None, None),
    )

    assert (measured.seconds, measured.provenance) == (55, "measured")
    assert (by_hand.seconds, by_hand.provenance) == (77, "assumed")
    assert (none.seconds, none.provenance) == (None, "assumed")


@given(st.floats(1, 3600), st.floats(1, 3600))
def test_a_slower_start_never_makes_the_autoscaler_hastier(one: float, other: float) -> None:
    fast, slow = (paced_by(Scaling(), start) for start in sorted((one, other)))

    assert slow.upscale_delay_seconds >= fast.upscale_delay_seconds
    assert slow.downscale_delay_seconds >= fast.downscale_delay_seconds
