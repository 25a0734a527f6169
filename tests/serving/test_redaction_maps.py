"""A map is for its own tenant and session, under its own key, for its own time; without it nothing is guessed."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from router.redact import Placeholders, PlaceholderTaken
from router.redact.placeholders import Placeholder
from serving.redaction_maps import KEPT_SECONDS, KEY_BYTES, MapUnreadable, RedactionMaps

ADA = Placeholders((Placeholder("PERSON", 1, "Ada Moore", "pii"),))
BO = Placeholders((Placeholder("PERSON", 2, "Bo", "pii"),))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "redaction.key").write_bytes(b"k" * KEY_BYTES)
    return tmp_path


def opened(home: Path, now: Callable[[], float] = lambda: 1000.0) -> RedactionMaps:
    return RedactionMaps(home / "state.sqlite", home / "redaction.key", now)


def test_a_map_grows_and_survives_a_restart(home: Path) -> None:
    maps = opened(home)
    maps.keep("acme", "s", ADA)
    maps.keep("acme", "s", BO)
    maps.close()

    assert opened(home).recall("acme", "s") == ADA.joined(BO)


def test_another_tenant_or_session_has_none_of_it(home: Path) -> None:
    maps = opened(home)
    maps.keep("acme", "s", ADA)

    assert maps.recall("other", "s") == maps.recall("acme", "t") == Placeholders()


def test_no_value_rests_in_the_clear(home: Path) -> None:
    maps = opened(home)
    maps.keep("acme", "s", ADA)
    maps.close()

    assert not [file for file in home.iterdir() if b"Ada" in file.read_bytes() or b"PERSON" in file.read_bytes()]


@pytest.mark.parametrize("key", [b"x" * KEY_BYTES, b"short", None])
def test_without_its_key_a_map_is_unreadable_and_nothing_is_added(home: Path, key: bytes | None) -> None:
    opened(home).keep("acme", "s", ADA)
    (home / "redaction.key").unlink()
    if key is not None:
        (home / "redaction.key").write_bytes(key)
    maps = opened(home)

    with pytest.raises(MapUnreadable):
        maps.recall("acme", "s")
    with pytest.raises(MapUnreadable):
        maps.keep("acme", "s", BO)


@pytest.mark.parametrize("column", ["org", "session"])
def test_a_row_that_was_moved_does_not_open(home: Path, column: str) -> None:
    maps = opened(home)
    maps.keep("acme", "s", ADA)
    with sqlite3.connect(home / "state.sqlite") as other:
        other.execute(f"UPDATE redaction_maps SET {column} = 'x'")

    with pytest.raises(MapUnreadable):
        maps.recall("x" if column == "org" else "acme", "x" if column == "session" else "s")


def test_an_altered_row_does_not_open(home: Path) -> None:
    maps = opened(home)
    maps.keep("acme", "s", ADA)
    with sqlite3.connect(home / "state.sqlite") as other:
        (sealed,) = other.execute("SELECT sealed FROM redaction_maps").fetchone()
        other.execute("UPDATE redaction_maps SET sealed = ?", (sealed[:-1] + bytes([sealed[-1] ^ 1]),))

    with pytest.raises(MapUnreadable):
        maps.recall("acme", "s")


def test_a_map_expires_after_its_last_use_and_is_purged(home: Path) -> None:
    now = 1000.0
    maps = opened(home, lambda: now)
    maps.keep("acme", "s", ADA)

    now += KEPT_SECONDS - 1
    maps.keep("acme", "s", BO)
    now += KEPT_SECONDS - 1
    assert maps.recall("acme", "s") == ADA.joined(BO)
    assert maps.purge() == 0

    now += 1
    with pytest.raises(MapUnreadable, match="expired"):
        maps.recall("acme", "s")
    assert maps.purge() == 1
    assert maps.purge() == 0
    with sqlite3.connect(home / "state.sqlite") as other:
        assert other.execute("SELECT sealed FROM redaction_maps").fetchall() == [(b"",)]


def test_a_session_whose_map_has_expired_is_not_one_that_never_had_any(home: Path) -> None:
    now = 1000.0
    maps = opened(home, lambda: now)
    maps.keep("acme", "s", ADA)
    now += KEPT_SECONDS
    maps.purge()
    maps.close()

    with pytest.raises(MapUnreadable):
        opened(home, lambda: now).keep("acme", "s", BO)


def test_whoever_comes_second_does_not_get_the_same_placeholder(home: Path) -> None:
    maps = opened(home)
    maps.keep("acme", "s", ADA)

    with pytest.raises(PlaceholderTaken):
        maps.keep("acme", "s", Placeholders((Placeholder("PERSON", 1, "Bo", "pii"),)))

    assert maps.recall("acme", "s") == ADA


def test_the_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    from router.bundle import load_bundle
    from serving.secrets import ensure_secrets
    from serving.settings import Settings

    bundle = Path("config/starter").resolve()
    settings = Settings(home=tmp_path / "home", bundle=bundle, models=tmp_path)
    ensure_secrets(settings, load_bundle(bundle))
    key = settings.redaction_key_file.read_bytes()
    ensure_secrets(settings, load_bundle(bundle))

    assert settings.redaction_key_file.read_bytes() == key
    assert len(key) == KEY_BYTES
    assert settings.redaction_key_file.stat().st_mode & 0o777 == 0o600
