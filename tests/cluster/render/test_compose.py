import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from cluster.network import read_site
from cluster.render import render
from router.bundle import Bundle

ROOT = Path(__file__).parents[3]


def test_without_an_inventory_only_what_follows_from_addresses_is_written(starter: Bundle) -> None:
    files = render(starter, read_site(ROOT / "config" / "site.example.yaml"))

    assert set(files) == {
        "kubernetes/network-policies.yaml",
        "systemd/lane-door.service",
        "systemd/lane-node.service",
    }


def test_no_file_holds_a_key_or_names_a_home(files: Mapping[str, str]) -> None:
    for text in files.values():
        assert "PRIVATE KEY" not in text
        assert "/home/" not in text


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed here")
def test_systemd_takes_every_unit(files: Mapping[str, str], tmp_path: Path) -> None:
    units = []
    for name, text in files.items():
        if Path(name).suffix in {".service", ".path", ".timer"}:
            unit = tmp_path / name
            unit.parent.mkdir(parents=True, exist_ok=True)
            lines = [
                f"{line.partition('=')[0]}=/bin/true" if line.startswith(("ExecStart", "ExecReload")) else line
                for line in text.splitlines()
            ]
            unit.write_text("\n".join(lines) + "\n")  # systemd looks for the programs too.
            units.append(unit)

    for folder in {unit.parent for unit in units}:
        ours = [str(unit) for unit in units if unit.parent == folder]
        done = subprocess.run(["systemd-analyze", "verify", *ours], check=False, capture_output=True, text=True)
        assert not [line for line in done.stderr.splitlines() if any(Path(one).name in line for one in ours)]
