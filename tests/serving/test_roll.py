"""A bundle that comes into force comes into service: new models first, then the switch, then the last old request, then the old models' end.

The fleet is a fake that keeps what it was told; bundles, history and the file that ingress replicas read are real.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from models.manifest import write_manifest
from models.spec import ModelSpec
from router.bundle import Bundle, load_bundle
from serving.in_service import (
    Holding,
    InService,
    in_service_of,
    read_in_service,
    write_holding,
    write_in_service,
)
from serving.roll import DidNotStart, Rolls
from serving.settings import Settings
from serving.status import Roll
from serving.surge import NoRoom
from tests.serving.change.kit import Place, a_place

pytestmark = pytest.mark.slow
OTHER_ENGINE = ("models.yaml", "context_tokens: 4096", "context_tokens: 2048")
OTHER_NUMBERS = ("models.yaml", "max_ongoing_requests: 128", "max_ongoing_requests: 64")
TIGHTER = ("tiers.yaml", "raise_at: 0.5", "raise_at: 0.4")


@dataclass
class FakeFleet:
    """Serves what the file says. `open_for`: how many looks the old version's last request takes."""

    settings: Settings
    told: list[str] = field(default_factory=list)
    no_room: bool = False
    fails: bool = False
    refuses: bool = False
    open_for: int = 0
    ingress_replicas: int = 1

    def check_room(self, specs: Collection[ModelSpec], version: InService) -> None:
        self.told.append(f"room for {len(specs)}")
        if self.no_room:
            raise NoRoom("memory: 2 GiB")

    def start(self, bundle: Bundle, version: InService) -> frozenset[str]:
        assert bundle.hash == version.bundle_hash
        self.told.append("start")
        return frozenset(version.models.values()) - frozenset(read_in_service(self.settings).models.values())

    def adjust(self, specs: Collection[ModelSpec], version: InService) -> None:
        self.told.append("adjust " + ", ".join(f"{spec.name} to {spec.max_ongoing_requests}" for spec in specs))

    def wait_until_running(self, version: InService, seconds: float, stopped: Callable[[float], bool]) -> None:
        stopped(0.0)
        if self.fails:
            raise DidNotStart("the engine died")

    def end(self, names: Collection[str]) -> None:
        self.told.append(f"end {len(names)}")


class Moving:
    """A place with a system that runs the bundle in force, and what its changes showed on the way."""

    def __init__(self, place: Place) -> None:
        self.place, self.settings = place, place.settings
        self.bundle = load_bundle(place.bundle)
        for spec in self.bundle.models.values():
            folder = self.settings.models / spec.folder
            if not folder.exists():
                folder.mkdir(parents=True)
                (folder / "model.safetensors").write_bytes(b"weights")
                write_manifest(folder)
        self.first = in_service_of(self.bundle, self.settings.models)
        write_in_service(self.settings, self.first)
        self.fleet = FakeFleet(self.settings)
        self.phases: list[str] = []
        self.rolls = Rolls(self.settings, self.fleet, self.bundle, self.first, self._shown)

    def _shown(self, roll: Roll) -> bool:
        """What an ingress replica does meanwhile: it takes up what is in service, or refuses it."""
        serves = read_in_service(self.settings).name
        if self.fleet.refuses and serves != self.first.name:
            write_holding(self.settings, "one", Holding(serves=self.first.name, refused={serves: "it does not load"}))
        else:
            self.fleet.open_for -= 1
            still = (self.first.name,) if self.fleet.open_for >= 0 else ()
            write_holding(self.settings, "one", Holding(serves=serves, open=still))
        if self.phases[-1:] != [roll.phase]:
            self.phases.append(roll.phase)
        return False

    def change(self, *edit: str) -> None:
        self.place.edit(*edit)
        self.place.apply_signed("ann")

    @property
    def serves(self) -> str:
        return read_in_service(self.settings).bundle_hash


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = a_place(tmp_path_factory.mktemp("place"))
    place.name_approvers("ann", "bob")
    place.apply_signed("ann", "bob")
    return place


@pytest.fixture
def moving(made_once: Place, tmp_path: Path) -> Moving:
    return Moving(made_once.copied_to(tmp_path))


def test_a_model_with_another_engine_comes_up_beside_the_old_one_which_ends_last(moving: Moving) -> None:
    moving.rolls.look()
    assert moving.fleet.told == [], "what is in service is in force"

    moving.change(*OTHER_ENGINE)
    moving.rolls.look()

    assert moving.serves == moving.place.in_force != moving.first.bundle_hash
    assert moving.fleet.told == ["room for 1", "start", "end 1"]
    assert moving.phases == [
        "checking",
        "reserving room for 1 model(s)",
        "starting 1 model(s)",
        "switching",
        "ending the old models",
    ]
    assert moving.rolls.refused is None


def test_a_model_with_other_numbers_alone_goes_on_and_nothing_starts_again(moving: Moving) -> None:
    moving.change(*OTHER_NUMBERS)
    moving.rolls.look()

    assert moving.serves == moving.place.in_force != moving.first.bundle_hash
    assert moving.fleet.told == ["room for 1", "adjust smollm2-135m-instruct to 64", "start", "end 0"]
    assert read_in_service(moving.settings).models == moving.first.models


def test_numbers_that_there_is_no_room_for_are_not_set(moving: Moving) -> None:
    moving.fleet.no_room = True
    moving.change(*OTHER_NUMBERS)
    moving.rolls.look()

    assert moving.fleet.told == ["room for 1"]
    assert moving.serves == moving.first.bundle_hash
    assert moving.rolls.refused is not None
    assert moving.rolls.refused.because == "memory: 2 GiB; what helps: room, or fewer replicas", (
        "no old model can end first"
    )


def test_numbers_are_set_back_where_the_change_is_refused(moving: Moving) -> None:
    moving.fleet.refuses = True
    moving.change(*OTHER_NUMBERS)
    moving.rolls.look()

    assert moving.rolls.refused is not None
    adjusted = [said for said in moving.fleet.told if said.startswith("adjust")]
    assert adjusted == ["adjust smollm2-135m-instruct to 64", "adjust smollm2-135m-instruct to 128"]


def test_the_old_models_wait_for_the_last_request_of_their_version(moving: Moving) -> None:
    moving.fleet.open_for = 8
    moving.change(*OTHER_ENGINE)
    moving.rolls.look()

    assert moving.phases[-2:] == ["waiting for the old version's last request", "ending the old models"]
    assert moving.fleet.told[-1] == "end 1"


def test_a_change_of_policy_alone_starts_and_ends_no_model(moving: Moving) -> None:
    moving.change(*TIGHTER)
    moving.rolls.look()

    assert moving.serves == moving.place.in_force
    assert moving.fleet.told == ["room for 0", "start", "end 0"]


@pytest.mark.parametrize(
    ("trouble", "because", "ends"),
    [
        ("no_room", "memory: 2 GiB; what helps: room, or `lane bundle apply --in-place`", []),
        ("fails", "the engine died", ["end 1"]),
        ("refuses", "it does not load", ["end 1"]),
    ],
)
def test_whatever_goes_wrong_before_the_old_models_end_the_old_version_goes_on_and_the_reason_is_shown(
    moving: Moving, trouble: str, because: str, ends: list[str]
) -> None:
    setattr(moving.fleet, trouble, True)
    moving.change(*OTHER_ENGINE)

    moving.rolls.look()

    assert moving.serves == moving.first.bundle_hash
    refused = moving.rolls.refused
    assert refused is not None
    assert (refused.bundle_hash, refused.phase) == (moving.place.in_force, "refused")
    assert because in str(refused.because)
    assert [one for one in moving.fleet.told if one.startswith("end")] == ends
    told = len(moving.fleet.told)
    moving.rolls.look()
    assert len(moving.fleet.told) == told, "it is not tried again and again"


def test_going_back_to_what_is_in_service_ends_the_refusal(moving: Moving) -> None:
    moving.fleet.fails = True
    moving.change(*OTHER_ENGINE)
    moving.rolls.look()
    moving.place.edit(OTHER_ENGINE[0], OTHER_ENGINE[2], OTHER_ENGINE[1])
    moving.place.apply_signed("ann")

    moving.rolls.look()

    assert moving.rolls.refused is None
    assert moving.serves == moving.first.bundle_hash


def test_weights_that_are_not_there_are_a_refusal(moving: Moving) -> None:
    moving.change("models.yaml", "folder: ", "folder: not-")

    moving.rolls.look()

    assert moving.fleet.told == []
    assert "no manifest" in str(moving.rolls.refused)


def test_where_a_gap_was_accepted_the_old_models_end_before_the_new_ones_start(moving: Moving) -> None:
    moving.change(*OTHER_ENGINE)
    moving.settings.in_place_file.write_text(str(moving.place.in_force))

    moving.rolls.look()

    assert moving.fleet.told == ["end 1", "room for 1", "start", "end 1"]
    assert moving.serves == moving.place.in_force


def test_a_request_may_take_as_long_as_the_longest_budget_of_its_version(moving: Moving) -> None:
    budgets = [one.budgets for route in moving.bundle.routes for one in route.allowed.values()]

    assert moving.bundle.longest_seconds == max(one.latency_seconds for one in budgets)
