"""How does a folder or file get into an index? Loaded, scanned, embedded where that is new, and put in force whole.

What was added from the same path before is replaced by what is there now; what came from other paths stays. A passage whose words were in
the index already keeps its vectors: only what is new or changed is embedded.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router.bundle.files import TiersFile
from router.contract import Label
from router.errors import BadRequest
from serving.retrieval.documents import load
from serving.retrieval.embedder import Embedded, Embedder
from serving.retrieval.files import (
    NUMBERS,
    VECTORS,
    IndexManifest,
    Root,
    digests_of,
    folder_of,
    locked,
    put_in_force,
    scratch,
    version_of,
)
from serving.retrieval.opened import OpenIndex
from serving.retrieval.passages import Passage, Scan, passages_of
from serving.retrieval.table import write_table

_FORMAT: Final = "1"


@dataclass(frozen=True, slots=True)
class Addition:
    """What is added, and what is said of it. `scan` None: the declared label stands as it is.

    `root` is the name under which the index keeps what came from here; by default the path.
    """

    path: Path
    label: Label
    tenant: str | None = None
    scan: Scan | None = None
    root: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """Told what is going on. `step` names it and how much there is of it, `advance` how much of it was done since the last call."""

    step: Callable[[str, int], None] = lambda _name, _total: None
    advance: Callable[[int], None] = lambda _done: None


@dataclass(frozen=True, slots=True)
class Added:
    """What an addition did. `new` are the passages of the path, `embedded` how many of the index's had to be."""

    manifest: IndexManifest
    new: tuple[Passage, ...]
    embedded: int
    changed: bool


def add(
    indexes: Path, name: str, addition: Addition, embedder: Embedder, tiers: TiersFile, progress: Progress | None = None
) -> Added:
    """Add to an index, making it where there is none. Raises `BadRequest` or `RetrievalUnavailable`; the index is then as it was."""
    progress = progress or Progress()
    with locked(indexes, name):
        before = _before(indexes, name, embedder)
        progress.step("load", 0)
        loaded = load(addition.path, embedder.tokens_in)
        path = addition.root or str(addition.path.resolve())
        root = Root(
            path=path,
            files=loaded.files,
            label=addition.label,
            tenant=addition.tenant,
            scanned=addition.scan is not None,
        )
        progress.step("scan", len(loaded.pieces))
        new = passages_of(loaded.pieces, path, addition.label, addition.tenant, addition.scan, tiers)
        kept = [passage for passage in (before.passages if before else ()) if passage.root != path]
        _refuse_clash(kept, new)
        passages = [*kept, *new]
        roots = (*(one for one in (before.manifest.roots if before else ()) if one.path != path), root)
        version = _version(passages, roots, embedder)
        if before is not None and before.manifest.version == version:
            return Added(before.manifest, tuple(new), embedded=0, changed=False)
        embedded, fresh = _vectors(passages, before, embedder, progress)
        with scratch(indexes, name) as folder:
            _write(folder, passages, embedded)
            manifest = IndexManifest(
                name=name,
                version=version,
                embedding_model=embedder.name,
                embedding_weights=embedder.weights_hash,
                passages=len(passages),
                documents=len({passage.doc for passage in passages}),
                tokens=sum(len(one.token_ids) for one in embedded),
                roots=roots,
                files=digests_of(folder),
            )
            put_in_force(indexes, manifest, folder)
        return Added(manifest, tuple(new), embedded=fresh, changed=True)


def _before(indexes: Path, name: str, embedder: Embedder) -> OpenIndex | None:
    if not folder_of(indexes, name).is_dir():
        return None
    return OpenIndex(indexes, name, embedder)


def _refuse_clash(kept: Sequence[Passage], new: Sequence[Passage]) -> None:
    roots = {passage.id: passage.root for passage in kept}
    for passage in new:
        if passage.id in roots:
            raise BadRequest(
                f"{passage.source}: the passage ID {passage.id} is in the index already, from {roots[passage.id]}; "
                "add this path to an index of its own"
            )


def _version(passages: Sequence[Passage], roots: Sequence[Root], embedder: Embedder) -> str:
    said = (
        part
        for passage in passages
        for part in (
            passage.id,
            passage.doc,
            passage.source,
            passage.meaning,
            passage.sha256,
            passage.tenant or "",
            passage.label.model_dump_json(),
        )
    )
    return version_of(iter([_FORMAT, embedder.weights_hash, *(root.model_dump_json() for root in roots), *said]))


def _vectors(
    passages: Sequence[Passage], before: OpenIndex | None, embedder: Embedder, progress: Progress
) -> tuple[list[Embedded], int]:
    """Return each passage's vectors, and how many texts had to be embedded: equal words are embedded once."""
    known: dict[str, Embedded] = {}
    if before is not None:
        for row, passage in enumerate(before.passages):
            known[passage.meaning] = Embedded(before.table.vectors[row], before.tokens(row), before.token_ids(row))
    missing = {passage.meaning: passage.read_as for passage in passages if passage.meaning not in known}
    progress.step("embed", len(missing))
    meanings = list(missing)
    for at, embedded in embedder.embed(list(missing.values()), progress.advance):
        known[meanings[at]] = embedded
    return [known[passage.meaning] for passage in passages], len(missing)


def _write(folder: Path, passages: Sequence[Passage], embedded: Sequence[Embedded]) -> None:
    vectors = np.stack([one.whole for one in embedded])
    counts: NDArray[np.int32] = np.array([len(one.token_ids) for one in embedded], dtype=np.int32)
    write_table(folder, passages, vectors, counts)
    with (folder / VECTORS).open("wb") as tokens, (folder / NUMBERS).open("wb") as ids:
        for one in embedded:
            tokens.write(np.ascontiguousarray(one.tokens, dtype=np.float16).tobytes())
            ids.write(np.ascontiguousarray(one.token_ids, dtype=np.int32).tobytes())
