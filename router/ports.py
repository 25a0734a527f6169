"""The effects that execution needs, as protocols: time, deep scan, evidence log, context. Lanes have their own (`router.lane`)."""

from typing import Literal, Protocol

from router.approvals import Approval, Binding, Terms
from router.budgets import Amounts, Held, Step
from router.contract import Chunk, EvidenceEvent, Finding, RetrievalPlan
from router.redact import Placeholders
from router.tools import ToolResult, ToolUse


class Clock(Protocol):
    """Time, handed in."""

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...


class EvidenceLog(Protocol):
    """Append-only evidence. The implementation stamps writer, sequence and time."""

    def append(self, trace_id: str, event: EvidenceEvent) -> None:
        """Hand an event over; order within a trace is kept. Does not wait for the disk."""
        ...

    async def durable(self, trace_id: str) -> None:
        """Return once everything appended under this trace is on stable storage. Raises `EvidenceUnavailable`."""
        ...


class DeepScan(Protocol):
    """A second, slower reader of what is about to leave."""

    async def scan(self, texts: tuple[str, ...]) -> tuple[tuple[Finding, ...], ...]:
        """Return each text's findings. Raises `ScanUnavailable` whenever it can't tell: nobody may take that for "nothing found"."""
        ...


class RedactionMaps(Protocol):
    """The placeholders of conversations, owned by the keeper. What it can't tell closes the lanes that redact."""

    async def recall(self, org: str, session: str) -> Placeholders:
        """Return a session's placeholders. Raises `StateUnavailable` when they can't be read."""
        ...

    async def keep(self, org: str, session: str, placeholders: Placeholders) -> None:
        """Add to a session's placeholders. Raises `PlaceholderTaken` when one was given away meanwhile, and `StateUnavailable`."""
        ...


class ToolBox(Protocol):
    """The server-side tools of one bundle. Everything that must hold of a call is checked here, whoever asks."""

    async def call(self, use: ToolUse) -> ToolResult:
        """Call a tool once. Raises a `ToolError`: whatever went wrong, nothing of the tool's answer may be used."""
        ...


class Retriever(Protocol):
    """Looks context up."""

    async def retrieve(self, query: str, plan: RetrievalPlan, org: str) -> tuple[Chunk, ...]:
        """Return the nearest chunks that `org` may see at the plan's clearance, best first. Raises `RetrievalUnavailable`."""
        ...


class Approvals(Protocol):
    """People's word on calls of tools, owned by the keeper. What it can't tell is no yes: `StateUnavailable`."""

    async def ask(self, binding: Binding, arguments: str, terms: Terms) -> Approval:
        """Ask for a yes to exactly this call; `arguments` is its canonical text, which the approver is shown."""
        ...

    async def look(self, org: str, approval: str) -> Approval:
        """Return how an approval stands. Raises `ApprovalUnknown`."""
        ...

    async def settle(self, org: str, approval: str, outcome: Literal["granted", "denied"], by: str) -> Approval:
        """Grant or deny, by a key's ID. Raises `ApprovalUnknown`, `ApprovalExpired`, `ApprovalUsed`, `NotPermitted`."""
        ...

    async def consume(self, approval: str, binding: Binding) -> Approval:
        """Use a yes up for exactly this call; only once this has returned may the tool run.

        Raises `ApprovalUnknown`, `ApprovalMismatch`, `ApprovalPending`, `ApprovalDenied`, `ApprovalUsed`, `ApprovalExpired`.
        """
        ...


class Purse(Protocol):
    """The tenants' daily budgets, owned by the keeper: reserved before a step takes anything, settled after."""

    def usd_left(self, org: str) -> float | None:
        """Return how many dollars a tenant's day has left, as seen a moment ago; None: no limit, or not known without asking."""
        ...

    def seconds_left(self, org: str) -> float:
        """Return how long the tenant's day goes on."""
        ...

    async def reserve(self, step: Step, most: Amounts) -> Held | None:
        """Set aside what a step may take at most; None: nothing is limited. Raises `BudgetExhausted`, `StateUnavailable`."""
        ...

    def settle(self, held: Held, used: Amounts) -> None:
        """Say what a step took. Does not wait: what gets lost on the way counts as reserved."""
        ...
