"""Fakes that implement the ports, shipped so that tests (and users' own) need no patching."""

from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from router.approvals import Approval, Binding, Terms, unusable
from router.budgets import NANOS, Account, Amounts, Held, Limits, Step, lacking
from router.classify.heads import Alarms
from router.contract import Chunk, EvidenceEvent, Finding, Label, Mode, RetrievalPlan, Topic
from router.errors import ApprovalMismatch, ApprovalUnknown, BudgetExhausted, StateUnavailable
from router.labels import join
from router.lane import LaneCall, LaneEvent
from router.redact import Placeholders
from router.tools import ToolResult, ToolUse


@dataclass
class ManualClock:
    """A clock that moves only when told."""

    now: float = 0.0

    def monotonic(self) -> float:
        """Return the time it was set to."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Move time on."""
        self.now += seconds


@dataclass
class MemoryEvidence:
    """An evidence log in memory: (trace ID, event) in the order of appending."""

    events: list[tuple[str, EvidenceEvent]] = field(default_factory=list)

    def append(self, trace_id: str, event: EvidenceEvent) -> None:
        """Keep an event."""
        self.events.append((trace_id, event))

    async def durable(self, trace_id: str) -> None:
        """Memory is as durable as it gets here."""


@dataclass
class MemoryMaps:
    """Redaction maps in memory. `gone` makes them fail as a keeper does that can't be asked."""

    kept: dict[tuple[str, str], Placeholders] = field(default_factory=dict)
    gone: bool = False

    async def recall(self, org: str, session: str) -> Placeholders:
        """Return what is kept."""
        if self.gone:
            raise StateUnavailable("the redaction map can't be read")
        return self.kept.get((org, session), Placeholders())

    async def keep(self, org: str, session: str, placeholders: Placeholders) -> None:
        """Join and keep."""
        self.kept[org, session] = (await self.recall(org, session)).joined(placeholders)


@dataclass
class MemoryApprovals:
    """Approvals in memory, which never expire. `arguments` are those that an approver would be shown."""

    kept: dict[str, Approval] = field(default_factory=dict)
    arguments: dict[str, str] = field(default_factory=dict)

    async def ask(self, binding: Binding, arguments: str, terms: Terms) -> Approval:
        """Keep the question."""
        name = f"apr_{len(self.kept) + 1}"
        asked = Approval(id=name, binding=binding, terms=terms, state="waiting", asked_at=0, expires_at=terms.seconds)
        self.kept[name], self.arguments[name] = asked, arguments
        return asked

    async def look(self, org: str, approval: str) -> Approval:
        """Return it as it stands."""
        found = self.kept.get(approval)
        if found is None or found.binding.org != org:
            raise ApprovalUnknown("no approval under this ID for this key's tenant")
        return found

    async def settle(self, org: str, approval: str, outcome: Literal["granted", "denied"], by: str) -> Approval:
        """Grant or deny."""
        settled = (await self.look(org, approval)).model_copy(update={"state": outcome, "settled_by": by})
        self.kept[approval] = settled
        return settled

    async def consume(self, approval: str, binding: Binding) -> Approval:
        """Use it up."""
        found = await self.look(binding.org, approval)
        if found.binding != binding:
            raise ApprovalMismatch(binding.tool, "the approval is for another call")
        if (error := unusable(found)) is not None:
            raise error
        self.kept[approval] = used = found.model_copy(update={"state": "used"})
        return used


@dataclass
class MemoryPurse:
    """One budget for everybody, in memory. `held` are the steps that were not settled yet."""

    limits: Limits = field(default_factory=Limits)
    spent: Amounts = field(default_factory=Amounts)
    held: dict[str, Held] = field(default_factory=dict)
    settled: list[tuple[Held, Amounts]] = field(default_factory=list)

    def usd_left(self, org: str) -> float | None:
        """Return what is neither spent nor held."""
        return None if self.limits.cost is None else max(0, self.limits.cost - self._taken().cost) / NANOS

    def seconds_left(self, org: str) -> float:
        """Return an hour."""
        return 3600.0

    async def reserve(self, step: Step, most: Amounts) -> Held | None:
        """Set aside."""
        if self.limits == Limits():
            return None
        short = lacking(Account(org=step.org, limits=self.limits), self._taken(), most)
        if short is not None:
            raise BudgetExhausted(step.lane, short.says(), self.seconds_left(step.org))
        held = Held(f"held-{len(self.held) + len(self.settled)}", step, most)
        self.held[held.id] = held
        return held

    def settle(self, held: Held, used: Amounts) -> None:
        """Put what was used in the place of what was held."""
        del self.held[held.id]
        self.spent += used
        self.settled.append((held, used))

    def _taken(self) -> Amounts:
        return sum((one.amounts for one in self.held.values()), start=self.spent)


@dataclass
class ScriptedLane:
    """A lane that plays a script: each item is a batch of events to yield or an exception to raise. Keeps the calls it got."""

    script: Callable[[LaneCall], Iterable[tuple[LaneEvent, ...] | BaseException]]
    calls: list[LaneCall] = field(default_factory=list)
    closed: int = 0

    async def stream(self, call: LaneCall) -> AsyncIterator[tuple[LaneEvent, ...]]:
        """Play the script for this call."""
        self.calls.append(call)
        try:
            for item in self.script(call):
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            self.closed += 1


@dataclass
class ScriptedDeepScan:
    """A deep scan that answers from a script, a text at a time; an exception in the script is raised. Keeps the texts it read."""

    script: Callable[[str], tuple[Finding, ...]] = lambda _: ()
    read: list[str] = field(default_factory=list)

    async def scan(self, texts: tuple[str, ...]) -> tuple[tuple[Finding, ...], ...]:
        """Return what the script says of each text."""
        self.read.extend(texts)
        return tuple(self.script(text) for text in texts)


@dataclass
class ScriptedTools:
    """A tool box that answers from a script: a text, or an error to raise. Keeps the calls it got."""

    script: Callable[[ToolUse], str | BaseException]
    label: Label = field(default_factory=Label)
    calls: list[ToolUse] = field(default_factory=list)

    async def call(self, use: ToolUse) -> ToolResult:
        """Return what the script says of this call."""
        self.calls.append(use)
        said = self.script(use)
        if isinstance(said, BaseException):
            raise said
        return ToolResult(
            text=said,
            json=None,
            label=join(self.label, use.label),
            ended="answered",
            seconds=0.0,
            arguments_sha256=use.arguments_sha256,
            approval=use.approval,
        )


@dataclass(frozen=True)
class ScriptedHeads:
    """A classifier that answers from a script; an exception in the script is raised."""

    script: Callable[[str], Topic]
    version: str = "scripted"
    intents: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()

    def topic(self, text: str, mode: Mode | None) -> Topic:
        """Return what the script says of this text, in the mode that was asked for, if one was."""
        topic = self.script(text)
        return topic if mode is None else topic.model_copy(update={"mode": mode})

    def alarms(self, text: str) -> Alarms:
        """Return the alarms of what the script says of this text."""
        topic = self.script(text)
        return Alarms(topic.attack, topic.harm)


@dataclass
class ScriptedRetriever:
    """A retriever that gives the same chunks for whatever is asked; an exception instead is raised. Keeps the questions."""

    chunks: tuple[Chunk, ...] | BaseException = ()
    asked: list[tuple[str, RetrievalPlan, str]] = field(default_factory=list)

    async def retrieve(self, query: str, plan: RetrievalPlan, org: str) -> tuple[Chunk, ...]:
        """Give the chunks."""
        self.asked.append((query, plan, org))
        if isinstance(self.chunks, BaseException):
            raise self.chunks
        return self.chunks
