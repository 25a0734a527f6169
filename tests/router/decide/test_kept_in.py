"""What closes a lane beside the policies on sending: `egress: none`, a law that the node, the tool or the store is not under."""

import dataclasses
from typing import Any

import pytest

from router.boundary import Boundary
from router.bundle import Bundle, compile_route
from router.bundle.check import house_of
from router.bundle.files import IndexSpec, LanesFile, RouteSpec, StoreSpec, TenantsFile, ToolFile
from router.contract import Alarm, Decision, Label, Message, RetrievalPlan, RouteRequest, TextPart, ToolPlan, Topic
from router.decide import decide, narrow, refusal_of
from router.errors import PolicyDenied
from router.state import State
from router.testing import ScriptedHeads

EU = Label(jurisdictions=("EU",))


def asking(text: str = "Write a python function", **fields: Any) -> RouteRequest:
    message = Message(role="user", content=(TextPart(text=text),))
    return RouteRequest(**{"org": "local", "messages": (message,)} | fields)


def plan(bundle: Bundle, **fields: Any) -> Decision:
    return decide(asking(**fields), bundle, State(), scan=lambda *_: ())


def hosted_in(decision: Decision, bundle: Bundle) -> list[str]:
    return [rung.lane for rung in decision.ladder if bundle.lanes[rung.lane].is_hosted]


def elsewhere(bundle: Bundle, **changed: Any) -> Bundle:
    """The bundle in a house where some things stand under another law."""
    lanes = changed.get("lanes", bundle.lanes)
    stores = changed.get("stores", (StoreSpec(name="evidence", jurisdictions=("US", "EU")),))
    indexes = changed.get("indexes", (IndexSpec(name="help_center", jurisdictions=("US", "EU")),))
    tools = changed.get("tools", tuple(bundle.tools.values()))
    house = house_of(
        LanesFile(lanes=tuple(lanes.values()), stores=stores, indexes=indexes),
        TenantsFile(tenants=tuple(bundle.tenants.values())),
        tools,
    )
    boundary = Boundary(bundle.boundary.policies_text, bundle.boundary.schema_text, house)
    return dataclasses.replace(bundle, lanes=lanes, boundary=boundary, tools={tool.name: tool for tool in tools})


def with_route(bundle: Bundle, **fields: Any) -> Bundle:
    spec = RouteSpec(**{"id": "only", "because": "test", "lane": "private"} | fields)
    return dataclasses.replace(bundle, routes=(compile_route(spec, None, bundle.ladders, bundle.profiles),))


def closed_everywhere(bundle: Bundle) -> Bundle:
    return dataclasses.replace(bundle, egress="none")


def closed_for_the_tenant(bundle: Bundle) -> Bundle:
    tenant = bundle.tenants["local"].model_copy(update={"egress": "none"})
    return dataclasses.replace(bundle, tenants=bundle.tenants | {"local": tenant})


def closed_on_the_route(bundle: Bundle) -> Bundle:
    code = next(route for route in bundle.routes if route.spec.id == "code")
    shut = dataclasses.replace(code, spec=code.spec.model_copy(update={"egress": "none"}))
    return dataclasses.replace(bundle, routes=tuple(shut if one is code else one for one in bundle.routes))


def test_the_starter_lets_this_request_leave(starter: Bundle) -> None:
    assert hosted_in(plan(starter), starter)


@pytest.mark.parametrize("close", [closed_everywhere, closed_for_the_tenant, closed_on_the_route])
def test_egress_none_closes_every_hosted_rung_and_says_so(starter: Bundle, close: Any) -> None:
    decision = plan(close(starter))

    assert decision.lane == "private"
    assert hosted_in(decision, starter) == []
    closed = [rung for rung in decision.closed if starter.lanes[rung.lane].is_hosted]
    assert closed
    assert all(rung.policies == ("egress-none",) for rung in closed)
    assert "egress-none" in [policy.id for policy in decision.policies]


def test_a_pinned_hosted_lane_is_closed_by_egress_none_too(starter: Bundle) -> None:
    refusal = refusal_of(plan(closed_everywhere(starter), model="premium"))

    assert isinstance(refusal, PolicyDenied)
    assert refusal.policies == ("egress-none",)


def test_what_is_under_eu_law_runs_on_no_node_of_ours_elsewhere(starter: Bundle) -> None:
    ohio = starter.lanes["fast_small"].model_copy(update={"jurisdictions": ("US",), "region": "ohio"})
    bundle = elsewhere(starter, lanes=starter.lanes | {"fast_small": ohio})

    decision = plan(bundle, labels=EU, text="Good morning")

    assert decision.lane == "private"
    assert [(rung.lane, rung.policies) for rung in decision.closed if rung.lane == "fast_small"] == [
        ("fast_small", ("residency",))
    ]


def test_nothing_is_answered_whose_evidence_may_not_rest_here(starter: Bundle) -> None:
    bundle = elsewhere(starter, stores=(StoreSpec(name="evidence", jurisdictions=("US",)),))

    refusal = refusal_of(plan(bundle, labels=EU, text="Good morning"))

    assert isinstance(refusal, PolicyDenied)
    assert refusal.policies == ("store-residency",)
    assert plan(bundle, text="Good morning").ladder


def test_an_index_under_another_law_is_not_asked(starter: Bundle) -> None:
    bundle = elsewhere(starter, indexes=(IndexSpec(name="help_center", jurisdictions=("US",)),))
    bundle = with_route(bundle, retrieval=RetrievalPlan(index="help_center", top_k=3))

    decision = plan(bundle, labels=EU)

    assert decision.retrieval is None
    assert "index-residency" in [policy.id for policy in decision.policies]
    assert plan(bundle).retrieval is not None


def test_an_index_above_the_tenants_clearance_is_not_asked(starter: Bundle) -> None:
    staff = IndexSpec(name="help_center", label=Label(level="confidential"), jurisdictions=("US",))
    bundle = with_route(elsewhere(starter, indexes=(staff,)), retrieval=RetrievalPlan(index="help_center", top_k=3))

    decision = plan(bundle)

    assert decision.retrieval is None
    assert "default-deny" in [policy.id for policy in decision.policies]


def weather(**fields: Any) -> ToolFile:
    about = {"name": "weather", "description": "", "side_effect": "read", "parameters": {}, "jurisdictions": ("US",)}
    return ToolFile(**about | fields)


@pytest.mark.parametrize(
    ("labels", "by"),
    [
        (Label(categories=("pii",)), "protected-data-reaches-no-tool-outside"),
        (Label(level="confidential"), "protected-data-reaches-no-tool-outside"),
        (EU, "tool-residency"),
    ],
)
def test_a_tool_that_reaches_outside_is_a_lane_and_gets_nothing_that_stays(
    starter: Bundle, labels: Label, by: str
) -> None:
    bundle = with_route(elsewhere(starter, tools=(weather(),)), tools=(ToolPlan(name="weather"),))

    decision = plan(bundle, labels=labels)

    assert decision.tools == ()
    assert by in [policy.id for policy in decision.policies]
    assert [tool.name for tool in plan(bundle).tools] == ["weather"]


def alarming(**alarms: Alarm) -> ScriptedHeads:
    about = {"intent": "question", "confidence": 0.9, "domain": "general", "mode": "chat"}
    return ScriptedHeads(lambda _: Topic.model_validate(about | alarms))


@pytest.mark.parametrize(
    ("alarm", "concern"),
    [
        (Alarm(score=0.1), "clear"),
        (Alarm(score=0.5), "suspected"),
        (Alarm(score=0.99), "suspected"),
        (Alarm(score=0.1, flag=True), "flagged"),
    ],
)
def test_an_alarm_is_a_concern_by_the_bundles_bands(starter: Bundle, alarm: Alarm, concern: str) -> None:
    decision = plan(dataclasses.replace(starter, heads=alarming(attack=alarm)))

    assert (decision.attack, decision.harm) == (concern, "clear")


def test_what_could_not_be_classified_counts_as_flagged(starter: Bundle) -> None:
    def broken(_: str) -> Topic:
        raise ZeroDivisionError

    decision = plan(dataclasses.replace(starter, heads=ScriptedHeads(broken)))

    assert (decision.attack, decision.harm) == ("flagged", "flagged")


def test_a_narrowed_plan_keeps_the_higher_concern(starter: Bundle) -> None:
    calm = plan(starter)
    alarmed = plan(dataclasses.replace(starter, heads=alarming(harm=Alarm(score=0.7))))

    assert narrow(calm, alarmed).harm == "suspected"
    assert narrow(alarmed, calm).harm == "suspected"
