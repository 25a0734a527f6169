from collections.abc import Callable
from dataclasses import replace

import pytest

from router.bundle import Bundle
from router.bundle.files import Band, Concerns
from router.policy import widens

pytestmark = pytest.mark.slow

Version = Callable[..., Bundle]

UNLESS_INTERNAL = (
    "boundary/lanes.cedar",
    "unless { [Level",
    'unless { context.categories.isEmpty() && [Level::"confidential"].contains(context.level) || [Level',
)
CONFIDENTIAL_MAY_LEAVE = (
    UNLESS_INTERNAL,
    (
        "boundary/lanes.cedar",
        '  [Level::"public", Level::"internal"].contains',
        '  [Level::"public", Level::"internal", Level::"confidential"].contains',
    ),
    ("boundary/properties.yaml", 'level in ["confidential", "restricted"]', 'level in ["restricted"]'),
)


def test_a_bundle_does_not_widen_itself(starter: Bundle) -> None:
    assert widens(starter, starter) == ()


def test_a_permit_for_more_is_wider_and_names_a_question_that_newly_leaves(starter: Bundle, version: Version) -> None:
    wider = version(*CONFIDENTIAL_MAY_LEAVE)

    (found,) = widens(starter, wider)

    assert found.by == "boundary"
    assert "unsensitive-may-leave" in found.what
    assert found.example is not None
    assert found.example.values["level"] == "confidential"
    assert widens(wider, starter) == ()


def test_a_forbid_more_is_never_wider(starter: Bundle, version: Version) -> None:
    forbid = '@id("new") @reason("r") forbid (principal, action, resource == Lane::"code");\n\n@id("residency")'

    assert widens(starter, version(("boundary/lanes.cedar", '@id("residency")', forbid))) == ()


@pytest.mark.parametrize(
    ("file", "old", "new", "by", "says"),
    [
        ("tiers.yaml", "raise_at: 0.5", "raise_at: 0.6", "label", "0.6"),
        ("tiers.yaml", "legal: confidential", "legal: internal", "label", "legal data is internal"),
        (
            "tiers.yaml",
            "  attack:\n    suspected: 0.5",
            "  attack:\n    suspected: 0.7",
            "label",
            "attack is suspected",
        ),
        ("tenants.yaml", "jurisdictions: [EU]", "jurisdictions: []", "label", "example-eu"),
        (
            "tiers.yaml",
            'when: level == "restricted"',
            'when: level == "restricted" && !has_images',
            "tier",
            "restricted-data",
        ),
        ("tiers.yaml", "    tier: restricted\n    when", "    tier: high\n    when", "tier", "gives high"),
        (
            "lanes.yaml",
            "base_url: https://api.openai.com/v1",
            "base_url: https://example.com/v1",
            "boundary",
            "premium",
        ),
        ("lanes.yaml", "jurisdictions: [US]", "jurisdictions: [US, UK]", "boundary", "UK"),
        ("tenants.yaml", "  - org: example-eu", "  - org: another\n\n  - org: example-eu", "boundary", "another"),
    ],
)
def test_each_way_of_letting_more_out_is_seen(
    starter: Bundle, version: Version, file: str, old: str, new: str, by: str, says: str
) -> None:
    found = widens(starter, version((file, old, new)))

    assert any(one.by == by and says in one.what for one in found), found


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("tiers.yaml", "raise_at: 0.5", "raise_at: 0.4"),
        ("tiers.yaml", "legal: confidential", "legal: restricted"),
        ("tenants.yaml", "tools: [ticket_lookup]", "lanes: [private]"),
        ("routes.yaml", "when: difficulty >= 0.6", "when: difficulty >= 0.7"),
        ("lanes.yaml", "jurisdictions: [US]", "jurisdictions: []"),
    ],
)
def test_what_keeps_more_in_or_only_sends_elsewhere_is_not_wider(
    starter: Bundle, version: Version, file: str, old: str, new: str
) -> None:
    assert widens(starter, version((file, old, new))) == ()


def test_an_alarm_that_only_the_classifier_flags_is_wider_than_one_with_a_score(starter: Bundle) -> None:
    def harm(band: Band) -> Bundle:
        return replace(starter, tiers=starter.tiers.model_copy(update={"concerns": Concerns(harm=band)}))

    scored, unscored = harm(Band(flagged=0.8)), harm(Band())

    assert [one.what for one in widens(scored, unscored)] == [
        "harm is flagged by the classifier alone, not from a score of 0.8"
    ]
    assert widens(unscored, scored) == ()


def test_a_tool_that_reaches_outside_is_a_way_out_too(starter: Bundle, version: Version) -> None:
    wider = version(("tools/refund_eligibility.yaml", "reaches_outside: false", "reaches_outside: true"))

    found = widens(starter, wider)

    assert any("tool refund_eligibility" in one.what for one in found), found
    assert widens(wider, starter) == ()


def test_a_lane_that_takes_more_out_lets_more_texts_through(starter: Bundle, version: Version) -> None:
    redacting = version(
        ("lanes.yaml", "    context_tokens: 128000\n", "    redact: [pii]\n    context_tokens: 128000\n")
    )

    assert [one.what for one in widens(starter, redacting)] == [
        "texts with pii data may go to lane premium, which puts placeholders in its place"
    ]
    assert widens(redacting, starter) == ()


def test_what_lets_nothing_leave_is_narrower_and_opening_it_again_wider(starter: Bundle, version: Version) -> None:
    closed = version(("tenants.yaml", "    tools: [ticket_lookup]", "    egress: none\n    tools: [ticket_lookup]"))

    assert widens(starter, closed) == ()
    assert all("example-eu" in one.what for one in widens(closed, starter))
    assert widens(closed, starter)
