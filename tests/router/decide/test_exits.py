"""What of a plan may still leave under a bundle that came into force meanwhile: what both let out. At home nothing changes."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from router.bundle import Bundle
from router.bundle.files import LaneSpec
from router.contract import Decision, Finding, Label, Message, RouteRequest, TextPart, Topic
from router.decide import decide, leave_by_both, leave_nothing
from router.labels import at_most
from router.state import State
from router.testing import ScriptedHeads

OFFS = st.lists(st.sampled_from(["fast_small", "private", "premium", "long_context"])).map(
    lambda names: dict.fromkeys(names, "breaker open")
)
FINDS = st.lists(st.sampled_from(["pii", "health"]), max_size=2)


def plan(bundle: Bundle, off: dict[str, str], categories: list[str], **about: Any) -> Decision:
    topic = Topic(**{"intent": "x", "confidence": 1, "domain": "x", "mode": "chat", "difficulty": 0.9} | about)
    found = tuple(Finding(entity="x", category=name, start=0, end=1, score=1, detector="test") for name in categories)
    request = RouteRequest(org="local", messages=(Message(role="user", content=(TextPart(text="hello"),)),))
    return decide(
        request, replace(bundle, heads=ScriptedHeads(lambda _: topic)), State(lanes_off=off), scan=lambda *_: found
    )


def at_home(decision: Decision, bundle: Bundle) -> list[str]:
    return [rung.lane for rung in decision.ladder if not bundle.lanes[rung.lane].is_hosted]


def leading_out(decision: Decision, bundle: Bundle) -> set[str]:
    return {rung.lane for rung in decision.ladder if bundle.lanes[rung.lane].is_hosted}


@given(off=OFFS, newest_off=OFFS, before=FINDS, after=FINDS, refuses=st.booleans())
def test_whatever_leaves_is_held_by_both_plans_and_whatever_stays_goes_as_it_was_planned(
    starter: Bundle, off: dict[str, str], newest_off: dict[str, str], before: list[str], after: list[str], refuses: bool
) -> None:
    own = plan(starter, off, before)
    newest = plan(starter, newest_off, after, **({"state_changing": True} if refuses else {})).model_copy(
        update={"bundle_hash": "f" * 64}
    )

    both = leave_by_both(own, newest, starter.lanes, starter.lanes)

    answers = newest.action == "answer"
    assert leading_out(both, starter) == leading_out(own, starter) & (
        leading_out(newest, starter) if answers else set()
    )
    assert at_home(both, starter) == at_home(own, starter)
    assert at_most(own.label, both.label)
    assert at_most(newest.label, both.label)
    assert (both.action, both.budgets, both.route) == (own.action, own.budgets, own.route)
    assert both.bundle_hash == "f" * 64


def test_a_lane_that_leads_elsewhere_under_the_newest_bundle_is_closed(starter: Bundle) -> None:
    own = plan(starter, {}, [])
    moved: LaneSpec = starter.lanes["premium"]
    assert moved.hosted is not None
    lanes = {
        **starter.lanes,
        "premium": moved.model_copy(update={"hosted": moved.hosted.model_copy(update={"region": "eu"})}),
    }

    both = leave_by_both(own, own, starter.lanes, lanes)

    assert "premium" in leading_out(own, starter)
    assert "premium" not in leading_out(both, starter)


@given(off=OFFS)
def test_with_no_newest_bundle_to_ask_nothing_leaves(starter: Bundle, off: dict[str, str]) -> None:
    own = plan(starter, off, [])

    closed = leave_nothing(own, starter.lanes)

    assert leading_out(closed, starter) == set()
    assert at_home(closed, starter) == at_home(own, starter)
    assert closed.label == own.label == Label(level=own.label.level)
