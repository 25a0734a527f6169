import asyncio
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.private.vitals import Vitals
from serving.private.watchdog import Look, StallClock, watch

FLOOR = 30.0


def look_on(clock: StallClock, seconds: int, look: Look, *, start: float) -> tuple[str | None, int]:
    """Look once a second at an engine that does not change; return the verdict and when it came."""
    for second in range(1, seconds + 1):
        because = clock.look(replace(look, at_seconds=start + second))
        if because:
            return because, second
    return None, seconds


def test_an_engine_with_requests_and_no_progress_counts_as_hung_at_the_floor() -> None:
    clock = StallClock(FLOOR)
    stuck = Look(0.0, 3, Vitals(running=3), answers=0)
    clock.look(stuck)

    because, seconds = look_on(clock, 100, stuck, start=0.0)

    assert because == "no sign of life for 31 s with 3 requests open (limit 30 s)"
    assert seconds == 31


def test_an_idle_engine_that_answers_is_never_hung() -> None:
    clock = StallClock(FLOOR)

    verdicts = {clock.look(Look(float(second), 0, Vitals(), answers=second // 5)) for second in range(600)}

    assert verdicts == {None}


def test_an_idle_engine_that_answers_no_more_is_hung() -> None:
    clock = StallClock(FLOOR)
    idle = Look(0.0, 0, Vitals(), answers=7)
    clock.look(idle)

    because, _ = look_on(clock, 100, idle, start=0.0)

    assert because is not None
    assert "a question unanswered" in because


def test_answers_are_no_progress_while_requests_are_open() -> None:
    clock = StallClock(FLOOR)

    verdicts = [clock.look(Look(float(second), 1, Vitals(waiting=1), answers=second)) for second in range(40)]

    assert verdicts[-1] is not None


@pytest.mark.parametrize(
    "moved",
    [
        Vitals(running=1, generated_tokens_total=1),
        Vitals(running=1, kv_use=0.01),
        Vitals(running=1, preemptions_total=1),
        Vitals(running=1, waiting=4),
    ],
)
def test_whatever_the_scheduler_counts_is_a_sign_of_life(moved: Vitals) -> None:
    clock = StallClock(FLOOR)
    stuck = Look(0.0, 1, Vitals(running=1), answers=0)
    clock.look(stuck)
    look_on(clock, 29, stuck, start=0.0)

    clock.look(Look(30.0, 1, moved, answers=0))

    assert clock.silent_seconds == 0


def test_the_limit_follows_the_longest_step_within_four_times_the_floor() -> None:
    clock = StallClock(FLOOR)
    clock.look(Look(0.0, 1, Vitals(running=1), answers=0))
    look_on(clock, 13, Look(0.0, 1, Vitals(running=1), answers=0), start=0.0)

    clock.look(Look(14.0, 1, Vitals(running=1, prompt_tokens_total=2041), answers=0))

    assert clock.limit_seconds == 70
    clock.look(Look(15.0, 1, Vitals(running=1), answers=0))
    look_on(clock, 60, Look(0.0, 1, Vitals(running=1), answers=0), start=15.0)
    clock.look(Look(76.0, 1, Vitals(running=2), answers=0))
    assert clock.limit_seconds == 4 * FLOOR


def test_our_own_absence_proves_nothing_about_the_engine() -> None:
    clock = StallClock(FLOOR)
    clock.look(Look(0.0, 1, Vitals(running=1), answers=0))

    because = clock.look(Look(3600.0, 1, Vitals(running=1), answers=0))

    assert because is None
    assert clock.silent_seconds == 2


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2)), max_size=200))
def test_an_engine_that_does_something_within_every_limit_is_never_given_up(moves: list[tuple[int, int]]) -> None:
    clock, at, tokens = StallClock(FLOOR), 0.0, 0
    for pause, open_requests in moves:
        for _ in range(pause * 7):
            at += 1
            assert clock.look(Look(at, open_requests, Vitals(generated_tokens_total=tokens), answers=0)) is None
        tokens, at = tokens + 1, at + 1
        clock.look(Look(at, open_requests, Vitals(generated_tokens_total=tokens), answers=0))


class Engine:
    """An engine as the watchdog sees it; `silent` answers no question."""

    def __init__(self, *, silent: bool = False) -> None:
        self.dead = False
        self.running = 0
        self.vitals = Vitals()
        self.asked = 0
        self._silent = silent

    async def answer_a_question(self) -> None:
        self.asked += 1
        if self._silent:
            await asyncio.Event().wait()


def test_a_dead_engine_ends_the_watch() -> None:
    engine = Engine()
    engine.dead = True

    assert asyncio.run(watch(engine, StallClock(FLOOR, 0.001), time.monotonic)) == "its process ended"


def test_an_idle_engine_is_asked_and_a_silent_one_is_given_up() -> None:
    engine = Engine(silent=True)

    because = asyncio.run(watch(engine, StallClock(0.05, 0.002), time.monotonic))

    assert "a question unanswered" in because
    assert engine.asked == 1


def test_an_engine_that_works_is_asked_nothing() -> None:
    engine, looks = Engine(), 0

    def work() -> None:
        nonlocal looks
        looks += 1
        engine.running = 1
        engine.vitals = Vitals(running=1, generated_tokens_total=looks)
        engine.dead = looks > 40

    assert asyncio.run(watch(engine, StallClock(0.05, 0.002), time.monotonic, work)) == "its process ended"
    assert engine.asked == 0
