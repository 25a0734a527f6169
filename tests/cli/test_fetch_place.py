"""A machine of a cluster waits for a place at the source, keeps it while it reads, and gives it back; one of no cluster asks nobody."""

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cli.fetch_place import held, place_at_source
from models.weights.slots import Slots


@dataclass
class Keeper:
    """The cluster's keeper without a cluster."""

    slots: Slots
    asked: list[str] = field(default_factory=list)

    def ask(self, holder: str) -> bool:
        self.asked.append(holder)
        self.slots, granted = self.slots.ask(holder, time.monotonic())
        return granted

    def give_back(self, holder: str) -> None:
        self.slots = self.slots.give_back(holder)


def test_a_place_is_given_back_whatever_comes_of_the_fetch() -> None:
    keeper = Keeper(Slots(1))

    def fetch() -> None:
        with held(keeper, "a"):
            assert set(keeper.slots.leases) == {"a"}
            raise OSError("the source is gone")

    with pytest.raises(OSError, match="the source is gone"):
        fetch()

    assert not keeper.slots.leases


def test_who_finds_every_place_taken_waits_until_one_is_free() -> None:
    keeper = Keeper(Slots(1))
    reading, done = threading.Event(), threading.Event()

    def first() -> None:
        with held(keeper, "first"):
            reading.set()
            done.wait(10)

    other = threading.Thread(target=first)
    other.start()
    reading.wait(10)
    threading.Timer(0.2, done.set).start()

    with held(keeper, "second", ask_again_seconds=0.01):
        assert done.is_set()
        assert set(keeper.slots.leases) == {"second"}
    other.join()

    assert keeper.asked.count("second") > 1


def test_a_machine_of_no_cluster_reads_at_once(tmp_path: Path) -> None:
    with place_at_source("here", tmp_path):
        pass
