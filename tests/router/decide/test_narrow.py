import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.bundle import Bundle
from router.contract import (
    ClosedRung,
    Decision,
    Finding,
    Label,
    Message,
    PolicyFired,
    Redacts,
    RetrievalPlan,
    RouteRequest,
    Rung,
    SpanLabel,
    TextPart,
    ToolPlan,
    Topic,
)
from router.decide import decide, narrow, refusal_of
from router.errors import BudgetExhausted, ContextTooLong, LaneOverloaded, PolicyDenied
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


def test_what_either_plan_knows_of_the_request_counts_at_its_highest(starter: Bundle) -> None:
    calm = plan(starter, {}, [])
    alarmed = calm.model_copy(update={"attack": "suspected", "harm": "flagged", "risk_tier": "high", "route": "later"})

    onward, back = narrow(calm, alarmed), narrow(alarmed, calm)

    assert (onward.attack, onward.harm, onward.risk_tier) == ("suspected", "flagged", "high")
    assert (back.attack, back.harm, back.risk_tier) == ("suspected", "flagged", "high")
    assert onward.route == "later"
    assert narrow(alarmed, calm.model_copy(update={"attack": "flagged"})).attack == "flagged"


def test_a_planned_end_keeps_its_route_its_words_and_no_rung(starter: Bundle) -> None:
    answers = plan(starter, {}, [])
    ends = answers.model_copy(update={"action": "refuse", "message": "no", "route": "refusing"})

    for narrowed in (narrow(answers, ends), narrow(ends, answers)):
        assert (narrowed.action, narrowed.message, narrowed.route) == ("refuse", "no", "refusing")
        assert (narrowed.ladder, narrowed.lane, narrowed.model) == ((), None, None)


def test_rungs_after_the_first_stay_when_the_first_falls_away(starter: Bundle) -> None:
    rungs = tuple(Rung(lane=lane, model="m", on=("timeout",)) for lane in ("a", "b", "c"))
    previous = plan(starter, {}, []).model_copy(update={"ladder": rungs})

    narrowed = narrow(previous, previous.model_copy(update={"ladder": rungs[1:]}))

    assert [(rung.lane, rung.on) for rung in narrowed.ladder] == [("b", ("start", "timeout")), ("c", ("timeout",))]


LOW, HIGH = Label(categories=("pii",)), Label(level="internal", categories=("legal",))


@pytest.mark.parametrize(
    ("before", "after", "both"),
    [
        (None, None, None),
        (None, Redacts(categories=("pii",), label=LOW), Redacts(categories=("pii",), label=LOW)),
        (Redacts(categories=("pii",), label=LOW), None, Redacts(categories=("pii",), label=LOW)),
        (
            Redacts(categories=("pii",), label=LOW),
            Redacts(categories=("health",), label=HIGH),
            Redacts(categories=("health", "pii"), label=Label(level="internal", categories=("legal", "pii"))),
        ),
    ],
)
def test_a_rung_redacts_what_either_plan_takes_out(
    starter: Bundle, before: Redacts | None, after: Redacts | None, both: Redacts | None
) -> None:
    def planned(redacts: Redacts | None) -> Decision:
        rung = Rung(lane="premium", model="m", on=("start",), redacts=redacts)
        return plan(starter, {}, []).model_copy(update={"ladder": (rung,)})

    (rung,) = narrow(planned(before), planned(after)).ladder

    assert rung.redacts == both


def test_a_plan_without_rungs_says_whose_fault_it_is(starter: Bundle) -> None:
    base = plan(starter, {}, []).model_copy(update={"ladder": (), "closed": ()})
    off = ClosedRung(lane="premium", model="m", because="off now: breaker open")
    long = off.model_copy(update={"because": "too long: by far"})
    dear = off.model_copy(update={"because": "over budget: by far"})
    spent = off.model_copy(update={"because": "the day's budget: it could cost more"})
    kept = off.model_copy(update={"because": "it stays", "policies": ("ours", "theirs")})

    def told(*rungs: Any) -> Any:
        return refusal_of(base.model_copy(update={"closed": rungs}))

    assert isinstance(told(kept, long, off), LaneOverloaded)
    assert str(told(kept, long)) == "lane premium: by far"
    assert isinstance(told(kept, long), ContextTooLong)
    assert isinstance(told(kept, spent, long), BudgetExhausted)
    assert isinstance(told(kept, kept), PolicyDenied)
    assert told(kept, kept).policies == ("ours", "theirs")
    assert str(told(kept)) == "no lane may answer this request (premium: it stays)"
    assert str(told(dear)) == "no lane is within budget (premium: over budget: by far)"
    assert str(told()) == "no lane may answer this request (the bundle has no private lane)"
    assert refusal_of(plan(starter, {}, [])) is None
    assert refusal_of(base.model_copy(update={"action": "refuse"})) is None


def test_tools_and_context_are_those_that_both_plans_hold(starter: Bundle) -> None:
    base = plan(starter, {}, [])
    both, one, other = (ToolPlan(name=name) for name in ("both", "one", "other"))
    wanted = RetrievalPlan(index="help", top_k=3)
    previous = base.model_copy(update={"tools": (one, both), "retrieval": wanted, "client_tools": True})
    later = base.model_copy(update={"tools": (both, other), "retrieval": wanted, "client_tools": False})

    narrowed = narrow(previous, later)

    assert narrowed.tools == (both,)
    assert narrowed.retrieval == wanted
    assert not narrowed.client_tools
    assert not narrow(later, previous).client_tools
    assert narrow(previous, base).retrieval is None


def test_what_either_plan_saw_and_said_is_kept_and_the_later_bundle_is_named(starter: Bundle) -> None:
    base = plan(starter, {}, [])

    def seen(name: str) -> Decision:
        finding = Finding(entity=name, category="pii", start=0, end=1, score=1, detector="test")
        span = SpanLabel(message=0, label=Label(level="confidential", categories=(name,)), because="found")
        return base.model_copy(
            update={
                "findings": (finding,),
                "spans": (span,),
                "policies": (PolicyFired(id=name, effect="forbid", because="it says so"),),
                "bundle_hash": name,
                "classifier": name,
            }
        )

    narrowed = narrow(seen("early"), seen("late"))

    assert [finding.entity for finding in narrowed.findings] == ["early", "late"]
    assert [span.label.categories for span in narrowed.spans] == [("early",), ("late",)]
    assert [policy.id for policy in narrowed.policies] == ["late", "early"]
    assert (narrowed.bundle_hash, narrowed.classifier) == ("late", "late")


def test_harm_is_compared_by_its_height_not_by_its_name(starter: Bundle) -> None:
    base = plan(starter, {}, [])

    narrowed = narrow(base.model_copy(update={"harm": "suspected"}), base.model_copy(update={"harm": "flagged"}))

    assert narrowed.harm == "flagged"
