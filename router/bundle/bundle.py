"""What is a bundle once it is checked? Everything a decision reads, by name, with its conditions compiled."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from models.spec import ModelSpec
from router.boundary import Boundary
from router.bundle.files import LadderSpec, LaneSpec, RouteSpec, TenantSpec, TierProfile, TierRule, TiersFile, ToolFile
from router.bundle.variables import TopicHeads
from router.contract import RiskTier
from router.rules import Rule


@dataclass(frozen=True, slots=True)
class CompiledRoute:
    """A route and its condition; None always holds."""

    spec: RouteSpec
    when: Rule | None


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
    boundary: Boundary
    heads: TopicHeads

    def context_tokens(self, lane: LaneSpec) -> int | None:
        """Return how many tokens, prompt and answer together, a lane takes; None when that is not known."""
        model = self.models.get(lane.model) if lane.model is not None else None
        limits = [
            limit for limit in (lane.context_tokens, model.context_tokens if model is not None else None) if limit
        ]
        return min(limits, default=None)
