"""What of a reading is a finding? What is proved by its own form at its own score; everything else at the score of the text around it.

A town, a month or a name alone is nobody's data; in a text that speaks of somebody it is. So a name finder's spans get the score that
the evidence gives the window they stand in. A window that scores without any span is itself the finding.
"""

from collections.abc import Iterator
from typing import Final

from router.contract import Finding
from serving.deep.evidence import evidence_in
from serving.deep.forest import Forest
from serving.deep.reading import Reading, Span, Window, windows

DETECTOR: Final = "presidio"
LISTED_FROM: Final = 0.25
"""Findings below this score are not worth a line in the evidence."""
MOST_FINDINGS: Final = 200
_SURE: Final = 0.5

_CATEGORIES: Final = {
    **dict.fromkeys(("CREDIT_CARD", "IBAN_CODE", "CRYPTO", "US_BANK_NUMBER"), "payment"),
    "MEDICAL_LICENSE": "health",
}
"""All others are pii."""
_PROVED: Final = frozenset(
    {"CREDIT_CARD", "IBAN_CODE", "CRYPTO", "US_SSN", "US_ITIN", "EMAIL_ADDRESS", "UK_NHS", "MEDICAL_LICENSE"}
)
"""Entities with a form of their own (a check digit, an @): what Presidio is sure of needs no other evidence."""


def category_of(entity: str) -> str:
    """Return the category that an entity of Presidio's belongs to."""
    return _CATEGORIES.get(entity, "pii")


def findings_in(reading: Reading, forest: Forest) -> tuple[Finding, ...]:
    """Return the findings of one text, the surest `MOST_FINDINGS` of them in the order of the text."""
    found = [finding for window in windows(reading) for finding in _in_window(window, forest)]
    surest = sorted(found, key=lambda finding: -finding.score)[:MOST_FINDINGS]
    return tuple(sorted(surest, key=lambda finding: (finding.start, finding.end, finding.entity)))


def _in_window(window: Window, forest: Forest) -> Iterator[Finding]:
    score = round(forest.score(evidence_in(window.reading)), 3)
    scored = [(span, _score(span, score)) for span in window.reading.found]
    yield from (_finding(span.entity, span.start, span.end, own) for span, own in scored if own >= LISTED_FROM)
    if score >= _SURE and not any(own >= score for _, own in scored):
        yield _finding("PERSONAL_DATA", window.start, window.end, score)


def _score(span: Span, around: float) -> float:
    return max(span.score, around) if span.entity in _PROVED and span.score >= _SURE else around


def _finding(entity: str, start: int, end: int, score: float) -> Finding:
    return Finding(entity=entity, category=category_of(entity), start=start, end=end, score=score, detector=DETECTOR)
