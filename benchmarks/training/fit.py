"""How is the intent network fitted? Tables and layers together, by stochastic descent; then one temperature that calibrates it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from router.classify.features import BIGRAM_BUCKETS, pairs

HIDDEN = 256
EPOCHS = 8
BATCH = 128
RATE = 0.003
WORDS_DROPPED = 0.3
SMOOTHING = 0.05
SEED = 0

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Start:
    """Where descent begins: the two tables, and the hidden layer where there is one already."""

    pieces: NDArray[np.float32]
    pairs: NDArray[np.float32]
    hidden: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None

    @classmethod
    def from_vectors(cls, vectors: NDArray[np.float32], texts: list[Rows]) -> "Start":
        """Begin with the teacher's vectors. What is in every text says little (Arora et al. 2017)."""
        counts = np.bincount(np.concatenate(texts), minlength=len(vectors))
        common = 1e-3 / (1e-3 + counts / counts.sum())
        pieces = (vectors * common[:, None] * 0.3).astype(np.float32)
        return cls(pieces, np.zeros((BIGRAM_BUCKETS, vectors.shape[1]), np.float32))

    @classmethod
    def from_stored(cls, arrays: Mapping[str, NDArray[Any]]) -> "Start":
        """Begin where an earlier training ended."""
        return cls(
            arrays["pieces"] * arrays["piece_scale"],
            arrays["pairs"] * arrays["pair_scale"],
            (arrays["hidden_weight"], arrays["hidden_bias"]),
        )


def fit_intents(
    start: Start, texts: list[Rows], wanted: list[int], classes: int, tell: Callable[[int, int, float], None]
) -> dict[str, NDArray[Any]]:
    """Fit tables, hidden layer and intent head together. Words are dropped at random, so that no single one decides.

    Returns the weights as they are stored: whole numbers with a scale by column for the two tables, the layers as they are.
    `tell` is called after each epoch with its number, their count and the last loss.
    """
    import torch

    torch.manual_seed(SEED)
    # Several threads on shared cores wait for each other longer than they work.
    torch.set_num_threads(1)
    random = np.random.default_rng(SEED)
    pieces, buckets = _table(start.pieces), _table(start.pairs)
    layers = _layers(start, classes)
    rare = torch.optim.SparseAdam([*pieces.parameters(), *buckets.parameters()], lr=RATE)
    dense = torch.optim.AdamW(layers.parameters(), lr=RATE, weight_decay=0.01)
    batches = max(1, len(texts) // BATCH)
    rates = [
        torch.optim.lr_scheduler.OneCycleLR(
            one, RATE, total_steps=EPOCHS * batches, pct_start=0.1, cycle_momentum=False
        )
        for one in (rare, dense)
    ]
    loss_of = torch.nn.CrossEntropyLoss(label_smoothing=SMOOTHING)
    answers = torch.tensor(wanted)
    for epoch in range(EPOCHS):
        last = 0.0
        for chosen in np.array_split(random.permutation(len(texts)), batches):
            loss = loss_of(layers(_means(pieces, buckets, [texts[index] for index in chosen], random)), answers[chosen])
            last = loss.item()
            rare.zero_grad()
            dense.zero_grad()
            loss.backward()
            for step in (rare, dense, *rates):
                step.step()
        tell(epoch + 1, EPOCHS, last)
    return _stored(pieces, buckets, layers)


def _table(values: NDArray[np.float32]) -> Any:
    import torch

    return torch.nn.EmbeddingBag.from_pretrained(
        torch.tensor(values, dtype=torch.float32), freeze=False, mode="mean", sparse=True
    )


def _layers(start: Start, classes: int) -> Any:
    import torch

    size = start.pieces.shape[1]
    layers = torch.nn.Sequential(
        torch.nn.Linear(size, HIDDEN), torch.nn.ReLU(), torch.nn.Dropout(0.2), torch.nn.Linear(HIDDEN, classes)
    )
    if start.hidden is not None:
        weight, bias = start.hidden
        layers[0].weight.data = torch.tensor(weight.T.copy(), dtype=torch.float32)
        layers[0].bias.data = torch.tensor(bias, dtype=torch.float32)
    return layers


def _means(pieces: Any, buckets: Any, texts: list[Rows], random: np.random.Generator) -> Any:
    """Return the mean vector of each text's pieces plus that of its pairs, some words dropped."""
    import torch

    flat: tuple[list[Rows], list[Rows]] = ([], [])
    for rows in texts:
        neighbours = pairs(rows)
        kept = random.random(len(rows)) > WORDS_DROPPED if len(rows) > 2 else np.ones(len(rows), dtype=bool)
        flat[0].append(rows[kept])
        flat[1].append(neighbours[kept[:-1] & kept[1:]])
    means = []
    for table, lists in zip((pieces, buckets), flat, strict=True):
        starts = np.cumsum([0, *(len(rows) for rows in lists[:-1])])
        means.append(table(torch.from_numpy(np.concatenate(lists)), torch.from_numpy(starts)))
    return means[0] + means[1]


def _stored(pieces: Any, buckets: Any, layers: Any) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    for name, scale, table in (("pieces", "piece_scale", pieces), ("pairs", "pair_scale", buckets)):
        values = table.weight.data.numpy()
        # The few outliers are cut, so that the rest keeps its resolution.
        limit = np.quantile(np.abs(values), 0.9995, axis=0)
        arrays[scale] = (np.maximum(limit, 1e-6) / 127).astype(np.float32)
        arrays[name] = np.clip(np.rint(values / arrays[scale]), -127, 127).astype(np.int8)
    for name, layer in (("hidden", layers[0]), ("intent", layers[3])):
        arrays[f"{name}_weight"] = layer.weight.data.numpy().T.astype(np.float32)
        arrays[f"{name}_bias"] = layer.bias.data.numpy().astype(np.float32)
    return arrays


def fit_temperature(logits: NDArray[Any], wanted: NDArray[np.int64]) -> float:
    """Return the temperature with the least cross-entropy (Guo et al. 2017), by a search over a grid."""

    def loss(temperature: float) -> float:
        scaled = logits / temperature
        scaled = scaled - scaled.max(1, keepdims=True)
        return float((np.log(np.exp(scaled).sum(1)) - scaled[np.arange(len(wanted)), wanted]).mean())

    grid: list[float] = [step / 50 for step in range(15, 125)]
    return min(grid, key=loss)
