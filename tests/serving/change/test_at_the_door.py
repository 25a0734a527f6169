"""A door judges by the bundle in force: a tightening holds from the switch on, for bytes that were on their way to it as well."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from router.bundle import load_bundle
from router.errors import DoorRefused, LaneUnreachable, PermitOutdated
from router.lane import LaneCall, Stop
from serving.change.in_force import InForce
from serving.change.watch import Watch
from serving.door.main import rules_of
from tests.providers.stand_in import StandIn
from tests.serving.change.kit import Place
from tests.serving.door.kit import KEY, OpenDoor, a_call, open_door

pytestmark = pytest.mark.slow
CLOSED = ("lanes.yaml", "lanes:", "egress: none\nlanes:")


@pytest.fixture
def provider() -> Iterator[StandIn]:
    with StandIn() as provider:
        yield provider


@contextmanager
def following(place: Place, folder: Path, provider: StandIn) -> Iterator[OpenDoor]:
    """A door started with the bundle in force, whose hosted lane leads to the stand-in; it follows the history."""
    place.edit("lanes.yaml", "https://api.openai.com/v1", provider.base_url)
    place.apply_signed("ann", "bob")
    bundle = load_bundle(place.bundle)
    rules = InForce(place.settings, bundle, lambda newest: rules_of(newest, KEY.public_key()))
    folder.mkdir()
    with open_door(folder, provider, bundle.lanes["premium"], rules=rules) as door:
        yield door


def asking(place: Place) -> LaneCall:
    """A call that was decided under the bundle in the place's folder."""
    return a_call(org="local", model="gpt", bundle_hash=place.hash)


def test_a_door_takes_up_the_bundle_that_comes_into_force_and_refuses_what_was_permitted_under_the_one_before(
    in_use: Place, tmp_path: Path, provider: StandIn
) -> None:
    with following(in_use, tmp_path / "door", provider) as door:
        before = asking(in_use)
        first = door.ask(before)
        in_use.edit("tiers.yaml", "raise_at: 0.5", "raise_at: 0.4")
        in_use.apply_signed("ann")
        with pytest.raises(PermitOutdated, match="under another bundle"):
            door.ask(before)
        again = door.ask(asking(in_use))
        status = door.door.status()

    assert isinstance(first[-1], Stop)
    assert isinstance(again[-1], Stop)
    assert len(provider.received) == 2
    assert [entry.event.kind for entry in door.entries()] == ["intent", "outcome", "refused", "intent", "outcome"]
    assert (status.bundle_hash, status.lanes["premium"].on) == (in_use.hash, True)


def test_a_bundle_that_lets_nothing_leave_holds_at_once(in_use: Place, tmp_path: Path, provider: StandIn) -> None:
    with following(in_use, tmp_path / "door", provider) as door:
        in_use.edit(*CLOSED)
        in_use.apply_signed("ann")
        with pytest.raises(DoorRefused, match="not one of the door's"):
            door.ask(asking(in_use))

    assert provider.received == []


def test_a_door_that_can_t_read_the_bundle_in_force_sends_nothing(
    in_use: Place, tmp_path: Path, provider: StandIn
) -> None:
    with following(in_use, tmp_path / "door", provider) as door:
        in_use.edit("tiers.yaml", "raise_at: 0.5", "raise_at: 0.4")
        kept = in_use.home.store.folder_of(in_use.apply_signed("ann")) / "tiers.yaml"
        kept.chmod(0o644)
        kept.write_text(kept.read_text() + "\n")
        with pytest.raises(LaneUnreachable, match="is not what its name says"):
            door.ask(asking(in_use))

    assert provider.received == []


def test_with_a_history_that_can_t_be_read_nothing_may_leave(in_use: Place) -> None:
    watch = Watch(in_use.settings.changes_file, in_use.settings.approvers)
    assert watch.halted is None

    in_use.settings.changes_file.write_bytes(b"no database")

    assert "can't be used" in str(watch.halted)
