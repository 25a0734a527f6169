"""Which passages answer these questions? `light`: the nearest by meaning. `deep`: terms and meaning joined, and looked at again.

The weights lie in the middle of a range that was as good on either half of PubMedQA's development questions (docs/retrieval.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from router.context.fusion import best_first, reciprocal_ranks, spread, weighted_sum
from router.context.packing import pack, without_repetitions
from router.contract import Depth, Level
from serving.retrieval.embedder import Embedder
from serving.retrieval.opened import OpenIndex, View
from serving.retrieval.passages import Passage
from serving.retrieval.rerank import Asked, LateInteraction, Reranker

_FROM_EACH: Final = 100
"""How many passages each ranking gives to the fusion."""
_LOOKED_AT_AGAIN: Final = 50
_SPARE: Final = 3
"""How many times the passages that are wanted are kept for packing: some may not fit."""
_TERMS_WEIGHT: Final = 0.5
"""What BM25's score is worth beside the reranker's, each spread from 0 to 1 over the candidates."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Who asks: `org` None sees what belongs to no tenant."""

    org: str | None
    clearance: Level = "restricted"


@dataclass(frozen=True, slots=True)
class Found:
    """A passage and how near it is; scores of one question's passages can be compared, of two questions' not."""

    passage: Passage
    score: float


class Search:
    """Asks one open index, many questions at once."""

    def __init__(self, index: OpenIndex, embedder: Embedder, reranker: Reranker | None = None) -> None:
        self._index, self._embedder = index, embedder
        self._reranker = reranker or LateInteraction()

    def ask(
        self, questions: Sequence[str], reader: Reader, depth: Depth, top_k: int, budget_tokens: int | None = None
    ) -> list[list[Found]]:
        """Return up to `top_k` passages for each question, best first; `deep` keeps them within a budget of tokens."""
        view = self._index.view(reader.org, reader.clearance)
        if not questions or not view.rows:
            return [[] for _ in questions]
        embedded = dict(self._embedder.embed(questions))
        vectors = np.stack([embedded[at].whole for at in range(len(questions))])
        most = top_k if depth == "light" else max(_FROM_EACH, top_k)
        near = self._index.table.nearest(vectors, min(most, len(view.rows)), view.org, view.levels)
        if depth == "light":
            return [[self._found(row, score) for row, score in hits] for hits in near]
        asked = [Asked(text, embedded[at].token_ids, embedded[at].tokens) for at, text in enumerate(questions)]
        return [self._deep(one, dict(hits), view, top_k, budget_tokens) for one, hits in zip(asked, near, strict=True)]

    def _deep(
        self, asked: Asked, near: dict[int, float], view: View, top_k: int, budget_tokens: int | None
    ) -> list[Found]:
        terms = view.bm25(asked.text)
        fused = reciprocal_ranks([list(near), list(terms)[:_FROM_EACH]])
        candidates = list(fused)[: max(_LOOKED_AT_AGAIN, top_k)]
        again = spread(self._reranker.scores(asked, candidates, view))
        by_terms = spread({row: terms.get(row, 0.0) for row in candidates})
        if not any(terms.get(row) for row in candidates):
            by_terms = {}
        ranked = best_first(weighted_sum([(again, 1.0), (by_terms, _TERMS_WEIGHT)]))
        found = [self._found(row, score) for row, score in ranked.items()]
        wanted = top_k if budget_tokens is None else _SPARE * top_k
        kept = without_repetitions(found, lambda one: one.passage.text, most=wanted)
        return pack(kept, lambda one: one.passage.text, top_k, budget_tokens)

    def _found(self, row: int, score: float) -> Found:
        return Found(self._index.passages[row], score)
