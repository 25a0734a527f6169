"""What is a finding worth, what raises the tier, and what does each tier demand? `tiers.yaml`."""

from typing import Literal

from pydantic import Field

from router.contract import Budgets, Depth, Frozen, Level, RiskTier, StreamRule


class TierRule(Frozen):
    """A CEL condition over the request's topic and label that raises the tier to at least `tier`."""

    id: str
    tier: RiskTier
    when: str
    because: str


Alarming = Literal["attack", "harm"]
Response = Literal["ignore", "keep_private", "strip_tools", "person", "refuse"]
"""What is done about a flag: nothing; hosted lanes closed; no tools, neither ours nor the caller's; a person's approval; a refusal."""


class Keep(Frozen):
    """What is kept of an answer beside hashes, and for how many days."""

    text: bool = False
    days: int = Field(default=30, ge=1)


class TierProfile(Frozen):
    """What a tier demands. `budgets` apply where the route sets none; `temperature_at_most` bounds the decoding.

    `on_attack`, `on_harm`: what is done about a request that is flagged as one. `lanes`: the only ones that may answer (none: all).
    `stream`: the loosest rule. `retrieval`: how deep to look at least, where a route looks for context. `citations`: an answer from
    context must cite it. `tools`: side effects that tools may have. `review`: a person looks at every answer. `disclaimer` is put after it.
    `keep`: what is kept.
    """

    tier: RiskTier
    on_attack: Response = "keep_private"
    on_harm: Response = "keep_private"
    temperature_at_most: float | None = None
    budgets: Budgets = Budgets()
    lanes: tuple[str, ...] = ()
    stream: StreamRule = StreamRule()
    retrieval: Depth | None = None
    citations: bool = False
    tools: tuple[Literal["read", "write", "irreversible"], ...] = ("read", "write", "irreversible")
    review: bool = False
    disclaimer: str | None = None
    keep: Keep = Keep()


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
    `concerns`: what alarms are worth.
    """

    raise_at: float = Field(default=0.5, ge=0, le=1)
    levels: dict[str, Level]
    concerns: Concerns = Concerns()
    rules: tuple[TierRule, ...]
    profiles: tuple[TierProfile, ...]
