"""Is each of our top-level packages ours, and is what we require here?

Another distribution that ships a `router/` would overwrite ours without a word.
"""

import importlib.metadata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

OURS: Final = ("models", "router", "cluster", "serving", "benchmarks", "cli")
DISTRIBUTION: Final = "private-lane"


@dataclass(frozen=True, slots=True)
class PackageFound:
    """Where an import of `name` leads, and which other installed distributions ship files of that name."""

    name: str
    folder: Path | None
    claimed_by: tuple[str, ...]


def find_packages(names: Iterable[str] = OURS, path: Sequence[str] | None = None) -> tuple[PackageFound, ...]:
    """Return what an import of each name finds on `path` (None: `sys.path`). Imports nothing."""
    claims = _claims(path)
    return tuple(PackageFound(name, _folder(name, path), tuple(sorted(claims.get(name, ())))) for name in names)


def package_clashes(found: Sequence[PackageFound]) -> tuple[str, ...]:
    """Return a sentence for each package that is missing, claimed by a stranger or lies elsewhere than the others."""
    parents = [one.folder.parent for one in found if one.folder is not None]
    home = max(sorted(set(parents)), key=parents.count, default=None)
    clashes: list[str] = []
    for one in found:
        if one.folder is None:
            clashes.append(f"`{one.name}` can't be imported")
        elif one.folder.parent != home:
            clashes.append(f"`{one.name}` is imported from {one.folder}, the others from {home}")
        clashes += [f"`{one.name}` is shipped by {other} too" for other in one.claimed_by if other != DISTRIBUTION]
    return tuple(clashes)


def requirements_met(extra: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return a sentence for each requirement of this distribution that is not met, and the versions of those that are.

    Without the distribution itself (a bare checkout) that is the one requirement not met.
    """
    try:
        required = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        return (f"{DISTRIBUTION} itself is not installed",), {}
    unmet: list[str] = []
    met: dict[str, str] = {}
    for requirement in map(Requirement, required):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        version = installed_version(requirement.name)
        if version is not None and requirement.specifier.contains(version, prereleases=True):
            met[requirement.name] = version
        else:
            unmet.append(f"{requirement.name}{requirement.specifier} is required, {version or 'not installed'}")
    return tuple(unmet), met


def installed_version(distribution: str) -> str | None:
    """Return a distribution's version, None where it is not installed."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _folder(name: str, path: Sequence[str] | None) -> Path | None:
    spec = PathFinder.find_spec(name, path)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations))).resolve()


def _claims(path: Sequence[str] | None) -> dict[str, set[str]]:
    """Return top-level name to the distributions that ship Python files of it. Editable ones list none.

    RECORD is read as text, and a name once: `Distribution.files` and `.name` parse anew at each use, a minute for all files.
    """
    installed = (
        importlib.metadata.distributions() if path is None else importlib.metadata.distributions(path=list(path))
    )
    claims: dict[str, set[str]] = {}
    for distribution in installed:
        files = (line.partition(",")[0] for line in (distribution.read_text("RECORD") or "").splitlines())
        shipped = {file.partition("/")[0].removesuffix(".py") for file in files if file.endswith(".py")}
        name = distribution.name
        for package in shipped:
            claims.setdefault(package, set()).add(name)
    return claims
