import itertools
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from serving.leaks.beta import beta_cdf, beta_quantile
from serving.leaks.estimate import Estimate, Tally, estimate


@st.composite
def tallies(draw: st.DrawFn) -> Tally:
    population = draw(st.integers(1, 100_000))
    judged = draw(st.integers(0, min(population, 200)))
    return Tally(population, judged, draw(st.integers(0, judged)))


SOME = st.lists(tallies(), max_size=8)


# ------------------------------------------------------------------ the arithmetic


@pytest.mark.parametrize(("a", "b"), list(itertools.product((0.2, 1, 3.7, 250.5), repeat=2)))
def test_the_beta_distribution_is_scipy_s(a: float, b: float) -> None:
    for x in (1e-9, 0.01, 0.2, 0.5, 0.9, 0.999):
        assert beta_cdf(x, a, b) == pytest.approx(special.betainc(a, b, x), rel=1e-10, abs=1e-14)
    for share in (0.025, 0.5, 0.975):
        assert beta_quantile(share, a, b) == pytest.approx(special.betaincinv(a, b, share), rel=1e-8, abs=1e-12)


def test_one_stratum_is_clopper_and_pearson_s_interval_at_one_draw_fewer_where_the_variance_is_estimated() -> None:
    # Clopper-Pearson for 4 of 50: 0.0222 to 0.1923; for 0 of 100: 0 to 0.0362.
    four, none = estimate([Tally(10_000, 50, 4)]), estimate([Tally(10_000, 100, 0)])

    assert (four.rate, round(four.low, 3), round(four.high, 3)) == (0.08, 0.022, 0.194)
    assert (none.rate, none.low, round(none.high, 4)) == (0.0, 0.0, 0.0362)


def test_every_sample_counts_for_as_many_as_it_stands_for() -> None:
    found = estimate([Tally(900, 9, 0), Tally(100, 10, 5)])

    assert found.rate == pytest.approx(0.05)


def test_what_nobody_judged_says_nothing_and_is_said() -> None:
    found = estimate([Tally(750, 10, 1), Tally(250, 0, 0)])

    assert (found.covered, found.rate) == (0.75, 0.1)
    assert estimate([Tally(5, 0, 0)]).rate is None
    assert estimate([]) == Estimate(0, 0.0, 0, 0, 0.0, None, 0.0, 1.0)


# ------------------------------------------------------------------ laws


@given(SOME)
def test_the_interval_holds_the_rate_and_stays_within_0_and_1(strata: list[Tally]) -> None:
    found = estimate(strata)

    if found.rate is not None:
        assert 0 <= found.low <= found.rate <= found.high <= 1
        assert 0 < found.effective <= found.judged + 1e-9


@given(SOME)
def test_the_order_of_the_strata_is_nothing(strata: list[Tally]) -> None:
    forward, backward = estimate(strata), estimate(strata[::-1])

    assert forward.rate == pytest.approx(backward.rate) if forward.rate is not None else backward.rate is None
    assert (forward.low, forward.high) == (pytest.approx(backward.low), pytest.approx(backward.high))


@given(SOME)
def test_right_and_wrong_are_mirror_images(strata: list[Tally]) -> None:
    found = estimate(strata)
    mirrored = estimate([Tally(one.population, one.judged, one.judged - one.wrong) for one in strata])

    if found.rate is not None and mirrored.rate is not None:
        assert mirrored.rate == pytest.approx(1 - found.rate)
        assert mirrored.high == pytest.approx(1 - found.low, abs=1e-9)


@given(tallies().filter(lambda one: one.judged > 0))
def test_ten_times_the_judging_narrows_the_interval(one: Tally) -> None:
    more = Tally(one.population * 10, one.judged * 10, one.wrong * 10)

    narrow, wide = estimate([more]), estimate([one])

    assert narrow.high - narrow.low < wide.high - wide.low


# ------------------------------------------------------------------ simulated: is it unbiased, does it cover?

TRUE = {
    "rare and even": [(10_000, 40, 0.002)] * 5,
    "rare, in one small stratum": [(20_000, 50, 0.0), (500, 50, 0.08)],
    "common where little was judged": [(10_000, 50, 0.10), (1_000, 500, 0.0)],
    "a big stratum judged little": [(50_000, 20, 0.02), (1_000, 20, 0.3), (200, 20, 0.6)],
    "many small strata": [(30 + 20 * number, 8, 0.03) for number in range(20)],
    "one sample each": [(100 * (number + 1), 1, 0.2) for number in range(40)],
    "half": [(5_000, 30, 0.5), (300, 30, 0.4)],
    "almost everything": [(5_000, 60, 0.99), (5_000, 30, 0.97)],
    "never": [(5_000, 60, 0.0), (70, 5, 0.0)],
}
DRAWS = 600


@pytest.mark.slow
@pytest.mark.parametrize("strata", list(TRUE.values()), ids=list(TRUE))
def test_the_estimate_is_unbiased_and_its_interval_holds_the_truth_93_times_in_100(
    strata: list[tuple[int, int, float]],
) -> None:
    random = np.random.default_rng(20261124)
    wrong_in = [round(population * share) for population, _, share in strata]
    truth = sum(wrong_in) / sum(population for population, _, _ in strata)

    @cache
    def found_by(drawn: tuple[int, ...]) -> Estimate:
        return estimate(Tally(one[0], one[1], wrong) for one, wrong in zip(strata, drawn, strict=True))

    def draw() -> tuple[int, ...]:
        pairs = zip(wrong_in, strata, strict=True)
        return tuple(int(random.hypergeometric(wrong, one[0] - wrong, one[1])) for wrong, one in pairs)

    found = [found_by(draw()) for _ in range(DRAWS)]

    rates = np.array([one.rate for one in found])
    held = np.mean([one.low <= truth <= one.high for one in found])
    assert held >= 0.93
    assert abs(rates.mean() - truth) <= 4 * rates.std() / DRAWS**0.5 + 1e-12
