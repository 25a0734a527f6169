"""Which stretches of a text are hidden as one? Findings that overlap become one stretch, and a stretch never ends within a token."""

from collections.abc import Iterable
from dataclasses import dataclass

from router.contract import Finding
from router.redact.placeholders import Kind


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a text, what it is, and how sure the detector was."""

    start: int
    end: int
    kind: Kind
    score: float

    @property
    def strength(self) -> tuple[float, int]:
        """What gives a joined stretch its name: the surest finding, then the longest."""
        return self.score, self.end - self.start


def spans_of(findings: Iterable[Finding], offset: int, text: str) -> list[Span]:
    """Return the parts of some findings that lie in a text which begins at `offset` of what was scanned."""
    return [
        Span(
            max(0, found.start - offset),
            min(len(text), found.end - offset),
            Kind(found.entity, found.category),
            found.score,
        )
        for found in findings
        if found.start - offset < len(text) and found.end > offset and found.end > found.start
    ]


def joined(spans: Iterable[Span], text: str) -> list[Span]:
    """Return stretches in order that don't overlap and hold every given one, without blanks at their ends."""
    whole = sorted(
        (_whole_tokens(span, text) for span in spans if span.start < span.end), key=lambda span: (span.start, span.end)
    )
    found: list[Span] = []
    for span in whole:
        if found and span.start < found[-1].end:
            last = found.pop()
            stronger = max(last, span, key=lambda one: one.strength)
            span = Span(last.start, max(last.end, span.end), stronger.kind, stronger.score)  # noqa: PLW2901
        found.append(span)
    return [trimmed for span in found if (trimmed := _trimmed(span, text)).start < trimmed.end]


def _whole_tokens(span: Span, text: str) -> Span:
    """Take in the rest of a token that the span begins or ends within: half a base64 word or half a number would tell the other."""
    start, end = span.start, span.end
    while 0 < start < len(text) and _joins(text[start - 1], text[start]):
        start -= 1
    while 0 < end < len(text) and _joins(text[end - 1], text[end]):
        end += 1
    return span if (start, end) == (span.start, span.end) else Span(start, end, span.kind, span.score)


def _joins(left: str, right: str) -> bool:
    return left.isascii() and left.isalnum() and right.isascii() and right.isalnum()


def _trimmed(span: Span, text: str) -> Span:
    inside = text[span.start : span.end]
    start = span.start + len(inside) - len(inside.lstrip())
    return Span(start, max(start, span.start + len(inside.rstrip())), span.kind, span.score)
