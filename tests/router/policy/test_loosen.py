"""A demand that is no longer made is told, each in its own words; one that is made more strictly is not."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given

from router.bundle import Bundle
from router.bundle.files.demands import Demand, join
from router.policy import widens
from router.policy.loosen import less_demanded, loosened
from tests.router.bundle.test_demands import demands

Version = Callable[..., Bundle]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ({"review": True}, {}, "a person looks at the answer first"),
        ({"stream": "hold"}, {"stream": "live"}, "it goes out whole"),
        (
            {"stream": "window(64)"},
            {"stream": "window(32)"},
            "it goes out 64 tokens late, now it goes out 32 tokens late",
        ),
        ({"citations": True}, {}, "it cites its sources"),
        ({"approvals": ["read", "write", "irreversible"]}, {}, "a person approves every tool call"),
        ({"checks": ["dosage", "guarantees"]}, {"checks": ["dosage"]}, "it is no longer checked for guarantees"),
        ({"lanes": ["private"]}, {"lanes": ["private", "premium"]}, "only private may answer"),
        ({"lanes": ["private"]}, {}, "only private may answer"),
        ({"tools": ["read"]}, {}, "tools may only read"),
        ({"retrieval": "deep"}, {"retrieval": "light"}, "context is looked up deeply"),
        (
            {"index": "a", "retrieval": "deep"},
            {"index": "b", "retrieval": "deep"},
            "context was looked up in a, now in b",
        ),
        ({"temperature_at_most": 0.3}, {"temperature_at_most": 0.5}, "temperature at most 0.3"),
        ({"disclaimer": "Ask a doctor."}, {"disclaimer": "Ask."}, "a disclaimer is added"),
        ({"keep": {"days": 7}}, {}, "kept for 30 days, not 7"),
        ({}, {"keep": {"text": True}}, "the answer's text is kept"),
    ],
)
def test_each_demand_that_is_gone_is_told(old: dict[str, Any], new: dict[str, Any], says: str) -> None:
    before, after = Demand.model_validate(old), Demand.model_validate(new)

    (what,) = less_demanded(before, after)

    assert says in what
    assert list(less_demanded(before, before)) == []


@given(demands, demands)
def test_what_demands_more_as_well_is_never_looser(one: Demand, other: Demand) -> None:
    """LAW: joined with anything, a demand still makes all of itself."""
    asks = one.model_copy(update={"keep": None})

    assert list(less_demanded(asks, join((asks, other.model_copy(update={"keep": None}))))) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        (
            "tiers.yaml",
            "    stream: hold\n    keep: { text: false, days: 30 }\n    budgets",
            "    budgets",
            "at restricted risk",
        ),
        (
            "tiers.yaml",
            "    on_attack: person",
            "    on_attack: keep_private",
            "flagged for attack meets `keep_private`",
        ),
        (
            "tiers.yaml",
            "    checks: [others-data, instructions",
            "    checks: [instructions",
            "at low, elevated, high, restricted risk: it is no longer checked for others-data",
        ),
        ("tiers.yaml", "    checks: [guarantees, dosage]\n", "    checks: [guarantees]\n", "about health"),
        (
            "tools/issue_refund.yaml",
            "side_effect: irreversible",
            "side_effect: read",
            "it counts as read, not irreversible",
        ),
        ("tools/ticket_lookup.yaml", "label: { level: internal }", "label: { level: public }", "is labelled lower"),
    ],
)
def test_a_version_that_demands_less_is_wider_and_the_way_back_is_not(
    starter: Bundle, version: Version, file: str, old: str, new: str, says: str
) -> None:
    loose = version((file, old, new))

    found = widens(starter, loose)

    assert any(one.by == "demand" and says in one.what for one in found), found
    assert list(loosened(loose, starter)) == []


def test_a_check_that_looks_for_more_words_is_no_looser_and_one_that_looks_for_fewer_is(
    starter: Bundle, version: Version
) -> None:
    fewer = version(("tiers.yaml", "    words: [we guarantee, i guarantee,", "    words: [we guarantee,"))

    assert list(loosened(starter, fewer)) == ["the check guarantees looks for something else"]
    assert list(loosened(fewer, starter)) == []
