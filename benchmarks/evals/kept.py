"""Which texts stay? What one reader found in the documents and in the plain queries, and the shares that follow from a bar."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.evals.boundary_data import Document
from benchmarks.evals.spans import flagged
from router.contract import Finding

Found = Sequence[tuple[Finding, ...]]


@dataclass(frozen=True, slots=True)
class Kept:
    """Shares kept: of the documents with somebody's data (right), of those without a span and of the plain queries (needless)."""

    personal: float
    span_free: float
    queries: float


@dataclass(frozen=True, slots=True)
class Read:
    """A reader's findings, a tuple for each document and each query."""

    documents: Found
    queries: Found

    def kept(self, documents: Sequence[Document], bar: float) -> Kept:
        """Return what stays when findings from this score on raise a label."""
        pairs = list(zip(documents, self.documents, strict=True))
        return Kept(
            personal=share(flagged(found, bar) for document, found in pairs if document.spans),
            span_free=share(flagged(found, bar) for document, found in pairs if not document.spans),
            queries=share(flagged(found, bar) for found in self.queries),
        )

    def above(self, bar: float) -> "Read":
        """Return the findings from a score on, made certain: they count whatever another reader's bar is."""
        return Read(_certain(self.documents, bar), _certain(self.queries, bar))


def joined(one: Read, other: Read) -> Read:
    """Return what either found."""
    return Read(_both(one.documents, other.documents), _both(one.queries, other.queries))


def share(flags: Iterable[bool]) -> float:
    """Return the share that is true; of nothing, 0."""
    seen = list(flags)
    return sum(seen) / len(seen) if seen else 0.0


def _both(one: Found, other: Found) -> Found:
    return [mine + others for mine, others in zip(one, other, strict=True)]


def _certain(found: Found, bar: float) -> Found:
    return [tuple(one.model_copy(update={"score": 1.0}) for one in some if one.score >= bar) for some in found]
