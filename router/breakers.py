"""Is this lane worth asking now? A circuit breaker for each lane, as a value: what happened and what time it is are arguments.

    closed ──(so many failures within the window, and no fewer than successes)──> open
    open ──(`open_seconds` later)──> half open: so many probes may ask, nobody else
    half open ──(every probe succeeded)──> closed;  ──(one failed)──> open again, for as long as before

A lane fails by its own doing alone: too late, not there, an error or an answer that can't be read. A refusal is an answer; a caller's
mistake, or a caller that leaves, says nothing of the lane.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal, Protocol

from router.bundle.files import BreakerSpec

Verdict = Literal["succeeded", "failed", "neither"]
_SLICES: Final = 10
"""The window is counted in so many slices: a breaker's size does not grow with its lane's traffic."""


@dataclass(frozen=True, slots=True)
class Slice:
    """What happened in one slice of time: how many failed, how many succeeded."""

    number: int
    failed: int = 0
    succeeded: int = 0


@dataclass(frozen=True, slots=True)
class Pass:
    """Leave to ask a lane. `era`: how often the breaker had changed by then; what comes from an earlier one says nothing of now."""

    era: int
    probe: bool = False


@dataclass(frozen=True, slots=True)
class Breaker:
    """One lane's breaker: closed where `opened_at` is None. `probing`: probes under way; `proved`: those that succeeded."""

    slices: tuple[Slice, ...] = ()
    opened_at: float | None = None
    era: int = 0
    probing: int = 0
    proved: int = 0

    @property
    def standing(self) -> "Breaker":
        """What others may know of it: all but what was counted while it was closed."""
        return replace(self, slices=())

    def shut(self, spec: BreakerSpec, now: float) -> str | None:
        """Return why the lane may not be asked now; None where it may."""
        if self.opened_at is None:
            return None
        left = self.opened_at + spec.open_seconds - now
        if left > 0:
            return (
                f"it failed {spec.failures} times within {spec.window_seconds:g} s, and is asked again in {left:.0f} s"
            )
        if self.probing + self.proved >= spec.probes:
            return "it failed, and somebody is finding out whether it works again"
        return None

    def admit(self, spec: BreakerSpec, now: float) -> tuple["Breaker", Pass | None]:
        """Let a call through, or not. Every pass must be settled, whatever becomes of the call."""
        if self.shut(spec, now) is not None:
            return self, None
        if self.opened_at is None:
            return self, Pass(self.era)
        return replace(self, probing=self.probing + 1), Pass(self.era, probe=True)

    def settle(self, given: Pass, verdict: Verdict, spec: BreakerSpec, now: float) -> "Breaker":
        """Take in what became of a call."""
        if given.era != self.era:
            return self
        return self._probed(verdict, spec, now) if given.probe else self._counted(verdict, spec, now)

    def _probed(self, verdict: Verdict, spec: BreakerSpec, now: float) -> "Breaker":
        match verdict:
            case "neither":
                return replace(self, probing=max(0, self.probing - 1))
            case "failed":
                return Breaker(opened_at=now, era=self.era + 1)
            case "succeeded" if self.proved + 1 >= spec.probes:
                return Breaker(era=self.era + 1)
            case "succeeded":
                return replace(self, probing=max(0, self.probing - 1), proved=self.proved + 1)

    def _counted(self, verdict: Verdict, spec: BreakerSpec, now: float) -> "Breaker":
        if verdict == "neither":
            return self
        number = int(now * _SLICES / spec.window_seconds)
        kept = tuple(one for one in self.slices if number - _SLICES < one.number <= number)
        last = kept[-1] if kept and kept[-1].number == number else Slice(number)
        earlier = kept[:-1] if kept and kept[-1].number == number else kept
        failed = verdict == "failed"
        slices = (*earlier, replace(last, failed=last.failed + failed, succeeded=last.succeeded + (not failed)))
        failures, successes = sum(one.failed for one in slices), sum(one.succeeded for one in slices)
        # A busy lane has its few failures all the time; one that is down has hardly anything else.
        if failed and failures >= max(spec.failures, successes):
            return Breaker(opened_at=now, era=self.era + 1)
        return replace(self, slices=slices)


class Board(Protocol):
    """Where breakers stand that several processes agree on, by their lanes' names; one that was never changed is closed."""

    def seen(self, lane: str) -> Breaker:
        """Return a breaker's standing. Asked at each decision: it may cost next to nothing."""
        ...

    def changed(self, lane: str, change: Callable[[Breaker], Breaker]) -> Breaker:
        """Change a breaker's standing and return it; of several that change it at once, each sees what the one before made of it."""
        ...


class OwnBoard:
    """A board of one process alone."""

    def __init__(self) -> None:
        self._kept: dict[str, Breaker] = {}

    def seen(self, lane: str) -> Breaker:
        """Return its standing."""
        return self._kept.get(lane, _CLOSED)

    def changed(self, lane: str, change: Callable[[Breaker], Breaker]) -> Breaker:
        """Change it."""
        self._kept[lane] = made = change(self.seen(lane)).standing
        return made


_CLOSED: Final = Breaker()
