"""Which wheels does an installation need, and what is in each? The pins' own, fetched or built on a machine that has a network."""

import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from packaging.metadata import parse_email
from packaging.utils import canonicalize_name, parse_wheel_filename

from router.errors import BadRequest


@dataclass(frozen=True, slots=True)
class Wheel:
    """One distribution's file. `licence` is what its own metadata say, if they do."""

    file: Path
    name: str
    version: str
    sha256: str
    licence: str | None

    @property
    def requirement(self) -> str:
        """The line by which pip takes this very file and no other."""
        return f"{self.name}=={self.version} --hash=sha256:{self.sha256}"


def gather(requirements: Iterable[Path], project: Path | None, into: Path) -> None:
    """Bring every pinned wheel into a folder, building those that are published as source alone; and the project's own.

    Raises `BadRequest` with pip's words where that fails.
    """
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
    for wanted in [["--requirement", str(file)] for file in requirements] + ([[str(project)]] if project else []):
        done = subprocess.run(  # noqa: S603 - our own interpreter
            [*pip, "--wheel-dir", str(into), *wanted], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise BadRequest(f"pip could not bring {' '.join(wanted)}: {done.stderr.strip()[-2000:]}", "--requirements")


def read_wheels(folder: Path) -> tuple[Wheel, ...]:
    """Return the wheels in a folder, by name. Raises `BadRequest` where one is there in two versions: which would be installed?"""
    wheels = sorted((_read(file) for file in folder.glob("*.whl")), key=lambda wheel: wheel.name)
    for one, next_one in pairwise(wheels):
        if one.name == next_one.name:
            raise BadRequest(f"{folder} holds {one.file.name} and {next_one.file.name}: remove one", "--wheels")
    return tuple(wheels)


def _read(file: Path) -> Wheel:
    name, version, _, _ = parse_wheel_filename(file.name)
    with zipfile.ZipFile(file) as wheel:
        # Others, further down, are of what it carries inside itself.
        own = next(one for one in wheel.namelist() if one.endswith(".dist-info/METADATA") and one.count("/") == 1)
        metadata, _ = parse_email(wheel.read(own))
    licence = metadata.get("license_expression") or _short(metadata.get("license"))
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return Wheel(file, canonicalize_name(name), str(version), digest, licence)


def _short(licence: str | None) -> str | None:
    """Some put the whole text there; a name is one line."""
    return licence if licence and "\n" not in licence and len(licence) <= 80 else None
