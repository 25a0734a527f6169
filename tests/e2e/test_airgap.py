"""The whole system, carried in one file to a place without a network, installs there and answers. Long: a gigabyte of wheels is packed.

`LANE_WHEELS` may name a folder that holds them already, this project's own among them; else they are fetched.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.exam,
    pytest.mark.skipif(shutil.which("unshare") is None, reason="the program `unshare` (util-linux) is not installed"),
    pytest.mark.skipif(shutil.which("ip") is None, reason="the program `ip` (iproute2) is not installed"),
]

THERE = """
set -e
ip link set lo up
tar -xf "$1" install.py
"$2" -I -S install.py "$1" --into "$PWD/lane" > how
cat how
export LANE_HOME="$PWD/home" LANE_MODELS="$PWD/lane/models" LANE_PORT=8871
! "$2" -c 'import socket; socket.create_connection(("192.0.2.1", 443), timeout=2)' 2> /dev/null
trap './lane/venv/bin/lane down' EXIT
./lane/venv/bin/lane up "$PWD/lane/bundle"
./lane/venv/bin/lane ask "What is the capital of France?"
"""


@pytest.mark.timeout(3000)
def test_carried_in_one_file_it_installs_without_a_route_and_answers(tmp_path: Path) -> None:
    archive, there = tmp_path / "lane.tar", tmp_path / "there"
    there.mkdir()
    wheels = ["--wheels", os.environ["LANE_WHEELS"]] if "LANE_WHEELS" in os.environ else []
    packing = [sys.executable, "-m", "cli.main", "cluster", "bundle", "--out", str(archive), *wheels]
    packed = subprocess.run(packing, capture_output=True, text=True, check=False)
    assert packed.returncode == 0, packed.stderr
    bare = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "TMPDIR", "OMP_NUM_THREADS"}}
    python = str(Path(sys.base_prefix) / "bin" / "python3")

    done = subprocess.run(
        ["unshare", "--map-root-user", "--net", "sh", "-c", THERE, "there", str(archive), python],
        cwd=there,
        env=bare | {"PATH": f"{Path(python).parent}:/usr/sbin:/usr/bin:/sbin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "Paris" in done.stdout
