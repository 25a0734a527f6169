"""Which indexes does a bundle bring its own documents for, and are they built? `documents/NAME/` in the bundle is the index NAME.

Run as a process of its own (`python -m serving.retrieval.shipped`), which ends when they are: to read documents takes libraries and memory
that nobody needs afterwards. What was added to an index by hand stays; of such an index only what the bundle brought is replaced.
"""

import argparse
import hashlib
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from router.bundle import Bundle, load_bundle
from router.contract import Label
from router.errors import RetrievalUnavailable
from router.scan import scan_text
from serving.processes import die_with_parent
from serving.retrieval.add import Addition, add
from serving.retrieval.embedder import MiniLm
from serving.retrieval.files import read_manifest
from serving.settings import Settings

log = logging.getLogger(__name__)

DOCUMENTS: Final = "documents"


def root_of(name: str) -> str:
    """Return the name under which an index keeps what a bundle brought: the same for every version of the bundle."""
    return f"bundle:{DOCUMENTS}/{name}"


def outdated(bundle: Bundle, indexes: Path) -> tuple[str, ...]:
    """Return the indexes whose documents in the bundle are not those that they were built from. Reads files, loads no model."""
    return tuple(name for name in _shipped(bundle) if _built_from(indexes, name) != _digests(bundle, name))


def build(bundle: Bundle, settings: Settings) -> None:
    """Build what is outdated. Raises `BadRequest` or `RetrievalUnavailable`; an index that could not be built is as it was."""
    embedder = MiniLm(settings.models)
    for name in outdated(bundle, settings.indexes):
        label = bundle.indexes[name].label if name in bundle.indexes else Label()
        addition = Addition(bundle.root / DOCUMENTS / name, label, scan=scan_text, root=root_of(name))
        added = add(settings.indexes, name, addition, embedder, bundle.tiers)
        log.info("index %s: %s passages, %s embedded", name, added.manifest.passages, added.embedded)


def _shipped(bundle: Bundle) -> Iterator[str]:
    folder = bundle.root / DOCUMENTS
    if folder.is_dir():
        yield from sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _built_from(indexes: Path, name: str) -> dict[str, str] | None:
    try:
        manifest = read_manifest(indexes, name)
    except RetrievalUnavailable:
        return None
    return next((root.files for root in manifest.roots if root.path == root_of(name)), None)


def _digests(bundle: Bundle, name: str) -> dict[str, str]:
    folder = bundle.root / DOCUMENTS / name
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and not path.name.startswith(".")
    }


def main() -> None:
    """Parse the command line and build."""
    parser = argparse.ArgumentParser(prog="serving.retrieval.shipped")
    parser.add_argument("--settings", required=True, help="the settings as JSON")
    parser.add_argument("--parent", required=True, type=int, help="the supervisor's process ID")
    arguments = parser.parse_args()
    die_with_parent(arguments.parent)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    settings = Settings.model_validate_json(arguments.settings)
    build(load_bundle(settings.bundle), settings)


if __name__ == "__main__":
    main()
