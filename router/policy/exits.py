"""By which rungs and tools can anything leave, route by route? And where `egress: none` is declared, is it none?

A way is open to a route when some tenant may use it, some question to the boundary about it is allowed, and nothing closes it besides.
`egress: none` is no question to the boundary, so it is tried on decisions: every tenant asks for every hosted lane by its name, and with
every text there is, and nothing that it is declared for may have a way out.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

from router.bundle import Bundle, CompiledRoute
from router.bundle.proof import Verdicts
from router.bundle.space import Way, leads_out
from router.contract import Decision
from router.decide import decide
from router.errors import RouterError
from router.policy.cases import Parse
from router.policy.overlay import is_open
from router.policy.witness import TEXTS
from router.state import State

EGRESS_NONE: Final = "egress-none"


@dataclass(frozen=True, slots=True)
class Exits:
    """What of a route leads out: its rungs and tools that do, and those of them that can open to anything at all."""

    route: str
    planned: tuple[Way, ...]
    open: tuple[Way, ...]


@dataclass(frozen=True, slots=True)
class Egress:
    """What `egress: none` is declared for, on how many decisions it was tried, and how many of their rungs and tools lead out all the same.

    `broken_by` is the first request that has one.
    """

    declared: tuple[str, ...]
    decisions: int
    rungs: int
    broken_by: Mapping[str, Any] | None

    def as_json(self) -> dict[str, Any]:
        """Return it as `lane policy prove --json` prints it."""
        return {
            "property": EGRESS_NONE,
            "holds": self.broken_by is None,
            "method": "every hosted lane for every tenant, decided",
            "questions": self.decisions,
            "counterexample": self.broken_by,
            "confirmed": True if self.broken_by else None,
            "hosted_rungs": self.rungs,
            "declared": self.declared,
        }


def exits_of(bundle: Bundle, verdicts: Verdicts) -> tuple[Exits, ...]:
    """Return every route's exits."""
    return tuple(_of_route(route, bundle, verdicts) for route in bundle.routes)


def _of_route(route: CompiledRoute, bundle: Bundle, verdicts: Verdicts) -> Exits:
    named = [Way("send", step.lane) for step in route.steps]
    named += [Way("call_tool", tool.name) for tool in route.spec.tools]
    planned = [way for way in named if leads_out(verdicts.space.ways[way])]
    possible = planned if route.spec.egress == "open" else []
    return Exits(route.spec.id, tuple(planned), tuple(way for way in possible if _can_open(way, bundle, verdicts)))


def _can_open(way: Way, bundle: Bundle, verdicts: Verdicts) -> bool:
    return any(is_open(bundle, org, way) and verdicts.tables[org, way].allowed.any() for org in bundle.tenants)


def prove_egress(bundle: Bundle, parse: Parse, texts: Iterable[str]) -> Egress | None:
    """Try `egress: none` wherever it is declared; None where it is not."""
    declared = tuple(_declared(bundle))
    if not declared:
        return None
    decisions = rungs = 0
    broken_by: dict[str, Any] | None = None
    for line in _lines(bundle, (*TEXTS, *texts)):
        try:
            decision = decide(parse(line), bundle, State())
        except RouterError:
            continue
        if {"the bundle", f"tenant {line['org']}", f"route {decision.route}"} & set(declared):
            decisions += 1
            leading_out = _leading_out(decision, bundle)
            rungs += leading_out
            broken_by = broken_by or (line if leading_out else None)
    return Egress(declared, decisions, rungs, broken_by)


def _declared(bundle: Bundle) -> Iterator[str]:
    if bundle.egress == "none":
        yield "the bundle"
    yield from (f"tenant {org}" for org, tenant in bundle.tenants.items() if tenant.egress == "none")
    yield from (f"route {route.spec.id}" for route in bundle.routes if route.spec.egress == "none")


def _lines(bundle: Bundle, texts: Iterable[str]) -> Iterator[dict[str, Any]]:
    hosted = [name for name, lane in bundle.lanes.items() if lane.is_hosted]
    for org, model, text in product(bundle.tenants, ("auto", *hosted), tuple(texts)):
        yield {"id": EGRESS_NONE, "text": text, "org": org, "model": model}


def _leading_out(decision: Decision, bundle: Bundle) -> int:
    hosted = sum(bundle.lanes[rung.lane].is_hosted for rung in decision.ladder)
    return hosted + sum(bundle.tools[tool.name].reaches_outside for tool in decision.tools)
