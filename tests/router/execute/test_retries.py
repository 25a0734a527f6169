import math

from hypothesis import given
from hypothesis import strategies as st

from router.bundle.files import RetrySpec
from router.execute.retries import RetryBudget, backoff_seconds

SPEC = RetrySpec(base_seconds=0.25, cap_seconds=4.0)


@given(st.integers(0, 60), st.floats(0, 1))
def test_the_wait_is_anything_up_to_a_bound_that_doubles_to_its_cap(retry: int, draw: float) -> None:
    assert backoff_seconds(SPEC, retry, draw) == draw * min(4.0, 0.25 * 2**retry)


@given(st.lists(st.booleans(), min_size=1, max_size=400), st.sampled_from((0.0, 0.05, 0.1, 0.2, 1.0)))
def test_of_n_requests_at_most_the_share_rounded_up_are_asked_again(fails: list[bool], share: float) -> None:
    """LAW, whenever the failures come: no quiet time is saved up for a storm."""
    budget, retries = RetryBudget(), 0
    for requests, failed in enumerate(fails, start=1):
        budget = budget.requested(share)
        if failed and (left := budget.spent(share)) is not None:
            budget, retries = left, retries + 1
        assert retries <= math.ceil(round(share * requests, 6))


def test_a_herd_that_fails_altogether_makes_a_tenth_more_calls_and_no_more() -> None:
    budget, calls = RetryBudget(), 0
    for _ in range(200):
        budget, calls = budget.requested(0.1), calls + 1
        if (left := budget.spent(0.1)) is not None:
            budget, calls = left, calls + 1

    assert calls == 220
