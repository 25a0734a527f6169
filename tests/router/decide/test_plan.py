import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.boundary import SendQuestion
from router.bundle import Bundle, CompiledTierRule, compile_route
from router.bundle.files import LaneSpec, RouteSpec, TenantSpec, TierRule
from router.contract import (
    Budgets,
    Decision,
    Finding,
    Label,
    Limits,
    Message,
    RouteRequest,
    Sampling,
    TextPart,
    ToolSpec,
    Topic,
)
from router.decide import decide, estimate_tokens, refusal_of
from router.errors import BadRequest, BudgetExhausted, ContextTooLong, LaneOverloaded, PolicyDenied, UnknownModel
from router.labels import at_most
from router.rules import compile_rule
from router.state import State
from router.testing import ScriptedHeads

CATEGORIES = ["pii", "health", "payment", "finance", "employment", "legal", "credentials", "unheard-of"]


def asking(*texts: str, **fields: Any) -> RouteRequest:
    messages = tuple(Message(role="user", content=(TextPart(text=text),)) for text in texts)
    return RouteRequest(**{"org": "local", "messages": messages} | fields)


def finding(category: str = "pii", score: float = 0.9, message: int = 0) -> Finding:
    return Finding(entity="x", category=category, message=message, start=0, end=1, score=score, detector="test")


def found(*findings: Finding) -> Callable[[str, int], tuple[Finding, ...]]:
    return lambda text, message: tuple(one.model_copy(update={"message": message}) for one in findings)


def clean(text: str, message: int) -> tuple[Finding, ...]:
    return ()


def broken(text: str, message: int) -> tuple[Finding, ...]:
    raise ZeroDivisionError("a detector broke")


def lanes_of(decision: Decision) -> set[str]:
    return {rung.lane for rung in decision.ladder}


def topic(**fields: Any) -> Topic:
    return Topic(**{"intent": "question", "confidence": 0.9, "domain": "general", "mode": "chat"} | fields)


def with_route(bundle: Bundle, **fields: Any) -> Bundle:
    spec = RouteSpec(**{"id": "only", "because": "test", "lane": "fast_small"} | fields)
    return dataclasses.replace(bundle, routes=(compile_route(spec, None, bundle.ladders, bundle.profiles),))


findings = st.lists(st.builds(finding, category=st.sampled_from(CATEGORIES), score=st.floats(0, 1)), max_size=4)
models = st.sampled_from(["auto", "premium", "private", "fast_small", "smollm2-135m-instruct", "gpt-4.1"])
topics = st.builds(
    topic,
    state_changing=st.booleans(),
    difficulty=st.none() | st.floats(0, 1),
    regulated=st.lists(st.sampled_from(CATEGORIES), max_size=2).map(tuple),
    mode=st.sampled_from(["chat", "batch"]),
)


# ------------------------------------------------------------------ the laws


@given(before=findings, added=findings, model=models, about=topics)
def test_more_findings_never_open_a_lane(
    starter: Bundle, before: list[Finding], added: list[Finding], model: str, about: Topic
) -> None:
    bundle = dataclasses.replace(starter, heads=ScriptedHeads(lambda _: about))
    request = asking("hello", model=model)

    first = decide(request, bundle, State(), scan=found(*before))
    second = decide(request, bundle, State(), scan=found(*before, *added))

    hosted = {name for name, lane in bundle.lanes.items() if lane.is_hosted}
    assert at_most(first.label, second.label)
    assert first.action != "answer" or lanes_of(second) & hosted <= lanes_of(first) & hosted
    for lane in bundle.lanes.values():
        opens = bundle.boundary.may_send(SendQuestion("local", lane.name, second.label, second.risk_tier)).allowed
        assert (
            not opens
            or bundle.boundary.may_send(SendQuestion("local", lane.name, first.label, first.risk_tier)).allowed
        )


@given(before=findings, extra=st.text(max_size=30), category=st.sampled_from(CATEGORIES))
def test_adding_text_never_lowers_the_label(starter: Bundle, before: list[Finding], extra: str, category: str) -> None:
    def scan(text: str, message: int) -> tuple[Finding, ...]:
        return (finding(category),) if text == extra and extra else tuple(before)

    first = decide(asking("hello"), starter, State(), scan=scan)
    second = decide(asking("hello", extra), starter, State(), scan=scan)

    assert at_most(first.label, second.label)


@given(seen=findings, model=models, about=topics)
def test_equal_inputs_give_equal_bytes(starter: Bundle, seen: list[Finding], model: str, about: Topic) -> None:
    bundle = dataclasses.replace(starter, heads=ScriptedHeads(lambda _: about))
    request = asking("hello", model=model)

    once = decide(request, bundle, State(), scan=found(*seen)).model_dump_json()

    assert decide(request, bundle, State(), scan=found(*seen)).model_dump_json() == once


@given(seen=findings, model=models, about=topics)
def test_every_rung_is_one_the_boundary_opens_to_the_decisions_own_label(
    starter: Bundle, seen: list[Finding], model: str, about: Topic
) -> None:
    bundle = dataclasses.replace(starter, heads=ScriptedHeads(lambda _: about))

    decision = decide(asking("hello", model=model), bundle, State(), scan=found(*seen))

    for rung in decision.ladder:
        lane = bundle.lanes[rung.lane]
        assert bundle.boundary.may_send(SendQuestion("local", lane.name, decision.label, decision.risk_tier)).allowed
    assert not decision.ladder or "start" in decision.ladder[0].on
    assert (decision.lane is None) == (not decision.ladder)


@given(seen=findings, about=topics)
def test_a_decision_reads_back_as_itself(starter: Bundle, seen: list[Finding], about: Topic) -> None:
    bundle = dataclasses.replace(starter, heads=ScriptedHeads(lambda _: about))

    decision = decide(asking("hello"), bundle, State(), scan=found(*seen))

    assert Decision.model_validate_json(decision.model_dump_json()) == decision


# ------------------------------------------------------------------ failing closed


@pytest.mark.parametrize("model", ["auto", "premium", "gpt-4.1", "private"])
def test_when_the_scan_breaks_only_private_lanes_are_left(starter: Bundle, model: str) -> None:
    decision = decide(asking("hello", model=model), starter, State(), scan=broken)

    assert decision.route == "classification-failed"
    assert decision.label.level == decision.risk_tier == "restricted"
    assert not any(starter.lanes[lane].is_hosted for lane in lanes_of(decision))
    assert decision.policies[0].id == "classification-failed"
    assert "the scan failed (ZeroDivisionError)" in decision.policies[0].because


def test_when_the_classifier_breaks_only_private_lanes_are_left(starter: Bundle) -> None:
    def script(text: str) -> Topic:
        raise RuntimeError("the heads broke")

    decision = decide(asking("hello"), dataclasses.replace(starter, heads=ScriptedHeads(script)), State(), scan=clean)

    assert decision.risk_tier == "restricted"
    assert lanes_of(decision) == {"fast_small", "private"}
    assert decision.topic.intent == "unknown"


def test_what_was_found_before_a_detector_broke_is_not_needed_to_stay_restricted(starter: Bundle) -> None:
    decision = decide(asking("hello", labels=Label(categories=("pii",))), starter, State(), scan=broken)

    assert decision.label == Label(level="restricted", categories=("pii",))


def test_even_a_boundary_that_permits_everything_lets_nothing_out_that_could_not_be_judged(starter: Bundle) -> None:
    permit = '@id("all") @reason("all") permit (principal, action, resource);'
    open_door = dataclasses.replace(starter, boundary=starter.boundary.with_policies(permit))

    assert lanes_of(decide(asking("hello"), open_door, State(), scan=broken)) == {"fast_small", "private"}
    assert decide(asking("hello", model="premium"), open_door, State(), scan=broken).ladder == ()


def test_a_tier_rule_that_errors_makes_the_tier_restricted(starter: Bundle) -> None:
    rule = CompiledTierRule(TierRule(id="bad", tier="low", when="1 / 0 == 1", because="x"), compile_rule("1 / 0 == 1"))

    decision = decide(asking("hello"), dataclasses.replace(starter, tier_rules=(rule,)), State(), scan=clean)

    assert decision.risk_tier == "restricted"
    assert [policy.id for policy in decision.policies if policy.effect == "tier"] == ["bad"]
    assert not any(starter.lanes[lane].is_hosted for lane in lanes_of(decision))


def test_a_route_whose_condition_errors_closes_the_path_it_might_have_guarded(starter: Bundle) -> None:
    spec = RouteSpec(id="bad", because="x", when="1 / 0 == 1", lane="premium")
    broken_route = compile_route(spec, compile_rule("1 / 0 == 1"), starter.ladders, starter.profiles)
    bundle = dataclasses.replace(starter, routes=(broken_route, *starter.routes))

    decision = decide(asking("hello"), bundle, State(), scan=clean)

    assert decision.route == "classification-failed"
    assert lanes_of(decision) == {"fast_small", "private"}
    assert decision.label.level == "restricted"


def test_what_the_callers_own_tools_and_schema_say_is_scanned_too(starter: Bundle) -> None:
    def scan(text: str, message: int) -> tuple[Finding, ...]:
        return (finding(message=message),) if "secret-name" in text else ()

    tool = ToolSpec(name="lookup", description="looks up secret-name")

    decision = decide(asking("hello", client_tools=(tool,)), starter, State(), scan=scan)

    assert decision.label.categories == ("pii",)
    assert [one.message for one in decision.findings] == [-1]


# ------------------------------------------------------------------ routes, lanes, pins


def test_an_unknown_tenant_is_refused_by_name(starter: Bundle) -> None:
    with pytest.raises(BadRequest, match="unknown org `nobody`"):
        decide(asking("hello", org="nobody"), starter, State())


def test_an_unknown_model_is_refused_with_its_nearest(starter: Bundle) -> None:
    with pytest.raises(UnknownModel, match="did you mean premium"):
        decide(asking("hello", model="premum"), starter, State())


def test_a_tenant_gets_only_its_lanes(starter: Bundle) -> None:
    tenants = {"local": TenantSpec(org="local", lanes=("private",))}

    decision = decide(
        asking("hello", model="premium"), dataclasses.replace(starter, tenants=tenants), State(), scan=clean
    )

    assert decision.ladder == ()
    assert [(rung.lane, rung.policies) for rung in decision.closed] == [("premium", ("tenant-lanes",))]
    assert decision.closed[0].because == "the key's tenant local may not use this lane"


def test_a_lane_closed_to_the_tenant_hands_over_to_the_boundary_ladder(starter: Bundle) -> None:
    tenants = {"local": TenantSpec(org="local", lanes=("private",))}

    decision = decide(asking("hello"), dataclasses.replace(starter, tenants=tenants), State(), scan=clean)

    assert decision.ladder[0].lane == "private"
    assert decision.ladder[0].on == ("start", "boundary")


def test_a_route_raises_the_label_and_the_tier_follows(starter: Bundle) -> None:
    bundle = with_route(
        starter, lane="premium", label=Label(categories=("legal",)), fallback={"on_boundary": "private_only"}
    )

    decision = decide(asking("hello"), bundle, State(), scan=clean)

    assert decision.label == Label(level="confidential", categories=("legal",))
    assert decision.risk_tier == "high"
    assert lanes_of(decision) == {"private"}


def test_causes_that_name_one_ladder_are_merged_in_the_order_of_the_file(starter: Bundle) -> None:
    fallback = {
        "on_timeout": "private_only",
        "on_schema_failure": "premium_then_private",
        "on_overload": "private_only",
    }

    decision = decide(asking("hello"), with_route(starter, fallback=fallback), State(), scan=clean)

    assert [(rung.lane, rung.on) for rung in decision.ladder] == [
        ("fast_small", ("start",)),
        ("private", ("timeout", "overload")),
        ("premium", ("schema_failure",)),
        ("private", ("schema_failure",)),
    ]


def test_a_tool_that_changes_things_waits_for_a_person(starter: Bundle) -> None:
    tools = {"ticket_lookup": starter.tools["ticket_lookup"].model_copy(update={"side_effect": "write"})}
    bundle = with_route(dataclasses.replace(starter, tools=tools), tools=({"name": "ticket_lookup"},))

    decision = decide(asking("hello"), bundle, State(), scan=clean)

    assert [(tool.name, tool.needs_approval) for tool in decision.tools] == [("ticket_lookup", True)]


def test_a_tenant_without_the_tool_does_not_get_it(starter: Bundle) -> None:
    decision = decide(asking("What is your refund policy?", org="example-eu"), starter, State(), scan=clean)

    assert [tool.name for tool in decision.tools] == ["ticket_lookup"]
    assert "tenant-tools" in [policy.id for policy in decision.policies]


def test_short_replies_are_classified_with_what_came_before(starter: Bundle) -> None:
    def script(text: str) -> Topic:
        return topic(state_changing="delete" in text)

    bundle = dataclasses.replace(starter, heads=ScriptedHeads(script))

    assert decide(asking("Should I delete my account?", "yes, do it"), bundle, State(), scan=clean).action == "approval"


# ------------------------------------------------------------------ budgets, sampling, shape


def test_the_least_of_route_tier_and_caller_is_the_budget(starter: Bundle) -> None:
    bundle = with_route(starter, budgets=Budgets(latency_seconds=40, output_tokens=900))

    mine = decide(asking("hi"), bundle, State(), scan=clean).budgets
    callers = decide(
        asking("hi", limits=Limits(max_tokens=20, deadline_seconds=3)), bundle, State(), scan=clean
    ).budgets

    assert (mine.latency_seconds, mine.output_tokens, mine.cost_usd) == (40, 900, 0.25)
    assert (callers.latency_seconds, callers.output_tokens) == (3, 20)


def test_the_answer_is_shortened_to_the_room_the_prompt_leaves(starter: Bundle) -> None:
    request = asking("word " * 1900)

    decision = decide(request, starter, State(), scan=clean)

    assert decision.lane == "fast_small"
    assert decision.budgets.output_tokens == 4096 - estimate_tokens(request)


def test_a_lane_that_could_cost_more_than_the_budget_is_closed(starter: Bundle) -> None:
    bundle = with_route(starter, lane="premium", budgets=Budgets(cost_usd=0.0001))

    decision = decide(asking("hello"), bundle, State(), scan=clean)

    assert decision.closed[0].because.startswith("over budget")
    assert isinstance(refusal_of(decision), PolicyDenied)


def test_a_hosted_lane_that_could_cost_more_than_the_day_has_left_is_closed_and_private_ones_go_on(
    starter: Bundle,
) -> None:
    bundle = with_route(starter, lane="premium", fallback={})

    nothing_left = decide(asking("hello"), bundle, State(usd_left=0.0), scan=clean)
    enough = decide(asking("hello"), bundle, State(usd_left=100.0), scan=clean)
    private = decide(asking("hello", model="fast_small"), bundle, State(usd_left=0.0), scan=clean)

    assert enough.lane == "premium"
    assert nothing_left.closed[0].because.startswith("the day's budget: it could cost $")
    assert nothing_left.closed[0].policies == ()
    assert private.lane == "fast_small"
    told = refusal_of(nothing_left)
    assert isinstance(told, BudgetExhausted)
    assert told.status == 429


@given(one=st.floats(0, 0.1), other=st.floats(0, 0.1))
def test_less_money_never_opens_a_lane(starter: Bundle, one: float, other: float) -> None:
    bundle = with_route(starter, lane="premium")
    less, more = sorted((one, other))

    poorer = decide(asking("hello"), bundle, State(usd_left=less), scan=clean)
    richer = decide(asking("hello"), bundle, State(usd_left=more), scan=clean)

    assert lanes_of(poorer) <= lanes_of(richer)


def test_the_tier_bounds_the_temperature_and_the_caller_outweighs_the_route(starter: Bundle) -> None:
    bundle = with_route(starter, sampling=Sampling(temperature=0.1, top_p=0.5))
    regulated = dataclasses.replace(bundle, heads=ScriptedHeads(lambda _: topic(regulated=("health",))))
    request = asking("hello", sampling=Sampling(temperature=1.2))

    assert decide(request, bundle, State(), scan=clean).sampling == Sampling(temperature=1.2, top_p=0.5)
    assert decide(request, regulated, State(), scan=clean).sampling == Sampling(temperature=0.3, top_p=0.5)


def test_the_shape_the_caller_asks_for_outweighs_the_routes(starter: Bundle) -> None:
    bundle = with_route(starter, output_contract={"type": "json", "schema": "SupportAnswerV3"})

    decision = decide(asking("hello", response_format={"type": "json_object"}), bundle, State(), scan=clean)

    assert (decision.output_contract.type, decision.output_contract.schema_name) == ("json", "request")


@pytest.mark.parametrize("text", ["a" * 300, "数据" * 100, "def f(x):\n    return x\n" * 20])
def test_tokens_are_estimated_at_no_less_than_a_token_for_three_bytes(text: str) -> None:
    assert estimate_tokens(asking(text)) >= len(text.encode()) / 3


# ------------------------------------------------------------------ why nothing may answer


def test_a_plan_with_a_rung_or_a_planned_end_is_no_refusal(starter: Bundle) -> None:
    changing = dataclasses.replace(starter, heads=ScriptedHeads(lambda _: topic(state_changing=True)))

    assert refusal_of(decide(asking("hello"), starter, State(), scan=clean)) is None
    assert refusal_of(decide(asking("cancel it, please, all of it"), changing, State(), scan=clean)) is None


def test_closed_by_policy_is_a_denial_that_names_the_policies(starter: Bundle) -> None:
    error = refusal_of(decide(asking("hello", model="premium"), starter, State(), scan=found(finding())))

    assert isinstance(error, PolicyDenied)
    assert error.policies == ("protected-data-stays-private", "sensitive-stays-private")


def test_switched_off_is_no_denial(starter: Bundle) -> None:
    state = State(lanes_off={"premium": "no key"})

    assert isinstance(refusal_of(decide(asking("hello", model="premium"), starter, state, scan=clean)), LaneOverloaded)


def test_too_long_is_the_callers_to_mend(starter: Bundle) -> None:
    error = refusal_of(decide(asking("word " * 4000, model="private"), starter, State(), scan=clean))

    assert isinstance(error, ContextTooLong)


def test_a_bundle_without_private_lanes_answers_nothing_it_could_not_judge(starter: Bundle) -> None:
    hosted = {name: lane for name, lane in starter.lanes.items() if isinstance(lane, LaneSpec) and lane.is_hosted}

    decision = decide(asking("hello"), dataclasses.replace(starter, lanes=hosted), State(), scan=broken)

    assert decision.ladder == ()
    assert isinstance(refusal_of(decision), PolicyDenied)
