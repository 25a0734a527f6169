"""What does a new version of a bundle change, and does anything newly leave? Over some traffic, and over every question there is.

Traffic shows what people will notice and what it costs. The verdict tables show what no traffic happened to ask.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from router.bundle import Bundle
from router.policy.cases import Parse
from router.policy.overlay import Shift, shifts
from router.policy.traffic import Compared, compare
from router.policy.widen import Widening, lowered


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two versions, laid over each other: the traffic, the boundary's verdicts, what labels the same text lower, and what demands less."""

    old_hash: str
    new_hash: str
    traffic: Compared
    shifts: tuple[Shift, ...]
    lowered: tuple[Widening, ...]

    @property
    def newly_leaves(self) -> bool:
        """Whether anything may leave that did not: a request of the traffic, a question, or a text that is labelled lower."""
        labels = any(one.by != "demand" for one in self.lowered)
        return bool(self.traffic.newly_leaving or labels or any(shift.opens for shift in self.shifts))

    @property
    def loosened(self) -> tuple[str, ...]:
        """What is no longer demanded of what goes out."""
        return tuple(one.what for one in self.lowered if one.by == "demand")

    @property
    def widens(self) -> bool:
        """Whether it takes two to approve: something newly leaves, or goes out with less demanded of it."""
        return self.newly_leaves or bool(self.loosened)

    def as_json(self) -> Iterator[dict[str, Any]]:
        """Yield the lines of `lane policy diff --json`: requests, verdicts, labels, then one summary."""
        for change in self.traffic.changed:
            changes = {what: {"before": before, "after": after} for what, (before, after) in change.changes.items()}
            yield {"kind": "request", "id": change.id, "changes": changes, "newly_leaves_by": change.newly_leaves}
        for shift in self.shifts:
            yield {
                "kind": "opens" if shift.opens else "closes",
                "policies": shift.policies,
                "orgs": shift.orgs,
                "ways": tuple(map(str, shift.ways)),
                "questions": shift.questions,
                "example": shift.example.as_json(),
            }
        for widening in self.lowered:
            kind = "loosens" if widening.by == "demand" else "lowers"
            yield {"kind": kind, "by": widening.by, "what": widening.what}
        yield {
            "kind": "summary",
            "old": self.old_hash,
            "new": self.new_hash,
            "requests": self.traffic.requests,
            "failed": self.traffic.failed,
            "changed": len(self.traffic.changed),
            "counts": self.traffic.counts,
            "newly_leaving_requests": len(self.traffic.newly_leaving),
            "newly_leaves": self.newly_leaves,
            "loosened": len(self.loosened),
            "widens": self.widens,
            "before": {lane: asdict(load) for lane, load in self.traffic.before.items()},
            "after": {lane: asdict(load) for lane, load in self.traffic.after.items()},
        }


def compare_bundles(lines: Iterable[Mapping[str, Any]], old: Bundle, new: Bundle, parse: Parse) -> Comparison:
    """Compare two versions. Raises `SpaceTooLarge`, `TablesDisagree` when their verdicts can't be laid over each other."""
    return Comparison(old.hash, new.hash, compare(lines, old, new, parse), shifts(old, new), tuple(lowered(old, new)))
