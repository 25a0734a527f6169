from pathlib import Path

import pytest

from tests.serving.change.kit import Place, a_place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return a_place(tmp_path)


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = a_place(tmp_path_factory.mktemp("place"))
    place.name_approvers("ann", "bob")
    place.apply_signed("ann", "bob")
    return place


@pytest.fixture
def in_use(made_once: Place, tmp_path: Path) -> Place:
    """A home in which Ann and Bob approve, and a bundle is in force by both."""
    return made_once.copied_to(tmp_path)
