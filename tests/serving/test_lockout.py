"""A tag locks from the moment it hangs until somebody takes it away; whatever can't be read locks too."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.lockout import Lockout, LockoutUnreadable, lane_switches


@pytest.fixture
def lockout(tmp_path: Path) -> Lockout:
    made = Lockout(tmp_path / "tags")
    made.make()
    return made


def test_a_tag_says_who_and_why(lockout: Lockout) -> None:
    lockout.lock("premium", "the provider\nleaks")

    said = lane_switches(lockout, ["premium"])()["premium"]

    assert said.startswith("switched off by ")
    assert said.endswith(" because the provider leaks")


def test_a_tag_without_a_reason_is_a_tag(lockout: Lockout) -> None:
    lockout.lock("premium")

    assert " because" not in lane_switches(lockout, ["premium"])()["premium"]


def test_what_was_taken_away_no_longer_locks(lockout: Lockout) -> None:
    lockout.lock("premium")

    assert lockout.unlock("premium") is True
    assert lockout.unlock("premium") is False
    assert lockout.tags() == {}


def test_a_second_tag_takes_the_first_one_s_place(lockout: Lockout) -> None:
    lockout.lock("premium", "one")
    lockout.lock("premium", "two")

    assert [tag.because for tag in lockout.tags().values()] == ["two"]


@given(name=st.text(min_size=1, max_size=40))
def test_any_name_can_be_locked_and_stays_in_the_folder(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    folder = tmp_path_factory.mktemp("tags")
    lockout = Lockout(folder / "in")
    try:
        name.encode()
    except UnicodeEncodeError:
        return

    lockout.lock(name)

    assert set(lockout.tags()) == {name}
    assert [path.name for path in folder.iterdir()] == ["in"]


@pytest.mark.parametrize("content", [b"", b"{", b'{"by": 3}'])
def test_a_tag_that_can_t_be_read_still_locks(lockout: Lockout, content: bytes) -> None:
    (lockout.folder / "premium.tag").write_bytes(content)

    assert "premium" in lane_switches(lockout, ["premium"])()


def test_without_its_folder_everything_is_locked(tmp_path: Path) -> None:
    missing = Lockout(tmp_path / "missing")

    assert set(lane_switches(missing, ["private", "premium"])()) == {"private", "premium"}
    with pytest.raises(LockoutUnreadable, match="can't be read"):
        missing.tags()


def test_a_half_written_tag_is_no_tag(lockout: Lockout) -> None:
    (lockout.folder / ".premium.tag.123").write_text("half")

    assert lockout.tags() == {}


def test_another_process_sees_it_at_once(lockout: Lockout) -> None:
    script = (
        "import sys, time; from pathlib import Path; from serving.lockout import Lockout\n"
        f"tags = Lockout(Path({str(lockout.folder)!r})).tags\n"
        "print('watching', flush=True)\n"
        "while not tags(): time.sleep(0.001)\n"
        "print(time.time(), flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=os.environ) as watcher:
        assert watcher.stdout is not None
        assert watcher.stdout.readline() == "watching\n"
        lockout.lock("premium")
        locked = time.time()
        seen = float(watcher.stdout.readline())

    assert seen - locked < 1.0
