"""How does one request become an answer? Decide, record, execute, record: the way of a request, whatever the transport.

Every request that comes in leaves one `Accepted` and exactly one `Finished`; the last piece of an answer is released only when
both, and all between them, are durable.
"""

import hashlib
import hmac
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

from router.bundle import Bundle
from router.bundle.files.demands import less_kept
from router.bundle.variables import stays_private
from router.contract import (
    Accepted,
    Decided,
    Decision,
    Finding,
    Finished,
    Label,
    Message,
    RouteRequest,
    Rung,
    TextPart,
)
from router.decide import refusal_of
from router.errors import (
    ApprovalNeeded,
    BadRequest,
    HandedToPerson,
    PolicyDenied,
    RouterError,
    StateUnavailable,
    outcome_of,
)
from router.execute import Batch, Climbed, LaneHealth, Run, execute, with_context, with_tools
from router.labels import at_most, join
from router.lane import Lane, Refusal, Stop, TextDelta, Usage
from router.ports import Clock, Retriever, ToolBox
from serving.api import metrics
from serving.api.auth import Caller
from serving.gateway.planner import Planner
from serving.gateway.recorder import Recorder
from serving.gateway.trace import Ended, Opening, Trace
from serving.gateway.waiting import Waiting, words_of
from serving.people.parked import Ticket
from serving.sessions import Said, Seen, hash_of, seen_of
from serving.store import EvidenceStore

log = logging.getLogger(__name__)

_PUBLIC: Final = Label()


def _unsampled(_request: RouteRequest, _decision: Decision, _bundle: Bundle, _trace_id: str) -> None:
    """Keep nothing of what is asked."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """Everything that a request needs under one version of the bundle, from its beginning to its end.

    `planner` decides. `sample` is shown each request that is about to be answered: it returns at once. `retriever` looks context up,
    `toolbox` calls tools, `people` keeps what waits for them.
    `health` is what this process has seen of its lanes, under any version.
    """

    planner: Planner
    lanes: Mapping[str, Lane]
    store: EvidenceStore
    clock: Clock
    sample: Callable[[RouteRequest, Decision, Bundle, str], None] = _unsampled
    retriever: Retriever | None = None
    toolbox: ToolBox | None = None
    people: Waiting | None = None
    health: LaneHealth = field(default_factory=LaneHealth)
    _open: set[str] = field(default_factory=set)

    @property
    def bundle(self) -> Bundle:
        """The version that requests run under here."""
        return self.planner.bundle

    @property
    def is_idle(self) -> bool:
        """Whether every request that was accepted here has ended."""
        return not self._open

    def accept(self, trace: Trace, body: bytes, request: RouteRequest | None, caller: Caller | None) -> None:
        """Record that a request came in: hashes and counts, no text. From here to its end it runs under this version."""
        self._open.add(trace.trace_id)
        trace.key = caller.key.id if caller else ""
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
        decided = await self.planner.decide(request)
        decision, state = decided.decision, decided.state
        trace.decision = decision
        self.store.append(trace.trace_id, Decided(decision=decision, decide_microseconds=decided.microseconds))
        metrics.decide_seconds.observe(decided.microseconds / 1e6)
        metrics.decisions_total.labels(decision.route, decision.risk_tier, decision.lane or "none").inc()
        trace.session_label = state.session_label
        if request.session is not None:
            carried = _carried(decision, decision.ladder[0] if decision.ladder else None)
            metrics.count_turn(state.session_turns + 1, private=stays_private(carried.level, carried.categories))
            await self._keep(request, trace, seen_of(request, decision, carried, self.planner.salt))
        return decision

    async def _keep(self, request: RouteRequest, trace: Trace, seen: Seen) -> None:
        """Have the session's owner keep what was seen. Raises `StateUnavailable` if it did not confirm a label that rises.

        What else it does not confirm is not recognised later, which only raises.
        """
        if request.session is None:
            return
        kept = await self.planner.keeper.keep_session(request.org, request.session, seen)
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
        """Look up what the plan asks for, and have it carried out; what then waits for people ends with a ticket."""
        decision = await self.plan(request, trace)
        run = self._run(request, trace)
        if decision.action == "answer" and decision.ladder:
            self.sample(request, decision, self.bundle, trace.trace_id)
        try:
            decision, run = await with_context(decision, run)
            decision, run = await with_tools(decision, run)
            if decision.action == "answer" and not decision.review:
                async for step in self._executed(decision, run, trace):
                    yield step
                return
            ticket = await self._before_people(decision, run, trace)
        except ApprovalNeeded as needed:
            ticket = await self._people().for_approval(needed, request, decision, trace)
        except HandedToPerson as handed:
            ticket = await self._people().for_lane(handed, request, decision, trace)
        async for step in self._planned_end(decision, request, trace, ticket):
            yield step

    async def _before_people(self, decision: Decision, run: Run, trace: Trace) -> Ticket | None:
        """Put before people what the plan says they must see, if it is any: the request itself, or the answer that a model wrote."""
        people = self.people.people_of() if self.people is not None else None
        if decision.action == "answer":
            draft = Said()
            async for step in self._executed(decision, run, trace, ends=False):
                if not isinstance(step, Opening):
                    draft.take(step)
            because = "a person looks at answers of this kind before they go out"
            return await self._people().for_person(because, people, run.request, decision, trace, draft.message().text)
        if decision.action == "approval" and self.people is not None and people is not None:
            because = decision.message or "a person has to look at it first"
            return await self.people.for_person(because, people, run.request, decision, trace)
        return None

    def _people(self) -> Waiting:
        if self.people is None:
            raise StateUnavailable("the request needs people, and nothing keeps requests for them here")
        return self.people

    async def _planned_end(
        self, decision: Decision, request: RouteRequest, trace: Trace, ticket: Ticket | None
    ) -> AsyncGenerator[Opening | Batch, None]:
        """Say what the plan says instead of an answer, and where the request waits, if it does."""
        text = decision.message if ticket is None or decision.action != "answer" else words_of(ticket)
        yield Opening(trace.trace_id, decision, None, None, ticket=ticket)
        text = text or ""
        trace.answer.update(text.encode())
        # The bundle's own words: no model made them of what it read.
        planned = Message(role="assistant", content=(TextPart(text=text),))
        await self._keep(request, trace, self._answered(planned, Label()))
        await self._finish_durably(trace, _ended_by(decision, ticket), 200 if ticket is None else 202)
        says = TextDelta(text) if decision.action == "clarify" else Refusal(text)
        yield (says, Usage(0, 0), Stop("stop"))

    async def _executed(
        self, decision: Decision, run: Run, trace: Trace, *, ends: bool = True
    ) -> AsyncGenerator[Opening | Batch, None]:
        """Have a lane answer. The session holds its label before its first piece goes out, and the evidence all before its last.

        `ends`: whether the request ends with this answer; one that a person looks at does not.
        """
        if (refusal := refusal_of(decision)) is not None:
            raise self.planner.when_again(refusal, run.request.org)
        said, carried, request, opened = Said(), decision.label, run.request, False
        async with aclosing(execute(decision, run)) as steps:
            async for step in steps:
                if isinstance(step, Climbed):
                    carried = _carried(decision, step.rung, trace.later)
                    if not at_most(carried, trace.session_label):
                        await self._keep(request, trace, Seen(label=carried, spans={}, turn=False))
                    trace.lane, trace.model = step.rung.lane, step.rung.model
                    if not opened:  # An answer that broke off may be gone on with by another lane.
                        opened = True
                        yield Opening(trace.trace_id, decision, trace.lane, trace.model, run.context)
                    continue
                if ends:
                    trace.hash_in(step)
                if request.session is not None:
                    said.take(step)
                if isinstance(step[-1], Stop) and ends:
                    await self._keep(request, trace, self._answered(said.message(), carried))
                    await self._finish_durably(trace, "answered")
                yield step

    def _answered(self, answer: Message, label: Label) -> Seen:
        """What an answer adds to its session: it will be recognised when it comes back."""
        return Seen(label=label, spans={hash_of(answer, self.planner.salt): label}, turn=False)

    def _run(self, request: RouteRequest, trace: Trace) -> Run:
        async def replan(grown: RouteRequest, found: tuple[Finding, ...]) -> tuple[Decision, int]:
            # What the request was given since changes its label; it is still about what its caller said.
            taken = trace.decision.route if trace.decision is not None and grown is not request and not found else None
            decided = await self.planner.decide_again(grown, {"late_findings": found, "route": taken})
            trace.later = join(trace.later, decided.decision.label)
            trace.keep = less_kept(trace.keep, decided.decision.keep)
            return decided.decision, decided.microseconds

        return Run(
            trace_id=trace.trace_id,
            request=request,
            bundle=self.bundle,
            lanes=self.lanes,
            clock=self.clock,
            evidence=Recorder(self.store),
            replan=replan,
            hold=not request.stream,
            cache_salt=hmac.new(self.planner.salt, request.org.encode(), hashlib.sha256).hexdigest(),
            maps=self.planner.maps,
            purse=self.planner.purse,
            superseded=self.planner.superseded,
            retriever=self.retriever,
            toolbox=self.toolbox,
            began=trace.started,
            health=self.health,
        )

    async def _finish_durably(self, trace: Trace, ended: Ended, status: int = 200) -> None:
        self._finish(trace, ended, status, None)
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


def _ended_by(decision: Decision, ticket: Ticket | None) -> Ended:
    match decision.action:
        case "clarify":
            return "clarify"
        case "refuse":
            return "refused"
        case "approval":
            return "approval"
        case "answer":
            return "escalated" if ticket is not None and ticket.standing.waits_for == "person" else "approval"


def _carried(decision: Decision, rung: Rung | None, later: Label = _PUBLIC) -> Label:
    """The label of what a rung's answer was made from, `later` what was found of it since.

    The values put back into a redacted one are found again by the session's own map.
    """
    return join(decision.label, later) if rung is None or rung.redacts is None else rung.redacts.label
