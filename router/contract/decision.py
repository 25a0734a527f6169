"""What is to be done with a request, and why? The whole plan, and its short form."""

import re
from typing import Final, Literal

from pydantic import ConfigDict, Field, model_validator

from router.contract.atoms import (
    CONTRACT_VERSION,
    Action,
    Cause,
    Concern,
    Effect,
    Frozen,
    Level,
    Mode,
    RiskTier,
    Sha256,
)
from router.contract.labels import Finding, Label
from router.contract.request import Sampling

Depth = Literal["light", "deep"]
"""How context is looked for: `light` in one ranking, `deep` in several that are joined, reranked, packed and freed of repetitions."""


class RetrievalPlan(Frozen):
    """Which context to fetch: the index, how many chunks, and how deep to look. `strategy` None: deep where the reranker is on.

    Chunks above `clearance` are never ranked.
    """

    index: str
    top_k: int = Field(ge=1, le=200)
    reranker: Literal["on", "off"] = "off"
    strategy: Depth | None = None
    clearance: Level = "restricted"

    @property
    def depth(self) -> Depth:
        """The strategy that is meant."""
        return self.strategy or ("deep" if self.reranker == "on" else "light")


class Chunk(Frozen):
    """A retrieved passage: `id` is its own, `doc` that of its document, `source` where it was loaded from. Higher `score` is nearer."""

    id: str
    index: str
    doc: str
    text: str
    sha256: Sha256
    source: str = ""
    label: Label = Label()
    score: float = 0.0


class ToolPlan(Frozen):
    """A server-side tool this answer may (or must) use, and whether a person must approve it first.

    `arguments`: how the router fills them in for a required tool: by pattern alone, or where that finds none, by one short question to
    the plan's first lane, of which only what stands in the caller's own words counts.
    `on_missing`: what is done where the tool is required and the request lacks its arguments: ask the caller, or answer without it.
    """

    name: str
    required: bool = False
    needs_approval: bool = False
    arguments: Literal["pattern", "model"] = "pattern"
    on_missing: Literal["clarify", "answer"] = "clarify"


class StreamRule(Frozen):
    """When a piece of the answer may go out: at once, `window_tokens` later, or when the whole answer has been looked at.

    In files also `live`, `hold`, `window` and `window(96)`.
    """

    release: Literal["live", "window", "hold"] = "live"
    window_tokens: int = Field(default=64, ge=1, le=4096)

    @model_validator(mode="before")
    @classmethod
    def _by_its_name(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        named = _STREAM_RULE.fullmatch(value.strip())
        if named is None:
            raise ValueError("a stream rule is `live`, `hold`, `window` or `window(96)` (so many tokens)")
        return {"release": named[1]} | ({"window_tokens": int(named[2])} if named[2] else {})


_STREAM_RULE: Final = re.compile(r"(live|hold|window)(?:(?<=window)\(([0-9]{1,4})\))?")


class Keep(Frozen):
    """What is kept of an answer beside hashes, and for how many days."""

    text: bool = False
    days: int = Field(default=30, ge=1)


class OutputContract(Frozen):
    """What the answer must look like. `schema` names one of the bundle's contracts, or `request` for the caller's own."""

    type: Literal["text", "json"] = "text"
    schema_name: str | None = Field(default=None, alias="schema")
    citations: bool = False

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True, hide_input_in_errors=True
    )


class Redacts(Frozen):
    """What a rung takes out of the prompt before it sends it: data of these categories. `label` is that of the rest, scanned again."""

    categories: tuple[str, ...]
    label: Label


class Rung(Frozen):
    """One step of the ladder: the lane, its model, the causes that lead to it, and what it takes out first."""

    lane: str
    model: str
    on: tuple[Cause, ...]
    redacts: Redacts | None = None


class ClosedRung(Frozen):
    """A rung that was wanted and may not be used, and why. It never comes back in this plan."""

    lane: str
    model: str
    because: str
    policies: tuple[str, ...] = ()


class PolicyFired(Frozen):
    """A rule that spoke: its ID, what it did, and the reason it carries."""

    id: str
    effect: Effect
    because: str


class Budgets(Frozen):
    """What this answer may cost at most."""

    latency_seconds: float = 120.0
    first_token_seconds: float = 30.0
    cost_usd: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 512
    tool_calls: int = 0
    context_chunks: int = 0


class Alarm(Frozen):
    """How much a text looks like something unwanted, and whether that is enough to act upon."""

    score: float = Field(default=0.0, ge=0, le=1)
    flag: bool = False


class Topic(Frozen):
    """What the request is about. Topic raises the tier, never the label: a question about severance holds nobody's data.

    `attack`: it tries to turn the model against its instructions (jailbreak, injection). `harm`: it asks for help to do harm.
    """

    intent: str
    confidence: float = Field(ge=0, le=1)
    domain: str
    mode: Mode
    out_of_scope: bool = False
    state_changing: bool = False
    regulated: tuple[str, ...] = ()
    attack: Alarm = Alarm()
    harm: Alarm = Alarm()
    difficulty: float | None = None


SpanBecause = Literal["found", "late", "declared", "inherited", "unread", "unknown"]
"""Why a part of a prompt is above public: a detector saw it, or a later look did; tenant, route, caller or ingestion said so; the
session held it; nobody could read it; the session's owner could not be asked."""


class SpanLabel(Frozen):
    """A part of a prompt that is above public. `message` is its index, -1 what goes with the messages, null the request as a whole."""

    message: int | None
    label: Label
    because: SpanBecause


class Decision(Frozen):
    """The whole plan for one request, with its reasons. Pure: equal inputs give equal bytes.

    `action` other than `answer` is a planned end without a model call: a refusal, a person's approval, a clarifying question;
    `message` is then what the caller reads. `label` is the join over `spans`, the parts of the prompt that are above public.
    `client_tools`: whether the caller's own tools go along. `stream`: when pieces of the answer may go out; `on_stream_cut`: what is done
    about an answer that breaks off after its first piece. `review`: a person looks at the answer before it goes out. `disclaimer` is put
    after it. `checks`: those of the bundle's that the answer must pass. `keep`: what is kept of it. `ladder[0]` is where the request goes
    first; it is empty exactly when nothing may answer.
    """

    contract_version: Literal["1"] = CONTRACT_VERSION
    action: Action = "answer"
    message: str | None = None
    route: str
    risk_tier: RiskTier
    topic: Topic
    label: Label
    attack: Concern = "clear"
    harm: Concern = "clear"
    spans: tuple[SpanLabel, ...] = ()
    findings: tuple[Finding, ...] = ()
    lane: str | None
    model: str | None
    sampling: Sampling
    retrieval: RetrievalPlan | None = None
    tools: tuple[ToolPlan, ...] = ()
    client_tools: bool = True
    output_contract: OutputContract = OutputContract()
    stream: StreamRule = StreamRule()
    on_stream_cut: Literal["error", "resume"] = "error"
    review: bool = False
    disclaimer: str | None = None
    checks: tuple[str, ...] = ()
    keep: Keep = Keep()
    fallback: dict[str, str] = Field(default_factory=dict)
    ladder: tuple[Rung, ...] = ()
    closed: tuple[ClosedRung, ...] = ()
    budgets: Budgets = Budgets()
    policies: tuple[PolicyFired, ...] = ()
    bundle_hash: str
    classifier: str

    def short(self) -> "ShortDecision":
        """Return the form that people read and applications log."""
        return ShortDecision(
            route=self.route,
            risk_tier=self.risk_tier,
            model=self.lane,
            retrieval=ShortRetrieval.of(self.retrieval) if self.retrieval is not None else None,
            tools=tuple(ShortTool(name=tool.name, required=tool.required) for tool in self.tools),
            output_contract=ShortOutput(type=self.output_contract.type, schema_name=self.output_contract.schema_name),
            fallback=self.fallback,
        )


class ShortRetrieval(Frozen):
    """The retrieval plan in the short form."""

    index: str
    top_k: int
    reranker: Literal["on", "off"]

    @classmethod
    def of(cls, plan: RetrievalPlan) -> "ShortRetrieval":
        """Return a plan's short form."""
        return cls(index=plan.index, top_k=plan.top_k, reranker=plan.reranker)


class ShortTool(Frozen):
    """A tool in the short form."""

    name: str
    required: bool


class ShortOutput(Frozen):
    """The output contract in the short form."""

    type: Literal["text", "json"]
    schema_name: str | None = Field(alias="schema")

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)


class ShortDecision(Frozen):
    """A decision on one line: `model` is the lane, `fallback` names ladders of the bundle by cause."""

    route: str
    risk_tier: RiskTier
    model: str | None
    retrieval: ShortRetrieval | None
    tools: tuple[ShortTool, ...]
    output_contract: ShortOutput
    fallback: dict[str, str]
