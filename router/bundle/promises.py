"""What must the boundary never do, and what must it answer? `boundary/properties.yaml` and `boundary/tests.yaml`.

A test is one question and its answer. A property is a CEL condition over the question, and what the answer must be wherever it holds:
`router.bundle.proof` holds it against every question there is.
"""

from typing import Final, Literal

from router.contract import Frozen, Label, RiskTier

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
