from hypothesis import given
from hypothesis import strategies as st

from router.queueing import EngineLoad, Pace, own_part, room_of

loads = st.builds(
    EngineLoad,
    open_requests=st.integers(0, 300),
    running=st.integers(0, 200),
    waiting=st.integers(0, 200),
    kv_use=st.floats(0, 1),
)


@given(load=loads, most=st.integers(1, 256), kv_limit=st.floats(0.1, 1))
def test_there_is_always_room_for_one_and_never_for_more_than_the_most(
    load: EngineLoad, most: int, kv_limit: float
) -> None:
    assert 1 <= room_of(load, most, kv_limit) <= most


def test_an_idle_engine_has_all_its_room() -> None:
    assert room_of(EngineLoad(), 128, 0.9) == 128


def test_an_engine_with_a_queue_of_its_own_gets_its_batch_and_a_little_ahead() -> None:
    assert room_of(EngineLoad(60, 40, 20, 0.5), 128, 0.9) == 60
    assert room_of(EngineLoad(3, 1, 2, 0.1), 128, 0.9) == 5


def test_a_full_cache_takes_no_more_than_what_runs() -> None:
    assert room_of(EngineLoad(30, 30, 0, 0.95), 128, 0.9) == 30


def test_what_is_free_of_the_cache_holds_more_of_the_same() -> None:
    assert room_of(EngineLoad(30, 30, 0, 0.45), 128, 0.9) == 61


@given(opened=st.lists(st.integers(0, 200), min_size=1, max_size=6), room=st.integers(1, 500))
def test_a_door_gets_its_even_part_and_beyond_it_its_part_of_what_is_unused(opened: list[int], room: int) -> None:
    doors, even = len(opened), -(-room // len(opened))
    unused = max(0, room - sum(opened))

    parts = [own_part([EngineLoad(open_requests=sum(opened))], room, here, doors) for here in opened]

    assert all(even <= part <= max(even, here + unused // doors) for part, here in zip(parts, opened, strict=True))


def test_a_door_that_alone_is_asked_comes_to_all_of_the_room_step_by_step() -> None:
    here = 0
    for _ in range(20):
        here = own_part([EngineLoad(open_requests=here)], 64, here, 2)

    assert here >= 63


def test_nothing_is_known_of_a_pace_before_a_call_has_ended() -> None:
    pace = Pace()
    assert pace.seconds_for(100.0, 4) is None

    pace.note(2.0, 10.0)

    assert pace.seconds_for(100.0, 4) == 5.0


def test_a_pace_follows_what_calls_take_now() -> None:
    pace = Pace()
    pace.note(1.0, 10.0)
    for _ in range(100):
        pace.note(3.0, 10.0)

    assert 2.9 < (pace.seconds_for(10.0, 1) or 0.0) <= 3.0
