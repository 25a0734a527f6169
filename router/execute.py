"""How is a decision carried out? The ladder is tried rung by rung; each attempt is bounded in time and recorded.

Before the first piece of content, going to the next rung is invisible to the caller. After it, a failure is the caller's to see:
what was sent can't be recalled. An answer that is held (not streamed) may therefore still change lanes at its end.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Final

from router.bundle import Bundle
from router.bundle.files import LaneSpec
from router.contract import (
    AttemptEnded,
    AttemptStarted,
    Cause,
    ClosedRung,
    Decided,
    Decision,
    Egress,
    Finding,
    RouteRequest,
    Rung,
    Sampling,
    Validated,
)
from router.decide import label_found, narrow
from router.errors import (
    ContractViolated,
    DoorRefused,
    FoundBeforeLeaving,
    LaneFailed,
    LaneMisbehaved,
    LaneRefused,
    LaneTimeout,
    PermitOutdated,
    PolicyDenied,
    RouterError,
)
from router.lane import (
    Departed,
    Embedding,
    Lane,
    LaneCall,
    LaneEvent,
    ReasoningDelta,
    Refusal,
    Stop,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from router.ports import Clock, EvidenceLog, RedactionMaps
from router.redact import Hiding
from router.redacting import RedactedCall, Redactor
from router.scan import scan_text
from router.validate import validate_answer

Batch = tuple[LaneEvent, ...]
_CONTENT: Final = (TextDelta, ToolCallDelta, ReasoningDelta, Embedding)


@dataclass(frozen=True, slots=True)
class Run:
    """One request's execution: what it asks, of whom, and where it is recorded.

    `replan` decides anew with the state of now and what a last look found since; its answer can only narrow the plan. `superseded` tells
    whether another bundle is in force than what leaves under a decision was judged by. `hold` keeps the
    answer back until it is whole and valid. `cache_salt` separates tenants in the engines' prefix caches. `maps` are the placeholders of
    conversations, for lanes that redact.
    """

    trace_id: str
    request: RouteRequest
    bundle: Bundle
    lanes: Mapping[str, Lane]
    clock: Clock
    evidence: EvidenceLog
    replan: Callable[[tuple[Finding, ...]], Awaitable[tuple[Decision, int]]]
    hold: bool
    cache_salt: str | None = None
    maps: RedactionMaps | None = None
    superseded: Callable[[Decision], bool] = lambda _: False


@dataclass(frozen=True, slots=True)
class Climbed:
    """Says which rung the following batches come from. Yielded once, before the first of them."""

    rung: Rung
    attempt: int


async def execute(decision: Decision, run: Run) -> AsyncGenerator[Batch | Climbed, None]:
    """Carry out a decision with a ladder; yield `Climbed`, then batches of events, the last of which ends with `Stop`.

    Raises what the last attempt raised when no rung is left, `PolicyDenied` when the boundary closed the rest meanwhile, and
    whatever is the caller's own fault (`ContextTooLong`, `SchemaRefused`) at once.
    """
    deadline = run.clock.monotonic() + decision.budgets.latency_seconds
    climb = _Climb(decision, run)
    while rung := await climb.next():
        call = _call(climb.decision, run, rung, climb.attempt, deadline - run.clock.monotonic())
        if call.deadline_seconds <= 0:
            raise LaneTimeout(rung.lane, "no time is left for another attempt") from climb.failure
        sent = False
        try:
            redactor = _redactor(rung, climb.decision, run)
            reroutes = climb.goes_on_after("refusal")
            async with aclosing(_attempt(call, climb.cause, run, redactor, goes_on_after_refusal=reroutes)) as batches:
                async for batch in batches:
                    if not sent:
                        sent = True
                        yield Climbed(rung, climb.attempt)
                    yield batch
            return
        except (LaneFailed, DoorRefused) as error:
            if sent:
                raise
            await climb.failed(rung, error)
    if climb.failure is None:
        raise PolicyDenied("no lane may answer this request", _policies_of(climb.decision.closed))
    raise climb.failure


_START: Final[Cause] = "start"
_SUPERSEDED: Final = "another bundle is in force"


class _Climb:
    """Which rung is next? The plan that still holds, what is left of its ladder, and why the last attempt failed."""

    def __init__(self, decision: Decision, run: Run) -> None:
        self.decision, self._run = decision, run
        self.cause: Cause = _START
        self.attempt = 0
        self.failure: LaneFailed | DoorRefused | None = None
        self._left = list(decision.ladder)
        self._tried: list[Rung] = []
        self._late: tuple[Finding, ...] = ()
        self._stale = False

    def goes_on_after(self, cause: Cause) -> bool:
        """Whether a rung is left for this cause."""
        return any(cause in rung.on for rung in self._left)

    async def next(self) -> Rung | None:
        """Return the next rung that the cause leads to and the plan of now still holds."""
        while rung := _take_next(self._left, self.cause):
            if self._leads_out(rung) and self._run.superseded(self.decision):
                await self._decide_again(_SUPERSEDED)
                if not self._tried:
                    self._left = list(self.decision.ladder)
                    continue
            elif self._stale:
                await self._decide_again("before the next rung")
            still = next((one for one in self.decision.ladder if one.lane == rung.lane), None)
            if still is not None:
                self.attempt += 1
                self._tried.append(still)
                return still
            self._stale = True
        return None

    def _leads_out(self, rung: Rung) -> bool:
        return self._run.bundle.lanes[rung.lane].is_hosted

    async def failed(self, rung: Rung, error: LaneFailed | DoorRefused) -> None:
        """Take a failure in. A last look's finding and a change of bundle make the plan anew at once: what is left of it starts over."""
        self.failure = error
        self._stale = True
        match error:
            case FoundBeforeLeaving():
                self._late += error.findings
                await self._start_over(error.because, rung, once_more=rung.redacts is None)
            case PermitOutdated():
                await self._start_over(_SUPERSEDED, rung, once_more=True)
            case LaneFailed():
                self.cause = error.cause
            case DoorRefused():
                self.cause = "boundary"

    async def _start_over(self, because: str, rung: Rung, *, once_more: bool) -> None:
        """Make the plan anew. A lane is asked once; where the new plan holds the one that failed, `once_more` asks it again."""
        await self._decide_again(because)

        def may_try(one: Rung) -> bool:
            times = sum(one.lane == tried.lane for tried in self._tried)
            return times == 0 or (times == 1 and one.lane == rung.lane and once_more)

        self._left = [one for one in self.decision.ladder if may_try(one)]
        self.cause = _START if self._left[:1] == list(self.decision.ladder[:1]) else "boundary"

    async def _decide_again(self, because: str) -> None:
        """Decide with the state of now and what was found since, record it, and keep only what both decisions allow."""
        later, microseconds = await self._run.replan(self._late)
        self.decision = narrow(self.decision, later)
        self._run.evidence.append(
            self._run.trace_id,
            Decided(decision=self.decision, because=because, decide_microseconds=microseconds),
        )
        self._stale = False


def _take_next(remaining: list[Rung], cause: Cause) -> Rung | None:
    """Drop rungs up to and including the next one that this cause leads to, and return that one."""
    while remaining:
        rung = remaining.pop(0)
        if cause in rung.on:
            return rung
    return None


def _policies_of(closed: tuple[ClosedRung, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(policy for rung in closed for policy in rung.policies))


def _call(decision: Decision, run: Run, rung: Rung, attempt: int, seconds_left: float) -> LaneCall:
    """Everything the lane needs to know, resolved."""
    request, lane = run.request, run.bundle.lanes[rung.lane]
    schema_name, schema_json = contract_schema(decision, run)
    return LaneCall(
        trace_id=run.trace_id,
        attempt=attempt,
        lane=rung.lane,
        model=rung.model,
        org=request.org,
        label=decision.label,
        risk_tier=decision.risk_tier,
        attack=decision.attack,
        harm=decision.harm,
        messages=request.messages,
        sampling=_sampling(decision.sampling, lane, run.trace_id),
        max_tokens=decision.budgets.output_tokens,
        deadline_seconds=seconds_left,
        first_token_seconds=min(decision.budgets.first_token_seconds, lane.timeouts.first_token_seconds),
        bundle_hash=decision.bundle_hash,
        client_tools=request.client_tools if decision.client_tools else (),
        tool_choice=request.tool_choice if decision.client_tools else None,
        schema_name=schema_name,
        json_schema=schema_json,
        cache_salt=run.cache_salt,
        may_leave=any("overload" in each.on and run.bundle.lanes[each.lane].is_hosted for each in decision.ladder),
    )


def _sampling(asked: Sampling, lane: LaneSpec, trace_id: str) -> Sampling:
    """On an exact lane nothing is left to chance: a call without a seed gets one from its trace, so that it can be asked again."""
    if lane.determinism == "any" or asked.seed is not None:
        return asked
    return asked.model_copy(update={"seed": seed_of(trace_id)})


def seed_of(trace_id: str) -> int:
    """Return the seed of an exact lane's call that brought none: the first 60 bits of its trace ID."""
    return int(trace_id[:15], 16)


def contract_schema(decision: Decision, run: Run) -> tuple[str | None, str | None]:
    """Name and JSON Schema text of the answer's contract; (None, None) for free text, `"{}"` for any JSON object."""
    contract = decision.output_contract
    if contract.type == "text":
        return None, None
    if contract.schema_name is None or contract.schema_name == "request":
        return run.request.response_format.name, run.request.response_format.json_schema or "{}"
    return contract.schema_name, run.bundle.contracts[contract.schema_name]


def _redactor(rung: Rung, decision: Decision, run: Run) -> Callable[[LaneCall], Awaitable[RedactedCall]] | None:
    """What has to be done to a call before this rung sends it: nothing, for most."""
    if rung.redacts is None:
        return None
    tiers = run.bundle.tiers
    hiding = Hiding(rung.redacts.categories, decision.findings, scan_text, tiers.raise_at)
    redactor = Redactor(run.request, hiding, partial(label_found, tiers=tiers), run.maps)
    return partial(redactor.redacted, rung=rung)


async def _attempt(
    call: LaneCall,
    cause: Cause,
    run: Run,
    redactor: Callable[[LaneCall], Awaitable[RedactedCall]] | None,
    *,
    goes_on_after_refusal: bool,
) -> AsyncGenerator[Batch, None]:
    """Ask one lane. Records how the attempt began and, whatever happens, how it ended.

    Where the rung redacts, the lane gets the redacted call, and all that comes after the lane (the contract's check first) sees the answer
    restored.

    A refusal is an answer, unless the route has a rung for it and nothing was sent yet: then it raises `LaneRefused`.
    """
    record = _Attempt(call, run)
    run.evidence.append(call.trace_id, AttemptStarted(attempt=call.attempt, lane=call.lane, model=call.model, on=cause))
    held: list[LaneEvent] = []
    try:
        sent, restored = call, _as_it_is
        if redactor is not None:
            redacted = await redactor(call)
            run.evidence.append(call.trace_id, redacted.event)
            sent, restored = redacted.call, redacted.restorer.take
        async with aclosing(_within_time(sent, run)) as batches:
            async for batch in batches:
                held.extend(record.take(restored(batch)))
                if record.stop is not None:
                    if record.refused and goes_on_after_refusal and held:
                        raise LaneRefused(call.lane, "the model refused, and the route has a rung for that")
                    # INVARIANT: what is recorded of an attempt is recorded before its last event goes on.
                    record.close()
                elif run.hold or not (record.spoke or (record.refused and not goes_on_after_refusal)):
                    continue
                if held:
                    yield tuple(held)
                    held.clear()
        if record.stop is None:
            raise LaneMisbehaved(call.lane, "the stream ended without saying why")
    except RouterError as error:
        record.failed(error)
        raise
    finally:
        record.close()


def _as_it_is(batch: Batch) -> Batch:
    return batch


async def _within_time(call: LaneCall, run: Run) -> AsyncGenerator[Batch, None]:
    """Yield the lane's batches, each within its own deadline and all within the request's. Raises `LaneTimeout`."""
    gap = run.bundle.lanes[call.lane].timeouts.gap_seconds
    deadline = run.clock.monotonic() + call.deadline_seconds
    wait, what = call.first_token_seconds, "first token"
    async with aclosing(run.lanes[call.lane].stream(call)) as batches:  # type: ignore[type-var]
        while True:
            left = deadline - run.clock.monotonic()
            try:
                async with asyncio.timeout(min(wait, left)):
                    batch = await anext(batches)
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                because = f"no {what} within {wait:g} s" if wait < left else "the request's time is up"
                raise LaneTimeout(call.lane, because) from error
            yield batch
            if not all(isinstance(event, Departed) for event in batch):
                wait, what = gap, "next token"


class _Attempt:
    """What is known of an attempt while it runs; becomes one `AttemptEnded`."""

    def __init__(self, call: LaneCall, run: Run) -> None:
        self.call, self.run = call, run
        self.started = run.clock.monotonic()
        self.first_token: float | None = None
        self.usage: Usage | None = None
        self.stop: Stop | None = None
        self.refused = False
        self.text: list[str] = []
        self.end = "cancelled"
        self.because: str | None = None
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
                    if self.call.json_schema is not None:
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
        self.end = error.cause if isinstance(error, LaneFailed) else error.code
        self.because = error.because if isinstance(error, LaneFailed) else str(error)

    def close(self) -> None:
        """Record the attempt, once."""
        if self._closed:
            return
        self._closed = True
        price = self.run.bundle.lanes[self.call.lane].price
        usage = self.usage
        cost = usage and (usage.input_tokens * price.input_usd + usage.output_tokens * price.output_usd) / 1e6
        self.run.evidence.append(
            self.call.trace_id,
            AttemptEnded(
                attempt=self.call.attempt,
                lane=self.call.lane,
                model=self.call.model,
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

    def _validate(self, stop: Stop) -> None:
        """Hold the whole answer against its contract. One cut off by length is shown as incomplete, not as a violation."""
        if self.call.json_schema is None or stop.reason != "stop" or self.refused:
            return
        validity = validate_answer("".join(self.text), self.call.json_schema)
        self.run.evidence.append(
            self.call.trace_id,
            Validated(
                attempt=self.call.attempt,
                contract=self.call.schema_name or "json_object",
                valid=validity.valid,
                errors=validity.errors,
            ),
        )
        if not validity.valid:
            raise ContractViolated(self.call.lane, "the answer breaks its contract: " + "; ".join(validity.errors))

    def _egress(self, departed: Departed) -> None:
        self.run.evidence.append(
            self.call.trace_id,
            Egress(
                attempt=self.call.attempt,
                lane=self.call.lane,
                provider=departed.provider,
                body_sha256=departed.body_sha256,
                body_bytes=departed.body_bytes,
                permit_nonce=departed.permit_nonce,
                ledger_entry=departed.ledger_entry,
                allowed=True,
                because="the door let it out",
            ),
        )
