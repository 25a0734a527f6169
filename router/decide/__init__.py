"""What happens with this request? One pure function from request, bundle and state to a whole plan with its reasons."""

from router.decide.exits import leave_by_both, leave_nothing
from router.decide.judge import estimate_tokens
from router.decide.narrow import narrow, refusal_of
from router.decide.plan import decide
from router.decide.spans import EXTRAS, label_found

__all__ = [
    "EXTRAS",
    "decide",
    "estimate_tokens",
    "label_found",
    "leave_by_both",
    "leave_nothing",
    "narrow",
    "refusal_of",
]
