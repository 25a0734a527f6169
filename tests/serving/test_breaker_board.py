"""Ingress replicas of one machine agree on where breakers stand: an outage is learned once, and a probe is sent once."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from router.breakers import Breaker, Pass
from router.bundle.files import BreakerSpec, LaneSpec
from router.execute import LaneHealth
from router.testing import ManualClock
from serving.breaker_board import PROBE_LOST_SECONDS, SharedBoard

LANE: Final = LaneSpec(
    name="far", model="m", breaker=BreakerSpec(failures=3, window_seconds=10, open_seconds=5, probes=1)
)
Opens = Callable[..., LaneHealth]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(100.0)


@pytest.fixture
def replica(tmp_path: Path, clock: ManualClock) -> Iterator[Opens]:
    boards: list[SharedBoard] = []

    def opened(boot: str = "first") -> LaneHealth:
        boards.append(SharedBoard(tmp_path / "breakers.page", clock.monotonic, boot))
        return LaneHealth(boards[-1])

    yield opened
    for board in boards:
        board.close()


def fails(health: LaneHealth, now: float, times: int = 3) -> None:
    for _ in range(times):
        given = health.admit(LANE, now)
        assert given is not None
        health.settle(LANE, given, "failed", now)


def test_what_one_replica_learned_another_knows_and_so_does_one_that_starts_anew(replica: Opens) -> None:
    one, other = replica(), replica()
    assert other.off([LANE], 100.0) == {}

    fails(one, 100.0)

    for health in (one, other, replica()):
        assert list(health.off([LANE], 101.0)) == ["far"]
        assert health.admit(LANE, 101.0) is None


def test_one_probe_is_sent_whoever_asks_and_all_know_what_came_of_it(replica: Opens) -> None:
    one, other = replica(), replica()
    fails(one, 100.0)

    probe = other.admit(LANE, 105.0)
    assert probe == Pass(era=1, probe=True)
    assert one.admit(LANE, 105.0) is None
    other.settle(LANE, probe, "succeeded", 106.0)

    assert one.off([LANE], 106.0) == {}
    assert one.admit(LANE, 106.0) == Pass(era=2)


def test_a_probe_that_fails_keeps_all_away_for_as_long_again(replica: Opens) -> None:
    one, other = replica(), replica()
    fails(one, 100.0)
    probe = one.admit(LANE, 105.0)
    assert probe is not None

    one.settle(LANE, probe, "failed", 106.0)

    assert other.admit(LANE, 110.9) is None
    assert other.admit(LANE, 111.0) is not None


def test_what_was_counted_before_another_replica_s_outage_was_over_counts_no_more(replica: Opens) -> None:
    one, other = replica(), replica()
    fails(other, 100.0, times=2)
    fails(one, 100.0)
    probe = one.admit(LANE, 105.0)
    assert probe is not None
    one.settle(LANE, probe, "succeeded", 105.0)

    fails(other, 105.0, times=2)

    assert other.off([LANE], 105.0) == {}


def test_two_that_see_it_fail_at_once_open_it_once(replica: Opens) -> None:
    one, other = replica(), replica()
    fails(one, 100.0, times=2)
    fails(other, 100.0, times=2)
    late = other.admit(LANE, 100.0)
    assert late is not None

    fails(one, 100.0, times=1)
    other.settle(LANE, late, "failed", 101.0)

    assert one.admit(LANE, 105.0) == Pass(era=1, probe=True)


def test_a_probe_whose_replica_died_over_it_is_sent_again(replica: Opens, clock: ManualClock) -> None:
    one, other = replica(), replica()
    fails(one, 100.0)
    clock.now = 105.0
    assert one.admit(LANE, 105.0) is not None

    clock.now = 105.0 + PROBE_LOST_SECONDS + 1
    again = other.admit(LANE, clock.now)

    assert again is not None
    other.settle(LANE, again, "succeeded", clock.now)
    assert one.off([LANE], clock.now) == {}


def test_another_run_of_the_machine_and_a_page_that_can_t_be_read_say_nothing(replica: Opens, tmp_path: Path) -> None:
    fails(replica(), 100.0)
    assert replica("second").off([LANE], 101.0) == {}

    page = bytearray((tmp_path / "breakers.page").read_bytes())
    page[12:20] = b"\xff" * 8
    page[0] += 1
    (tmp_path / "breakers.page").write_bytes(page)

    broken = replica()
    assert broken.off([LANE], 101.0) == {}
    fails(broken, 101.0)
    assert list(replica().off([LANE], 101.0)) == ["far"]


def test_of_many_that_ask_at_once_exactly_one_gets_the_probe(replica: Opens) -> None:
    fails(replica(), 100.0)
    replicas, got = [replica() for _ in range(8)], list[Pass | None]()
    start = threading.Barrier(8)

    def ask(health: LaneHealth) -> None:
        start.wait(10)
        got.append(health.admit(LANE, 105.0))

    threads = [threading.Thread(target=ask, args=(health,)) for health in replicas]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert sum(one is not None for one in got) == 1


def test_a_lock_that_is_not_to_be_had_keeps_nobody_waiting(tmp_path: Path, clock: ManualClock) -> None:
    file = tmp_path / "breakers.page"
    board = SharedBoard(file, clock.monotonic, "first")
    program = "import fcntl, sys; f = open(sys.argv[1], 'rb+'); fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); input()"
    holder = subprocess.Popen([sys.executable, "-c", program, file], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        opened = Breaker(opened_at=100.0, era=1)
        assert board.changed("far", lambda _: opened) == opened
        assert board.seen("far") == opened
    finally:
        holder.communicate(b"\n", timeout=10)
        board.close()
