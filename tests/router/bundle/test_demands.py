"""Demands are a lattice: more of them never loosen anything, whatever their order."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from router.bundle.demands import demands_of, in_words
from router.bundle.files import TierProfile
from router.bundle.files.demands import CHANGES, NO_LANE, SIDE_EFFECTS, Demand, join
from router.contract import RISK_TIERS, Keep, Label, StreamRule, Topic

RELEASES = ("live", "window", "hold")
LANES = ("fast_small", "private", "premium")
streams = st.builds(StreamRule, release=st.sampled_from(RELEASES), window_tokens=st.integers(1, 99))
fields = {
    "lanes": st.lists(st.sampled_from(LANES), unique=True).map(tuple),
    "temperature_at_most": st.none() | st.floats(0, 2),
    "top_p_at_most": st.none() | st.floats(0.1, 1),
    "stream": streams,
    "retrieval": st.sampled_from([None, "light", "deep"]),
    "citations": st.booleans(),
    "tools": st.lists(st.sampled_from(SIDE_EFFECTS), unique=True).map(tuple),
    "approvals": st.just(CHANGES) | st.just(SIDE_EFFECTS),
    "review": st.booleans(),
    "disclaimer": st.none() | st.sampled_from(["No advice.", "Ask a doctor.", "No advice.\nAsk a doctor."]),
    "keep": st.none() | st.builds(Keep, text=st.booleans(), days=st.integers(1, 90)),
    "checks": st.lists(st.sampled_from(["a", "b", "c"]), unique=True).map(tuple),
}
demands = st.builds(Demand, **fields)


def at_least(one: Demand, other: Demand) -> bool:
    """Whether `one` is as strict as `other` in every respect."""
    return (
        (not other.lanes or one.lanes == NO_LANE or (bool(one.lanes) and set(one.lanes) <= set(other.lanes)))
        and bounded(one.temperature_at_most, other.temperature_at_most)
        and bounded(one.top_p_at_most, other.top_p_at_most)
        and RELEASES.index(one.stream.release) >= RELEASES.index(other.stream.release)
        and (
            one.stream.release != other.stream.release
            or one.stream.release != "window"
            or one.stream.window_tokens >= other.stream.window_tokens
        )
        and [None, "light", "deep"].index(one.retrieval) >= [None, "light", "deep"].index(other.retrieval)
        and one.citations >= other.citations
        and set(one.tools) <= set(other.tools)
        and set(one.approvals) >= set(other.approvals)
        and one.review >= other.review
        and set((other.disclaimer or "").splitlines()) <= set((one.disclaimer or "").splitlines())
        and (
            other.keep is None
            or (one.keep is not None and one.keep.text <= other.keep.text and one.keep.days <= other.keep.days)
        )
        and set(one.checks) >= set(other.checks)
    )


def bounded(one: float | None, other: float | None) -> bool:
    return other is None or (one is not None and one <= other)


@given(one=demands, other=demands)
def test_together_they_are_as_strict_as_each(one: Demand, other: Demand) -> None:
    both = join([one, other])

    assert at_least(both, one)
    assert at_least(both, other)


@given(one=demands, other=demands, third=demands)
def test_neither_order_nor_repetition_matters(one: Demand, other: Demand, third: Demand) -> None:
    assert meaning(join([one, other])) == meaning(join([other, one]))
    assert meaning(join([join([one, other]), third])) == meaning(join([one, join([other, third])]))
    assert meaning(join([one, one])) == meaning(join([one]))
    assert meaning(join([one, Demand()])) == meaning(join([one]))


def meaning(demand: Demand) -> dict[str, object]:
    sets = {name: frozenset(getattr(demand, name)) for name in ("lanes", "tools", "approvals", "checks")}
    lines = frozenset((demand.disclaimer or "").splitlines())
    window = demand.stream.window_tokens if demand.stream.release == "window" else None
    return demand.model_dump() | sets | {"disclaimer": lines, "stream": (demand.stream.release, window)}


@given(
    given_tiers=st.tuples(*[demands] * 4),
    topics=st.dictionaries(st.sampled_from(["health", "finance", "pii"]), demands),
)
def test_more_risk_never_loosens_anything(given_tiers: tuple[Demand, ...], topics: dict[str, Demand]) -> None:
    profiles = [
        TierProfile(tier=tier, **demand.model_dump()) for tier, demand in zip(RISK_TIERS, given_tiers, strict=True)
    ]
    of = demands_of(profiles, topics)

    for lower, higher in itertools.pairwise(RISK_TIERS):
        for few, more in ([(), ()], [(), tuple(topics)], [tuple(topics)[:1], tuple(topics)]):
            assert at_least(of.at(higher, more).demand, of.at(lower, few).demand)


def test_data_topic_and_change_each_bring_their_demand() -> None:
    profiles = [TierProfile(tier=tier) for tier in RISK_TIERS]
    topics = {
        "health": Demand(disclaimer="No medical advice."),
        "pii": Demand(review=True),
        "state_changing": Demand(tools=("read",)),
    }
    topic = Topic(intent="x", confidence=1, domain="x", mode="chat", regulated=("health",), state_changing=True)

    found = demands_of(profiles, topics).of("low", Label(level="confidential", categories=("pii",)), topic)

    assert (found.demand.disclaimer, found.demand.review, found.demand.tools) == ("No medical advice.", True, ("read",))
    assert [policy.id for policy in found.fired] == ["topic-health", "topic-pii", "topic-state-changing"]


def test_a_profile_that_demands_nothing_says_nothing() -> None:
    of = demands_of([TierProfile(tier=tier) for tier in RISK_TIERS], {})

    assert of.at("restricted", ()).fired == ()


def test_a_demand_is_said_in_words() -> None:
    demand = Demand(
        lanes=("private",),
        temperature_at_most=0.3,
        top_p_at_most=0.9,
        stream=StreamRule(release="window", window_tokens=96),
        retrieval="deep",
        citations=True,
        tools=("read",),
        approvals=SIDE_EFFECTS,
        review=True,
        disclaimer="No advice.",
        keep=Keep(days=7),
        checks=("promises",),
    )

    assert list(in_words(demand)) == [
        "only private may answer",
        "temperature at most 0.3",
        "top_p at most 0.9",
        "context is looked up deeply",
        "it cites its sources",
        "tools may only read",
        "a person approves every tool call",
        "a person looks at the answer first",
        "it goes out 96 tokens late",
        "a disclaimer is added",
        "only hashes are kept, for 7 days",
        "it is checked for promises",
    ]
