"""How labels join, and what a category is worth. Labels only rise."""

from collections.abc import Iterable

from router.contract import LEVELS, RISK_TIERS, Label, Level, RiskTier

RESTRICTED = Label(level="restricted")
"""What is assumed of anything that could not be judged."""


def join(*labels: Label) -> Label:
    """Return the least label that is at least each of these: highest level, union of categories and jurisdictions."""
    return Label(
        level=max((label.level for label in labels), key=LEVELS.index, default="public"),
        categories=tuple(category for label in labels for category in label.categories),
        jurisdictions=tuple(place for label in labels for place in label.jurisdictions),
    )


def at_most(low: Label, high: Label) -> bool:
    """Tell whether `low` is below or equal to `high` in every respect."""
    return (
        LEVELS.index(low.level) <= LEVELS.index(high.level)
        and set(low.categories) <= set(high.categories)
        and set(low.jurisdictions) <= set(high.jurisdictions)
    )


def highest(tiers: Iterable[RiskTier]) -> RiskTier:
    """Return the highest of some risk tiers; none at all is `low`."""
    return max(tiers, key=RISK_TIERS.index, default="low")


def highest_level(levels: Iterable[Level]) -> Level:
    """Return the highest of some levels; none at all is `public`."""
    return max(levels, key=LEVELS.index, default="public")
