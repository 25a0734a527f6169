"""A tightening applies before anything leaves: a door that still holds the old bundle sends nothing under it any more."""

from pathlib import Path

import pytest

from router.bundle import load_bundle
from router.errors import LaneUnreachable
from router.lane import Stop
from serving.change.watch import Watch
from tests.providers.openai_chat import StandIn
from tests.serving.change.kit import TIGHTER, Place
from tests.serving.door.kit import a_call, a_lane, open_door, rules_for


def test_from_the_switch_on_an_open_door_sends_nothing_under_the_bundle_it_holds(in_use: Place, tmp_path: Path) -> None:
    old = load_bundle(in_use.bundle)
    closed = Watch(in_use.settings.changes_file, in_use.settings.approvers).closing(old)
    folder = tmp_path / "door"
    folder.mkdir()
    with StandIn() as provider:
        lane = a_lane(provider.base_url)
        rules = rules_for(lane, bundle_hash=old.hash)
        with open_door(folder, provider, lane, rules=rules, switched_off=closed) as door:
            call = a_call(bundle_hash=old.hash)
            before = door.ask(call)
            in_use.edit(*TIGHTER)
            in_use.apply_signed("ann")
            with pytest.raises(LaneUnreachable, match="is in force, not"):
                door.ask(call)
            status = door.door.status()
        received = len(provider.received)

    assert isinstance(before[-1], Stop)
    assert received == 1
    assert [entry.event.kind for entry in door.entries()] == ["intent", "outcome"]
    assert not status.lanes["premium"].on


def test_a_door_on_the_bundle_in_force_goes_on(in_use: Place) -> None:
    closing = Watch(in_use.settings.changes_file, in_use.settings.approvers).closing(load_bundle(in_use.bundle))

    assert closing() == {}
