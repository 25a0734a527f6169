import shutil
from pathlib import Path

import pytest

from router.bundle import Bundle, load_bundle
from router.bundle.load import load_draft

STARTER = Path(__file__).resolve().parents[3] / "config" / "starter"


@pytest.fixture(scope="session")
def starter() -> Bundle:
    return load_bundle(STARTER)


@pytest.fixture(scope="session")
def reaching_out(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The starter, but what it puts into `ticket_lookup` leaves the cluster, and may be any text."""
    folder = tmp_path_factory.mktemp("bundles") / "reaching-out"
    shutil.copytree(STARTER, folder)
    file = folder / "tools" / "ticket_lookup.yaml"
    said = file.read_text().replace("reaches_outside: false", "reaches_outside: true")
    file.write_text(said.replace(', pattern: "^TCK-[0-9]{1,10}$"', ""))
    return load_draft(folder).bundle
