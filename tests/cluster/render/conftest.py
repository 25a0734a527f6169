import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cluster.network import read_site
from cluster.nodes.inventory import Node, read_nodes
from cluster.render import render
from router.bundle import Bundle, load_bundle

ROOT = Path(__file__).parents[3]
TOOLS = ROOT / ".cache" / "tools"


@pytest.fixture(scope="session")
def starter() -> Bundle:
    return load_bundle(ROOT / "config" / "starter")


@pytest.fixture(scope="session")
def machines() -> tuple[Node, ...]:
    return read_nodes(ROOT / "config" / "nodes.example.yaml")


@pytest.fixture(scope="session")
def files(starter: Bundle, machines: tuple[Node, ...]) -> Mapping[str, str]:
    return render(starter, read_site(ROOT / "config" / "site.example.yaml"), machines)


@pytest.fixture(scope="session")
def debian_tool() -> Any:
    """Find a program: where the variable says, on PATH, or unpacked (without root) from Debian's package; else skip, and say why."""

    def find(program: str, package: str, variable: str | None) -> str:
        found = variable or shutil.which(program) or _unpacked(program)
        if found:
            return found
        if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
            pytest.skip(f"{program} is not installed here, and there is no apt-get to fetch Debian's {package} with")
        TOOLS.mkdir(parents=True, exist_ok=True)
        fetched = subprocess.run(
            ["apt-get", "download", package], cwd=TOOLS, check=False, capture_output=True, text=True, timeout=120
        )
        for archive in TOOLS.glob(f"{package}_*.deb"):
            subprocess.run(["dpkg", "-x", archive, TOOLS], check=True)
        return _unpacked(program) or pytest.skip(
            f"{program}: Debian's {package} could not be fetched: {fetched.stderr[-200:]}"
        )

    return find


def _unpacked(program: str) -> str | None:
    return next(
        (str(path) for path in (TOOLS / "usr/bin" / program, TOOLS / "usr/sbin" / program) if path.exists()), None
    )
