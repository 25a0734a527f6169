"""Which share of a Beta distribution lies below x, and below which x does a share lie? For counts that need not be whole.

The continued fraction of the regularised incomplete beta function, by Lentz's method (DLMF 8.17.22, https://dlmf.nist.gov/8.17#v).
"""

import math
from typing import Final

_SMALLEST: Final = 1e-300
_CLOSE_ENOUGH: Final = 1e-14
_TERMS_AT_MOST: Final = 10_000
_HALVINGS: Final = 200


def beta_cdf(x: float, a: float, b: float) -> float:
    """Return the share of Beta(a, b) that lies below x. `a` and `b` are positive."""
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    if x > (a + 1) / (a + b + 2):
        # The fraction converges fast on this side of the mean alone.
        return 1.0 - beta_cdf(1.0 - x, b, a)
    front = a * math.log(x) + b * math.log1p(-x) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    return math.exp(front) / (a * _fraction(x, a, b))


def beta_quantile(share: float, a: float, b: float) -> float:
    """Return the x below which this share of Beta(a, b) lies, by halving: exact to the last digits."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if beta_cdf(middle, a, b) < share else (low, middle)
    return (low + high) / 2


def _fraction(x: float, a: float, b: float) -> float:
    """1 + d1/(1 + d2/(1 + ...)), the denominator of DLMF 8.17.22."""
    value, above, below = 1.0, 1.0, 0.0
    for term in range(1, _TERMS_AT_MOST):
        d = _coefficient(term, x, a, b)
        below = 1.0 / _away_from_zero(1.0 + d * below)
        above = _away_from_zero(1.0 + d / above)
        step = above * below
        value *= step
        if abs(step - 1.0) < _CLOSE_ENOUGH:
            break
    return value


def _coefficient(term: int, x: float, a: float, b: float) -> float:
    m = term // 2
    if term % 2:
        return -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
    return m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _SMALLEST else _SMALLEST
