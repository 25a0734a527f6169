"""`python -m benchmarks.release`: what does each stream rule cost a reader? No engine: a lane that gives one token at a fixed pace.

Everything after the lane is real: execution, the bundle's checks that read along, its rules. Each tier's and topic's rule is tried, and
`live` beside them. Ratios are what counts: how long after the lane's own first token the caller has the first piece, and which part of the
whole answer's time has passed by then. Bounded: answers of one rule run at once, each so many tokens long.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final

import orjson
from rich.console import Console
from rich.table import Table

from benchmarks.load import quantile
from router.bundle import Bundle, load_bundle
from router.contract import (
    Budgets,
    Decision,
    Label,
    Message,
    Released,
    RouteRequest,
    Rung,
    Sampling,
    StreamRule,
    TextPart,
    Topic,
)
from router.execute import Run, execute
from router.lane import LaneCall, LaneEvent, Stop, TextDelta
from router.testing import MemoryEvidence

_WORDS: Final = (
    "The",
    "valve",
    "opens",
    "at",
    "the",
    "pressure",
    "that",
    "the",
    "table",
    "gives",
    "and",
    "then",
    "closes",
    "again.",
)
_MOST_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True)
class Paced:
    """A lane that speaks after `first_seconds`, then gives a token every `gap_seconds`."""

    tokens: int
    first_seconds: float
    gap_seconds: float

    async def stream(self, _call: LaneCall) -> AsyncIterator[tuple[LaneEvent, ...]]:
        """Answer at the pace; sleeps are to points in time, so that they don't add up."""
        began = time.monotonic() + self.first_seconds
        for number, word in enumerate(islice(cycle(_WORDS), self.tokens)):
            await asyncio.sleep(max(0.0, began + number * self.gap_seconds - time.monotonic()))
            yield (TextDelta(f"{word} "),)
        yield (Stop("stop"),)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one rule came to: seconds of each answer."""

    rule: StreamRule
    demanded_by: tuple[str, ...]
    lane_seconds: list[float] = field(default_factory=list)
    content_seconds: list[float] = field(default_factory=list)
    whole_seconds: list[float] = field(default_factory=list)

    def row(self) -> dict[str, Any]:
        """Return medians and ratios."""
        lane, content, whole = (
            quantile(one, 0.5) for one in (self.lane_seconds, self.content_seconds, self.whole_seconds)
        )
        name = self.rule.release
        return {
            "rule": f"{name}({self.rule.window_tokens})" if name == "window" else name,
            "demanded_by": list(self.demanded_by),
            "answers": len(self.whole_seconds),
            "lane_first_token_ms": round(lane * 1000, 1),
            "first_content_ms": round(content * 1000, 1),
            "times_the_lanes": round(content / lane, 2),
            "share_of_whole": round(content / whole, 3),
        }


class _Wall:
    """The machine's clock."""

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()


def rules_of(bundle: Bundle) -> dict[StreamRule, tuple[str, ...]]:
    """Return each stream rule that tiers and topics demand, `live` first, with those that do."""
    rules: dict[StreamRule, tuple[str, ...]] = {StreamRule(): ()}
    demands = [(str(one.tier), one) for one in bundle.tiers.profiles] + list(bundle.tiers.topics.items())
    for name, demand in demands:
        if demand.stream != StreamRule():
            rules[demand.stream] = (*rules.get(demand.stream, ()), name)
    order = ("live", "window", "hold")
    return dict(sorted(rules.items(), key=lambda one: (order.index(one[0].release), one[0].window_tokens)))


async def measure(bundle: Bundle, lane: Paced, answers: int) -> list[Cost]:
    """Have so many answers given under each rule."""
    costs = [Cost(rule, names) for rule, names in rules_of(bundle).items()]
    for cost in costs:
        async with asyncio.timeout(_MOST_SECONDS), asyncio.TaskGroup() as group:
            for number in range(answers):
                group.create_task(_answer(bundle, lane, cost, number))
    return costs


async def _answer(bundle: Bundle, lane: Paced, cost: Cost, number: int) -> None:
    evidence, began = MemoryEvidence(), time.monotonic()
    plan = _plan(bundle, cost.rule)

    async def replan(_request: RouteRequest, _found: Any) -> tuple[Decision, int]:
        return plan, 0

    request = RouteRequest(
        messages=(Message(role="user", content=(TextPart(text="When does the valve open?"),)),),
        org=next(iter(bundle.tenants)),
        stream=True,
    )
    name = str(plan.lane)
    run = Run(f"{number:032x}", request, bundle, {name: lane}, _Wall(), evidence, replan, hold=False, began=began)
    async for _ in execute(plan, run):
        pass
    cost.whole_seconds.append(time.monotonic() - began)
    (released,) = [event for _, event in evidence.events if isinstance(event, Released)]
    cost.lane_seconds.append(released.lane_ms / 1000)
    cost.content_seconds.append(released.first_content_ms / 1000)


def _plan(bundle: Bundle, rule: StreamRule) -> Decision:
    """A plan for the bundle's first private lane, with every check that the bundle knows."""
    lane = next(one for one in bundle.lanes.values() if one.model is not None)
    return Decision(
        route="benchmark",
        risk_tier="low",
        topic=Topic(intent="question", confidence=1, domain="general", mode="chat"),
        label=Label(),
        sampling=Sampling(),
        lane=lane.name,
        model=lane.model_name,
        ladder=(Rung(lane=lane.name, model=lane.model_name, on=("start",)),),
        stream=rule,
        checks=tuple(bundle.checks),
        budgets=Budgets(latency_seconds=_MOST_SECONDS),
        bundle_hash=bundle.hash,
        classifier="none",
    )


def table(costs: list[Cost], lane: Paced) -> Table:
    """Return the figures for people."""
    pace = f"first token after {lane.first_seconds * 1000:g} ms, then one every {lane.gap_seconds * 1000:g} ms"
    shown = Table(title=f"The first piece of {lane.tokens} tokens, by stream rule ({pace}): medians")
    shown.add_column("rule")
    for column in ("lane's first token", "first content", "times the lane's", "of the whole"):
        shown.add_column(column, justify="right")
    shown.add_column("demanded by")
    for row in (cost.row() for cost in costs):
        times = (f"{row[name]:,.0f} ms" for name in ("lane_first_token_ms", "first_content_ms"))
        shares = (f"{row['times_the_lanes']:.2f}", f"{row['share_of_whole']:.1%}")
        shown.add_row(row["rule"], *times, *shares, ", ".join(row["demanded_by"]))
    return shown


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.release")
    parser.add_argument("--bundle", type=Path, default=Path("config/starter"))
    parser.add_argument("--tokens", type=int, choices=range(10, 1001), default=200, metavar="10..1000")
    parser.add_argument("--answers", type=int, choices=range(1, 33), default=8, metavar="1..32")
    parser.add_argument("--first-ms", type=float, default=120.0, help="to the lane's first token")
    parser.add_argument("--gap-ms", type=float, default=20.0, help="between two tokens")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    lane = Paced(arguments.tokens, arguments.first_ms / 1000, arguments.gap_ms / 1000)
    if lane.first_seconds + lane.tokens * lane.gap_seconds > _MOST_SECONDS / 2:
        sys.stderr.write(
            f"an answer would take more than {_MOST_SECONDS / 2:g} s: fewer --tokens, or a smaller --gap-ms\n"
        )
        return 2
    costs = asyncio.run(measure(load_bundle(arguments.bundle), lane, arguments.answers))
    if arguments.json:
        for cost in costs:
            print(orjson.dumps(cost.row()).decode())
    else:
        Console().print(table(costs, lane))
    return 0


if __name__ == "__main__":
    sys.exit(main())
