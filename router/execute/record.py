"""What is known of an attempt, and what is kept of it? Each lane's events pass through here once."""

from typing import Final

from router.breakers import Verdict
from router.contract import AttemptEnded, Egress, Validated
from router.errors import ContractViolated, LaneFailed, RouterError
from router.execute.climb import Step
from router.execute.health import verdict_of
from router.execute.run import Batch, Run
from router.lane import (
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
from router.validate import validate_answer

_CONTENT: Final = (TextDelta, ToolCallDelta, ReasoningDelta, Embedding)


class AttemptRecord:
    """What is known of an attempt while it runs; becomes one `AttemptEnded`."""

    def __init__(self, step: Step, run: Run, schema_name: str | None, schema: str | None) -> None:
        self.step, self.run = step, run
        self._schema_name, self._schema = schema_name, schema
        self.started = run.clock.monotonic()
        self.first_token: float | None = None
        self.usage: Usage | None = None
        self.stop: Stop | None = None
        self.refused = False
        self.text: list[str] = []
        self.end = "cancelled"
        self.because: str | None = None
        self._error: RouterError | None = None
        self._closed = False

    @property
    def spoke(self) -> bool:
        """Whether content of the answer has come."""
        return self.first_token is not None

    def take(self, batch: Batch) -> Batch:
        """Note a batch; return what of it goes on to the caller. A contract is checked before the `Stop` passes."""
        onward: list[LaneEvent] = []
        for event in batch:
            match event:
                case Departed():
                    self._egress(event)
                    continue
                case TextDelta():
                    if self._schema is not None:
                        self.text.append(event.text)
                case Usage():
                    self.usage = event
                case Refusal():
                    self.refused = True
                case Stop():
                    self._validate(event)
                    self.stop = event
                    self.end = "refusal" if self.refused else event.reason
                case ReasoningDelta() | ToolCallDelta() | Embedding():
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
        cost = usage and (usage.input_tokens * price.input_usd + usage.output_tokens * price.output_usd) / 1e6
        self.run.evidence.append(
            self.run.trace_id,
            AttemptEnded(
                attempt=self.step.attempt,
                lane=self.step.rung.lane,
                model=self.step.rung.model,
                ended=self.end,
                because=self.because,
                model_version=self.stop and self.stop.model_version,
                input_tokens=usage and usage.input_tokens,
                output_tokens=usage and usage.output_tokens,
                cost_usd=cost,
                first_token_seconds=self.first_token,
                seconds=self.run.clock.monotonic() - self.started,
            ),
        )

    def _settle(self) -> None:
        """Tell the lane's breaker what became of this."""
        run, lane = self.run, self.run.bundle.lanes[self.step.rung.lane]
        verdict: Verdict = "neither"
        if self.stop is not None or self._error is not None:
            callers = run.request.limits.deadline_seconds is not None and run.clock.monotonic() >= self.step.until
            verdict = verdict_of(self._error, lane, callers_deadline=callers)
        run.health.settle(lane, self.step.given, verdict, run.clock.monotonic())

    def _validate(self, stop: Stop) -> None:
        """Hold the whole answer against its contract. One cut off by length is shown as incomplete, not as a violation."""
        if self._schema is None or stop.reason != "stop" or self.refused:
            return
        validity = validate_answer("".join(self.text), self._schema)
        self.run.evidence.append(
            self.run.trace_id,
            Validated(
                attempt=self.step.attempt,
                contract=self._schema_name or "json_object",
                valid=validity.valid,
                errors=validity.errors,
            ),
        )
        if not validity.valid:
            raise ContractViolated(self.step.rung.lane, "the answer breaks its contract: " + "; ".join(validity.errors))

    def _egress(self, departed: Departed) -> None:
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
