"""Which request goes where, and what next? `routes.yaml` and `ladders.yaml`."""

from typing import Literal

from pydantic import Field, model_validator

from router.bundle.files.lanes import Egress
from router.contract import (
    Action,
    Budgets,
    Frozen,
    Label,
    Mode,
    OutputContract,
    RetrievalPlan,
    Sampling,
    StreamRule,
    ToolPlan,
)


class LadderStep(Frozen):
    """One step of a named ladder: a lane to try next."""

    lane: str


class LadderSpec(Frozen):
    """`ladders.yaml`, one entry: the lanes to try in this order once the cause that named this ladder struck."""

    name: str
    purpose: str = ""
    steps: tuple[LadderStep, ...]


class LaddersFile(Frozen):
    """`ladders.yaml`."""

    ladders: tuple[LadderSpec, ...]


FallbackKey = Literal[
    "on_boundary",
    "on_timeout",
    "on_connection",
    "on_overload",
    "on_rate_limit",
    "on_schema_failure",
    "on_refusal",
    "on_budget",
    "on_check",
]


class ClarifySpec(Frozen):
    """What is asked back instead of an answer, when a CEL condition holds: no model is asked."""

    when: str
    ask: str


class RouteSpec(Frozen):
    """`routes.yaml`, one entry. The first route whose CEL condition holds is taken; `when` left out always holds.

    `fallback` names a ladder by cause. `clarify`: what is asked back first. `stream` and `on_stream_cut`: when pieces of the answer go
    out (the tier can only make it stricter), and what is done when it breaks off. `action` other than `answer` ends the request with
    `message` and asks no model.
    """

    id: str
    because: str
    when: str | None = None
    action: Action = "answer"
    message: str | None = None
    lane: str | None = None
    mode: Mode | None = None
    label: Label = Label()
    sampling: Sampling = Sampling()
    retrieval: RetrievalPlan | None = None
    tools: tuple[ToolPlan, ...] = ()
    output_contract: OutputContract = OutputContract()
    fallback: dict[FallbackKey, str] = Field(default_factory=dict)
    budgets: Budgets | None = None
    egress: Egress = "open"
    clarify: tuple[ClarifySpec, ...] = ()
    stream: StreamRule | None = None
    on_stream_cut: Literal["error", "resume"] = "error"

    @model_validator(mode="after")
    def _answers_or_speaks(self) -> "RouteSpec":
        if self.action == "answer" and self.lane is None:
            raise ValueError("a route that answers needs `lane`")
        if self.action != "answer" and not self.message:
            raise ValueError(f"a route with action `{self.action}` needs `message`: what the caller reads")
        return self


class RoutesFile(Frozen):
    """`routes.yaml`."""

    routes: tuple[RouteSpec, ...]
