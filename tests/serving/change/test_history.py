import sqlite3
from contextlib import closing

import pytest

from serving.change.errors import ChangeUnderWay, HistoryBroken
from serving.change.history import append, in_force, read_history
from tests.serving.change.kit import TIGHTER, Place


@pytest.fixture
def twice(in_use: Place) -> Place:
    in_use.edit(*TIGHTER)
    in_use.apply_signed("ann")
    return in_use


def alter(place: Place, statement: str) -> None:
    """Change the file as somebody would who does not mind the triggers."""
    with closing(sqlite3.connect(place.settings.changes_file)) as database:
        database.execute("DROP TRIGGER changes_are_never_changed")
        database.execute("DROP TRIGGER changes_are_never_shortened")
        database.execute(statement)
        database.commit()


def test_the_table_refuses_to_be_changed_or_shortened(in_use: Place) -> None:
    with closing(sqlite3.connect(in_use.settings.changes_file)) as database:
        for statement in ("UPDATE changes SET hash = 'x'", "DELETE FROM changes"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                database.execute(statement)


@pytest.mark.slow
@pytest.mark.parametrize(
    "statement",
    [
        'UPDATE changes SET entry = replace(entry, \'"by":"\', \'"by":"x\') WHERE sequence = 0',
        "UPDATE changes SET entry = replace(entry, 'ann', 'eve') WHERE sequence = 1",
        "DELETE FROM changes WHERE sequence = 0",
        "UPDATE changes SET entry = '{}' WHERE sequence = 0",
    ],
)
def test_an_altered_history_is_named_and_nothing_is_added_to_it(twice: Place, statement: str) -> None:
    alter(twice, statement)

    with pytest.raises(HistoryBroken):
        read_history(twice.settings.changes_file)
    twice.edit("tiers.yaml", "raise_at: 0.4", "raise_at: 0.3")
    twice.sign("ann", "bob")
    with pytest.raises(HistoryBroken):
        twice.apply()


def test_an_entry_that_was_rewritten_with_its_hash_still_needs_its_signatures(twice: Place) -> None:
    last = in_force(twice.settings.changes_file)
    assert last is not None
    other = last.model_copy(update={"change": last.change.model_copy(update={"bundle_hash": "e" * 64})})
    alter(twice, f"UPDATE changes SET entry = '{other.model_dump_json()}', hash = '{other.hash}' WHERE sequence = 1")

    with pytest.raises(HistoryBroken, match="signature"):
        read_history(twice.settings.changes_file)


def test_a_switch_from_a_bundle_that_is_no_longer_in_force_is_refused(in_use: Place) -> None:
    entry = in_force(in_use.settings.changes_file)
    assert entry is not None

    with pytest.raises(ChangeUnderWay):
        append(in_use.settings.changes_file, entry.change, 0.0)


def test_a_file_that_is_no_database_is_broken_not_empty(place: Place) -> None:
    place.settings.home.mkdir()
    place.settings.changes_file.write_bytes(b"x" * 4096)

    with pytest.raises(HistoryBroken):
        in_force(place.settings.changes_file)


def test_a_file_without_its_first_entry_says_that_nothing_is_in_force(place: Place) -> None:
    place.settings.home.mkdir()
    place.settings.changes_file.touch()

    assert in_force(place.settings.changes_file) is None
    assert read_history(place.settings.changes_file) == []
