"""What is one way to tell a fact?"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Telling:
    """One way to tell a fact: its category, the terms without which it is not told, its whole pattern, and the score."""

    category: str
    terms: str
    source: str
    score: float
