"""What is known of an attempt, and what is kept of it? Each lane's events pass through here once."""

from typing import Final

from router.breakers import Verdict
from router.budgets import cost_of
from router.checks import Amended, CheckResult, Passed, Withheld
from router.contract import AttemptEnded, Checked, Egress, ToolSpec, Validated
from router.errors import (
    AnswerWithheld,
    BadRequest,
    ContractViolated,
    LaneFailed,
    LaneOverloaded,
    LaneUnreachable,
    RouterError,
)
from router.execute.climb import Step
from router.execute.health import verdict_of
from router.execute.run import Batch, Run
from router.execute.spending import Spending
from router.lane import (
    Continued,
    Departed,
    Embedding,
    LaneEvent,
    ReasoningDelta,
    Refusal,
    Stop,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from router.validate import AnswerContract, PrefixChecker, ToolCallChecker

_CONTENT: Final = (TextDelta, ToolCallDelta, ReasoningDelta, Embedding)


class AttemptRecord:
    """What is known of an attempt while it runs; becomes one `AttemptEnded`."""

    def __init__(self, step: Step, run: Run, contract: AnswerContract | None, tools: tuple[ToolSpec, ...]) -> None:
        self.step, self.run = step, run
        self._contract = contract
        self._answer = None if contract is None else PrefixChecker(contract)
        self._calls = ToolCallChecker(tools)
        self.breaches: tuple[str, ...] = ()
        self.started = run.clock.monotonic()
        self.first_token: float | None = None
        self.usage: Usage | None = None
        self.stop: Stop | None = None
        self.refused = False
        self.end = "cancelled"
        self.because: str | None = None
        self._error: RouterError | None = None
        self._departed = False
        self.spending = Spending(run)
        self._closed = False

    @property
    def spoke(self) -> bool:
        """Whether content of the answer has come."""
        return self.first_token is not None

    @property
    def arguments_of(self) -> str | None:
        """The tool whose arguments were asked for, if they were."""
        return None if self.run.arguments_of is None else self.run.arguments_of.name

    @property
    def spoke_at(self) -> float | None:
        """When it began to come, on the clock."""
        return None if self.first_token is None else self.started + self.first_token

    def take(self, batch: Batch) -> Batch:
        """Note a batch; return what of it goes on to the caller. A contract is checked before the `Stop` passes."""
        onward: list[LaneEvent] = []
        for event in batch:
            match event:
                case Departed():
                    self._egress(event)
                    continue
                case TextDelta(text):
                    breach = self._answer.feed(text) if self._answer is not None else None
                    self._must(breach.because if breach is not None else None)
                case ToolCallDelta():
                    self._must(self._calls.feed(event))
                case Usage():
                    self.usage = event
                case Refusal():
                    self.refused = True
                case Stop():
                    self._validate(event)
                    self.stop = event
                    self.end = "refusal" if self.refused else event.reason
                case ReasoningDelta() | Embedding() | Continued():
                    pass
            if self.first_token is None and isinstance(event, _CONTENT):
                self.first_token = self.run.clock.monotonic() - self.started
            onward.append(event)
        return tuple(onward)

    def failed(self, error: RouterError) -> None:
        """Note how it failed."""
        self._error = error
        self.end = error.cause if isinstance(error, LaneFailed) else error.code
        self.because = error.because if isinstance(error, LaneFailed) else str(error)

    def close(self) -> None:
        """Record the attempt, once."""
        if self._closed:
            return
        self._closed = True
        self._settle()
        price = self.run.bundle.lanes[self.step.rung.lane].price
        usage = self.usage
        cost = usage and cost_of(price, usage.input_tokens, usage.output_tokens, usage.cached_tokens) / 1e9
        ended = AttemptEnded(
            attempt=self.step.attempt,
            lane=self.step.rung.lane,
            model=self.step.rung.model,
            ended=self.end,
            because=self.because,
            model_version=self.stop and self.stop.model_version,
            input_tokens=usage and usage.input_tokens,
            output_tokens=usage and usage.output_tokens,
            cached_tokens=usage and usage.cached_tokens,
            cost_usd=cost,
            first_token_seconds=self.first_token,
            seconds=self.run.clock.monotonic() - self.started,
            arguments_of=self.arguments_of,
        )
        self.run.evidence.append(self.run.trace_id, ended)
        self.spending.settle(ended, reached=self._reached())

    def _reached(self) -> bool:
        """Whether the lane got the call, or may have: then something was taken of the budget."""
        if self.run.bundle.lanes[self.step.rung.lane].is_hosted:
            return self._departed
        return not isinstance(self._error, LaneOverloaded | LaneUnreachable | BadRequest)

    def _settle(self) -> None:
        """Tell the lane's breaker what became of this."""
        run, lane = self.run, self.run.bundle.lanes[self.step.rung.lane]
        verdict: Verdict = "neither"
        if self.stop is not None or self._error is not None:
            callers = run.request.limits.deadline_seconds is not None and run.clock.monotonic() >= self.step.until
            verdict = verdict_of(self._error, lane, callers_deadline=callers)
        run.health.settle(lane, self.step.given, verdict, run.clock.monotonic())

    def _must(self, breach: str | None) -> None:
        """Raise `ContractViolated` for what can't become valid any more: no more of it is waited for."""
        if breach is not None:
            self._validated((breach,))

    def _validate(self, stop: Stop) -> None:
        """Hold the whole answer against its contract. One cut off by length is shown as incomplete, not as a violation."""
        if stop.reason == "length" or self.refused:
            return
        if self._calls.called:
            if errors := self._calls.close().errors:
                self._validated(errors)
        elif self._answer is not None and stop.reason == "stop":
            self._validated(self._answer.close().errors)

    def _validated(self, errors: tuple[str, ...]) -> None:
        """Record how the answer stands to its contract. Raises `ContractViolated`."""
        name = self._contract.name if self._contract is not None else "tool_arguments"
        self.run.evidence.append(
            self.run.trace_id,
            Validated(
                attempt=self.step.attempt,
                contract="tool_arguments" if self._calls.called else name,
                valid=not errors,
                errors=errors,
                repair=bool(self.step.mend),
            ),
        )
        if errors:
            self.breaches = errors
            raise ContractViolated(self.step.rung.lane, "the answer breaks its contract: " + "; ".join(errors))

    def looked(self, result: CheckResult, checks: tuple[str, ...]) -> None:
        """Record what a look at the answer came to. Raises `AnswerWithheld`."""
        seen = Checked(attempt=self.step.attempt, check=", ".join(checks) or "disclaimer", outcome="passed")
        match result:
            case Passed():
                pass
            case Amended(_, because):
                changed = {"check": "disclaimer", "outcome": "amended", "because": because}
                seen = seen.model_copy(update=changed)
            case Withheld(check, because):
                seen = seen.model_copy(update={"check": check, "outcome": "withheld", "because": because})
        self.run.evidence.append(self.run.trace_id, seen)
        if isinstance(result, Withheld):
            raise AnswerWithheld(self.step.rung.lane, result.check_id, result.because)

    def _egress(self, departed: Departed) -> None:
        self._departed = True
        self.run.evidence.append(
            self.run.trace_id,
            Egress(
                attempt=self.step.attempt,
                lane=self.step.rung.lane,
                provider=departed.provider,
                body_sha256=departed.body_sha256,
                body_bytes=departed.body_bytes,
                permit_nonce=departed.permit_nonce,
                ledger_entry=departed.ledger_entry,
                allowed=True,
                because="the door let it out",
            ),
        )
