"""How are the linear heads fitted? Logistic regression on pieces, pairs, kinds of words and the teacher's vectors.

The vectors' part is linear too, so it folds into the pieces' weights: a word that the training data lacks speaks like its neighbours in
the teacher's space, and costs nothing when read.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from router.classify.features import Vocabulary
from router.classify.linear import LINEAR_BUCKETS, REACH, buckets, kind_pairs, stretches, weight_of

VECTOR_SHARE = 0.05
"""How much the vectors count beside the words themselves: measured by cross-validation over 0.05, 0.15 and 0.4."""

ROUNDS = 3
TOP_SHARE = 4
"""Of an attack's stretches, every fourth is taken to be one: the loudest. The others may be anything."""

Rows = NDArray[np.int64]


def read_kinds() -> list[list[bytes]]:
    """Return the words of each kind of `kinds.txt`."""
    lines = (Path(__file__).parent / "kinds.txt").read_text("utf-8").splitlines()
    return [line.partition(":")[2].encode().split() for line in lines if line and not line.startswith("#")]


def with_kinds(
    pieces: list[bytes], vectors: NDArray[np.float32]
) -> tuple[list[bytes], NDArray[np.float32], NDArray[np.int8]]:
    """Make every word of a kind an entry of its own; its vector is the mean of its pieces'. Returns also each entry's kind, 0 for none."""
    known = Vocabulary({piece: row for row, piece in enumerate(pieces)})
    kinds = read_kinds()
    added = [word for word in dict.fromkeys(word for words in kinds for word in words) if word not in set(pieces)]
    means = [vectors[known.rows([word])].mean(0) for word in added]
    # The number's entry stays last but for the added: its row is looked up by name.
    entries = [*pieces, *added]
    row_of = {entry: row for row, entry in enumerate(entries)}
    kind_of = np.zeros(len(entries), np.int8)
    for kind, words in enumerate(kinds, start=1):
        for word in words:
            kind_of[row_of[word]] = kind
    return entries, np.vstack([vectors, *means]) if means else vectors, kind_of


@dataclass(frozen=True, slots=True)
class Column:
    """One head's weights, folded: by piece, by bucket of pairs, by pair of kinds, and the bias."""

    pieces: NDArray[np.float64]
    pairs: NDArray[np.float64]
    kind_pairs: NDArray[np.float64]
    bias: float


@dataclass(frozen=True, slots=True)
class Design:
    """What a text is described by: the kind of each entry, and its vector, scaled."""

    kinds: NDArray[np.int8]
    vectors: NDArray[np.float64]

    @classmethod
    def of(cls, kinds: NDArray[np.int8], vectors: NDArray[np.float32]) -> "Design":
        """Scale the vectors to their share."""
        return cls(kinds, vectors / np.abs(vectors).std() * VECTOR_SHARE)

    def matrix(self, texts: Sequence[Rows], *, whole: bool) -> tuple[Any, Rows]:
        """Describe each text, as a whole or stretch by stretch. Returns the sparse matrix and which text each of its rows is of."""
        from scipy import sparse

        count = int(self.kinds.max()) + 1
        columns: list[Rows] = []
        values: list[NDArray[np.float64]] = []
        owners: list[int] = []
        vectors: list[NDArray[np.float64]] = []
        for owner, rows in enumerate(texts):
            for start, end in [(0, len(rows))] if whole else zip(*stretches(len(rows)), strict=True):
                found = self._columns(rows, int(start), int(end), count)
                weight = 1 / weight_of(end - start)
                columns.append(found)
                values.append(np.full(len(found), weight))
                vectors.append(self.vectors[rows[start:end]].sum(0) * weight)
                owners.append(owner)
        ends = np.cumsum([0, *(len(found) for found in columns)])
        shape = (len(owners), len(self.kinds) + LINEAR_BUCKETS + count * count)
        words = sparse.csr_matrix((np.concatenate(values), np.concatenate(columns), ends), shape=shape)
        words.sum_duplicates()
        return sparse.hstack([words, sparse.csr_matrix(np.array(vectors))]).tocsr(), np.array(owners)

    def _columns(self, rows: Rows, start: int, end: int, count: int) -> Rows:
        """Return the features of a stretch. A pair belongs to the place of its first, as in `Linear.marks`."""
        after = rows[start : end + REACH]
        length = end - start
        found = [after[:length], len(self.kinds) + buckets(after)[:length]]
        kinds = self.kinds.astype(np.int64)[after]
        for apart, near in kind_pairs(kinds, count):
            both = (kinds[:-apart] > 0) & (kinds[apart:] > 0)
            both[length:] = False
            found.append(len(self.kinds) + LINEAR_BUCKETS + near[both])
        return np.concatenate(found)

    def column(self, model: Any) -> Column:
        """Fold a fitted model: the vectors' weights go into their pieces'."""
        weights = np.asarray(model.coef_, np.float64).ravel()
        entries = len(self.kinds)
        pieces, pairs, kind_weights, vector_weights = np.split(
            weights, [entries, entries + LINEAR_BUCKETS, len(weights) - self.vectors.shape[1]]
        )
        return Column(pieces + self.vectors @ vector_weights, pairs, kind_weights, float(np.ravel(model.intercept_)[0]))


def fit(matrix: Any, wanted: NDArray[np.bool_], weights: NDArray[np.float64], strength: float) -> Any:
    """Fit one logistic regression."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=strength, max_iter=3000, solver="liblinear", random_state=0).fit(
        matrix, wanted, sample_weight=weights
    )


def fit_loudest(
    matrix: Any, owners: Rows, wanted: NDArray[np.bool_], weights: NDArray[np.float64], strength: float
) -> Any:
    """Fit a head whose score of a text is that of its loudest stretch (multiple-instance learning, Andrews et al. 2002).

    At first each stretch of an attack counts a little; then its loudest alone. Every stretch of an everyday text counts in full.
    """
    sizes = np.bincount(owners)
    asked = wanted[owners]
    counted = weights[owners] / np.where(asked, sizes[owners], 1)
    model = fit(matrix, asked, counted, strength)
    for _ in range(ROUNDS - 1):
        counted = weights[owners] * ~asked
        for rows in _by_owner(owners, wanted):
            loudest = rows[np.argsort(-model.decision_function(matrix[rows]), kind="stable")][
                : max(1, len(rows) // TOP_SHARE)
            ]
            counted[loudest] = weights[owners[rows[0]]] / len(loudest)
        kept = counted > 0
        model = fit(matrix[kept], asked[kept], counted[kept], strength)
    return model


def loudest(model: Any, matrix: Any, owners: Rows) -> NDArray[np.float64]:
    """Return the score of each text's loudest stretch."""
    scores = np.full(int(owners.max()) + 1, -np.inf)
    np.maximum.at(scores, owners, model.decision_function(matrix))
    return scores


def _by_owner(owners: Rows, wanted: NDArray[np.bool_]) -> Iterable[Rows]:
    bounds = np.searchsorted(owners, np.arange(len(wanted) + 1))
    return [np.arange(bounds[text], bounds[text + 1]) for text in np.flatnonzero(wanted)]


def fit_calibration(scores: NDArray[np.float64], wanted: NDArray[np.bool_]) -> tuple[float, float]:
    """Return slope and offset that make scores probabilities (Platt 1999), from scores of texts not fitted on."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1e6, max_iter=1000).fit(scores[:, None], wanted)
    return float(model.coef_[0, 0]), float(model.intercept_[0])
