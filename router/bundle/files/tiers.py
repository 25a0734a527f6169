"""What is a finding worth, what raises the tier, and what does each tier demand? `tiers.yaml`."""

from typing import Final, Literal

from pydantic import Field

from router.bundle.answer_checks import CheckSpec
from router.bundle.files.demands import Demand
from router.contract import RISK_TIERS, Budgets, Frozen, Level, RiskTier


class TierRule(Frozen):
    """A CEL condition over the request's topic and label that raises the tier to at least `tier`."""

    id: str
    tier: RiskTier
    when: str
    because: str


Alarming = Literal["attack", "harm"]
Response = Literal["ignore", "keep_private", "strip_tools", "person", "refuse"]
"""What is done about a flag: nothing; hosted lanes closed; no tools, neither ours nor the caller's; a person's approval; a refusal."""


class TierProfile(Demand):
    """What a tier demands, beside what the tiers below it demand. `budgets` apply where the route sets none.

    `on_attack`, `on_harm`: what is done about a request that is flagged as one.
    """

    tier: RiskTier
    on_attack: Response = "keep_private"
    on_harm: Response = "keep_private"
    budgets: Budgets = Budgets()


RISK_TIERS_BELOW: Final = {tier: RISK_TIERS[:at] for at, tier in enumerate(RISK_TIERS)}


class Band(Frozen):
    """From which score on an alarm is `suspected`, and `flagged`; the classifier's own flag is always `flagged`.

    `refusal`, `approval`: what the caller reads where a tier refuses, or has a person decide.
    """

    suspected: float = Field(default=0.5, ge=0, le=1)
    flagged: float | None = Field(default=None, ge=0, le=1)
    refusal: str = "This request was not answered: the rules of this service do not allow it."
    approval: str = "This request was not answered yet: a person has to look at it first. Please name its trace ID."


class Concerns(Frozen):
    """What the classifier's scores for attack and harm mean."""

    attack: Band = Band()
    harm: Band = Band()


class TiersFile(Frozen):
    """`tiers.yaml`: what findings are worth, what raises the tier, and what each tier demands.

    `raise_at`: findings below this score are listed and raise nothing. `levels`: the level that data of a category has.
    `concerns`: what alarms are worth. `topics`: what data of a category, or a question about it, demands whatever the tier;
    `state_changing` is the topic of requests that something be changed. `checks`: what an answer may not say, where a demand names it.
    """

    raise_at: float = Field(default=0.5, ge=0, le=1)
    levels: dict[str, Level]
    concerns: Concerns = Concerns()
    rules: tuple[TierRule, ...]
    profiles: tuple[TierProfile, ...]
    topics: dict[str, Demand] = Field(default_factory=dict)
    checks: tuple[CheckSpec, ...] = ()
