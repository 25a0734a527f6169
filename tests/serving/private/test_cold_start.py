from dataclasses import replace

import pytest

from router.contract import Label, Sampling
from router.errors import LaneStarting, outcome_of
from router.lane import LaneCall
from serving.private.cold_start import ColdStart

CALL = LaneCall(
    trace_id="ab" * 16,
    attempt=1,
    lane="private",
    model="small",
    org="local",
    label=Label(),
    risk_tier="low",
    messages=(),
    sampling=Sampling(),
    max_tokens=8,
    deadline_seconds=120.0,
    first_token_seconds=90.0,
    bundle_hash="",
)

IDLE_SECONDS = 300.0


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_call_whose_deadlines_reach_beyond_the_start_waits() -> None:
    ColdStart(60.0, IDLE_SECONDS, Clock()).admit(CALL, 0)


@pytest.mark.parametrize("short", [{"deadline_seconds": 20.0}, {"first_token_seconds": 20.0}])
def test_a_call_that_cannot_wait_is_told_when_to_come_back(short: dict[str, float]) -> None:
    cold = ColdStart(60.0, IDLE_SECONDS, Clock())

    with pytest.raises(LaneStarting, match="can wait 20 s of the 60") as raised:
        cold.admit(replace(CALL, **short), 0)

    assert raised.value.retry_after_seconds == 60.0
    assert outcome_of(raised.value).status == 503


def test_a_start_that_is_under_way_counts() -> None:
    clock = Clock()
    cold = ColdStart(60.0, IDLE_SECONDS, clock)
    hasty = replace(CALL, deadline_seconds=20.0)
    with pytest.raises(LaneStarting):
        cold.admit(hasty, 0)

    clock.now += 45

    cold.admit(hasty, 0)


def test_a_start_that_takes_longer_than_measured_turns_nobody_away_who_can_wait_a_second() -> None:
    clock = Clock()
    cold = ColdStart(60.0, IDLE_SECONDS, clock)
    cold.admit(CALL, 0)
    clock.now += 300

    cold.admit(replace(CALL, deadline_seconds=5.0), 0)


@pytest.mark.parametrize("replicas", [1, None])
def test_where_a_replica_is_up_or_nothing_is_known_every_call_goes_on(replicas: int | None) -> None:
    cold = ColdStart(60.0, IDLE_SECONDS, Clock())

    cold.admit(replace(CALL, deadline_seconds=1.0), replicas)


def test_after_a_replica_was_up_a_start_takes_its_full_time_again() -> None:
    clock = Clock()
    cold = ColdStart(60.0, IDLE_SECONDS, clock)
    cold.admit(CALL, 0)
    cold.admit(CALL, 1)
    clock.now += 600

    with pytest.raises(LaneStarting):
        cold.admit(replace(CALL, deadline_seconds=20.0), 0)


def test_a_model_that_woke_and_fell_asleep_unseen_starts_anew() -> None:
    clock = Clock()
    cold = ColdStart(60.0, IDLE_SECONDS, clock)
    cold.admit(CALL, 0)

    clock.now += 3600

    with pytest.raises(LaneStarting, match="of the 60"):
        cold.admit(replace(CALL, deadline_seconds=20.0), 0)
