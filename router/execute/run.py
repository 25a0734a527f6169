"""What does an execution need, and what does it hand back?"""

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field

from router.bundle import Bundle
from router.bundle.files import ToolFile
from router.contract import Chunk, Decision, Finding, RouteRequest, Rung, StreamRule, ToolSpec
from router.execute.health import LaneHealth
from router.lane import Lane, LaneEvent
from router.ports import Clock, EvidenceLog, Purse, RedactionMaps, Retriever, ToolBox

Batch = tuple[LaneEvent, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """One request's execution: what it asks, of whom, and where it is recorded.

    `replan` decides anew: what the request has become (context and tools' results are added to it), the state of now, and what a last
    look found since; its answer can only narrow the plan. `superseded` tells
    whether another bundle is in force than what leaves under a decision was judged by. `hold` keeps the
    answer back until it is whole and valid. `cache_salt` separates tenants in the engines' prefix caches. `maps` are the placeholders of
    conversations, for lanes that redact. `retriever` looks context up; `context` are the passages that are part of the request by now.
    `purse` holds the tenants' budgets.
    `toolbox` calls tools; `offered` are those that a lane may call itself. `began`: when it came in. `attempts` numbers what lanes are
    asked, over all turns of a request.
    `arguments_of`: the tool whose arguments this asks for, where it asks for no answer.
    `health` is what this process has seen of its lanes; `sleep` and `draw` (a random number from 0 to 1) are for waits.
    """

    trace_id: str
    request: RouteRequest
    bundle: Bundle
    lanes: Mapping[str, Lane]
    clock: Clock
    evidence: EvidenceLog
    replan: Callable[[RouteRequest, tuple[Finding, ...]], Awaitable[tuple[Decision, int]]]
    hold: bool
    cache_salt: str | None = None
    maps: RedactionMaps | None = None
    purse: Purse | None = None
    superseded: Callable[[Decision], bool] = lambda _: False
    retriever: Retriever | None = None
    context: tuple[Chunk, ...] = ()
    toolbox: ToolBox | None = None
    offered: tuple[ToolSpec, ...] = ()
    arguments_of: ToolFile | None = None
    began: float = 0.0
    attempts: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    health: LaneHealth = field(default_factory=LaneHealth)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    draw: Callable[[], float] = random.random


@dataclass(frozen=True, slots=True)
class Climbed:
    """Says which rung the following batches come from. Yielded once, before the first of them.

    `rule` holds them back; `spoke_at`, on the clock, is when the lane's first token came. Neither where the lane's own words don't go out.
    """

    rung: Rung
    attempt: int
    rule: StreamRule | None = None
    spoke_at: float | None = None
