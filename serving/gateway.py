"""How does one request become an answer? Decide, record, execute, record: the way of a request, whatever the transport.

Every request that comes in leaves one `Accepted` and exactly one `Finished`; the last piece of an answer is released only when
both, and all between them, are durable.
"""

import asyncio
import hashlib
import hmac
import logging
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from router.bundle import Bundle
from router.bundle.variables import stays_private
from router.contract import (
    Accepted,
    AttemptEnded,
    Decided,
    Decision,
    EvidenceEvent,
    Finding,
    Finished,
    Label,
    Message,
    RouteRequest,
    Rung,
    Skipped,
    TextPart,
)
from router.decide import decide, leave_by_both, leave_nothing, refusal_of
from router.errors import BadRequest, PolicyDenied, RouterError, StateUnavailable, outcome_of
from router.execute import Batch, Climbed, Run, execute
from router.labels import at_most, join
from router.lane import Embedding, Lane, Refusal, Stop, TextDelta, ToolCallDelta, Usage
from router.ports import Clock, RedactionMaps
from router.redact import Scan, scan_with
from router.scan import scan_text
from router.state import State
from serving.api import metrics
from serving.api.auth import Caller
from serving.keeper import KeeperClient
from serving.sessions import Said, Seen, hash_of, seen_of
from serving.store import EvidenceStore

log = logging.getLogger(__name__)

_PUBLIC: Final = Label()
_LONG_TEXT: Final = 50_000
"""Characters above which a decision leaves the event loop: it would hold up everyone else's tokens."""
Ended = Literal["answered", "decided", "refused", "approval", "clarify", "denied", "failed", "cancelled", "bad_request"]


@dataclass(frozen=True, slots=True)
class Opening:
    """What is known before the first content: goes into the answer's headers."""

    trace_id: str
    decision: Decision
    lane: str | None
    model: str | None


@dataclass(slots=True)
class Trace:
    """One request on its way through: its ID, when it began, and the hash of what it has answered so far."""

    trace_id: str
    started: float
    lane: str | None = None
    model: str | None = None
    answer: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    decision: Decision | None = None
    session_label: Label = field(default_factory=Label)
    later: Label = field(default_factory=Label)
    finished: bool = False

    @classmethod
    def begin(cls, clock: Clock) -> "Trace":
        """Start a trace. Its ID is minted here, never taken from a caller."""
        return cls(secrets.token_hex(16), clock.monotonic())


class _Recorder:
    """The evidence log, and the metrics that follow from what passes into it."""

    def __init__(self, store: EvidenceStore) -> None:
        self._store = store

    def append(self, trace_id: str, event: EvidenceEvent) -> None:
        self._store.append(trace_id, event)
        if isinstance(event, AttemptEnded):
            metrics.attempts_total.labels(event.lane, event.ended).inc()
            metrics.tokens_total.labels(event.lane, "input").inc(event.input_tokens or 0)
            metrics.tokens_total.labels(event.lane, "output").inc(event.output_tokens or 0)
            if event.first_token_seconds is not None:
                metrics.first_token_seconds.labels(event.lane).observe(event.first_token_seconds)

    async def durable(self, trace_id: str) -> None:
        await self._store.durable(trace_id)


class Newest(Protocol):
    """The bundle in force: `serving.change.in_force.InForce`."""

    @property
    def bundle_hash(self) -> str:
        """Its hash. Raises a `RouterError` when that can't be told."""
        ...

    async def now(self) -> Bundle:
        """Return it. Raises a `RouterError` when it can't be read."""
        ...


def _unsampled(_request: RouteRequest, _decision: Decision, _bundle: Bundle, _trace_id: str) -> None:
    """Keep nothing of what is asked."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """Everything that a request needs under one version of the bundle, from its beginning to its end.

    `lanes_off` says which lanes can't be used now. `newest` is the bundle in force, by which what leaves is judged as well (None: this one,
    always). `sample` is shown each request that is about to be answered: it returns at once.
    """

    bundle: Bundle
    lanes: Mapping[str, Lane]
    lanes_off: Callable[[], dict[str, str]]
    keeper: KeeperClient
    store: EvidenceStore
    clock: Clock
    salt: bytes
    maps: RedactionMaps
    sample: Callable[[RouteRequest, Decision, Bundle, str], None] = _unsampled
    newest: Newest | None = None
    _open: set[str] = field(default_factory=set)

    @property
    def is_idle(self) -> bool:
        """Whether every request that was accepted here has ended."""
        return not self._open

    def accept(self, trace: Trace, body: bytes, request: RouteRequest | None, caller: Caller | None) -> None:
        """Record that a request came in: hashes and counts, no text. From here to its end it runs under this version."""
        self._open.add(trace.trace_id)
        self.store.append(
            trace.trace_id,
            Accepted(
                org=caller.org if caller else None,
                key=caller.key.id if caller else None,
                user=request.user if request else None,
                channel=request.channel if request else "api",
                requested_model=request.model if request else "",
                request_sha256=hashlib.sha256(body).hexdigest(),
                message_count=len(request.messages) if request else 0,
                character_count=sum(len(message.text) for message in request.messages) if request else 0,
            ),
        )

    async def plan(self, request: RouteRequest, trace: Trace) -> Decision:
        """Decide and record it; a session's label rises before anything else happens. Raises `StateUnavailable`."""
        state, scan = await self._known(request)
        decision, microseconds = await self._decide(request, self.bundle, state, scan)
        trace.decision = decision
        self.store.append(trace.trace_id, Decided(decision=decision, decide_microseconds=microseconds))
        metrics.decide_seconds.observe(microseconds / 1e6)
        metrics.decisions_total.labels(decision.route, decision.risk_tier, decision.lane or "none").inc()
        trace.session_label = state.session_label
        if request.session is not None:
            carried = _carried(decision, decision.ladder[0] if decision.ladder else None)
            metrics.count_turn(state.session_turns + 1, private=stays_private(carried.level, carried.categories))
            await self._keep(request, trace, seen_of(request, decision, carried, self.salt))
        return decision

    async def _keep(self, request: RouteRequest, trace: Trace, seen: Seen) -> None:
        """Have the session's owner keep what was seen. Raises `StateUnavailable` if it did not confirm a label that rises.

        What else it does not confirm is not recognised later, which only raises.
        """
        if request.session is None:
            return
        kept = await self.keeper.keep_session(request.org, request.session, seen)
        if not kept and not at_most(seen.label, trace.session_label):
            raise StateUnavailable("the session's label could not be kept; try again")
        trace.session_label = join(trace.session_label, seen.label)

    async def answer(self, request: RouteRequest, trace: Trace) -> AsyncGenerator[Opening | Batch, None]:
        """Yield the `Opening`, then batches of events. Ends only after the evidence is durable; raises `RouterError`s."""
        with metrics.running_requests.track_inprogress():
            try:
                async with aclosing(self._steps(request, trace)) as steps:
                    async for step in steps:
                        yield step
            except RouterError as error:
                await self.fail(trace, error)
                raise
            except Exception as error:
                log.exception("trace %s", trace.trace_id)
                await self.fail(trace, error)
                raise
            finally:
                if not trace.finished:
                    self._finish(trace, "cancelled", 499, "the caller went away")

    async def decided_only(self, trace: Trace) -> None:
        """Record that a request asked for the decision alone."""
        await self._finish_durably(trace, "decided")

    async def fail(self, trace: Trace, error: Exception) -> None:
        """Record how a request ended that gets no answer. The error itself is the caller's answer."""
        if isinstance(error, PolicyDenied):
            ended: Ended = "denied"
        elif isinstance(error, RouterError) and error.status < 500:
            ended = "bad_request" if isinstance(error, BadRequest) or error.status in (401, 404) else "failed"
        else:
            ended = "failed"
        because = str(error) if isinstance(error, RouterError) else type(error).__name__
        self._finish(trace, ended, outcome_of(error).status, because)
        await self.store.durable(trace.trace_id)

    async def _steps(self, request: RouteRequest, trace: Trace) -> AsyncGenerator[Opening | Batch, None]:
        decision = await self.plan(request, trace)
        if decision.action != "answer":
            ended: Ended = "refused" if decision.action == "refuse" else decision.action
            yield Opening(trace.trace_id, decision, None, None)
            text = decision.message or ""
            trace.answer.update(text.encode())
            # The bundle's own words: no model made them of what it read.
            planned = Message(role="assistant", content=(TextPart(text=text),))
            await self._keep(request, trace, self._answered(planned, Label()))
            await self._finish_durably(trace, ended)
            says = TextDelta(text) if decision.action == "clarify" else Refusal(text)
            yield (says, Usage(0, 0), Stop("stop"))
            return
        if (refusal := refusal_of(decision)) is not None:
            raise refusal
        said, carried = Said(), decision.label
        self._note_skipped(decision, trace)
        self.sample(request, decision, self.bundle, trace.trace_id)
        async with aclosing(execute(decision, self._run(request, trace))) as steps:
            async for step in steps:
                if isinstance(step, Climbed):
                    carried = _carried(decision, step.rung, trace.later)
                    if not at_most(carried, trace.session_label):
                        await self._keep(request, trace, Seen(label=carried, spans={}, turn=False))
                    trace.lane, trace.model = step.rung.lane, step.rung.model
                    yield Opening(trace.trace_id, decision, trace.lane, trace.model)
                    continue
                _hash_into(trace, step)
                if request.session is not None:
                    said.take(step)
                if isinstance(step[-1], Stop):
                    await self._keep(request, trace, self._answered(said.message(), carried))
                    await self._finish_durably(trace, "answered")
                yield step

    def _answered(self, answer: Message, label: Label) -> Seen:
        """What an answer adds to its session: it will be recognised when it comes back."""
        return Seen(label=label, spans={hash_of(answer, self.salt): label}, turn=False)

    def _run(self, request: RouteRequest, trace: Trace) -> Run:
        async def replan(grown: RouteRequest, found: tuple[Finding, ...]) -> tuple[Decision, int]:
            began = time.perf_counter_ns()
            state, scan = await self._known(grown)
            # What the request has been given since changes its label; it is still about what its caller said.
            taken = trace.decision.route if trace.decision is not None and grown is not request and not found else None
            late = state.model_copy(update={"late_findings": found, "route": taken})
            own, _ = await self._decide(grown, self.bundle, late, scan)
            decision = await self._by_the_newest(own, grown, late, scan) if self._superseded(own) else own
            trace.later = join(trace.later, decision.label)
            return decision, (time.perf_counter_ns() - began) // 1000

        return Run(
            trace_id=trace.trace_id,
            request=request,
            bundle=self.bundle,
            lanes=self.lanes,
            clock=self.clock,
            evidence=_Recorder(self.store),
            replan=replan,
            hold=not request.stream,
            cache_salt=hmac.new(self.salt, request.org.encode(), hashlib.sha256).hexdigest(),
            maps=self.maps,
            superseded=self._superseded,
        )

    def _superseded(self, decision: Decision) -> bool:
        """Whether another bundle is in force than this decision was made by, or nobody can tell."""
        if self.newest is None:
            return False
        try:
            return decision.bundle_hash != self.newest.bundle_hash
        except RouterError:
            return True

    async def _by_the_newest(self, own: Decision, request: RouteRequest, state: State, scan: Scan) -> Decision:
        """Return the plan with the exits that the bundle in force holds as well; with none where that can't be told."""
        assert self.newest is not None, "INVARIANT: only a newest bundle supersedes"
        try:
            newest = await self.newest.now()
            decision, _ = await self._decide(request, newest, state, scan)
        except RouterError as error:
            log.warning("nothing leaves under the bundle in force: %s", error)
            return leave_nothing(own, self.bundle.lanes)
        return leave_by_both(own, decision, self.bundle.lanes, newest.lanes)

    async def _known(self, request: RouteRequest) -> tuple[State, Scan]:
        """What a decision reads beside request and bundle: the state of now, and a scan that knows the session's placeholders."""
        state = await self._state(request)
        if request.session is None or not any(lane.redact for lane in self.bundle.lanes.values()):
            return state, scan_text
        try:
            return state, scan_with(await self.maps.recall(request.org, request.session), scan_text)
        except StateUnavailable:
            return state.model_copy(update={"session_unknown": True}), scan_text

    async def _state(self, request: RouteRequest) -> State:
        lanes_off = self.lanes_off()
        if request.session is None:
            return State(lanes_off=lanes_off)
        hashes = [hash_of(message, self.salt) for message in request.messages]
        known = await self.keeper.recall_session(request.org, request.session, hashes)
        if known is None:
            return State(lanes_off=lanes_off, session_unknown=True)
        return State(
            lanes_off=lanes_off,
            session_label=known.label,
            session_turns=known.turns,
            known_spans=known.recognised(hashes),
        )

    async def _decide(self, request: RouteRequest, bundle: Bundle, state: State, scan: Scan) -> tuple[Decision, int]:
        began = time.perf_counter_ns()
        if sum(len(message.text) for message in request.messages) > _LONG_TEXT:
            decision = await asyncio.to_thread(decide, request, bundle, state, scan=scan)
        else:
            decision = decide(request, bundle, state, scan=scan)
        return decision, (time.perf_counter_ns() - began) // 1000

    def _note_skipped(self, decision: Decision, trace: Trace) -> None:
        """Say what the plan wants and this version does not run yet: the evidence must not claim more than happened."""
        if decision.retrieval is not None:
            because = "no retriever is installed: the answer rests on the model alone"
            self.store.append(
                trace.trace_id, Skipped(stage="retrieval", name=decision.retrieval.index, because=because)
            )
        for tool in decision.tools:
            because = "server-side tools are not run yet: the answer rests on the model alone"
            self.store.append(trace.trace_id, Skipped(stage="tool", name=tool.name, because=because))

    async def _finish_durably(self, trace: Trace, ended: Ended) -> None:
        self._finish(trace, ended, 200, None)
        await self.store.durable(trace.trace_id)

    def _finish(self, trace: Trace, ended: Ended, status: int, because: str | None) -> None:
        if trace.finished:
            return
        trace.finished = True
        self._open.discard(trace.trace_id)
        seconds = self.clock.monotonic() - trace.started
        self.store.append(
            trace.trace_id,
            Finished(
                status=status,
                ended=ended,
                because=because,
                lane=trace.lane,
                model=trace.model,
                answer_sha256=trace.answer.hexdigest() if status == 200 else None,
                seconds=seconds,
            ),
        )
        metrics.requests_total.labels(ended, str(status)).inc()
        metrics.answer_seconds.observe(seconds)


def _carried(decision: Decision, rung: Rung | None, later: Label = _PUBLIC) -> Label:
    """The label of what a rung's answer was made from, `later` what was found of it since.

    The values put back into a redacted one are found again by the session's own map.
    """
    return join(decision.label, later) if rung is None or rung.redacts is None else rung.redacts.label


def _hash_into(trace: Trace, batch: Batch) -> None:
    for event in batch:
        match event:
            case TextDelta(text, _) | Refusal(text):
                trace.answer.update(text.encode())
            case ToolCallDelta():
                trace.answer.update(event.arguments.encode())
            case Embedding(_, numbers):
                trace.answer.update(numbers)
            case _:
                pass
