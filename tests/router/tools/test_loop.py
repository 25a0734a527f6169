import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import ToolLoop
from router.tools.loop import LoopBounds, LoopState, Step

STEPS = st.builds(Step, st.sampled_from(["a", "b"]), st.sampled_from(["1", "2", "3"]), st.integers(-5, 50))
BOUNDS = st.builds(LoopBounds, st.integers(0, 6), st.floats(0, 10), st.integers(0, 200), st.integers(0, 3))


@given(st.lists(st.tuples(STEPS, st.floats(0, 20)), max_size=40), BOUNDS)
def test_no_bound_is_ever_exceeded_whatever_the_model_asks_for(
    asked: list[tuple[Step, float]], bounds: LoopBounds
) -> None:
    state, taken = LoopState(), []
    for step, at in asked:
        try:
            state = state.after(step, bounds, at)
        except ToolLoop:
            continue
        taken.append((step, at))

    assert len(taken) == state.calls <= bounds.calls
    assert state.tokens <= bounds.tokens
    assert all(at < bounds.seconds for _, at in taken)
    calls = [(step.tool, step.arguments_sha256) for step, _ in taken]
    assert all(calls.count(call) <= bounds.repeats for call in calls)


@given(st.lists(STEPS, max_size=30), BOUNDS, BOUNDS)
def test_wider_bounds_never_stop_a_loop_that_narrower_ones_let_go_on(
    steps: list[Step], one: LoopBounds, other: LoopBounds
) -> None:
    wide = LoopBounds(*(max(a, b) for a, b in zip(_fields(one), _fields(other), strict=True)))

    assert _taken(steps, one) <= _taken(steps, wide)


@pytest.mark.parametrize(
    ("bounds", "because"),
    [
        (LoopBounds(calls=0), "no more are allowed"),
        (LoopBounds(seconds=1), "has run for its 1 s"),
        (LoopBounds(tokens=9), "used its 9 tokens"),
        (LoopBounds(repeats=1), "made 1 times already"),
    ],
)
def test_a_loop_says_which_bound_it_reached(bounds: LoopBounds, because: str) -> None:
    state = LoopState(made=(("t", "h"),))

    with pytest.raises(ToolLoop, match=because):
        state.after(Step("t", "h", tokens=10), bounds, at_seconds=2)


def test_two_calls_in_turn_are_a_repetition_too() -> None:
    state, bounds = LoopState(), LoopBounds(calls=100, repeats=2)

    for name in ("a", "b", "a", "b"):
        state = state.after(Step(name, "1"), bounds, 0)

    with pytest.raises(ToolLoop, match="same call"):
        state.after(Step("a", "1"), bounds, 0)


def _fields(bounds: LoopBounds) -> tuple:
    return bounds.calls, bounds.seconds, bounds.tokens, bounds.repeats


def _taken(steps: list[Step], bounds: LoopBounds) -> int:
    state = LoopState()
    try:
        for step in steps:
            state = state.after(step, bounds, 0)
    except ToolLoop:
        pass
    return state.calls
