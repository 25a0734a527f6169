"""Which requests does another version of the bundle treat otherwise, at what cost, and how does the load on each lane change?

Every request is decided under both versions. Tokens and prices are estimates: the prompt's tokens as the router estimates them, and an
answer of `ANSWER_TOKENS`, or what the budget allows if that is less.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from router.bundle import Bundle
from router.contract import Decision, RouteRequest
from router.decide import decide, estimate_tokens
from router.errors import RouterError
from router.policy.cases import Parse
from router.state import State

ANSWER_TOKENS: Final = 256
"""An answer's length where nothing better is known."""
REFUSED: Final = "(nowhere)"
"""Stands for the lane of what no lane answers."""


@dataclass(frozen=True, slots=True)
class Change:
    """A request that is treated otherwise: what changed, from what, to what. `newly_leaves`: ways out that it did not have before."""

    id: str
    changes: Mapping[str, tuple[str, str]]
    newly_leaves: tuple[str, ...]


@dataclass(slots=True)
class Load:
    """What a lane is asked to do. Dollars by the lane's price list."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    usd: float = 0.0


@dataclass(slots=True)
class Compared:
    """The outcome over some traffic. `counts`: how many requests changed in what. `failed`: lines that are no requests."""

    requests: int = 0
    changed: list[Change] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    failed: int = 0
    before: dict[str, Load] = field(default_factory=dict)
    after: dict[str, Load] = field(default_factory=dict)

    @property
    def newly_leaving(self) -> list[Change]:
        """The requests that could leave now, by lanes that they could not leave by before."""
        return [change for change in self.changed if change.newly_leaves]


def compare(lines: Iterable[Mapping[str, Any]], old: Bundle, new: Bundle, parse: Parse) -> Compared:
    """Decide on every line under both versions."""
    found = Compared()
    for number, line in enumerate(lines, start=1):
        found.requests += 1
        try:
            request = parse(line)
        except RouterError:
            found.failed += 1
            continue
        before, after = _decided(request, old), _decided(request, new)
        tokens = estimate_tokens(request)
        _add(found.before, before, old, tokens)
        _add(found.after, after, new, tokens)
        changes = _changes(before, after)
        stayed = set(_ways_out(after, new)) - set(_ways_out(before, old))
        if changes or stayed:
            found.changed.append(Change(str(line.get("id") or number), changes, tuple(sorted(stayed))))
        for what in changes:
            found.counts[what] = found.counts.get(what, 0) + 1
    return found


def _decided(request: RouteRequest, bundle: Bundle) -> Decision | None:
    """None for a request that this version can't decide on: one of a tenant it does not have, say."""
    try:
        return decide(request, bundle, State())
    except RouterError:
        return None


def _changes(before: Decision | None, after: Decision | None) -> dict[str, tuple[str, str]]:
    old, new = _said(before), _said(after)
    return {what: (old[what], new[what]) for what in old if old[what] != new[what]}


def _said(decision: Decision | None) -> dict[str, str]:
    """What a caller notices of a decision."""
    if decision is None:
        return dict.fromkeys(("action", "route", "lane", "tier", "tools", "contract"), "can't be decided")
    contract = decision.output_contract
    return {
        "action": decision.action,
        "route": decision.route,
        "lane": decision.lane or REFUSED,
        "tier": decision.risk_tier,
        "tools": ", ".join(f"{tool.name}{' (approval)' if tool.needs_approval else ''}" for tool in decision.tools)
        or "none",
        "contract": " ".join(filter(None, (contract.type, contract.schema_name))),
    }


def _ways_out(decision: Decision | None, bundle: Bundle) -> tuple[str, ...]:
    """Every hosted lane on the ladder, the first rung or the last: each may be sent to."""
    return tuple(rung.lane for rung in decision.ladder if bundle.lanes[rung.lane].is_hosted) if decision else ()


def _add(loads: dict[str, Load], decision: Decision | None, bundle: Bundle, tokens: int) -> None:
    """Count a request on the lane it goes to first."""
    if decision is None or decision.action != "answer":
        return
    load = loads.setdefault(decision.lane or REFUSED, Load())
    load.requests += 1
    if decision.lane is None:
        return
    price = bundle.lanes[decision.lane].price
    load.input_tokens += tokens
    answer = min(ANSWER_TOKENS, decision.budgets.output_tokens)
    load.output_tokens += answer
    load.usd += (tokens * price.input_usd + answer * price.output_usd) / 1_000_000
