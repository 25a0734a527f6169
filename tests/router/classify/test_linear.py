import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from router.classify import DEFAULT_HEADS, Heads
from router.classify.linear import LINEAR_BUCKETS, STRETCHES, Linear, stretches

HEADS = Heads.load(DEFAULT_HEADS)


def linear(pieces: list[float], *, kinds: list[int] | None = None) -> Linear:
    """One head that gives each entry of a small vocabulary this weight, and 1 to a word of kind 1 shortly before one of kind 2."""
    near = np.zeros((9, 1), np.float32)
    near[1 * 3 + 2] = 1
    return Linear(
        names=("alarm",),
        kinds=np.array(kinds or [0] * len(pieces)),
        kind_count=3,
        pieces=np.array(pieces, np.float32)[:, None],
        pairs=np.zeros((LINEAR_BUCKETS, 1), np.float32),
        kind_pairs=near,
        bias=np.zeros(1, np.float32),
    )


@given(st.integers(0, 2000))
def test_stretches_leave_no_place_out(length: int) -> None:
    starts, ends = stretches(length)

    covered = {place for start, end in zip(starts, ends, strict=True) for place in range(start, end)}

    assert covered == set(range(length))
    assert max(ends - starts) <= max(STRETCHES)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.integers(0, 600), st.integers(0, 600))
def test_what_is_loud_alone_stays_loud_within_a_long_text(rows: list[int], before: int, after: int) -> None:
    head = linear([2.0, 1.0, 3.0, 0.5, 0.0])
    silence = 4
    alone = head.loudest(head.marks(np.array(rows)))

    buried = head.loudest(head.marks(np.array([silence] * before + rows + [silence] * after)))

    # Half of it at least stands in one stretch, beside silence.
    assert buried >= alone * 0.5 * np.sqrt(8 / STRETCHES[0]) - 1e-5


def test_words_of_two_kinds_speak_within_reach_and_in_order_alone() -> None:
    head = linear([0, 0, 0], kinds=[1, 2, 0])

    def total(*rows: int) -> float:
        return float(head.marks(np.array(rows)).sum())

    assert total(0, 1) == 1
    assert total(0, 2, 2, 2, 1) == 1
    assert total(0, 2, 2, 2, 2, 1) == 0
    assert total(1, 0) == 0


@given(st.text(max_size=300))
def test_a_text_without_known_words_raises_no_alarm(text: str) -> None:
    alarms = HEADS.alarms("".join(char for char in text if not char.isalnum()))

    assert not alarms.attack.flag
    assert not alarms.harm.flag


def test_alarms_of_no_text_at_all_are_quiet() -> None:
    assert not HEADS.alarms("").attack.flag
