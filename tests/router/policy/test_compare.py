from collections.abc import Callable
from pathlib import Path

import pytest

from router.bundle import Bundle
from router.bundle.source import read_source
from router.bundle.space import Way
from router.policy.compare import compare_bundles
from router.policy.sample import sample_lines
from tests.router.policy.requests import parse

pytestmark = pytest.mark.slow

Version = Callable[..., Bundle]
LINES = (
    {"id": "refund", "text": "What is your refund policy?"},
    {"id": "code", "text": "Write a python function that sorts."},
    {"id": "card", "text": "My card is 4111 1111 1111 1111."},
    {"id": "stranger", "text": "Hello", "org": "nobody"},
)


def test_two_equal_versions_change_nothing_and_let_nothing_out(starter: Bundle) -> None:
    found = compare_bundles(LINES, starter, starter, parse)

    assert (found.traffic.requests, found.traffic.changed, found.shifts, found.newly_leaves) == (4, [], (), False)
    assert found.traffic.before == found.traffic.after


def test_a_route_that_sends_elsewhere_is_told_with_its_cost(starter: Bundle, version: Version) -> None:
    moved = version(
        ("routes.yaml", "    lane: fast_small\n    retrieval", "    lane: premium\n    retrieval"),
        ("routes.yaml", "_retry_then_premium\n\n", "_retry_then_premium\n      on_boundary: private_only\n\n"),
    )

    found = compare_bundles(LINES, starter, moved, parse)

    (change,) = found.traffic.changed
    assert (change.id, change.changes["lane"]) == ("refund", ("fast_small", "premium"))
    assert found.traffic.counts == {"lane": 1}
    assert found.traffic.after["premium"].usd > 0
    # It was on the ladder before, after a timeout: no new way out.
    assert change.newly_leaves == ()
    assert not found.newly_leaves


def test_a_request_on_whose_ladder_a_hosted_lane_is_new_leaves_newly(starter: Bundle, version: Version) -> None:
    opened = version(
        (
            "ladders.yaml",
            "      - lane: fast_small\n      - lane: premium",
            "      - lane: fast_small\n      - lane: long_context",
        )
    )

    found = compare_bundles(LINES, starter, opened, parse)

    assert [(change.id, change.newly_leaves) for change in found.traffic.newly_leaving] == [
        ("refund", ("long_context",))
    ]
    assert found.newly_leaves


def test_what_no_traffic_asks_is_seen_in_the_verdicts(starter: Bundle, version: Version) -> None:
    opened = version(("lanes.yaml", "jurisdictions: [US]", "jurisdictions: [US, UK]"))

    found = compare_bundles(LINES, starter, opened, parse)

    assert found.traffic.changed == []
    (shift,) = found.shifts
    assert (shift.opens, shift.ways) == (True, (Way("send", "premium"),))
    assert "UK" in shift.example.values["jurisdictions"]
    assert found.newly_leaves


def test_a_looser_demand_lets_nothing_newly_leave_and_is_wider_all_the_same(starter: Bundle, version: Version) -> None:
    loose = version(("tiers.yaml", "    checks: [guarantees, dosage]\n", "    checks: [guarantees]\n"))

    found = compare_bundles(LINES, starter, loose, parse)

    assert (found.newly_leaves, found.widens) == (False, True)
    told = [line for line in found.as_json() if line["kind"] == "loosens"]
    assert [(line["by"], "dosage" in line["what"]) for line in told] == [("demand", True)]
    assert not compare_bundles(LINES, loose, starter, parse).widens


def test_what_closes_is_told_and_lets_nothing_out(starter: Bundle, version: Version) -> None:
    closed = version(("lanes.yaml", "jurisdictions: [US]", "jurisdictions: []"))

    found = compare_bundles(LINES, starter, closed, parse)

    (shift,) = found.shifts
    assert (shift.opens, shift.policies) == (False, ("residency",))
    assert not found.newly_leaves


def test_the_last_line_of_the_json_is_a_summary(starter: Bundle, version: Version) -> None:
    lines = list(compare_bundles(LINES, starter, starter, parse).as_json())

    assert lines[-1]["kind"] == "summary"
    assert lines[-1]["newly_leaves"] is False


def test_the_sample_is_asked_for_every_tenant_and_holds_the_bundles_cases(
    starter: Bundle, starter_folder: Path
) -> None:
    lines = list(sample_lines((starter, starter), (read_source(starter_folder), read_source(starter_folder))))

    assert {line["org"] for line in lines if "org" in line} == set(starter.tenants)
    assert any(line["id"] == "code goes to the lane made for it" for line in lines)
    assert len({line["id"] for line in lines}) == len(lines)
