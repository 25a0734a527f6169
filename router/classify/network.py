"""Which intent does a text have? Static vectors of its pieces and pairs, one hidden layer, an output per intent and one for none.

Weights are whole numbers with a scale; a text's pieces are summed exactly and the rest is done in a fixed order, so that equal texts
give equal shares.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from router.classify.features import pairs

Numbers = NDArray[np.float32]
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Network:
    """The tables, the layers and the temperature that calibrates them."""

    pieces: NDArray[np.int8]
    piece_scale: Numbers
    pairs: NDArray[np.int8]
    pair_scale: Numbers
    hidden_weight: Numbers
    hidden_bias: Numbers
    intent_weight: Numbers
    intent_bias: Numbers
    temperature: np.float32

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]], temperature: float) -> "Network":
        """Take the network from stored arrays. Raises `KeyError` when one is missing."""
        floats = {
            name: np.ascontiguousarray(arrays[name], dtype=np.float32)
            for name in ("piece_scale", "pair_scale", "hidden_weight", "hidden_bias", "intent_weight", "intent_bias")
        }
        return cls(pieces=arrays["pieces"], pairs=arrays["pairs"], temperature=np.float32(temperature), **floats)

    def logits(self, rows: Rows) -> Numbers:
        """Return the output layer before calibration."""
        return _times(self._hidden(rows), self.intent_weight) + self.intent_bias

    def shares(self, logits: Numbers) -> Numbers:
        """Return the probability of each intent; the last is that of none of them."""
        logits = logits / self.temperature
        powers = np.exp(logits - logits.max())
        shares: Numbers = powers / powers.sum()
        return shares

    def lead(self, logits: Numbers) -> float:
        """Return how far the best intent is ahead of none of them: their uncalibrated probabilities' difference.

        It tells known from unknown better than the calibrated probability does, which is there to be believed.
        """
        powers = np.exp(logits - logits.max())
        return float((powers[:-1].max() - powers[-1]) / powers.sum())

    def _hidden(self, rows: Rows) -> Numbers:
        mean = _mean(self.pieces, rows) * self.piece_scale
        if len(rows) > 1:
            mean = mean + _mean(self.pairs, pairs(rows)) * self.pair_scale
        layer: Numbers = np.maximum(_times(mean, self.hidden_weight) + self.hidden_bias, np.float32(0))
        return layer


def _mean(table: NDArray[np.int8], rows: Rows) -> Numbers:
    if not len(rows):
        return np.zeros(table.shape[1], np.float32)
    # Whole numbers far below 2^24: exact in single precision, in whatever order.
    total: Numbers = np.einsum("ij->j", table.take(rows, axis=0).astype(np.float32))
    return total / np.float32(len(rows))


def _times(row: Numbers, weights: Numbers) -> Numbers:
    """Multiply without BLAS: its threads cost milliseconds on a busy machine, and its order of adding differs between machines."""
    product: Numbers = np.einsum("i,ij->j", row, weights)
    return product
