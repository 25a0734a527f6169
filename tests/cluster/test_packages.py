"""A stranger who ships a package of our name is found, wherever its files lie."""

from pathlib import Path

import pytest

from cluster.packages import find_packages, installed_version, package_clashes, requirements_met


def _package(parent: Path, name: str) -> None:
    (parent / name).mkdir(parents=True)
    (parent / name / "__init__.py").write_text("")


def _distribution(site: Path, name: str, files: list[str]) -> None:
    folder = site / f"{name}-1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (folder / "RECORD").write_text("".join(f"{file},,\n" for file in files))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in ("router", "models"):
        _package(tmp_path / "checkout", name)
    return tmp_path / "checkout"


def test_packages_of_one_checkout_do_not_clash(checkout: Path) -> None:
    found = find_packages(("router", "models"), [str(checkout)])

    assert package_clashes(found) == ()
    assert {one.folder for one in found} == {checkout / "router", checkout / "models"}


def test_a_second_distribution_with_our_name_is_named_even_where_ours_is_found_first(
    checkout: Path, tmp_path: Path
) -> None:
    site = tmp_path / "site-packages"
    _distribution(site, "router-lib", ["router/__init__.py", "router/core.py"])

    clashes = package_clashes(find_packages(("router", "models"), [str(checkout), str(site)]))

    assert clashes == ("`router` is shipped by router-lib too",)


def test_a_package_found_elsewhere_is_told_with_both_places(checkout: Path, tmp_path: Path) -> None:
    site = tmp_path / "site-packages"
    _package(site, "router")
    _package(checkout, "cli")

    clashes = package_clashes(find_packages(("router", "models", "cli"), [str(site), str(checkout)]))

    assert clashes == (f"`router` is imported from {site / 'router'}, the others from {checkout}",)


def test_a_missing_package_and_a_single_module_in_its_place_are_both_told(checkout: Path) -> None:
    (checkout / "cli.py").write_text("")

    clashes = package_clashes(find_packages(("router", "cli", "serving"), [str(checkout)]))

    assert clashes == ("`cli` can't be imported", "`serving` can't be imported")


def test_our_own_installed_files_are_no_claim_of_a_stranger(checkout: Path, tmp_path: Path) -> None:
    _distribution(tmp_path / "site", "private-lane", ["router/__init__.py"])

    assert package_clashes(find_packages(("router",), [str(checkout), str(tmp_path / "site")])) == ()


def test_requirements_are_read_from_the_installed_distribution() -> None:
    unmet, met = requirements_met("cpu")

    assert "pydantic" in met
    assert not [line for line in unmet if line.startswith("pydantic")]


def test_a_version_is_known_or_none() -> None:
    assert installed_version("pydantic") is not None
    assert installed_version("no-such-distribution-here") is None
