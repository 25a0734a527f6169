import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from router.bundle.files import Hosted, LaneSpec, Timeouts
from router.contract import (
    AttemptEnded,
    Budgets,
    ClosedRung,
    Decided,
    Decision,
    Egress,
    Finding,
    Label,
    Message,
    OutputContract,
    RouteRequest,
    Rung,
    Sampling,
    TextPart,
    Topic,
    Validated,
)
from router.errors import (
    ContextTooLong,
    ContractViolated,
    DoorRefused,
    FoundBeforeLeaving,
    LaneMisbehaved,
    LaneOverloaded,
    LaneTimeout,
    PermitOutdated,
    PolicyDenied,
    outcome_of,
)
from router.execute import Climbed, Run, execute
from router.lane import Departed, LaneCall, LaneEvent, Refusal, Stop, TextDelta, Usage
from router.testing import ManualClock, MemoryEvidence, ScriptedLane

TRACE = "ab" * 16
HELLO = (TextDelta("Hello"),), (Usage(3, 1), Stop("stop", "w1"))
HOSTED = Hosted(provider="p", base_url="http://127.0.0.1:1", model="big", api_key_env="K", region="us")
LANES = {
    "near": LaneSpec(name="near", model="m"),
    "far": LaneSpec(name="far", hosted=HOSTED),
    "exact": LaneSpec(name="exact", model="m", determinism="exact"),
    "slow": LaneSpec(name="slow", model="m", timeouts=Timeouts(first_token_seconds=0.05, gap_seconds=0.05)),
}
PERSON = '{"type": "object", "required": ["name"]}'


@dataclass
class FakeBundle:
    """What execution reads of a bundle."""

    lanes: dict[str, LaneSpec] = field(default_factory=lambda: dict(LANES))
    contracts: dict[str, str] = field(default_factory=lambda: {"Person": PERSON})


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

    def __init__(self, plan: Decision, *, hold: bool = False, later: Decision | None = None, **scripts: Any) -> None:
        self.lanes = {name: ScriptedLane(_script(script)) for name, script in scripts.items()}
        self.evidence = MemoryEvidence()
        self.plan = plan
        self.climbed: list[Climbed] = []
        self.events: list[LaneEvent] = []

        self.found: list[tuple[Finding, ...]] = []

        async def replan(found: tuple[Finding, ...]) -> tuple[Decision, int]:
            self.found.append(found)
            return later or plan, 1

        self.run = Run(
            trace_id=TRACE,
            request=RouteRequest(
                messages=(Message(role="user", content=(TextPart(text="Hi"),)),), org="local", stream=not hold
            ),
            bundle=FakeBundle(),  # type: ignore[arg-type]
            lanes=self.lanes,
            clock=ManualClock(),
            evidence=self.evidence,
            replan=replan,
            hold=hold,
        )

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


def test_the_first_rung_answers_and_the_attempt_is_recorded() -> None:
    bench = Bench(decision(("near", ("start",))), near=HELLO).play()

    assert bench.text == "Hello"
    assert [(one.rung.lane, one.attempt) for one in bench.climbed] == [("near", 1)]
    (end,) = bench.kept(AttemptEnded)
    assert (end.ended, end.input_tokens, end.output_tokens, end.model_version) == ("stop", 3, 1, "w1")


@pytest.mark.parametrize(
    ("rung", "may_leave"),
    [
        (("far", ("overload",)), True),
        (("far", ("timeout",)), False),
        (("slow", ("overload",)), False),
    ],
)
def test_a_call_says_whether_a_full_lane_can_be_gone_round_by_a_hosted_one(
    rung: tuple[str, tuple[str, ...]], may_leave: bool
) -> None:
    bench = Bench(decision(("near", ("start",)), rung), near=HELLO).play()

    assert [call.may_leave for call in bench.lanes["near"].calls] == [may_leave]


def test_a_failure_before_content_goes_to_the_rung_for_that_cause() -> None:
    plan = decision(("near", ("start",)), ("slow", ("timeout",)), ("far", ("overload",)))

    bench = Bench(plan, near=[LaneOverloaded("near", "full")], slow=HELLO, far=HELLO).play()

    assert [one.rung.lane for one in bench.climbed] == ["far"]
    assert bench.lanes["slow"].calls == []
    assert [end.ended for end in bench.kept(AttemptEnded)] == ["overload", "stop"]


def test_a_failure_after_content_is_raised_and_no_other_lane_is_asked() -> None:
    plan = decision(("near", ("start",)), ("far", ("connection",)))
    bench = Bench(plan, near=[(TextDelta("Hal"),), LaneMisbehaved("near", "cut")], far=HELLO)

    with pytest.raises(LaneMisbehaved):
        bench.play()

    assert bench.text == "Hal"
    assert bench.lanes["far"].calls == []


def test_a_held_answer_changes_lanes_even_after_content() -> None:
    plan = decision(("near", ("start",)), ("far", ("connection",)))

    bench = Bench(plan, hold=True, near=[(TextDelta("Hal"),), LaneMisbehaved("near", "cut")], far=HELLO).play()

    assert bench.text == "Hello"


def test_a_cause_without_a_rung_raises_what_happened() -> None:
    plan = decision(("near", ("start",)), ("far", ("timeout",)))

    with pytest.raises(LaneOverloaded):
        Bench(plan, near=[LaneOverloaded("near", "full")], far=HELLO).play()


def test_a_silent_lane_is_left_at_its_deadline() -> None:
    async def forever() -> None:
        await asyncio.sleep(3600)

    class Silent(ScriptedLane):
        async def stream(self, call: LaneCall) -> Any:
            self.calls.append(call)
            await forever()
            yield ()

    bench = Bench(decision(("slow", ("start",)), ("far", ("timeout",))), slow=HELLO, far=HELLO)
    bench.lanes["slow"] = Silent(lambda _: [])
    bench.run.lanes["slow"] = bench.lanes["slow"]  # type: ignore[index]

    bench.play()

    assert [end.ended for end in bench.kept(AttemptEnded)] == ["timeout", "stop"]
    assert bench.text == "Hello"


def test_no_time_left_means_no_further_attempt() -> None:
    plan = decision(("near", ("start",)), ("far", ("overload",)), budgets=Budgets(latency_seconds=10))
    bench = Bench(plan, near=lambda _: _late(), far=HELLO)

    def _late() -> Iterable[Any]:
        bench.run.clock.advance(11)  # type: ignore[attr-defined]
        yield LaneOverloaded("near", "full")

    with pytest.raises(LaneTimeout, match="no time is left"):
        bench.play()

    assert bench.lanes["far"].calls == []


def test_a_stream_that_just_stops_is_a_failure_and_not_an_answer() -> None:
    with pytest.raises(LaneMisbehaved, match="without saying why"):
        Bench(decision(("near", ("start",))), near=[(TextDelta("Hal"),)]).play()


def test_a_rung_that_the_second_decision_closed_is_not_tried() -> None:
    plan = decision(("near", ("start",)), ("far", ("overload",)), ("slow", ("overload",)))
    later = decision(("near", ("start",)), ("slow", ("overload",)))

    bench = Bench(plan, later=later, near=[LaneOverloaded("near", "full")], far=HELLO, slow=HELLO).play()

    assert [one.rung.lane for one in bench.climbed] == ["slow"]
    assert bench.lanes["far"].calls == []
    assert len(bench.kept(Decided)) >= 1


def test_an_empty_ladder_denies_with_the_policies_that_closed_it() -> None:
    closed = (ClosedRung(lane="far", model="big", because="pii", policies=("pii-stays",)),)

    with pytest.raises(PolicyDenied) as denial:
        Bench(decision(closed=closed)).play()

    assert denial.value.policies == ("pii-stays",)


def test_the_callers_own_fault_is_not_tried_elsewhere() -> None:
    plan = decision(("near", ("start",)), ("far", ("connection", "timeout", "overload")))
    bench = Bench(plan, near=[ContextTooLong("too long")], far=HELLO)

    with pytest.raises(ContextTooLong):
        bench.play()

    assert bench.lanes["far"].calls == []
    assert [end.ended for end in bench.kept(AttemptEnded)] == ["context_length_exceeded"]


def test_the_doors_refusal_turns_back_to_the_boundarys_rung() -> None:
    plan = decision(("far", ("start",)), ("near", ("boundary",)))

    bench = Bench(plan, far=[DoorRefused("a card number")], near=HELLO).play()

    assert [one.rung.lane for one in bench.climbed] == ["near"]


def test_what_left_is_recorded_and_not_shown_to_the_caller() -> None:
    departed = Departed("p", "0" * 64, 12, "n1", "7")

    bench = Bench(decision(("far", ("start",))), far=[(departed,), *HELLO]).play()

    (egress,) = bench.kept(Egress)
    assert (egress.body_bytes, egress.ledger_entry) == (12, "7")
    assert departed not in bench.events


def test_an_answer_that_breaks_its_contract_never_ends_as_success() -> None:
    contract = OutputContract(type="json", schema_name="Person")
    bench = Bench(decision(("near", ("start",)), output_contract=contract), near=[(TextDelta("{}"),), (Stop("stop"),)])

    with pytest.raises(ContractViolated):
        bench.play()

    assert not any(isinstance(event, Stop) for event in bench.events)
    assert [one.valid for one in bench.kept(Validated)] == [False]


def test_a_held_answer_that_breaks_its_contract_goes_to_the_next_rung() -> None:
    contract = OutputContract(type="json", schema_name="Person")
    plan = decision(("near", ("start",)), ("far", ("schema_failure",)), output_contract=contract)
    good = [(TextDelta('{"name": "x"}'),), (Stop("stop"),)]

    bench = Bench(plan, hold=True, near=[(TextDelta("{}"),), (Stop("stop"),)], far=good).play()

    assert bench.text == '{"name": "x"}'
    assert [one.valid for one in bench.kept(Validated)] == [False, True]


def test_an_answer_cut_by_length_is_shown_as_incomplete() -> None:
    contract = OutputContract(type="json", schema_name="Person")

    bench = Bench(
        decision(("near", ("start",)), output_contract=contract), near=[(TextDelta('{"na'),), (Stop("length"),)]
    ).play()

    assert bench.events[-1] == Stop("length")


def test_a_refusal_is_an_answer_unless_the_route_goes_on() -> None:
    refusal = [(Refusal("No."),), (Stop("stop"),)]

    stays = Bench(decision(("near", ("start",)), ("far", ("timeout",))), near=refusal, far=HELLO).play()
    goes_on = Bench(decision(("near", ("start",)), ("far", ("refusal",))), near=refusal, far=HELLO).play()

    assert stays.events[0] == Refusal("No.")
    assert goes_on.text == "Hello"
    assert [end.ended for end in goes_on.kept(AttemptEnded)] == ["refusal", "stop"]


def test_a_caller_who_goes_away_closes_the_lane_and_is_recorded() -> None:
    bench = Bench(decision(("near", ("start",))), near=[(TextDelta("a"),), (TextDelta("b"),), (Stop("stop"),)])

    async def leave_early() -> None:
        steps = execute(bench.plan, bench.run)
        await anext(steps)
        await anext(steps)
        await steps.aclose()

    asyncio.run(leave_early())

    assert bench.lanes["near"].closed == 1
    assert [end.ended for end in bench.kept(AttemptEnded)] == ["cancelled"]


def test_word_that_bytes_left_is_not_a_first_token() -> None:
    class Departs(ScriptedLane):
        async def stream(self, call: LaneCall) -> Any:
            yield (Departed("p", "0" * 64, 12, "n1", "7"),)
            await asyncio.sleep(0.2)
            yield from_hello[0]
            yield from_hello[1]

    from_hello = HELLO
    plan = decision(("far", ("start",)))
    bench = Bench(plan, far=HELLO)
    lane = LANES["far"].model_copy(update={"timeouts": Timeouts(first_token_seconds=5, gap_seconds=0.05)})
    bench.run.bundle.lanes["far"] = lane
    bench.run.lanes["far"] = Departs(lambda _: [])  # type: ignore[index]

    bench.play()

    assert bench.text == "Hello"


SOMEBODYS = Finding(entity="PERSON", category="pii", start=0, end=3, score=0.9, detector="presidio")
PII = Label(level="confidential", categories=("pii",))
HOSTED_FIRST = (("far", ("start",)), ("slow", ("timeout",)), ("near", ("boundary",)))


def test_what_a_last_look_finds_turns_the_request_back_to_a_private_rung_and_is_on_record() -> None:
    later = decision(("near", ("start",)), label=PII, findings=(SOMEBODYS,))

    bench = Bench(
        decision(*HOSTED_FIRST), later=later, far=[FoundBeforeLeaving("far", (SOMEBODYS,))], near=HELLO
    ).play()

    assert [one.rung.lane for one in bench.climbed] == ["near"]
    assert bench.found == [(SOMEBODYS,)]
    (again,) = bench.kept(Decided)
    assert again.decision.findings == (SOMEBODYS,)
    assert again.decision.label == PII
    assert "deep scan found pii" in again.because
    assert bench.lanes["near"].calls[0].label == PII
    assert [end.ended for end in bench.kept(AttemptEnded)] == ["boundary", "stop"]


def test_where_policy_lets_even_what_was_found_go_the_lane_is_asked_once_more_under_the_higher_label() -> None:
    later = decision(*HOSTED_FIRST, label=PII)

    def far(call: LaneCall) -> Iterable[Any]:
        return HELLO if call.label == PII else [FoundBeforeLeaving("far", (SOMEBODYS,))]

    bench = Bench(decision(*HOSTED_FIRST), later=later, far=far, near=HELLO).play()

    assert [one.rung.lane for one in bench.climbed] == ["far"]
    assert [call.label for call in bench.lanes["far"].calls] == [Label(), PII]


def test_a_lane_that_finds_again_and_again_is_not_asked_for_ever() -> None:
    later = decision(*HOSTED_FIRST, label=PII)

    bench = Bench(
        decision(*HOSTED_FIRST), later=later, far=[FoundBeforeLeaving("far", (SOMEBODYS,))], slow=HELLO, near=HELLO
    )
    bench.play()

    assert len(bench.lanes["far"].calls) == 2
    assert [one.rung.lane for one in bench.climbed] == ["near"]


def test_with_no_private_rung_left_the_caller_is_told_that_something_was_found_and_not_what() -> None:
    later = decision(label=PII, closed=(ClosedRung(lane="far", model="big", because="it is somebody's"),))
    bench = Bench(decision(("far", ("start",))), later=later, far=[FoundBeforeLeaving("far", (SOMEBODYS,))])

    with pytest.raises(FoundBeforeLeaving, match="found pii in what was about to leave"):
        bench.play()

    assert outcome_of(FoundBeforeLeaving("far", (SOMEBODYS,))).status == 403


def test_what_was_found_is_said_again_at_every_later_decision() -> None:
    later = decision(("slow", ("start",)), ("near", ("timeout",)), label=PII)
    plan = decision(("far", ("start",)), ("slow", ("boundary",)), ("near", ("timeout",)))

    bench = Bench(
        plan, later=later, far=[FoundBeforeLeaving("far", (SOMEBODYS,))], slow=[LaneTimeout("slow", "late")], near=HELLO
    ).play()

    assert bench.found == [(SOMEBODYS,), (SOMEBODYS,)]
    assert [one.rung.lane for one in bench.climbed] == ["near"]


def test_an_exact_lanes_call_without_a_seed_gets_its_traces_so_that_it_can_be_asked_again() -> None:
    chance = Sampling(temperature=0.8)

    exact = Bench(decision(("exact", ("start",)), sampling=chance), exact=HELLO).play()
    own = Bench(decision(("exact", ("start",)), sampling=Sampling(seed=7)), exact=HELLO).play()
    other = Bench(decision(("near", ("start",)), sampling=chance), near=HELLO).play()

    assert exact.lanes["exact"].calls[0].sampling == Sampling(temperature=0.8, seed=int(TRACE[:15], 16))
    assert own.lanes["exact"].calls[0].sampling.seed == 7
    assert other.lanes["near"].calls[0].sampling.seed is None


NEWER = "f" * 64


def a_superseded(plan: Decision, later: Decision, **scripts: Any) -> Bench:
    """A run during which another bundle came into force, under which `later` was decided."""
    bench = Bench(plan, later=later, **scripts)
    bench.run = replace(bench.run, superseded=lambda decided: decided.bundle_hash != NEWER)
    return bench


def test_before_a_rung_leads_out_the_plan_is_made_anew_by_the_bundle_in_force() -> None:
    later = decision(*HOSTED_FIRST, label=PII, bundle_hash=NEWER)

    bench = a_superseded(decision(*HOSTED_FIRST), later, far=HELLO, near=HELLO).play()

    assert [call.bundle_hash for call in bench.lanes["far"].calls] == [NEWER]
    assert [call.label for call in bench.lanes["far"].calls] == [PII]
    assert [event.because for event in bench.kept(Decided)] == ["another bundle is in force"]


def test_an_exit_that_the_bundle_in_force_closes_is_not_tried_and_the_plan_goes_on_at_home() -> None:
    later = decision(("near", ("start",)), bundle_hash=NEWER)

    bench = a_superseded(decision(*HOSTED_FIRST), later, far=HELLO, near=HELLO).play()

    assert bench.lanes["far"].calls == []
    assert [one.rung.lane for one in bench.climbed] == ["near"]


def test_at_home_nothing_is_decided_again() -> None:
    bench = a_superseded(decision(("near", ("start",))), decision(bundle_hash=NEWER), near=HELLO).play()

    assert bench.found == []
    assert [one.rung.lane for one in bench.climbed] == ["near"]


def test_a_permit_that_a_change_of_bundle_overtook_is_asked_for_once_more() -> None:
    later = decision(*HOSTED_FIRST, bundle_hash=NEWER)

    def far(call: LaneCall) -> Iterable[Any]:
        return HELLO if call.bundle_hash == NEWER else [PermitOutdated("another bundle")]

    bench = Bench(decision(*HOSTED_FIRST), later=later, far=far, near=HELLO).play()

    assert [call.bundle_hash for call in bench.lanes["far"].calls] == ["0" * 64, NEWER]
    assert [one.rung.lane for one in bench.climbed] == ["far"]


def test_a_door_and_a_router_that_never_agree_end_at_home() -> None:
    bench = Bench(decision(*HOSTED_FIRST), far=[PermitOutdated("another bundle")], slow=HELLO, near=HELLO).play()

    assert len(bench.lanes["far"].calls) == 2
    assert [one.rung.lane for one in bench.climbed] == ["near"]
