"""An index, open for reading, and what one reader sees of it. What a reader may not see is in no figure that ranks for that reader.

BM25's document frequencies and mean length, and the weights of the reranker's terms, are counted over the visible passages alone: a
passage that is hidden can't be found, and its being there can't be told from the order of the others.
"""

from collections import OrderedDict
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from router.context.visible import levels_up_to, may_see
from router.contract import Level
from router.errors import RetrievalUnavailable
from serving.retrieval.embedder import Embedder
from serving.retrieval.files import NUMBERS, VECTORS, IndexManifest, check_files, read_manifest, version_folder
from serving.retrieval.passages import Passage
from serving.retrieval.table import Table
from serving.retrieval.terms import terms_of

_MOST_VIEWS: Final = 16
K1: Final = 1.5
B: Final = 0.75
"""BM25's own: how soon a repeated term stops counting, and how much a long passage is held back."""


class OpenIndex:
    """A version of an index, every byte of it checked, and its vectors' model known to be the one that asks."""

    def __init__(self, indexes: Path, name: str, embedder: Embedder) -> None:
        """Open what is in force. Raises `RetrievalUnavailable` for an index that is absent, altered or of another model."""
        manifest = read_manifest(indexes, name)
        refuse_other_model(manifest, embedder)
        check_files(indexes, manifest)
        folder = version_folder(indexes, manifest)
        self.manifest: IndexManifest = manifest
        self.table = Table(folder)
        self._tokens = np.memmap(folder / VECTORS, dtype=np.float16, mode="r").reshape(-1, embedder.width)
        self._token_ids = np.memmap(folder / NUMBERS, dtype=np.int32, mode="r")
        self._first = np.concatenate([[0], np.cumsum(self.table.token_counts)])
        self._views: OrderedDict[tuple[str | None, Level], View] = OrderedDict()

    @property
    def passages(self) -> tuple[Passage, ...]:
        """All passages, whoever may see them."""
        return self.table.passages

    def tokens(self, row: int) -> NDArray[np.float16]:
        """Return the vectors of a passage's tokens."""
        return self._tokens[self._first[row] : self._first[row + 1]]

    def token_ids(self, row: int) -> NDArray[np.int32]:
        """Return the numbers of a passage's tokens."""
        return self._token_ids[self._first[row] : self._first[row + 1]]

    @cached_property
    def terms(self) -> list[list[str]]:
        """The terms of each passage."""
        return [terms_of(passage.read_as) for passage in self.passages]

    def view(self, org: str | None, clearance: Level) -> "View":
        """Return what a reader sees; what is counted over it is kept for the next question."""
        key = (org if any(passage.tenant == org for passage in self.passages) else None, clearance)
        if key not in self._views:
            self._views[key] = View(self, *key)
            if len(self._views) > _MOST_VIEWS:
                self._views.popitem(last=False)
        self._views.move_to_end(key)
        return self._views[key]


class View:
    """The passages of an index that one reader may see, and what is counted over them."""

    def __init__(self, index: OpenIndex, org: str | None, clearance: Level) -> None:
        self.index, self.org, self.levels = index, org, levels_up_to(clearance)
        self.rows = [
            row
            for row, passage in enumerate(index.passages)
            if may_see(org, clearance, passage.tenant, passage.label.level)
        ]

    def bm25(self, question: str) -> dict[int, float]:
        """Return the rows that share a term with a question, with their BM25 score, best first."""
        terms = [term for term in terms_of(question) if self._counted is not None and term in self._counted.vocab_dict]
        if not terms:
            return {}
        scores = self._counted.get_scores(terms)
        order = np.argsort(-scores, kind="stable")
        return {self.rows[at]: float(scores[at]) for at in order if scores[at] > 0}

    def token_weights(self, token_ids: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return how much each of a question's tokens tells: the rarer among the visible passages, the more."""
        frequency = np.array([self._frequencies.get(int(token), 0) for token in token_ids], dtype=np.float32)
        return np.log1p(len(self.rows) / (1.0 + frequency))

    @cached_property
    def _counted(self) -> Any:
        import bm25s

        terms = [self.index.terms[row] for row in self.rows]
        if not any(terms):
            return None
        counted = bm25s.BM25(k1=K1, b=B)
        counted.index(terms, show_progress=False)
        return counted

    @cached_property
    def _frequencies(self) -> dict[int, int]:
        """In how many visible passages each token is."""
        each = [np.unique(self.index.token_ids(row)) for row in self.rows]
        if not each:
            return {}
        tokens, counts = np.unique(np.concatenate(each), return_counts=True)
        return dict(zip(tokens.tolist(), counts.tolist(), strict=True))


def refuse_other_model(manifest: IndexManifest, embedder: Embedder) -> None:
    """Raise `RetrievalUnavailable` unless an index was made with this very model: vectors of two can't be compared."""
    if manifest.embedding_weights != embedder.weights_hash:
        raise RetrievalUnavailable(
            f"index {manifest.name} was made with {manifest.embedding_model} {manifest.embedding_weights[:12]}, here is "
            f"{embedder.name} {embedder.weights_hash[:12]}: `lane index rm {manifest.name}` and add it again"
        )
