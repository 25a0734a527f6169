from pathlib import Path

import pytest

from router.errors import BadRequest
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


@pytest.mark.parametrize(
    ("variable", "value"),
    [("LANE_RAY_ADDRESS", "auto"), ("LANE_RAY_ADDRESS", "ray://h:10001"), ("LANE_DOOR", "http://door:8443")],
)
def test_an_address_that_is_none_is_named_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(BadRequest, match=f"{variable}: .* is written"):
        read_settings()


def test_a_ray_cluster_that_runs_already_is_named_by_host_and_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANE_RAY_ADDRESS", "10.20.0.11:6379")

    assert read_settings().ray_address == "10.20.0.11:6379"
