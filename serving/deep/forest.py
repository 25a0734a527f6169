"""How likely does a text hold somebody's data, by the evidence in it? A few hundred small decision trees, added up.

Learnt by `benchmarks.deep.train` from labelled documents and plain questions, kept as JSON; the same numbers give the same score on
every machine.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

DEFAULT_FOREST: Final = Path(__file__).parent / "forest.json"


@dataclass(frozen=True, slots=True)
class Leaf:
    """The end of a path: what it adds, in log-odds."""

    adds: float


@dataclass(frozen=True, slots=True)
class Fork:
    """A question about one number: at most `bar` goes one way, more the other."""

    number: str
    bar: float
    at_most: "Fork | Leaf"
    more: "Fork | Leaf"


@dataclass(frozen=True, slots=True)
class Forest:
    """`start` is added before any tree; `bar` is the log-odds at which a text is kept, so that it scores 0.5 there."""

    start: float
    bar: float
    trees: tuple[Fork | Leaf, ...]

    @classmethod
    def load(cls, path: Path = DEFAULT_FOREST) -> "Forest":
        """Read the file. Raises `OSError`, `KeyError` or `ValueError` when it is not whole."""
        stored = json.loads(path.read_text("utf-8"))
        return cls(stored["start"], stored["bar"], tuple(_tree(tree) for tree in stored["trees"]))

    def score(self, numbers: Mapping[str, float]) -> float:
        """Return 0 to 1; 0.5 is the point chosen on the development data, where enough is kept and little too much."""
        odds = self.start - self.bar
        for tree in self.trees:
            while isinstance(tree, Fork):
                tree = tree.at_most if numbers.get(tree.number, 0.0) <= tree.bar else tree.more  # noqa: PLW2901
            odds += tree.adds
        return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, odds))))


def _tree(stored: Any) -> Fork | Leaf:
    """A number is a leaf; a list is `[number's name, bar, at most, more]`."""
    if isinstance(stored, list):
        number, bar, at_most, more = stored
        return Fork(number, bar, _tree(at_most), _tree(more))
    return Leaf(float(stored))
