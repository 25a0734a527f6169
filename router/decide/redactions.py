"""What would a lane that redacts be sent of this request? The request is redacted, scanned again, and labelled by what that finds.

INVARIANT: only what was found in the texts can be taken out of a label. What tenant, route, header or session declare stays in it, and so
does the label of what can't be read, an image.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from router.bundle import Bundle
from router.bundle.files import LaneSpec
from router.contract import Redacts, RouteRequest
from router.decide.judge import Judgement, Scan
from router.decide.spans import label_found
from router.labels import join
from router.redact import Hiding, Placeholders, findings_left, redact


@dataclass(frozen=True, slots=True)
class Redactions:
    """The redactions of one request, each made once, and only when a lane is asked about that would be closed without."""

    request: RouteRequest
    judged: Judgement
    bundle: Bundle
    scan: Scan
    _made: dict[tuple[str, ...], Redacts | None] = field(default_factory=dict)

    def on(self, lane: LaneSpec) -> Redacts | None:
        """Return what this lane would take out and the label of the rest; None where it takes nothing out, or not all of it."""
        hidden = self._hidden(lane.redact)
        if not hidden:
            return None
        if hidden not in self._made:
            self._made[hidden] = self._redacts(hidden)
        return self._made[hidden]

    def _hidden(self, categories: Iterable[str]) -> tuple[str, ...]:
        """Return which of these categories were found. Who asks for log probabilities gets no such lane: they'd be the placeholders'."""
        if self.judged.failed is not None or self.request.sampling.logprobs:
            return ()
        raise_at = self.bundle.tiers.raise_at
        found = {finding.category for finding in self.judged.findings if finding.score >= raise_at}
        return tuple(sorted(found.intersection(categories)))

    def _redacts(self, categories: tuple[str, ...]) -> Redacts | None:
        """Redact and prove. Whatever that trips over, the lane stays closed."""
        tiers = self.bundle.tiers
        hiding = Hiding(categories, self.judged.findings, self.scan, tiers.raise_at)
        try:
            # Which numbers the placeholders get is settled when a call is made; no label depends on it.
            left = findings_left(redact(self.request, hiding, Placeholders()), self.scan)
        except Exception:  # noqa: BLE001
            return None
        if any(hiding.hides(one) for one in left):
            return None
        return Redacts(categories=categories, label=join(self.judged.declared, label_found(left, tiers)))
