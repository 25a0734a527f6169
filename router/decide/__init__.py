"""What happens with this request? One pure function from request, bundle and state to a whole plan with its reasons."""

from router.decide.judge import estimate_tokens
from router.decide.narrow import narrow, refusal_of
from router.decide.plan import decide
from router.decide.spans import EXTRAS, label_found

__all__ = ["EXTRAS", "decide", "estimate_tokens", "label_found", "narrow", "refusal_of"]
