from pathlib import Path

import pytest

from serving.change.errors import HistoryBroken
from serving.settings import read_settings
from tests.serving.change.kit import a_place


def test_the_bundle_is_the_one_named_then_the_variable_then_the_one_in_force_then_the_starter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = a_place(tmp_path)
    monkeypatch.setenv("LANE_HOME", str(place.settings.home))
    monkeypatch.delenv("LANE_BUNDLE", raising=False)
    assert read_settings().bundle == Path("config/starter").resolve()
    place.name_approvers("ann", "bob")
    place.apply_signed("ann", "bob")

    assert read_settings().bundle == place.settings.bundles / place.hash
    monkeypatch.setenv("LANE_BUNDLE", "other")
    assert read_settings().bundle == Path("other").resolve()
    assert read_settings(Path("third")).bundle == Path("third").resolve()


def test_a_history_that_cannot_be_read_never_falls_back_to_the_starter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "changes.sqlite").write_bytes(b"x" * 4096)
    monkeypatch.setenv("LANE_HOME", str(tmp_path))
    monkeypatch.delenv("LANE_BUNDLE", raising=False)

    with pytest.raises(HistoryBroken):
        read_settings()
