import os
import shutil
import threading
import time
import warnings
from dataclasses import replace
from pathlib import Path

import pytest

from router.bundle.load import bundle_hash
from router.errors import BadRequest, BundleInvalid
from serving.change.apply import Home, apply_bundle, roll_back
from serving.change.errors import ChangeRefused, ChangeUnderWay, StoreDamaged
from serving.change.history import read_history
from serving.change.store import SIGNATURES
from tests.serving.change.kit import TIGHTER, WIDER, Place

pytestmark = pytest.mark.slow


def test_an_applied_bundle_is_kept_read_only_under_its_hash_and_in_force(in_use: Place) -> None:
    kept = in_use.settings.bundles / in_use.hash

    assert in_use.in_force == in_use.hash
    assert bundle_hash(kept) == in_use.hash
    files = [path for path in kept.rglob("*") if path.is_file() and SIGNATURES not in path.parts]
    assert files
    assert not any(path.stat().st_mode & 0o222 for path in files)


def test_the_first_bundle_of_a_home_needs_two_because_nothing_could_leave_before(place: Place) -> None:
    place.name_approvers("ann", "bob")
    place.sign("ann")

    with pytest.raises(ChangeRefused, match="premium") as refused:
        place.apply()

    assert "1 more signature(s) (now: ann)" in str(refused.value)
    assert place.in_force is None


def test_a_first_bundle_that_lets_nothing_out_needs_one(place: Place) -> None:
    place.name_approvers("ann")
    for org in ("local", "example-eu"):
        place.edit("tenants.yaml", f"  - org: {org}\n", f"  - org: {org}\n    lanes: [private]\n")

    assert place.apply_signed("ann") == place.in_force


def test_a_tighter_bundle_needs_one_and_a_wider_one_two(in_use: Place) -> None:
    in_use.edit(*TIGHTER)
    tighter = in_use.apply_signed("bob")
    in_use.edit("tiers.yaml", "raise_at: 0.4", "raise_at: 0.6")
    in_use.sign("ann")

    with pytest.raises(ChangeRefused, match=r"a score of 0\.6, not 0\.4"):
        in_use.apply()

    assert in_use.in_force == tighter
    in_use.sign("bob")
    assert in_use.apply() is not None


def test_with_nobody_named_nothing_is_applied_and_the_way_is_told(place: Place) -> None:
    with pytest.raises(ChangeRefused, match="lane bundle keygen"):
        place.apply()

    assert place.in_force is None


def test_a_bundle_that_was_edited_after_signing_is_not_approved(in_use: Place) -> None:
    in_use.edit(*TIGHTER)
    in_use.sign("ann")
    in_use.edit("routes.yaml", "it is protected", "it is confidential")

    with pytest.raises(ChangeRefused, match="nobody that is trusted here"):
        in_use.apply()


def test_a_bundle_cannot_bring_its_own_approvers(in_use: Place) -> None:
    in_use.edit(*WIDER)
    in_use.name_approvers("mallory")
    approver = in_use.settings.approvers / "mallory.pub"
    shutil.copytree(in_use.settings.approvers, in_use.bundle / "approvers")
    approver.unlink()
    in_use.sign("mallory", "ann")

    with pytest.raises(ChangeRefused, match=r"now: ann\)"):
        in_use.apply()


def test_a_signature_of_an_approver_who_was_removed_no_longer_counts(in_use: Place) -> None:
    in_use.edit(*WIDER)
    in_use.sign("ann", "bob")
    (in_use.settings.approvers / "bob.pub").unlink()

    with pytest.raises(ChangeRefused, match="1 more approver"):
        in_use.apply()


def test_a_bundle_that_does_not_check_changes_nothing(in_use: Place) -> None:
    before = in_use.in_force
    in_use.edit("routes.yaml", "lane: premium", "lane: premum")
    in_use.sign("ann", "bob")

    with pytest.raises(BundleInvalid, match="premum"):
        in_use.apply()

    assert in_use.in_force == before
    assert not (in_use.settings.bundles / in_use.hash).exists()


def test_what_is_in_force_already_is_not_applied_again(in_use: Place) -> None:
    assert in_use.apply() is None
    assert len(read_history(in_use.settings.changes_file)) == 1


def test_the_entry_says_who_what_and_how_it_was_checked(in_use: Place) -> None:
    (entry,) = read_history(in_use.settings.changes_file)

    assert [approval.approver for approval in entry.change.approvals] == ["ann", "bob"]
    assert list(entry.change.trusted) == ["ann", "bob"]
    assert entry.change.approvals_needed == 2
    assert entry.change.replaced is None
    assert entry.change.checks.tests == 1
    assert "premium" in entry.change.widens[0]


def test_going_back_needs_what_any_change_needs_and_old_signatures_count(in_use: Place) -> None:
    first = in_use.hash
    in_use.edit(*TIGHTER)
    in_use.apply_signed("ann")

    entry = roll_back(None, in_use.home)

    assert entry is not None
    assert in_use.in_force == first
    assert entry.change.kind == "rollback"
    assert entry.change.approvals_needed == 2


def test_going_back_to_something_wider_needs_two_even_if_it_once_came_by_one(in_use: Place) -> None:
    in_use.edit(*TIGHTER)
    middle = in_use.apply_signed("ann")
    in_use.edit("tiers.yaml", "raise_at: 0.4", "raise_at: 0.3")
    tightest = in_use.apply_signed("ann")

    with pytest.raises(ChangeRefused, match="1 more signature"):
        roll_back(middle[:10], in_use.home)

    assert in_use.in_force == tightest


def test_there_is_no_going_back_to_what_never_was_in_force(in_use: Place) -> None:
    with pytest.raises(BadRequest, match="ever in force"):
        roll_back("0" * 12, in_use.home)
    with pytest.raises(BadRequest, match="no earlier bundle"):
        roll_back(None, in_use.home)


def test_a_kept_version_that_was_tampered_with_does_not_come_back(in_use: Place) -> None:
    kept = in_use.settings.bundles / in_use.hash / "tiers.yaml"
    in_use.edit(*TIGHTER)
    in_use.apply_signed("ann")
    kept.chmod(0o644)
    kept.write_text(kept.read_text() + "\n")

    with pytest.raises(StoreDamaged):
        roll_back(None, in_use.home)


def test_when_the_version_in_force_is_lost_the_next_one_counts_as_wider(in_use: Place) -> None:
    kept = in_use.settings.bundles / in_use.hash / "tiers.yaml"
    kept.chmod(0o644)
    kept.write_text("")
    in_use.edit(*TIGHTER)
    in_use.sign("ann")

    with pytest.raises(ChangeRefused, match="can't be read"):
        in_use.apply()


def test_of_two_changes_at_once_one_is_told_to_wait(in_use: Place) -> None:
    in_use.edit(*TIGHTER)
    in_use.sign("ann")
    at_the_switch, go_on = threading.Event(), threading.Event()

    def hold(step: str) -> None:
        if step == "switch":
            at_the_switch.set()
            assert go_on.wait(30)

    first = threading.Thread(target=apply_bundle, args=(in_use.bundle, replace(in_use.home, before=hold)))
    first.start()
    assert at_the_switch.wait(30)
    with pytest.raises(ChangeUnderWay):
        in_use.apply()
    go_on.set()
    first.join(30)

    assert in_use.in_force == in_use.hash


def steps_of(place: Place) -> list[str]:
    """The steps of applying the place's bundle, one of each kind, from a run in a copy of the home."""
    home = shutil.copytree(place.settings.home, place.settings.home.parent / "rehearsal")
    steps: list[str] = []
    settings = place.settings.model_copy(update={"home": Path(home)})
    apply_bundle(place.bundle, Home(settings, time.time, steps.append))
    writes = [step for step in steps if step.startswith("write ")]
    return [step for step in dict.fromkeys(steps) if step not in writes[1:-1]]


def die_at(step: str, place: Place) -> int:
    """Apply in a process that ends itself, without any clean-up, just before this step; return its exit status."""

    def before(coming: str) -> None:
        if coming == step:
            os._exit(9)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # The child of a process with threads: it only runs this.
        child = os.fork()
    if child == 0:
        try:
            apply_bundle(place.bundle, replace(place.home, before=before))
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_crash_at_any_step_leaves_the_old_bundle_or_the_new_one_and_the_next_try_succeeds(in_use: Place) -> None:
    old = in_use.hash
    in_use.edit(*TIGHTER)
    in_use.sign("ann")
    seen = {}

    for step in steps_of(in_use):
        assert die_at(step, in_use) == 9, step
        seen[step] = in_use.in_force
        read_history(in_use.settings.changes_file)
        for version in in_use.settings.bundles.iterdir():
            if not version.name.startswith("."):
                assert bundle_hash(version) == version.name

    assert next(iter(seen)).startswith("write ")
    assert seen.pop("tell") == in_use.hash
    assert set(seen.values()) == {old}
    assert {"rename", "sync the store", "keep a signature", "switch"} < set(seen)


def test_after_a_crash_the_change_can_be_made_again(in_use: Place) -> None:
    in_use.edit(*TIGHTER)
    in_use.sign("ann")
    assert die_at("write tiers.yaml", in_use) == 9

    assert in_use.apply() is not None
    assert in_use.in_force == in_use.hash
    assert [path.name for path in in_use.settings.bundles.iterdir() if path.name.startswith(".")] == [".lock"]
