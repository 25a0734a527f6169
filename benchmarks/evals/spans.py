"""How much of what was labelled was found, and how much of what was found was labelled? By overlap, within a category."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.evals.boundary_data import Document
from router.contract import Finding
from serving.deep.findings import category_of


@dataclass(frozen=True, slots=True)
class Score:
    """Recall, precision and their harmonic mean; `labelled` and `found` say over how many."""

    labelled: int
    recalled: int
    found: int
    right: int

    @property
    def recall(self) -> float:
        """Of the labelled spans, the share that a finding touches."""
        return self.recalled / self.labelled if self.labelled else 0.0

    @property
    def precision(self) -> float:
        """Of the findings, the share that touches a labelled span."""
        return self.right / self.found if self.found else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean."""
        total = self.recall + self.precision
        return 2 * self.recall * self.precision / total if total else 0.0


def by_category(documents: Sequence[Document], findings: Sequence[Sequence[Finding]], bar: float) -> dict[str, Score]:
    """Score each category of data. A finding below `bar` raises nothing and counts as none."""
    counts: dict[str, Counter[str]] = {}
    for document, found in zip(documents, findings, strict=True):
        sure = [one for one in found if one.score >= bar]
        for span in document.spans:
            count = counts.setdefault(category_of(span.entity), Counter())
            count["labelled"] += 1
            count["recalled"] += any(
                one.category == category_of(span.entity) and touches(one, span.start, span.end) for one in sure
            )
        for one in sure:
            count = counts.setdefault(one.category, Counter())
            count["found"] += 1
            count["right"] += any(
                category_of(span.entity) == one.category and touches(one, span.start, span.end)
                for span in document.spans
            )
    return {name: _score(count) for name, count in sorted(counts.items())}


def recall_by_entity(
    documents: Sequence[Document], findings: Sequence[Sequence[Finding]], bar: float
) -> dict[str, tuple[int, float]]:
    """Return, for each label, how many spans there are and the share that any finding touches, whatever it took it for."""
    labelled: Counter[str] = Counter()
    recalled: Counter[str] = Counter()
    for document, found in zip(documents, findings, strict=True):
        for span in document.spans:
            labelled[span.entity] += 1
            recalled[span.entity] += any(one.score >= bar and touches(one, span.start, span.end) for one in found)
    return {entity: (count, recalled[entity] / count) for entity, count in labelled.most_common()}


def touches(finding: Finding, start: int, end: int) -> bool:
    """Tell whether a finding and a stretch have a character in common."""
    return finding.start < end and start < finding.end


def flagged(found: Iterable[Finding], bar: float) -> bool:
    """Tell whether anything in a text raises its label."""
    return any(one.score >= bar for one in found)


def _score(count: Counter[str]) -> Score:
    return Score(count["labelled"], count["recalled"], count["found"], count["right"])
