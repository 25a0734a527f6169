"""Which of the lanes a route would try are open to this request, and where does it start? Every rung is checked before any is used."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from router.boundary import SendQuestion, Verdict
from router.bundle import Bundle
from router.bundle.files import LaneSpec, TenantSpec
from router.bundle.ladder import Step
from router.contract import Budgets, ClosedRung, Concern, Label, PolicyFired, Redacts, RiskTier, Rung
from router.decide.redactions import Redactions
from router.state import State

TENANT_LANES: Final = "tenant-lanes"
KEY_LANES: Final = "key-lanes"
OFF_NOW: Final = "off now: "
TOO_LONG: Final = "too long: "
TOO_DEAR: Final = "over budget: "
DAY_SPENT: Final = "the day's budget: "
_BY_POLICY: Final = frozenset({"boundary", "egress", "profile", "tenant"})
LEAST_ANSWER_TOKENS: Final = 256
"""A lane must have room for this much answer (or all of a shorter budget) after the prompt."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What decides whether a lane is open: who asks, how sensitive and how risky it is, how long, and for how much.

    `lanes` are those of the key that asks (none: all). `kept_in` says what closes every hosted lane beside the policies, if anything
    does. `evidence`: whether what is kept of the answer may rest where it would. `demanded`: the lanes that tier and topics leave (none:
    all), for which the tier's `profile` speaks.
    """

    org: str
    tenant: TenantSpec
    lanes: tuple[str, ...]
    label: Label
    tier: RiskTier
    attack: Concern
    harm: Concern
    kept_in: tuple[PolicyFired, ...]
    evidence: Verdict
    input_tokens: int
    budgets: Budgets
    cost_limited: bool
    redactions: Redactions
    demanded: tuple[str, ...] = ()
    profile: str = ""


@dataclass(frozen=True, slots=True)
class Gate:
    """A lane, open or closed, by whom and why."""

    lane: LaneSpec
    closed_by: Literal["tenant", "profile", "egress", "boundary", "state", "length", "cost"] | None
    because: str
    policies: tuple[PolicyFired, ...] = ()
    redacts: Redacts | None = None


@dataclass(frozen=True, slots=True)
class Ladder:
    """The open rungs, first the one to start with; the closed ones; and the policies that spoke of either."""

    rungs: tuple[Rung, ...]
    closed: tuple[ClosedRung, ...]
    policies: tuple[PolicyFired, ...]


def compile_ladder(steps: Sequence[Step], asked: Asked, bundle: Bundle, state: State, *, pinned: bool) -> Ladder:
    """Hold every step against tenant, boundary, state, context and budget.

    Where policy closed the first lane, the `boundary` ladder takes over: its first open lane starts. Where the lane is merely off,
    full or too small, the first open one of all does. A pinned request goes to the first of its lanes that is open, or nowhere.
    """
    gates = {step.lane: gate_of(bundle.lanes[step.lane], asked, bundle, state) for step in steps}
    open_steps = [step for step in steps if gates[step.lane].closed_by is None]
    first = _first(steps, open_steps, gates, pinned=pinned)
    rungs: tuple[Rung, ...] = ()
    if first is not None:
        on = first.on if "start" in first.on else ("start", *first.on)
        others = [] if pinned else [step for step in open_steps if step is not first]
        kept = [Step(first.lane, on), *others]
        rungs = tuple(_rung(gates[step.lane], step) for step in kept)
    closed = [gate for gate in gates.values() if gate.closed_by is not None]
    forbids = [fired for gate in closed if gate.closed_by in _BY_POLICY for fired in gate.policies]
    spoke = [*(gates[first.lane].policies if first is not None else ()), *forbids]
    return Ladder(rungs, tuple(_closed_rung(gate) for gate in closed), tuple(spoke))


def _rung(gate: Gate, step: Step) -> Rung:
    return Rung(lane=step.lane, model=gate.lane.model_name, on=step.on, redacts=gate.redacts)


def _first(
    steps: Sequence[Step], open_steps: Sequence[Step], gates: Mapping[str, Gate], *, pinned: bool
) -> Step | None:
    if not open_steps or open_steps[0] is steps[0] or pinned:
        return open_steps[0] if open_steps else None
    if gates[steps[0].lane].closed_by in _BY_POLICY:
        return next((step for step in open_steps if "boundary" in step.on), None)
    return open_steps[0]


def gate_of(lane: LaneSpec, asked: Asked, bundle: Bundle, state: State) -> Gate:
    """Tell whether a lane is open to this request; policy is asked before circumstances."""
    if asked.tenant.lanes and lane.name not in asked.tenant.lanes:
        because = f"the key's tenant {asked.org} may not use this lane"
        return Gate(lane, "tenant", because, (PolicyFired(id=TENANT_LANES, effect="forbid", because=because),))
    if asked.lanes and lane.name not in asked.lanes:
        because = "the key may not use this lane"
        return Gate(lane, "tenant", because, (PolicyFired(id=KEY_LANES, effect="forbid", because=because),))
    if asked.demanded and lane.name not in asked.demanded:
        because = "it is not among the lanes that this tier and topic demand"
        return Gate(lane, "profile", because, (PolicyFired(id=asked.profile, effect="forbid", because=because),))
    if not asked.evidence.allowed:
        return Gate(lane, "boundary", asked.evidence.because, asked.evidence.policies)
    if asked.kept_in and lane.is_hosted:
        return Gate(lane, "egress", "; ".join(policy.because for policy in asked.kept_in), asked.kept_in)
    verdict, redacts = _may_send(lane, asked, bundle)
    if not verdict.allowed:
        return Gate(lane, "boundary", verdict.because, verdict.policies)
    if lane.name in state.lanes_off:
        return Gate(lane, "state", f"{OFF_NOW}{state.lanes_off[lane.name]}", verdict.policies)
    if closed := _too_long(lane, asked, bundle) or _too_dear(lane, asked, state):
        return Gate(lane, "length" if closed.startswith(TOO_LONG) else "cost", closed, verdict.policies)
    return Gate(lane, None, "", verdict.policies, redacts)


def _may_send(lane: LaneSpec, asked: Asked, bundle: Bundle) -> tuple[Verdict, Redacts | None]:
    """Ask the boundary about the text as it is, and only if that is denied about what the lane's redaction leaves of it."""
    question = SendQuestion(asked.org, lane.name, asked.label, asked.tier, asked.attack, asked.harm)
    verdict = bundle.boundary.may_send(question)
    if verdict.allowed or (redacts := asked.redactions.on(lane)) is None:
        return verdict, None
    redacted = replace(question, label=redacts.label, redacted=redacts.categories)
    return bundle.boundary.may_send(redacted), redacts


def _too_long(lane: LaneSpec, asked: Asked, bundle: Bundle) -> str | None:
    room = bundle.context_tokens(lane)
    needed = asked.input_tokens + min(asked.budgets.output_tokens, LEAST_ANSWER_TOKENS)
    if room is not None and needed > room:
        return f"{TOO_LONG}prompt and answer need about {needed} tokens, the lane takes {room}"
    return None


def _too_dear(lane: LaneSpec, asked: Asked, state: State) -> str | None:
    """At worst, that is with an answer of full length: for this request, or for what its tenant's day has left."""
    price = lane.price
    cost = (asked.input_tokens * price.input_usd + asked.budgets.output_tokens * price.output_usd) / 1_000_000
    if asked.cost_limited and cost > asked.budgets.cost_usd:
        return f"{TOO_DEAR}it could cost ${cost:.4f}, ${asked.budgets.cost_usd:.4f} is allowed"
    if state.usd_left is not None and cost > state.usd_left:
        return f"{DAY_SPENT}it could cost ${cost:.4f}, ${state.usd_left:.4f} is left of the tenant's"
    return None


def _closed_rung(gate: Gate) -> ClosedRung:
    """Only policy is cited as policy: a lane that is off was permitted, and its permit closed nothing."""
    cited = gate.policies if gate.closed_by in _BY_POLICY else ()
    policies = tuple(policy.id for policy in cited)
    return ClosedRung(lane=gate.lane.name, model=gate.lane.model_name, because=gate.because, policies=policies)
