"""What must the boundary never do, and what must it answer? `boundary/properties.yaml` and `boundary/tests.yaml`.

A test is one question and its answer. A property is a CEL condition over the question, and what the answer must be wherever it holds;
it is tried on every level, tier, lane and tenant, with no category, each one alone and all of them, and likewise jurisdictions.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Final, Literal

from router.boundary import Boundary
from router.bundle.files import LaneSpec
from router.contract import LEVELS, RISK_TIERS, Frozen, Label, RiskTier
from router.rules import Facts, RuleError, compile_rule


class BoundaryProperty(Frozen):
    """Wherever the condition `when` holds (over `PROPERTY_NAMES`), the boundary must `deny` or `allow`."""

    id: str
    because: str
    when: str
    must: Literal["deny", "allow"]


class PropertiesFile(Frozen):
    """`boundary/properties.yaml`."""

    properties: tuple[BoundaryProperty, ...]


class BoundaryTest(Frozen):
    """One question, its answer, and (if given) the policy that must be among those that fired."""

    name: str
    org: str
    lane: str
    label: Label = Label()
    risk_tier: RiskTier = "low"
    expect: Literal["deny", "allow"]
    by: str | None = None


class BoundaryTestsFile(Frozen):
    """`boundary/tests.yaml`."""

    tests: tuple[BoundaryTest, ...]


@dataclass(frozen=True)
class Question:
    """Everything that a verdict depends on."""

    org: str
    lane: LaneSpec
    label: Label
    tier: RiskTier

    @cached_property
    def facts(self) -> Facts:
        """The question as a property's condition sees it."""
        hosted = self.lane.hosted
        return Facts.of(
            {
                "hosted": hosted is not None,
                "provider": hosted.provider if hosted else "",
                "region": hosted.region if hosted else "",
                "lane": self.lane.name,
                "lane_jurisdictions": list(self.lane.jurisdictions),
                "cleared_for": list(self.lane.cleared_for),
                "org": self.org,
                "level": self.label.level,
                "categories": list(self.label.categories),
                "jurisdictions": list(self.label.jurisdictions),
                "risk_tier": self.tier,
            }
        )


PROPERTY_NAMES: Final = frozenset(
    {
        "hosted",
        "provider",
        "region",
        "lane",
        "lane_jurisdictions",
        "cleared_for",
        "org",
        "level",
        "categories",
        "jurisdictions",
    }
    | {"risk_tier"}
)


def representative_labels(categories: Iterable[str], jurisdictions: Iterable[str]) -> Iterator[Label]:
    """Every level with no category, each alone and all; with no jurisdiction, each alone and all."""
    for level, held, places in product(LEVELS, _subsets(categories), _subsets(jurisdictions)):
        yield Label(level=level, categories=held, jurisdictions=places)


def _subsets(names: Iterable[str]) -> list[tuple[str, ...]]:
    ordered = tuple(sorted(names))
    return [(), *((name,) for name in ordered), *([ordered] if len(ordered) > 1 else [])]


def broken_property(rule: BoundaryProperty, questions: Iterable[Question], boundary: Boundary) -> str | None:
    """Return a question that the boundary answers otherwise than the property says, in words; None when there is none."""
    try:
        condition = compile_rule(rule.when)
        for question in questions:
            if condition.holds(question.facts):
                verdict = boundary.may_send(question.org, question.lane, question.label, question.tier)
                if verdict.allowed != (rule.must == "allow"):
                    return f"{question.org} to lane {question.lane.name} with {_words(question.label)} at tier {question.tier}"
    except RuleError as error:
        return f"no question, because {error}"
    return None


def _words(label: Label) -> str:
    held = ", ".join((*label.categories, *label.jurisdictions)) or "no category"
    return f"{label.level} text ({held})"


def all_questions(orgs: Iterable[str], lanes: Iterable[LaneSpec], labels: Iterable[Label]) -> Iterator[Question]:
    """Every combination of these with every risk tier."""
    for org, lane, label, tier in product(tuple(orgs), tuple(lanes), tuple(labels), RISK_TIERS):
        yield Question(org, lane, label, tier)
