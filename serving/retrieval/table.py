"""The embedded vector store: passages, labels and vectors in a LanceDB table, asked for what a reader may see and nothing else.

Every search reads all vectors that its filter lets through. There is no approximate index on purpose: one is trained on passages that a
reader may not see, and their presence would move what the others rank.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from router.contract import Label, Level
from serving.retrieval.embedder import Vectors
from serving.retrieval.files import TABLE
from serving.retrieval.passages import Passage

_BATCH: Final = 64


def write_table(folder: Path, passages: Sequence[Passage], vectors: Vectors, token_counts: NDArray[np.int32]) -> None:
    """Write a table of passages, each with its vector and how many token vectors it has."""
    import pyarrow

    texts: dict[str, Any] = {
        name: pyarrow.array([getattr(passage, name) for passage in passages], pyarrow.string())
        for name in ("id", "doc", "root", "source", "heading", "text", "tenant")
    }
    labels: dict[str, Any] = {
        "level": pyarrow.array([passage.label.level for passage in passages], pyarrow.string()),
        **{
            name: pyarrow.array([list(getattr(passage.label, name)) for passage in passages], _texts())
            for name in ("categories", "jurisdictions")
        },
    }
    flat = pyarrow.array(np.ascontiguousarray(vectors, dtype=np.float32).ravel())
    numbers = {
        "row": pyarrow.array(np.arange(len(passages), dtype=np.int64)),
        "token_count": pyarrow.array(token_counts),
        "vector": pyarrow.FixedSizeListArray.from_arrays(flat, vectors.shape[1]),
    }
    _connect(folder).create_table(TABLE, pyarrow.table(texts | labels | numbers))


class Table:
    """An open table. The passages are held in memory, the vectors are LanceDB's."""

    def __init__(self, folder: Path) -> None:
        self._table = _connect(folder).open_table(TABLE)
        columns = self._table.to_arrow().sort_by("row").to_pydict()
        self.passages = tuple(_passage(columns, row) for row in range(len(columns["row"])))
        self.token_counts: NDArray[np.int64] = np.array(columns["token_count"], dtype=np.int64)
        self.vectors: Vectors = np.array(columns["vector"], dtype=np.float32)

    def nearest(
        self, questions: Vectors, most: int, org: str | None, levels: Sequence[Level]
    ) -> list[list[tuple[int, float]]]:
        """Return for each question the rows that are nearest and that the reader may see, with their cosine similarity, best first.

        The filter is applied before anything is compared.
        """
        answers: list[list[tuple[int, float]]] = [[] for _ in questions]
        for start in range(0, len(questions), _BATCH):
            found = (
                self._table.search(questions[start : start + _BATCH])
                .distance_type("dot")
                .where(_visible(org, levels), prefilter=True)
                .limit(most)
                .select(["row", "_distance"])
                .to_arrow()
                .to_pydict()
            )
            numbers = found.get("query_index", [0] * len(found["row"]))
            for number, row, distance in zip(numbers, found["row"], found["_distance"], strict=True):
                answers[start + number].append((row, 1.0 - distance))
        return [sorted(answer, key=lambda hit: (-hit[1], hit[0])) for answer in answers]


def _passage(columns: Mapping[str, Sequence[Any]], row: int) -> Passage:
    label = Label(
        level=columns["level"][row],
        categories=tuple(columns["categories"][row]),
        jurisdictions=tuple(columns["jurisdictions"][row]),
    )
    texts = {name: columns[name][row] for name in ("id", "doc", "root", "source", "heading", "text", "tenant")}
    return Passage(**texts, label=label)


def _visible(org: str | None, levels: Sequence[Level]) -> str:
    """Return the filter in SQL: `router.context.visible.may_see`, written out."""
    tenants = "tenant IS NULL" if org is None else f"(tenant IS NULL OR tenant = {_quoted(org)})"
    return f"{tenants} AND level IN ({', '.join(_quoted(level) for level in levels)})"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _texts() -> Any:
    import pyarrow

    return pyarrow.list_(pyarrow.string())


def _connect(folder: Path) -> Any:
    # Its native side warns on stderr about what is meant here (a table that is new).
    os.environ.setdefault("LANCEDB_LOG", "error")
    import lancedb

    return lancedb.connect(folder)
