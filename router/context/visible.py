"""Which passages may this reader be shown? Their tenant's own and everybody's, up to the reader's clearance; asked before any ranking."""

from router.contract import LEVELS, Level


def levels_up_to(clearance: Level) -> tuple[Level, ...]:
    """Return the levels that a clearance reaches, lowest first."""
    return LEVELS[: LEVELS.index(clearance) + 1]


def may_see(org: str | None, clearance: Level, tenant: str | None, level: Level) -> bool:
    """Tell whether a reader of `org` may see a passage: of no tenant's or its own (None has none), and of a level it is cleared for."""
    return tenant in {None, org} and level in levels_up_to(clearance)
