"""Who reads the documents? The fast scan, the deep scan, and Presidio as it comes: each with its own findings and its own CPU time."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from router.contract import Finding
from router.scan import scan_text
from serving.deep.findings import category_of, findings_in
from serving.deep.forest import Forest
from serving.deep.reader import Reader, ready_engine


class Reads(Protocol):
    """Reads one text."""

    def __call__(self, text: str) -> tuple[Finding, ...]: ...


@dataclass(slots=True)
class Timed:
    """A reader and what it has cost: CPU seconds and characters. The first text is read twice, so that nobody pays for loading."""

    reads: Reads
    seconds: float = 0.0
    characters: int = 0
    _warm: bool = False

    def __call__(self, text: str) -> tuple[Finding, ...]:
        """Return the findings."""
        if not self._warm:
            self._warm = True
            self.reads(text)
        began = time.process_time()
        findings = self.reads(text)
        self.seconds += time.process_time() - began
        self.characters += len(text)
        return findings

    @property
    def microseconds_per_1000(self) -> float:
        """CPU time per 1,000 characters."""
        return self.seconds * 1e9 / self.characters if self.characters else 0.0

    def over(self, texts: Iterable[str], step: Callable[[], None]) -> list[tuple[Finding, ...]]:
        """Read all of them, calling `step` after each."""
        found = []
        for text in texts:
            found.append(self(text))
            step()
        return found


@dataclass(frozen=True, slots=True)
class Readers:
    """The three, loaded once."""

    fast: Timed
    deep: Timed
    presidio: Timed
    all: Sequence[Timed] = field(init=False)

    @classmethod
    def load(cls) -> "Readers":
        """Load the model twice: Presidio's own default runs all of spaCy's pipeline, the deep scan a part of it."""
        reader, forest = Reader(), Forest.load()
        return cls(Timed(scan_text), Timed(lambda text: findings_in(reader.read(text), forest)), Timed(_default()))


def _default() -> Reads:
    """Presidio as its documentation starts it: every recogniser, every entity, no threshold."""
    from presidio_analyzer import AnalyzerEngine

    analyzer: Any = AnalyzerEngine(nlp_engine=ready_engine(exclude=()), supported_languages=["en"])

    def reads(text: str) -> tuple[Finding, ...]:
        return tuple(
            Finding(
                entity=one.entity_type,
                category=category_of(one.entity_type),
                start=one.start,
                end=one.end,
                score=min(float(one.score), 1.0),
                detector="presidio default",
            )
            for one in analyzer.analyze(text, "en")
        )

    return reads
