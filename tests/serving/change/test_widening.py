"""What counts as wider is `tests/router/policy/test_widen.py`'s matter; here: what an approver is told."""

import pytest

from router.bundle import Bundle, load_bundle
from serving.change.widening import compare
from tests.serving.change.kit import TIGHTER, Place, a_bundle


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return load_bundle(a_bundle(tmp_path_factory.mktemp("before") / "bundle"))


def test_a_bundle_is_neither_wider_nor_tighter_than_itself(before: Bundle) -> None:
    same = compare(before, before)

    assert (same.widens, same.tightens) == ((), ())


def test_without_one_in_force_all_that_may_leave_is_wider(before: Bundle) -> None:
    first = compare(None, before)

    assert any("premium" in line for line in first.widens)
    assert first.tightens == ()


def test_what_is_tighter_there_would_be_wider_back(before: Bundle, place: Place) -> None:
    place.edit(*TIGHTER)
    changed = load_bundle(place.bundle)

    there, back = compare(before, changed), compare(changed, before)

    assert (there.widens, back.tightens) == ((), ())
    assert there.tightens == tuple(f"the way back would widen: {line}" for line in back.widens)


def test_a_lane_that_keeps_its_name_and_changes_its_address_is_a_new_way_out(before: Bundle, place: Place) -> None:
    place.edit("lanes.yaml", "https://api.openai.com/v1", "https://api.elsewhere.example/v1")

    assert compare(before, load_bundle(place.bundle)).widens


def test_what_only_concerns_private_lanes_is_neither(before: Bundle, place: Place) -> None:
    place.edit("ladders.yaml", "purpose: nowhere else", "purpose: here")

    comparison = compare(before, load_bundle(place.bundle))

    assert (comparison.widens, comparison.tightens) == ((), ())
