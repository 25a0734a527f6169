"""What may a tier or a topic demand of an answer, and what do several of them demand together?

Demands form a lattice: `join` gives the least that satisfies both, so more risk never loosens anything. A demand that says nothing
is its least element. Order and repetition of what is joined make no difference but for the order in which disclaimers are read.
"""

from collections.abc import Iterable
from functools import reduce
from typing import Final, Literal

from pydantic import Field

from router.contract import Depth, Frozen, Keep, StreamRule

SideEffect = Literal["read", "write", "irreversible"]
SIDE_EFFECTS: Final[tuple[SideEffect, ...]] = ("read", "write", "irreversible")
CHANGES: Final[tuple[SideEffect, ...]] = ("write", "irreversible")
"""Side effects that wait for a person's approval whatever a demand says."""
_DEPTHS: Final[tuple[Depth | None, ...]] = (None, "light", "deep")
_RELEASES: Final = ("live", "window", "hold")


class Demand(Frozen):
    """What is demanded of an answer; what is left out demands nothing.

    `lanes`: the only ones that may answer (none: all). `temperature_at_most`, `top_p_at_most` bound the decoding. `stream`: the loosest
    rule. `retrieval`: how deep to look at least, where a route looks for context; with `index`, also where a route names none.
    `citations`: an answer from context cites it. `tools`: side effects that tools may have. `approvals`: those that a person approves
    first (what changes anything always is). `review`: a person looks at the answer before it goes out. `disclaimer` is put after it.
    `keep`: what is kept of it. `checks`: those of the file's `checks` that it must pass.
    """

    lanes: tuple[str, ...] = ()
    temperature_at_most: float | None = Field(default=None, ge=0, le=2)
    top_p_at_most: float | None = Field(default=None, gt=0, le=1)
    stream: StreamRule = StreamRule()
    retrieval: Depth | None = None
    index: str | None = None
    citations: bool = False
    tools: tuple[SideEffect, ...] = SIDE_EFFECTS
    approvals: tuple[SideEffect, ...] = CHANGES
    review: bool = False
    disclaimer: str | None = None
    keep: Keep | None = None
    checks: tuple[str, ...] = ()

    @property
    def demanded(self) -> "Demand":
        """The demand alone, without what else a profile says."""
        return Demand.model_construct(**{name: getattr(self, name) for name in Demand.model_fields})


NOTHING: Final = Demand()


def join(demands: Iterable[Demand]) -> Demand:
    """Return the least demand that is at least each of these."""
    return reduce(_joined, (one.demanded for one in demands), NOTHING)


def _joined(one: Demand, other: Demand) -> Demand:
    return Demand.model_construct(
        lanes=_both_lanes(one.lanes, other.lanes),
        temperature_at_most=least(one.temperature_at_most, other.temperature_at_most),
        top_p_at_most=least(one.top_p_at_most, other.top_p_at_most),
        stream=stricter(one.stream, other.stream),
        retrieval=deeper(one.retrieval, other.retrieval),
        index=one.index or other.index,
        citations=one.citations or other.citations,
        tools=tuple(effect for effect in SIDE_EFFECTS if effect in one.tools and effect in other.tools),
        approvals=tuple(effect for effect in SIDE_EFFECTS if effect in one.approvals or effect in other.approvals),
        review=one.review or other.review,
        disclaimer=_all_lines(one.disclaimer, other.disclaimer),
        keep=less_kept(one.keep, other.keep),
        checks=tuple(dict.fromkeys((*one.checks, *other.checks))),
    )


NO_LANE: Final = ("",)
"""The lanes of demands that have none in common: no lane is called so."""


def _both_lanes(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    if not one or not other:
        return one or other
    return tuple(sorted(set(one) & set(other))) or NO_LANE


def least(one: float | None, other: float | None) -> float | None:
    """Return the lower of two bounds; None bounds nothing."""
    return min((bound for bound in (one, other) if bound is not None), default=None)


def stricter(one: StreamRule, other: StreamRule) -> StreamRule:
    """Return the rule that lets a piece go out when both would."""
    release = max(one.release, other.release, key=_RELEASES.index)
    windows = [rule.window_tokens for rule in (one, other) if rule.release == "window"]
    return (
        StreamRule(release=release, window_tokens=max(windows)) if release == "window" else StreamRule(release=release)
    )


def deeper(one: Depth | None, other: Depth | None) -> Depth | None:
    """Return the deeper of two ways to look for context."""
    return max(one, other, key=_DEPTHS.index)


def less_kept(one: Keep | None, other: Keep | None) -> Keep | None:
    """Return what both let be kept: the text only if both do, for the shorter time."""
    if one is None or other is None:
        return one or other
    return Keep(text=one.text and other.text, days=min(one.days, other.days))


def _all_lines(one: str | None, other: str | None) -> str | None:
    lines = dict.fromkeys(line for text in (one, other) if text for line in text.splitlines())
    return "\n".join(lines) or None
