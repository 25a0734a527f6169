"""What is a bundle once it is checked? Everything a decision reads, by name, with its conditions compiled."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from models.spec import ModelSpec
from router.boundary import Boundary
from router.bundle.answer_checks import CompiledCheck
from router.bundle.answer_rules import NO_RULES, ContractRules
from router.bundle.demands import Demands
from router.bundle.files import (
    Egress,
    IndexSpec,
    LadderSpec,
    LaneSpec,
    RouteSpec,
    TenantSpec,
    TierProfile,
    TierRule,
    TiersFile,
    ToolFile,
)
from router.bundle.ladder import Step, planned_steps
from router.bundle.variables import TopicHeads
from router.contract import Budgets, RiskTier, Task
from router.rules import Rule


@dataclass(frozen=True, slots=True)
class Allowance:
    """What route and tier together allow, and whether either of them limits the cost."""

    budgets: Budgets
    cost_limited: bool


@dataclass(frozen=True, slots=True)
class CompiledClarify:
    """A condition under which the caller is asked first, and what."""

    when: Rule
    ask: str


@dataclass(frozen=True, slots=True)
class CompiledRoute:
    """A route and its condition (None always holds), the lanes it tries in order, what it may cost at each tier, and what it asks back."""

    spec: RouteSpec
    when: Rule | None
    steps: tuple[Step, ...]
    allowed: Mapping[RiskTier, Allowance]
    clarify: tuple[CompiledClarify, ...] = ()


def compile_route(
    spec: RouteSpec,
    when: Rule | None,
    ladders: Mapping[str, LadderSpec],
    profiles: Mapping[RiskTier, TierProfile],
    clarify: Iterable[Rule] = (),
) -> CompiledRoute:
    """Settle what does not depend on the request. `clarify`: the conditions of the route's questions, in their order."""
    asks = tuple(CompiledClarify(rule, asked.ask) for rule, asked in zip(clarify, spec.clarify, strict=False))
    allowed = {tier: _allowance(spec, profile) for tier, profile in profiles.items()}
    return CompiledRoute(spec, when, planned_steps(spec, ladders), allowed, asks)


def _allowance(route: RouteSpec, profile: TierProfile) -> Allowance:
    """The lesser of what route and tier set. What one leaves out does not limit; where both do, the contract's default holds."""
    given = [budgets for budgets in (route.budgets, profile.budgets) if budgets is not None]
    limits = {
        name: min(getattr(budgets, name) for budgets in given if name in budgets.model_fields_set)
        for name in Budgets.model_fields
        if any(name in budgets.model_fields_set for budgets in given)
    }
    if route.retrieval is not None:
        limits["context_chunks"] = min(route.retrieval.top_k, limits.get("context_chunks", route.retrieval.top_k))
    return Allowance(Budgets(**limits), "cost_usd" in limits)


@dataclass(frozen=True, slots=True)
class CompiledTierRule:
    """A tier rule and its condition."""

    spec: TierRule
    when: Rule


@dataclass(frozen=True, slots=True)
class Bundle:
    """One checked version of the whole policy, known by its hash. Mappings keep the order of the files.

    `asked` are the variables that any condition asks about: the others need not be made ready.
    """

    root: Path
    hash: str
    models: Mapping[str, ModelSpec]
    lanes: Mapping[str, LaneSpec]
    ladders: Mapping[str, LadderSpec]
    tiers: TiersFile
    tier_rules: tuple[CompiledTierRule, ...]
    profiles: Mapping[RiskTier, TierProfile]
    routes: tuple[CompiledRoute, ...]
    asked: frozenset[str]
    tenants: Mapping[str, TenantSpec]
    tools: Mapping[str, ToolFile]
    contracts: Mapping[str, str]
    checks: Mapping[str, CompiledCheck]
    demands: Demands
    egress: Egress
    boundary: Boundary
    heads: TopicHeads
    answer_rules: Mapping[str, ContractRules] = field(default_factory=dict)
    indexes: Mapping[str, IndexSpec] = field(default_factory=dict)

    @property
    def longest_seconds(self) -> float:
        """How long a request may take at most."""
        allowed = [allowance.budgets for route in self.routes for allowance in route.allowed.values()]
        return max((budgets.latency_seconds for budgets in allowed), default=Budgets().latency_seconds)

    def rules_of_route(self, route: str) -> ContractRules:
        """Return the rules of the contract that a route names; none where it names none."""
        named = next((one.spec.output_contract.schema_name for one in self.routes if one.spec.id == route), None)
        return self.answer_rules.get(named, NO_RULES) if named is not None else NO_RULES

    def task_of(self, lane: LaneSpec) -> Task:
        """Return what a lane is for: answers, or embeddings."""
        model = self.models.get(lane.base_model) if lane.base_model is not None else None
        return model.task if model is not None else "generate"

    def context_tokens(self, lane: LaneSpec) -> int | None:
        """Return how many tokens, prompt and answer together, a lane takes; None when that is not known."""
        model = self.models.get(lane.base_model) if lane.base_model is not None else None
        limits = [
            limit for limit in (lane.context_tokens, model.context_tokens if model is not None else None) if limit
        ]
        return min(limits, default=None)
