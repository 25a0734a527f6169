"""How long may this rung take? What is left of the request's time, less what the rungs after it need to be of any use."""

from collections.abc import Iterable
from typing import Final

LATER_SECONDS: Final = 5.0
"""What is kept for each rung that would follow a timeout, where the time allows; less where its lane speaks sooner."""


def rung_seconds(left: float, later: Iterable[float]) -> float:
    """Return the seconds of a rung. `left`: of the request; `later`: to the first token of each rung that a timeout would lead to.

    A rung gets an even part at least: however long the ladder, its first lane is asked in earnest. LAW: 0 <= result <= left.
    """
    kept = [min(LATER_SECONDS, seconds) for seconds in later]
    return max(0.0, left - sum(kept), left / (len(kept) + 1))
