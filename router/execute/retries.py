"""Is the same lane asked once more, and when? Rarely, never all at once, and never so often that an outage is made worse."""

from dataclasses import dataclass
from typing import Final

from router.bundle.files import LaneSpec, RetrySpec
from router.errors import LaneErrored, LaneFailed, LaneOverloaded, LaneQuotaExhausted, LaneRateLimited, LaneSaturated

_WHOLE: Final = 1000
LEAST_SECONDS: Final = 1.0
"""A retry that would have less time than this is not made."""


@dataclass(frozen=True, slots=True)
class RetryBudget:
    """What a lane may still be asked again: each request pays in its share, each retry costs a whole one.

    LAW: of n requests, at most the share, rounded up, are asked again (n >= 1), whenever the failures come. So nothing is saved up beyond
    one retry: a lane that was well for a day is not stormed in its first bad minute. In thousandths, which add up exactly.
    """

    thousandths: int = _WHOLE

    def requested(self, share: float) -> "RetryBudget":
        """Return the budget after one more request."""
        return RetryBudget(min(_WHOLE, self.thousandths + int(share * _WHOLE)))

    def spent(self, share: float) -> "RetryBudget | None":
        """Return the budget after one more retry; None where it has none left."""
        if share <= 0 or self.thousandths < _WHOLE:
            return None
        return RetryBudget(self.thousandths - _WHOLE)


def backoff_seconds(spec: RetrySpec, retry: int, draw: float) -> float:
    """Return how long is waited before retry number `retry` (0 is the first): full jitter, `draw` is a random number from 0 to 1.

    Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015: of the ways compared there, the fewest calls in all.
    """
    return draw * min(spec.cap_seconds, spec.base_seconds * 2.0**retry)


def retry_in_seconds(error: LaneFailed, lane: LaneSpec, retry: int, seconds_left: float, draw: float) -> float | None:
    """Return how long to wait before the same lane is asked again; None where the next rung is tried instead.

    Asked again are a hosted lane that says when to come back (429), and one whose error may pass (5xx, 529). What it says of when is kept
    to, and is never less than the backoff. A quota that is used up does not come back within a request. A private lane
    that is full has its own queue; what came too late, or can't be read, came at a price already paid.
    """
    if retry >= lane.retry.attempts or not lane.is_hosted:
        return None
    backoff = backoff_seconds(lane.retry, retry, draw)
    match error:
        case LaneQuotaExhausted() | LaneSaturated():
            return None
        case LaneRateLimited(retry_after_seconds=float() | int() as asked):
            wait = asked + backoff
        case LaneErrored() | LaneOverloaded():
            wait = (error.retry_after_seconds or 0.0) + backoff
        case _:
            return None
    return wait if wait + LEAST_SECONDS <= seconds_left else None
