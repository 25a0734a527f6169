"""The ledger keeps, chains, refuses a second use, and says when the disk will not have it."""

import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.contract import Label
from router.errors import DoorRefused, EvidenceUnavailable
from serving.door.guard import PERMIT_SECONDS_AT_MOST
from serving.door.ledger import (
    CLOCK_MAY_GO_BACK_SECONDS,
    GENESIS,
    NONCES_KEPT_SECONDS,
    Intent,
    Ledger,
    LedgerBroken,
    Outcome,
    Refused,
    read_ledger,
)


def an_intent(nonce: str = "n") -> Intent:
    return Intent(
        trace_id="a" * 32,
        attempt=1,
        org="acme",
        lane="premium",
        provider="openai",
        address="https://x/v1",
        region="eu",
        label=Label(level="internal"),
        risk_tier="low",
        bundle_hash="b" * 64,
        body_sha256="c" * 64,
        body_bytes=10,
        permit_nonce=nonce,
    )


def test_entries_follow_each_other_from_the_first(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")

    intent = ledger.intend(an_intent(), 1.0)
    outcome = ledger.record(Outcome(intent=intent, ended="answered"), 2.0)
    refused = ledger.record(Refused(because="no", lane="x", body_sha256="d" * 64), 3.0)

    entries = list(read_ledger(tmp_path / "ledger.sqlite"))
    assert [entry.hash for entry in entries] == [intent, outcome, refused]
    assert [entry.previous for entry in entries] == [GENESIS, intent, outcome]
    assert [entry.at for entry in entries] == [1.0, 2.0, 3.0]
    ledger.close()


def test_a_nonce_is_taken_once_even_by_another_process_and_after_a_restart(tmp_path: Path) -> None:
    first, second = Ledger(tmp_path / "ledger.sqlite"), Ledger(tmp_path / "ledger.sqlite")
    first.intend(an_intent("once"), 1.0)

    with pytest.raises(DoorRefused, match="used before"):
        second.intend(an_intent("once"), 2.0)
    first.close()
    second.close()
    third = Ledger(tmp_path / "ledger.sqlite")
    with pytest.raises(DoorRefused, match="used before"):
        third.intend(an_intent("once"), 3.0)
    third.intend(an_intent("twice"), 4.0)

    assert len(list(read_ledger(tmp_path / "ledger.sqlite"))) == 2
    third.close()


def test_an_intent_survives_the_death_of_the_process_that_wrote_it(tmp_path: Path) -> None:
    file = tmp_path / "ledger.sqlite"
    code = (
        "import os, sys; from pathlib import Path; from serving.door.ledger import Intent, Ledger;"
        "Ledger(Path(sys.argv[1])).intend(Intent.model_validate_json(sys.argv[2]), 1.0); os.kill(os.getpid(), 9)"
    )
    died = subprocess.run([sys.executable, "-c", code, str(file), an_intent().model_dump_json()], check=False)

    ledger = Ledger(file)
    with pytest.raises(DoorRefused, match="used before"):
        ledger.intend(an_intent(), 2.0)

    assert died.returncode == -9
    assert [entry.event for entry in read_ledger(file)] == [an_intent()]
    ledger.close()


def test_every_commit_waits_for_the_disk(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")

    settings = [ledger._database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]

    assert settings == ["wal", 2]
    ledger.close()


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    ledger = Ledger(tmp_path / "ledger.sqlite")
    os.umask(before)
    ledger.intend(an_intent(), 1.0)

    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}

    assert set(modes.values()) == {0o600}
    assert "ledger.sqlite-wal" in modes
    ledger.close()


def test_a_full_disk_is_said_and_takes_neither_entry_nor_nonce(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.intend(an_intent("first"), 0.0)
    pages = ledger._database.execute("PRAGMA page_count").fetchone()[0]
    ledger._database.execute(f"PRAGMA max_page_count = {pages}")
    long = an_intent("second").model_copy(update={"address": "x" * 100_000})

    with pytest.raises(EvidenceUnavailable, match="full"):
        ledger.intend(long, 1.0)
    ledger._database.execute("PRAGMA max_page_count = 100000")
    ledger.intend(an_intent("second"), 2.0)

    assert [entry.at for entry in read_ledger(tmp_path / "ledger.sqlite")] == [0.0, 2.0]
    ledger.close()


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(EvidenceUnavailable, match="open"):
        Ledger(tmp_path / "no" / "ledger.sqlite")


@pytest.mark.parametrize("statement", ["UPDATE ledger SET entry = '{}'", "DELETE FROM ledger", "DELETE FROM nonces"])
def test_the_file_itself_resists_a_change(tmp_path: Path, statement: str) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.intend(an_intent(), 1.0)

    with pytest.raises(sqlite3.IntegrityError):
        ledger._database.execute(statement)
    ledger.close()


def without_triggers(file: Path) -> sqlite3.Connection:
    database = sqlite3.connect(file, isolation_level=None)
    for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        database.execute(f"DROP TRIGGER {name}")
    return database


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger SET entry = replace(entry, 'acme', 'evil') WHERE sequence = 1",
        "DELETE FROM ledger WHERE sequence = 1",
        "DELETE FROM ledger WHERE sequence = 0",
        "UPDATE ledger SET hash = 'x' WHERE sequence = 1",
        "UPDATE ledger SET entry = 'x' WHERE sequence = 2",
        "UPDATE ledger SET sequence = 7 WHERE sequence = 2",
    ],
)
def test_a_change_by_whoever_owns_the_file_breaks_the_chain(tmp_path: Path, statement: str) -> None:
    file = tmp_path / "ledger.sqlite"
    ledger = Ledger(file)
    for number in range(3):
        ledger.intend(an_intent(str(number)), float(number))
    ledger.close()
    database = without_triggers(file)
    database.execute(statement)
    database.close()

    with pytest.raises(LedgerBroken):
        list(read_ledger(file))


@given(st.lists(st.sampled_from("abcdef"), max_size=12))
def test_in_any_order_of_asking_each_nonce_leaves_exactly_one_intent(
    tmp_path_factory: pytest.TempPathFactory, nonces: list[str]
) -> None:
    file = tmp_path_factory.mktemp("ledger") / "ledger.sqlite"
    ledger = Ledger(file)
    for nonce in nonces:
        try:
            ledger.intend(an_intent(nonce), 0.0)
        except DoorRefused:
            continue

    kept = [entry.event.permit_nonce for entry in read_ledger(file) if isinstance(entry.event, Intent)]
    assert kept == list(dict.fromkeys(nonces))
    ledger.close()


def test_nonces_of_permits_that_have_long_expired_are_forgotten(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    for second in range(2_000):
        ledger.intend(an_intent(str(second)), float(second))

    [kept] = ledger._database.execute("SELECT count(*) FROM nonces").fetchone()

    assert kept == NONCES_KEPT_SECONDS + 1
    ledger.close()


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 2_000)), max_size=20))
def test_however_the_clock_jumps_no_permit_is_used_twice_while_it_is_good(
    tmp_path_factory: pytest.TempPathFactory, sends: list[tuple[str, float]]
) -> None:
    ledger = Ledger(tmp_path_factory.mktemp("ledger") / "ledger.sqlite")
    expires: dict[str, float] = {}
    used: list[str] = []
    for nonce, now in sends:
        until = expires.setdefault(nonce, now + PERMIT_SECONDS_AT_MOST)
        if now >= until or until > now + PERMIT_SECONDS_AT_MOST:
            continue  # The guard refuses these before the ledger is asked.
        try:
            ledger.intend(an_intent(nonce), now)
            used.append(nonce)
        except DoorRefused:
            continue

    assert len(used) == len(set(used))
    ledger.close()


def test_a_clock_that_has_gone_back_too_far_sends_nothing_until_it_has_caught_up(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.intend(an_intent("one"), 1_000.0)
    ledger.intend(an_intent("a little back"), 1_000.0 - CLOCK_MAY_GO_BACK_SECONDS)

    with pytest.raises(DoorRefused, match="clock has gone back"):
        ledger.intend(an_intent("two"), 999.0 - CLOCK_MAY_GO_BACK_SECONDS)
    ledger.intend(an_intent("two"), 1_001.0)
    ledger.close()


def test_a_ledger_of_the_first_version_keeps_its_nonces(tmp_path: Path) -> None:
    file = tmp_path / "ledger.sqlite"
    Ledger(file).intend(an_intent("old"), 1_000.0)
    database = without_triggers(file)
    database.executescript(
        "DROP TABLE nonces; CREATE TABLE nonces (nonce TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;"
        "CREATE TRIGGER nonces_stay_used BEFORE DELETE ON nonces BEGIN SELECT RAISE(ABORT, 'a nonce stays used'); END;"
        "INSERT INTO nonces VALUES ('old');"
    )
    database.close()

    ledger = Ledger(file)
    with pytest.raises(DoorRefused, match="used before"):
        ledger.intend(an_intent("old"), 1_010.0)
    ledger.intend(an_intent("much later"), 2_000.0)

    assert ledger._database.execute("SELECT nonce FROM nonces").fetchall() == [("much later",)]
    ledger.close()
