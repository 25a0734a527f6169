"""What tier and topics demand, resolved into the plan."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.bundle import Bundle, compile_route
from router.bundle.bundle import CompiledRoute
from router.bundle.demands import demands_of
from router.bundle.files import ClarifySpec, RouteSpec
from router.bundle.files.demands import Demand
from router.contract import (
    RISK_TIERS,
    Decision,
    Keep,
    Label,
    Message,
    RetrievalPlan,
    RouteRequest,
    Sampling,
    StreamRule,
    TextPart,
    ToolPlan,
    Topic,
)
from router.decide import decide, narrow
from router.rules import compile_rule
from router.state import State

PII = Label(level="confidential", categories=("pii",))


def asking(text: str = "hello", **fields: Any) -> RouteRequest:
    return RouteRequest(
        **{"org": "local", "messages": (Message(role="user", content=(TextPart(text=text),)),)} | fields
    )


def demanding(
    bundle: Bundle, route: CompiledRoute | None = None, /, topics: dict[str, Demand] | None = None, **low: Any
) -> Bundle:
    """The starter with one route, what its low tier demands, and what topics demand."""
    profiles = {
        tier: profile.model_copy(update={**dict(Demand()), **(low if tier == "low" else {})})
        for tier, profile in bundle.profiles.items()
    }
    return dataclasses.replace(
        bundle,
        demands=demands_of(profiles.values(), topics or {}),
        routes=bundle.routes if route is None else (route,),
    )


def route(bundle: Bundle, **fields: Any) -> CompiledRoute:
    spec = RouteSpec(**{"id": "only", "because": "test", "lane": "fast_small"} | fields)
    asked = [compile_rule(one.when) for one in spec.clarify]
    return compile_route(spec, None, bundle.ladders, bundle.profiles, asked)


def plan(bundle: Bundle, request: RouteRequest | None = None, state: State | None = None) -> Decision:
    return decide(request or asking(), bundle, state or State(), scan=lambda *_: ())


def test_only_the_demanded_lanes_may_answer(starter: Bundle) -> None:
    ladder = {"on_timeout": "fast_small_retry_then_premium"}
    bundle = demanding(starter, route(starter, fallback=ladder), lanes=("fast_small",))

    decision = plan(bundle)

    assert {rung.lane for rung in decision.ladder} == {"fast_small"}
    (closed,) = decision.closed
    assert (closed.lane, closed.policies) == ("premium", ("profile-low",))


def test_the_decoding_is_bounded_whatever_is_asked(starter: Bundle) -> None:
    bundle = demanding(starter, temperature_at_most=0.3, top_p_at_most=0.5)

    decision = plan(bundle, asking(sampling=Sampling(temperature=1.5)))

    assert (decision.sampling.temperature, decision.sampling.top_p) == (0.3, 0.5)


@pytest.mark.parametrize(
    ("own", "demanded", "holds"),
    [
        (None, "live", "live"),
        ("hold", "live", "hold"),
        ("live", "window(32)", "window"),
        ("window(96)", "window(32)", "window"),
    ],
)
def test_a_route_makes_the_stream_rule_only_stricter(
    starter: Bundle, own: str | None, demanded: str, holds: str
) -> None:
    rule = StreamRule.model_validate(demanded)
    bundle = demanding(starter, route(starter, stream=own), stream=rule)

    assert plan(bundle).stream.release == holds


def test_what_is_restricted_or_seen_by_a_person_goes_out_whole(starter: Bundle) -> None:
    assert plan(demanding(starter, review=True)).stream.release == "hold"
    assert plan(demanding(starter), asking(labels=Label(level="restricted"))).stream.release == "hold"
    assert plan(demanding(starter), asking(labels=Label(level="confidential"))).stream.release == "live"


def test_context_is_looked_for_as_deep_as_anyone_asks(starter: Bundle) -> None:
    light = RetrievalPlan(index="help_center", top_k=3, strategy="light")
    deep = RetrievalPlan(index="help_center", top_k=3, strategy="deep")

    def depth(own: RetrievalPlan | None, demanded: str | None, **more: Any) -> str | None:
        found = plan(demanding(starter, route(starter, retrieval=own), retrieval=demanded, **more)).retrieval
        return None if found is None else found.depth

    assert depth(light, None) == "light"
    assert depth(light, "deep") == "deep"
    assert depth(deep, "light") == "deep"
    assert depth(None, "deep") is None
    assert depth(None, "deep", index="help_center") == "deep"


def test_nothing_above_key_or_tenant_is_looked_up(starter: Bundle) -> None:
    bundle = demanding(starter, route(starter, retrieval=RetrievalPlan(index="help_center", top_k=3)))

    by_key = plan(bundle, asking(clearance="public")).retrieval
    by_tenant = plan(bundle, asking(clearance="restricted")).retrieval

    assert by_key is not None
    assert by_tenant is not None
    assert (by_key.clearance, by_tenant.clearance) == ("public", "internal")


def test_an_answer_from_context_cites_where_it_is_demanded(starter: Bundle) -> None:
    with_context = route(starter, retrieval=RetrievalPlan(index="help_center", top_k=3))

    assert plan(demanding(starter, with_context, citations=True)).output_contract.citations
    assert not plan(demanding(starter, route(starter), citations=True)).output_contract.citations


def test_a_side_effect_that_is_ruled_out_takes_the_tool_along(starter: Bundle) -> None:
    tools = (ToolPlan(name="ticket_lookup"),)

    decision = plan(demanding(starter, route(starter, tools=tools), tools=()))

    assert decision.tools == ()
    assert any(policy.id == "profile-low" and policy.effect == "forbid" for policy in decision.policies)


def test_a_reading_tool_waits_for_a_person_where_that_is_demanded(starter: Bundle) -> None:
    tools = (ToolPlan(name="ticket_lookup"),)

    (asked,) = plan(demanding(starter, route(starter, tools=tools), approvals=("read", "write"))).tools
    (free,) = plan(demanding(starter, route(starter, tools=tools))).tools

    assert (asked.needs_approval, free.needs_approval) == (True, False)


def test_topics_join_what_the_tier_demands(starter: Bundle) -> None:
    topics = {"pii": Demand(disclaimer="Handle with care.", keep=Keep(days=7), checks=("others-data",))}

    decision = plan(demanding(starter, topics=topics, disclaimer="As is."), asking(labels=PII))

    assert decision.disclaimer == "As is.\nHandle with care."
    assert decision.keep == Keep(days=7)
    assert decision.checks == ("others-data",)
    assert [policy.id for policy in decision.policies if policy.effect == "profile"] == ["profile-high", "topic-pii"]


def test_embeddings_answer_nobody_so_no_lane_is_closed_to_them(starter: Bundle) -> None:
    bundle = demanding(starter, lanes=("fast_small",))

    assert plan(bundle, asking(task="embed")).lane == "embedding"


# ------------------------------------------------------------------ asking back

ASKS = (
    ClarifySpec(when="!has_number", ask="Which one?"),
    ClarifySpec(when="confidence < 0.95", ask="What do you mean?"),
)


def test_a_route_asks_back_before_it_answers(starter: Bundle) -> None:
    bundle = demanding(starter, route(starter, clarify=ASKS))

    decision = plan(bundle, asking("Where is it?"))

    assert (decision.action, decision.message, decision.lane) == ("clarify", "Which one?", None)
    assert "only-clarify" in [policy.id for policy in decision.policies]
    assert plan(bundle, asking("Where is 48213?")).message == "What do you mean?"


def test_what_was_said_earlier_is_not_asked_again(starter: Bundle) -> None:
    bundle = demanding(starter, route(starter, clarify=ASKS[:1]))
    turns = [("user", "My order is 48213."), ("assistant", "Thanks."), ("user", "Where is it?")]
    messages = tuple(Message(role=role, content=(TextPart(text=text),)) for role, text in turns)  # type: ignore[arg-type]

    assert plan(bundle, asking(messages=messages)).action == "answer"


def test_a_number_that_the_assistant_named_is_not_the_callers(starter: Bundle) -> None:
    bundle = demanding(starter, route(starter, clarify=ASKS[:1]))
    turns = [("user", "Hello."), ("assistant", "Call 555 0100."), ("user", "Where is it?")]
    messages = tuple(Message(role=role, content=(TextPart(text=text),)) for role, text in turns)  # type: ignore[arg-type]

    assert plan(bundle, asking(messages=messages)).action == "clarify"


def test_a_plan_made_again_asks_nothing_back(starter: Bundle) -> None:
    bundle = demanding(starter, route(starter, clarify=ASKS))

    assert plan(bundle, state=State(route="only")).action == "answer"


def test_a_question_that_cannot_be_evaluated_closes_the_way_out(starter: Bundle) -> None:
    broken = ClarifySpec(when="metadata['x'] == 'y'", ask="?")
    bundle = demanding(starter, route(starter, clarify=(broken,)))
    bundle = dataclasses.replace(bundle, asked=bundle.asked | {"metadata"})

    assert plan(bundle).route == "classification-failed"


# ------------------------------------------------------------------ laws

demands = st.builds(
    Demand,
    lanes=st.sampled_from([(), ("private",), ("fast_small", "private")]),
    stream=st.sampled_from(["live", "window(16)", "hold"]).map(StreamRule.model_validate),
    review=st.booleans(),
    temperature_at_most=st.none() | st.floats(0, 2),
    tools=st.sampled_from([("read",), (), ("read", "write", "irreversible")]),
    checks=st.sampled_from([(), ("a",), ("a", "b")]),
)
labels = st.builds(
    Label,
    level=st.sampled_from(["public", "internal", "confidential", "restricted"]),
    categories=st.lists(st.sampled_from(["pii", "health"])).map(tuple),
)
ORDER = ("live", "window", "hold")


@given(
    profiles=st.tuples(*[demands] * 4),
    topics=st.fixed_dictionaries({"pii": demands, "health": demands}),
    one=labels,
    more=labels,
)
def test_more_risk_never_loosens_a_plan(
    starter: Bundle, profiles: tuple[Demand, ...], topics: dict[str, Demand], one: Label, more: Label
) -> None:
    given_tiers = [
        starter.profiles[tier].model_copy(update=dict(demand))
        for tier, demand in zip(RISK_TIERS, profiles, strict=True)
    ]
    bundle = dataclasses.replace(starter, demands=demands_of(given_tiers, topics))

    less = plan(bundle, asking(labels=one))
    also = plan(bundle, asking(labels=one, messages=(*asking().messages, *asking("x").messages)))
    second = decide(asking(labels=one), bundle, State(session_label=more), scan=lambda *_: ())

    for risky in (also, second):
        assert ORDER.index(risky.stream.release) >= ORDER.index(less.stream.release)
        assert risky.review >= less.review
        assert set(risky.checks) >= set(less.checks)
        assert less.sampling.temperature is None or (risky.sampling.temperature or 0) <= less.sampling.temperature
    narrowed = narrow(less, second)
    assert narrowed.stream.release == second.stream.release
    assert set(narrowed.checks) >= {*less.checks, *second.checks}


def test_equal_questions_are_worked_out_once(starter: Bundle) -> None:
    topic = Topic(intent="x", confidence=1, domain="x", mode="chat")

    assert starter.demands.of("low", Label(), topic) is starter.demands.of("low", Label(), topic)
