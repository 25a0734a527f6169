"""How did an attempt on a lane end without a usable answer, and which cause picks the next rung?"""

from typing import ClassVar

from typing_extensions import override

from router.contract import Cause, Finding
from router.errors.root import RouterError


class LaneFailed(RouterError):
    """An attempt on a lane ended without a usable answer."""

    status = 502
    code = "lane_failed"
    cause: ClassVar[Cause] = "connection"

    def __init__(self, lane: str, because: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(f"lane {lane}: {because}")
        self.lane = lane
        self.because = because
        self.retry_after_seconds = retry_after_seconds

    @override
    def __reduce__(self) -> tuple[type["LaneFailed"], tuple[str, str, float | None]]:
        """Rebuild from the fields: the error crosses process lines."""
        return type(self), (self.lane, self.because, self.retry_after_seconds)


class LaneTimeout(LaneFailed):
    """The lane did not connect, start, go on or end in time."""

    status = 504
    code = "lane_timeout"
    cause = "timeout"


class LaneUnreachable(LaneFailed):
    """Nothing answers at the lane's address."""

    code = "lane_unreachable"
    cause = "connection"


class ReplicaLost(LaneUnreachable):
    """What answered is gone, and others like it go on: that says nothing of the lane."""


class LaneOverloaded(LaneFailed):
    """The lane has no room; `retry_after_seconds` says when to come back."""

    status = 503
    code = "lane_overloaded"
    cause = "overload"


class LaneStarting(LaneOverloaded):
    """The lane's model was scaled to nothing; its start takes longer than this request can wait, and goes on."""

    code = "lane_starting"


class LaneSaturated(LaneOverloaded):
    """The lane's engines are full: what may leave goes on to the next rung, what may not found no place in its time."""

    status = 429
    code = "lane_saturated"


class LaneRateLimited(LaneFailed):
    """The provider's rate limit is used up; `retry_after_seconds` says when to come back, where it said so."""

    status = 429
    code = "rate_limit_exceeded"
    cause = "rate_limit"


class LaneQuotaExhausted(LaneRateLimited):
    """The provider's account has nothing left. Never asked again for this request: only a person can mend it."""

    code = "insufficient_quota"


class BudgetExhausted(LaneFailed):
    """What this step could take is more than the tenant's daily budget has left; `retry_after_seconds` is until the day's end."""

    status = 429
    code = "budget_exhausted"
    cause = "budget"


class LaneMisbehaved(LaneFailed):
    """The lane answered with an error of its own, garbage, or a cut stream."""

    code = "lane_bad_answer"
    cause = "connection"


class LaneErrored(LaneMisbehaved):
    """The lane answered with an error of its own that may pass (5xx): it may be asked once more, a moment later."""

    code = "lane_error"


class LaneClosed(LaneFailed):
    """The lane may only be used on a condition, and that could not be met: what it redacts could not be taken out, or not put back."""

    status = 503
    code = "lane_closed"
    cause = "boundary"


class FoundBeforeLeaving(LaneFailed):
    """The last look at the exact bytes found what raises their label, so nothing was sent. `findings` are for the next decision."""

    status = 403
    code = "found_before_leaving"
    cause = "boundary"

    def __init__(self, lane: str, findings: tuple[Finding, ...]) -> None:
        kinds = ", ".join(sorted({finding.category for finding in findings}))
        super().__init__(lane, f"the deep scan found {kinds} in what was about to leave")
        self.findings = findings

    @override
    def __reduce__(self) -> tuple[type["FoundBeforeLeaving"], tuple[str, tuple[Finding, ...]]]:  # type: ignore[override]
        """Rebuild from the fields: the error crosses process lines."""
        return type(self), (self.lane, self.findings)


class LaneRefused(LaneFailed):
    """The model refused, and the route has a rung for that."""

    code = "model_refused"
    cause = "refusal"


class AnswerWithheld(LaneFailed):
    """A look at the answer kept it back: it holds what may not go out. `because` never quotes it."""

    status = 502
    code = "answer_withheld"
    cause = "check"

    def __init__(self, lane: str, check: str, because: str) -> None:
        super().__init__(lane, f"the answer was withheld by the check {check}: {because}")
        self.check = check
        self.found = because

    @override
    def __reduce__(self) -> tuple[type["AnswerWithheld"], tuple[str, str, str]]:  # type: ignore[override]
        """Rebuild from the fields: the error crosses process lines."""
        return type(self), (self.lane, self.check, self.found)


class ContractViolated(LaneFailed):
    """The answer breaks the request's output contract."""

    status = 422
    code = "contract_violated"
    cause = "schema_failure"
