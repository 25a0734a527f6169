"""What must the boundary never do, and what must it answer? `boundary/properties.yaml` and `boundary/tests.yaml`.

A test is one question and its answer. A property is a CEL condition over the question, and what the answer must be wherever it holds:
`router.bundle.proof` holds it against every question there is.
"""

from collections.abc import Iterable, Iterator
from itertools import product
from typing import Final, Literal

from router.contract import LEVELS, Frozen, Label, RiskTier

PROPERTY_NAMES: Final = frozenset(
    {
        *("hosted", "provider", "region", "lane", "lane_jurisdictions", "cleared_for"),
        *("org", "level", "categories", "jurisdictions", "risk_tier"),
    }
)
"""What a property's condition can ask about: the lane, the tenant, the label, the tier."""


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


def representative_labels(categories: Iterable[str], jurisdictions: Iterable[str]) -> Iterator[Label]:
    """Every level with no category, each alone and all; with no jurisdiction, each alone and all."""
    for level, held, places in product(LEVELS, _subsets(categories), _subsets(jurisdictions)):
        yield Label(level=level, categories=held, jurisdictions=places)


def _subsets(names: Iterable[str]) -> list[tuple[str, ...]]:
    ordered = tuple(sorted(names))
    return [(), *((name,) for name in ordered), *([ordered] if len(ordered) > 1 else [])]
