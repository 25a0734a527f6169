import pytest

from router.bundle import Bundle, load_bundle
from serving.change.widening import compare
from tests.serving.change.kit import Place, a_bundle


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return load_bundle(a_bundle(tmp_path_factory.mktemp("before") / "bundle"))


def test_a_bundle_is_neither_wider_nor_tighter_than_itself(before: Bundle) -> None:
    same = compare(before, before)

    assert (same.widens, same.tightens) == ((), ())


def test_without_one_in_force_all_that_may_leave_is_wider(before: Bundle) -> None:
    assert len(compare(None, before).widens) == 1


PROPERTIES = "boundary/properties.yaml"
EDITS = [
    ("a lane to another address", "lanes.yaml", "https://api.openai.com/v1", "https://api.elsewhere.example/v1"),
    ("a lane to another region", "lanes.yaml", "region: us", "region: eu"),
    ("a lane under more laws", "lanes.yaml", "jurisdictions: [US]", "jurisdictions: [US, EU]"),
    ("a tenant without its declared law", "tenants.yaml", "jurisdictions: [EU]", "jurisdictions: [US]"),
    ("a category that counts for less", "tiers.yaml", "pii: confidential", "pii: internal"),
    ("findings that count for less", "tiers.yaml", "raise_at: 0.5", "raise_at: 0.9"),
]


@pytest.mark.parametrize(("file", "old", "new"), [edit[1:] for edit in EDITS], ids=[edit[0] for edit in EDITS])
def test_is_wider_and_the_way_back_is_tighter(before: Bundle, place: Place, file: str, old: str, new: str) -> None:
    place.edit(file, old, new)
    # The bundle's own properties and tests would stop some of these; here the question is what two approvers are asked for.
    (place.bundle / PROPERTIES).write_text("properties: []\n")
    (place.bundle / "boundary" / "tests.yaml").write_text("tests: []\n")
    changed = load_bundle(place.bundle)

    there, back = compare(before, changed), compare(changed, before)

    assert there.widens
    assert back.tightens
    assert bool(back.widens) == bool(there.tightens)


def test_one_more_forbid_is_tighter_and_nothing_else(before: Bundle, place: Place) -> None:
    cedar = place.bundle / "boundary" / "lanes.cedar"
    forbid = '@id("x") @reason("y") forbid (principal, action, resource) when { resource.hosted && context.risk_tier == RiskTier::"high" };'
    cedar.write_text(cedar.read_text() + forbid)

    comparison = compare(before, load_bundle(place.bundle))

    assert comparison.widens == ()
    assert comparison.tightens


def test_a_tier_rule_that_asks_for_less_is_wider(before: Bundle, place: Place) -> None:
    place.edit("tiers.yaml", "    when: size(regulated) > 0", "    when: size(regulated) > 3")

    comparison = compare(before, load_bundle(place.bundle))

    assert any("regulated-topic" in line for line in comparison.widens)


def test_what_only_concerns_private_lanes_is_neither(before: Bundle, place: Place) -> None:
    place.edit("ladders.yaml", "purpose: nowhere else", "purpose: here")

    comparison = compare(before, load_bundle(place.bundle))

    assert (comparison.widens, comparison.tightens) == ((), ())
