"""How sensitive is a text, and what was seen in it?"""

from pydantic import Field, field_validator

from router.contract.atoms import Frozen, Level


class Label(Frozen):
    """How sensitive a text is, what kinds of data it holds, and whose law it is under. A join semilattice: labels only rise."""

    level: Level = "public"
    categories: tuple[str, ...] = ()
    jurisdictions: tuple[str, ...] = ()

    @field_validator("categories", "jurisdictions")
    @classmethod
    def _as_a_sorted_set(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted(set(value)))


class Finding(Frozen):
    """One thing a detector saw, where it saw it, and how sure it is. The text itself is never kept.

    `message` is the index of the message, `start` and `end` are character offsets in that message's text as it was sent.
    """

    entity: str
    category: str
    message: int = 0
    start: int
    end: int
    score: float = Field(ge=0, le=1)
    detector: str
