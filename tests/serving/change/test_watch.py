from serving.change.watch import Watch
from tests.serving.change.kit import TIGHTER, Place

ANY = "f" * 64


def watch(place: Place) -> Watch:
    return Watch(place.settings.changes_file, place.settings.approvers)


def test_while_nobody_is_named_any_bundle_may_be_used(place: Place) -> None:
    assert watch(place).mode == "unsigned"
    assert watch(place).objection(ANY) is None


def test_once_somebody_is_named_nothing_may_be_used_that_was_not_applied(place: Place) -> None:
    place.name_approvers("ann")

    assert watch(place).mode == "nothing_approved"
    assert "lane bundle apply" in str(watch(place).objection(place.hash))


def test_the_bundle_in_force_may_be_used_and_no_other(in_use: Place) -> None:
    assert watch(in_use).mode == "approved"
    assert watch(in_use).objection(in_use.hash) is None
    assert "is in force, not ffffffffffff" in str(watch(in_use).objection(ANY))


def test_a_change_is_seen_at_once(in_use: Place) -> None:
    old, watching = in_use.hash, watch(in_use)
    assert watching.objection(old) is None
    in_use.edit(*TIGHTER)
    new = in_use.apply_signed("ann")

    assert watching.objection(old) is not None
    assert watching.objection(new) is None


def test_approvers_who_went_away_do_not_bring_back_the_unsigned_mode(in_use: Place) -> None:
    for file in in_use.settings.approvers.iterdir():
        file.unlink()

    assert watch(in_use).objection(ANY) is not None


def test_a_history_that_cannot_be_read_is_an_objection(in_use: Place) -> None:
    in_use.settings.changes_file.write_bytes(b"x" * 4096)

    assert "history" in str(watch(in_use).objection(in_use.hash))
