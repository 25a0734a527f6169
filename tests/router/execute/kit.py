"""A run over scripted lanes, for the tests of `router.execute`."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from router.bundle.answer_rules import NO_RULES, ContractRules
from router.bundle.files import Hosted, LaneSpec, PeopleSpec, TiersFile, Timeouts, ToolFile
from router.contract import (
    Decision,
    Finding,
    Label,
    Message,
    RouteRequest,
    Rung,
    Sampling,
    TextPart,
    Topic,
)
from router.execute import Climbed, Run, execute
from router.lane import LaneEvent, Stop, TextDelta, Usage
from router.testing import ManualClock, MemoryEvidence, ScriptedLane

TRACE = "ab" * 16
HELLO = (TextDelta("Hello"),), (Usage(3, 1), Stop("stop", "w1"))
HOSTED = Hosted(provider="p", base_url="http://127.0.0.1:1", model="big", api_key_env="K", region="us")
LANES = {
    "near": LaneSpec(name="near", model="m"),
    "far": LaneSpec(name="far", hosted=HOSTED),
    "exact": LaneSpec(name="exact", model="m", determinism="exact"),
    "desk": LaneSpec(name="desk", people=PeopleSpec(queue="desk")),
    "slow": LaneSpec(name="slow", model="m", timeouts=Timeouts(first_token_seconds=0.05, gap_seconds=0.05)),
}
PERSON = '{"type": "object", "required": ["name"]}'


@dataclass
class FakeBundle:
    """What execution reads of a bundle."""

    lanes: dict[str, LaneSpec] = field(default_factory=lambda: dict(LANES))
    contracts: dict[str, str] = field(default_factory=lambda: {"Person": PERSON})
    tools: dict[str, ToolFile] = field(default_factory=dict)
    answer_rules: dict[str, Any] = field(default_factory=dict)
    checks: dict[str, Any] = field(default_factory=dict)
    models: dict[str, Any] = field(default_factory=dict)
    tiers: TiersFile = field(default_factory=lambda: TiersFile(levels={}, rules=(), profiles=()))

    def rules_of_route(self, _route: str) -> ContractRules:
        return NO_RULES


def decision(*rungs: tuple[str, tuple[str, ...]], **changes: Any) -> Decision:
    ladder = tuple(Rung(lane=lane, model=LANES[lane].model_name, on=on) for lane, on in rungs)
    fields: dict[str, Any] = {
        "route": "r",
        "risk_tier": "low",
        "topic": Topic(intent="question", confidence=1, domain="general", mode="chat"),
        "label": Label(),
        "lane": ladder[0].lane if ladder else None,
        "model": ladder[0].model if ladder else None,
        "sampling": Sampling(),
        "ladder": ladder,
        "bundle_hash": "0" * 64,
        "classifier": "c",
    }
    return Decision(**{**fields, **changes})


class Bench:
    """A run over scripted lanes, and what came of it."""

    def __init__(
        self,
        plan: Decision,
        *,
        hold: bool = False,
        later: Decision | None = None,
        run: dict[str, Any] | None = None,
        **scripts: Any,
    ) -> None:
        run = run or {}
        self.lanes = {name: ScriptedLane(_script(script)) for name, script in scripts.items()}
        self.evidence, self.clock = MemoryEvidence(), ManualClock()
        self.slept: list[float] = []
        self.plan = plan
        self.climbed: list[Climbed] = []
        self.events: list[LaneEvent] = []

        self.found: list[tuple[Finding, ...]] = []

        async def replan(_: RouteRequest, found: tuple[Finding, ...]) -> tuple[Decision, int]:
            self.found.append(found)
            return later or plan, 1

        self.run = Run(
            trace_id=TRACE,
            request=RouteRequest(
                messages=(Message(role="user", content=(TextPart(text="Hi"),)),), org="local", stream=not hold
            ),
            bundle=FakeBundle(),  # type: ignore[arg-type]
            lanes=self.lanes,
            clock=self.clock,
            evidence=self.evidence,
            replan=replan,
            hold=hold,
            sleep=self._sleep,
            draw=lambda: 0.5,
            **run,
        )

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.advance(seconds)

    def play(self) -> "Bench":
        asyncio.run(self._play())
        return self

    async def _play(self) -> None:
        async for step in execute(self.plan, self.run):
            if isinstance(step, Climbed):
                self.climbed.append(step)
            else:
                self.events.extend(step)

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, TextDelta))

    def kept(self, kind: type) -> list[Any]:
        return [event for _, event in self.evidence.events if isinstance(event, kind)]


def _script(script: Any) -> Any:
    return script if callable(script) else lambda _call: script
