"""What must the boundary never do, and what must it answer? `boundary/properties.yaml` and `boundary/tests.yaml`.

A test is one question and its answer. A property is a CEL condition over the question, and what the answer must be wherever it holds:
`router.bundle.proof` holds it against every question there is.
"""

from collections.abc import Iterable, Iterator
from itertools import product
from typing import Final, Literal

from pydantic import model_validator

from router.boundary import (
    ApproveQuestion,
    Boundary,
    RetrieveQuestion,
    SendQuestion,
    StoreQuestion,
    ToolQuestion,
    Verdict,
)
from router.contract import LEVELS, Concern, Frozen, Label, RiskTier

PROPERTY_NAMES: Final = frozenset(
    {
        *("hosted", "provider", "region", "lane", "tool", "lane_jurisdictions", "cleared_for", "redacts"),
        *("org", "level", "categories", "jurisdictions", "risk_tier", "attack", "harm", "redacted"),
    }
)
"""What a property's condition can ask about: the lane or tool, the tenant, the label, the tier, the alarms, what was redacted.

Of a tool, `hosted` is whether it reaches outside, `lane_jurisdictions` where it runs; it has no provider, and clears and redacts nothing.
"""


Ways = Literal["lanes", "tools"]
_ACTION: Final[dict[Ways, Literal["send", "call_tool"]]] = {"lanes": "send", "tools": "call_tool"}


class BoundaryProperty(Frozen):
    """Wherever the condition `when` holds (over `PROPERTY_NAMES`), the boundary must `deny` or `allow`.

    `of`: the ways it is about. Left out, a `deny` is about every way that a text can leave by, lanes and tools; an `allow` is about lanes.
    """

    id: str
    because: str
    when: str
    must: Literal["deny", "allow"]
    of: tuple[Ways, ...] = ()

    @property
    def actions(self) -> tuple[Literal["send", "call_tool"], ...]:
        """What Cedar calls the ways that it is about."""
        about = self.of or (("lanes", "tools") if self.must == "deny" else ("lanes",))
        return tuple(_ACTION[ways] for ways in about)


class PropertiesFile(Frozen):
    """`boundary/properties.yaml`."""

    properties: tuple[BoundaryProperty, ...]


class BoundaryTest(Frozen):
    """One question, its answer, and (if given) the policy that must be among those that fired.

    It asks of the one thing it names: may the text go to the `lane`, into the `tool`, as a query to the `index`, to rest in the `store`?
    With `user` (a key of the tenant): may that one approve it?
    """

    name: str
    org: str
    user: str | None = None
    lane: str | None = None
    tool: str | None = None
    index: str | None = None
    store: str | None = None
    label: Label = Label()
    risk_tier: RiskTier = "low"
    attack: Concern = "clear"
    harm: Concern = "clear"
    redacted: tuple[str, ...] = ()
    own: bool = False
    expect: Literal["deny", "allow"]
    by: str | None = None

    @model_validator(mode="after")
    def _asks_one_thing(self) -> "BoundaryTest":
        named = [name for name in (self.lane, self.tool, self.index, self.store) if name is not None]
        if len(named) != 1 or (self.user is not None and self.lane is None and self.tool is None):
            raise ValueError("a test names one `lane`, `tool`, `index` or `store`; with `user`, a `lane` or a `tool`")
        return self

    def ask(self, boundary: Boundary) -> Verdict:
        """Put the question."""
        match self:
            case BoundaryTest(user=str(user), lane=str(lane)):
                return boundary.may_approve(
                    ApproveQuestion(self.org, user, "Lane", lane, self.label, self.risk_tier, self.own)
                )
            case BoundaryTest(user=str(user), tool=str(tool)):
                return boundary.may_approve(
                    ApproveQuestion(self.org, user, "Tool", tool, self.label, self.risk_tier, self.own)
                )
            case BoundaryTest(lane=str(lane)):
                return boundary.may_send(
                    SendQuestion(self.org, lane, self.label, self.risk_tier, self.attack, self.harm, self.redacted)
                )
            case BoundaryTest(tool=str(tool)):
                return boundary.may_call_tool(
                    ToolQuestion(self.org, tool, self.label, self.risk_tier, self.attack, self.harm)
                )
            case BoundaryTest(index=str(index)):
                return boundary.may_retrieve(
                    RetrieveQuestion(self.org, index, self.label, self.risk_tier, self.attack, self.harm)
                )
            case _:
                return boundary.may_store(StoreQuestion(self.org, str(self.store), self.label))


class BoundaryTestsFile(Frozen):
    """`boundary/tests.yaml`."""

    tests: tuple[BoundaryTest, ...]


def representative_labels(categories: Iterable[str], jurisdictions: Iterable[str]) -> Iterator[Label]:
    """Every level with no category, each alone and all; with no jurisdiction, each alone and all."""
    for level, held, places in product(LEVELS, _subsets(categories), _subsets(jurisdictions)):
        yield Label(level=level, categories=held, jurisdictions=places)


def _subsets(names: Iterable[str]) -> list[tuple[str, ...]]:
    ordered = tuple(sorted(names))
    return [(), *((name,) for name in ordered), *([ordered] if len(ordered) > 1 else [])]
