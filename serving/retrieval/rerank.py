"""How near is a passage to a question, looked at token by token? Late interaction over the embedding model's own token vectors.

Each of the question's tokens seeks its nearest token in the passage (Khattab and Zaharia, "ColBERT", SIGIR 2020); what they find is
averaged, rare tokens counting for more. The tokens that frame every text say nothing and are left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from serving.retrieval.embedder import TokenVectors
from serving.retrieval.opened import View


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as read: its text, the numbers of its tokens, and their vectors."""

    text: str
    token_ids: NDArray[np.int32]
    tokens: TokenVectors


class Reranker(Protocol):
    """Looks again at a few candidates. A reranking model on vLLM can stand in here."""

    def scores(self, asked: Asked, rows: Sequence[int], view: View) -> dict[int, float]:
        """Return each candidate's score; higher is nearer."""
        ...


class LateInteraction:
    """The reranker that needs no model of its own."""

    def scores(self, asked: Asked, rows: Sequence[int], view: View) -> dict[int, float]:
        """Return the weighted mean over the question's tokens of their best similarity in each passage."""
        if not rows:
            return {}
        weights = view.token_weights(asked.token_ids)
        weights[[0, -1]] = 0.0
        if not weights.any():
            weights[:] = 1.0
        passages = [view.index.tokens(row) for row in rows]
        starts = np.cumsum([0, *(len(tokens) for tokens in passages[:-1])])
        similar = asked.tokens.astype(np.float32) @ np.concatenate(passages).astype(np.float32).T
        best = np.maximum.reduceat(similar, starts, axis=1)
        return dict(zip(rows, (weights @ best / weights.sum()).tolist(), strict=True))
