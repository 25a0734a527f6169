"""Under whose law may a model's replicas run? As its lanes claim: each names jurisdictions, and one of them must be the node's.

Names count without regard to case. What runs under the law of a member of the European Union runs under the Union's.
"""

from collections.abc import Collection, Iterable
from typing import Final

UNION: Final = "eu"
MEMBERS: Final = frozenset(
    ("at", "be", "bg", "hr", "cy", "cz", "dk", "ee", "fi", "fr", "de", "gr", "hu", "ie", "it", "lv", "lt", "lu", "mt", "nl", "pl", "pt",
     "ro", "sk", "si", "es", "se")
)  # fmt: skip
"""Members of the European Union by ISO code."""


def accepted(claimed: Collection[str], law: str) -> bool:
    """Whether what stands under this law keeps the claim. Names as `common_laws` returns them."""
    return law in claimed or (law in MEMBERS and UNION in claimed)


def common_laws(claims: Iterable[Collection[str]]) -> tuple[str, ...] | None:
    """Return the laws that keep every claim, as few names as say it; None where nobody claims any. Empty: no law keeps them all.

    LAW: a law is accepted by the result iff each claim accepts it.
    """
    sets = [frozenset(name.casefold() for name in claim) for claim in claims if claim]
    if not sets:
        return None
    named = frozenset[str]().union(*sets)
    kept = {law for law in named if all(accepted(claim, law) for claim in sets)}
    return tuple(sorted(kept - MEMBERS if UNION in kept else kept))


def laws_within(claimed: Collection[str]) -> tuple[str, ...]:
    """Return every law that keeps the claim, in order: the Union's members by name."""
    return tuple(sorted({*claimed, *(MEMBERS if UNION in claimed else ())}))
