"""How are vectors and heads fitted? The vectors with the intent head by stochastic descent, the other heads by logistic regression."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.training.corpus import Example
from router.classify.features import BIGRAM_BUCKETS, Vocabulary, pairs, window, words_of

HIDDEN = 256
EPOCHS = 8
BATCH = 128
RATE = 0.003
WORDS_DROPPED = 0.3
SMOOTHING = 0.05

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Fitted:
    """The weights as they are stored: whole numbers with a scale by column for the two tables, the layers as they are."""

    arrays: dict[str, NDArray[Any]]


def rows_of(vocabulary: Vocabulary, examples: tuple[Example, ...]) -> list[Rows]:
    """Return each example's piece rows, exactly as the router reads a text."""
    return [vocabulary.rows(words_of(window(example.text))) for example in examples]


def fit_intents(
    vocabulary: Vocabulary, vectors: NDArray[np.float32], texts: list[Rows], wanted: list[int], classes: int, seed: int
) -> Fitted:
    """Fit vectors, hidden layer and intent head together. Words are dropped at random, so that no single one decides."""
    import torch

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    random = np.random.default_rng(seed)
    counts = np.bincount(np.concatenate(texts), minlength=len(vocabulary))
    common = 1e-3 / (1e-3 + counts / counts.sum())  # Arora et al. 2017: what is in every text says little.
    size = vectors.shape[1]
    pieces = torch.nn.EmbeddingBag(len(vocabulary), size, mode="mean", sparse=True)
    pieces.weight.data = torch.tensor(vectors * common[:, None] * 0.3, dtype=torch.float32)
    buckets = torch.nn.EmbeddingBag(BIGRAM_BUCKETS, size, mode="mean", sparse=True)
    buckets.weight.data.zero_()
    layers = torch.nn.Sequential(
        torch.nn.Linear(size, HIDDEN), torch.nn.ReLU(), torch.nn.Dropout(0.2), torch.nn.Linear(HIDDEN, classes)
    )
    sparse = torch.optim.SparseAdam([*pieces.parameters(), *buckets.parameters()], lr=RATE)
    dense = torch.optim.AdamW(layers.parameters(), lr=RATE, weight_decay=0.01)
    steps = EPOCHS * (len(texts) // BATCH)
    rates = [
        torch.optim.lr_scheduler.OneCycleLR(one, RATE, total_steps=steps, pct_start=0.1, cycle_momentum=False)
        for one in (sparse, dense)
    ]
    loss_of = torch.nn.CrossEntropyLoss(label_smoothing=SMOOTHING)
    answers = torch.tensor(wanted)
    last = 0.0
    for epoch in range(EPOCHS):
        order = random.permutation(len(texts))
        for start in range(0, len(texts) - BATCH + 1, BATCH):
            chosen = order[start : start + BATCH]
            loss = loss_of(layers(_means(pieces, buckets, [texts[index] for index in chosen], random)), answers[chosen])
            last = loss.item()
            sparse.zero_grad()
            dense.zero_grad()
            loss.backward()
            for step in (sparse, dense, *rates):
                step.step()
        print(f"epoch {epoch + 1} of {EPOCHS}: loss {last:.3f}", flush=True)
    return _stored(pieces, buckets, layers)


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


def _stored(pieces: Any, buckets: Any, layers: Any) -> Fitted:
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
    return Fitted(arrays)


def fit_linear(
    hidden: NDArray[np.float64], wanted: NDArray[np.bool_], strength: float
) -> tuple[NDArray[np.float32], float]:
    """Return the weights and bias of a logistic regression on the hidden layer."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=strength, max_iter=400).fit(hidden, wanted)
    return model.coef_[0].astype(np.float32), float(model.intercept_[0])


def fit_temperature(logits: NDArray[np.float64], wanted: NDArray[np.int64]) -> float:
    """Return the temperature with the least cross-entropy (Guo et al. 2017), by a search over a grid."""

    def loss(temperature: float) -> float:
        scaled = logits / temperature
        scaled = scaled - scaled.max(1, keepdims=True)
        return float((np.log(np.exp(scaled).sum(1)) - scaled[np.arange(len(wanted)), wanted]).mean())

    grid: list[float] = [step / 50 for step in range(15, 125)]
    return min(grid, key=loss)
