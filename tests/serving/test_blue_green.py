"""A second system that does not come up leaves nothing of itself; whole upgrades run in `tests/e2e/test_cluster_upgrade.py`."""

from pathlib import Path

import pytest

from serving import blue_green
from serving.blue_green import System, UpgradeRefused
from serving.settings import Settings

UP = {"fails": 'echo "no room" >&2; exit 1', "hangs": "exec sleep 30"}


@pytest.mark.parametrize(("up", "says"), [("fails", "it did not start: no room"), ("hangs", "not ready within 2 s")])
@pytest.mark.slow
def test_a_colour_that_does_not_come_up_is_ended_and_the_reason_told(
    up: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blue_green, "_READY_SECONDS", 2.0)
    said = tmp_path / "said"
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\necho "$LANE_RUNTIME $3" >> {said}\n[ "$3" = down ] || {{ {UP[up]}; }}\n')
    python.chmod(0o755)
    green = System(python=str(python), runtime=tmp_path / "green", port=8001)

    with pytest.raises(UpgradeRefused, match=says):
        blue_green._start(Settings(home=tmp_path, bundle=tmp_path, models=tmp_path), green, {"PATH": "/usr/bin:/bin"})

    assert said.read_text().split() == [str(tmp_path / "green"), "up", str(tmp_path / "green"), "down"]
