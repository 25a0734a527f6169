import dataclasses
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from router.bundle import Bundle
from router.contract import Decision, Finding, Message, RouteRequest, TextPart, Topic
from router.decide import decide, narrow
from router.labels import at_most
from router.state import State
from router.testing import ScriptedHeads

LANES = ["fast_small", "private", "premium", "long_context", "code", "extraction"]
offs = st.lists(st.sampled_from(LANES)).map(lambda names: dict.fromkeys(names, "breaker open"))
finds = st.lists(st.sampled_from(["pii", "health"]), max_size=2)


def plan(bundle: Bundle, off: dict[str, str], categories: list[str], **about: Any) -> Decision:
    topic = Topic(**{"intent": "x", "confidence": 1, "domain": "x", "mode": "chat", "difficulty": 0.9} | about)
    found = tuple(Finding(entity="x", category=name, start=0, end=1, score=1, detector="test") for name in categories)
    request = RouteRequest(org="local", messages=(Message(role="user", content=(TextPart(text="hello"),)),))
    used = dataclasses.replace(bundle, heads=ScriptedHeads(lambda _: topic))
    return decide(request, used, State(lanes_off=off), scan=lambda *_: found)


@given(one=offs, other=offs, before=finds, after=finds)
def test_a_plan_never_grows(
    starter: Bundle, one: dict[str, str], other: dict[str, str], before: list[str], after: list[str]
) -> None:
    previous, later = plan(starter, one, before), plan(starter, other, after)

    narrowed = narrow(previous, later)

    assert set(narrowed.ladder) <= {
        rung.model_copy(update={"on": on}) for rung in previous.ladder for on in (rung.on, ("start", *rung.on))
    }
    assert {rung.lane for rung in narrowed.ladder} <= {rung.lane for rung in later.ladder}
    assert at_most(previous.label, narrowed.label)
    assert at_most(later.label, narrowed.label)
    assert narrowed.budgets.cost_usd == min(previous.budgets.cost_usd, later.budgets.cost_usd)
    assert (narrowed.lane is None) == (not narrowed.ladder)


@given(off=offs, categories=finds)
def test_narrowing_by_itself_changes_nothing(starter: Bundle, off: dict[str, str], categories: list[str]) -> None:
    decision = plan(starter, off, categories)

    assert narrow(decision, decision) == decision


def test_a_rung_that_fell_away_is_closed_with_the_later_reason(starter: Bundle) -> None:
    narrowed = narrow(plan(starter, {}, []), plan(starter, {"premium": "breaker open"}, []))

    assert ("premium", "off now: breaker open") in [(rung.lane, rung.because) for rung in narrowed.closed]
    assert narrowed.ladder[0].lane == "private"
    assert narrowed.ladder[0].on == ("start", "boundary")


def test_a_planned_end_found_later_ends_the_plan(starter: Bundle) -> None:
    narrowed = narrow(plan(starter, {}, []), plan(starter, {}, [], state_changing=True))

    assert narrowed.action == "approval"
    assert narrowed.message
    assert narrowed.ladder == ()
