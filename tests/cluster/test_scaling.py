import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.profile import Fingerprint, Point, Profile, Quantiles
from cluster.scaling import NotMeasured, scaling_from

FLAT = Quantiles(p50=0.1, p95=0.2, p99=0.3, mean=0.1)


def profile(knee: float | None = 12.0, start: float | None = 60.0) -> Profile:
    point = Point(
        concurrency=12,
        input_tokens=500,
        output_tokens=100,
        requests=50,
        seconds=60,
        output_tokens_per_second=300,
        ttft=FLAT,
        tpot=FLAT,
        end_to_end=FLAT,
    )
    return Profile(
        model="small",
        weights_hash="0" * 64,
        side="lane",
        at="2026-11-24T00:00:00Z",
        machine=Fingerprint(gpu="cpu", gpu_count=0, processor="x", cores=2, memory_bytes=1),
        dtype="bfloat16",
        start_seconds=start,
        points=(point,),
        knee_concurrency=knee,
    )


def test_the_target_is_the_knee_and_the_delays_follow_the_start() -> None:
    scaling = scaling_from(profile(), trough=1, peak=4)

    assert scaling.target_ongoing_requests == 12
    assert scaling.upscale_delay_seconds == 6
    assert scaling.downscale_delay_seconds == 300
    assert scaling.start_seconds == 60


def test_the_promise_of_a_spare_replica_is_on_top_of_trough_and_peak() -> None:
    scaling = scaling_from(profile(), trough=1, peak=4, n_plus=1)

    assert (scaling.min_replicas, scaling.max_replicas, scaling.spare_replicas) == (2, 5, 1)


def test_scaled_to_zero_nothing_runs_at_the_trough() -> None:
    assert scaling_from(profile(), trough=1, peak=2, to_zero=True).min_replicas == 0


@pytest.mark.parametrize(("knee", "start", "lacks"), [(None, 60.0, "no knee"), (12.0, None, "no start time")])
def test_what_was_not_measured_is_named(knee: float | None, start: float | None, lacks: str) -> None:
    with pytest.raises(NotMeasured, match=lacks):
        scaling_from(profile(knee, start), trough=1, peak=1)


@given(st.floats(1, 3600), st.floats(1, 3600))
def test_a_slower_start_never_makes_the_autoscaler_hastier(one: float, other: float) -> None:
    fast, slow = (scaling_from(profile(start=start), trough=1, peak=2) for start in sorted((one, other)))

    assert slow.upscale_delay_seconds >= fast.upscale_delay_seconds
    assert slow.downscale_delay_seconds >= fast.downscale_delay_seconds
