"""What is known of the world when a decision is made, frozen: so that the decision itself can stay pure.

One owner keeps the living state (`serving/keeper.py`); `docs/state.md` lists each part, its store and its promise. A `State`
is a snapshot of it. What could not be read is marked unknown here, and unknown closes: see `State.session_unknown`.
"""

from pydantic import Field

from router.contract import Finding, Frozen, Label


class KnownSpan(Frozen):
    """A message of this prompt that the session has seen before, and the label it had then."""

    message: int = Field(ge=0)
    label: Label


class State(Frozen):
    """A snapshot that `decide` reads beside the request and the bundle.

    `lanes_off`: lanes that must not be used now (switched off, no key at the door, breaker open, saturated), each with its reason.
    `session_label`: the join over all that the session ever held; `session_turns`: how many turns that was; `known_spans`: which of this
    prompt's messages were part of them. `session_unknown`: the owner could not be asked; the request is then treated as restricted.
    `late_findings`: what was found after the first decision (a deep scan), input to the second. `route`: the one that an earlier decision
    of this request took, where all that came since is context and tools' results: they change its label, not what it is about.
    `usd_left`: what the tenant's day has left to spend (None: no limit, or not known): a hosted lane that could cost more is closed.
    """

    lanes_off: dict[str, str] = Field(default_factory=dict)
    session_label: Label = Label()
    session_turns: int = Field(default=0, ge=0)
    known_spans: tuple[KnownSpan, ...] = ()
    session_unknown: bool = False
    late_findings: tuple[Finding, ...] = ()
    route: str | None = None
    usd_left: float | None = Field(default=None, ge=0)
