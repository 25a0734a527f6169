"""How is the intent network fitted? Tables and layers together, by stochastic descent; then one temperature that calibrates it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from router.classify.features import BIGRAM_BUCKETS, pairs

BATCH: Final = 128
SMOOTHING: Final = 0.05
TUTOR_TEMPERATURE: Final = 2.0
LABEL_SHARE: Final = 0.3
SEED: Final = 0

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Start:
    """Where descent begins: the two tables, and the hidden layer where there is one already."""

    pieces: NDArray[np.float32]
    pairs: NDArray[np.float32]
    hidden: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None
    intents: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None

    @classmethod
    def from_vectors(cls, vectors: NDArray[np.float32], texts: list[Rows]) -> "Start":
        """Begin with the teacher's vectors. What is in every text says little (Arora et al. 2017)."""
        counts = np.bincount(np.concatenate(texts), minlength=len(vectors))
        common = 1e-3 / (1e-3 + counts / counts.sum())
        pieces = (vectors * common[:, None] * 0.3).astype(np.float32)
        return cls(pieces, np.zeros((BIGRAM_BUCKETS, vectors.shape[1]), np.float32))

    @classmethod
    def from_stored(cls, arrays: Mapping[str, NDArray[Any]], known: Sequence[int]) -> "Start":
        """Begin where an earlier training ended. `known` gives each class's place in it, -1 for what it does not know."""
        places = np.array(known)
        size = len(arrays["hidden_bias"])
        weight = np.random.default_rng(SEED).normal(0, size**-0.5, (size, len(places))).astype(np.float32)
        bias = np.full(len(places), arrays["intent_bias"].mean(), np.float32)
        weight[:, places >= 0] = arrays["intent_weight"][:, places[places >= 0]]
        bias[places >= 0] = arrays["intent_bias"][places[places >= 0]]
        return cls(
            arrays["pieces"] * arrays["piece_scale"],
            arrays["pairs"] * arrays["pair_scale"],
            (arrays["hidden_weight"], arrays["hidden_bias"]),
            (weight, bias),
        )


@dataclass(frozen=True, slots=True)
class Lessons:
    """What to learn: each text's class, -1 where nobody labelled it; and what the tutor says of it (logits), NaN where it was not asked."""

    texts: list[Rows]
    wanted: NDArray[np.int64]
    classes: int
    answers: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """How long and how fast to learn. `hidden` is the size of a new hidden layer."""

    epochs: int
    table_rate: float
    layer_rate: float
    words_dropped: float
    hidden: int = 512


FROM_VECTORS: Final = Pace(epochs=10, table_rate=0.003, layer_rate=0.003, words_dropped=0.3)
FROM_SHIPPED: Final = Pace(epochs=8, table_rate=0.0005, layer_rate=0.002, words_dropped=0.2)
"""The shipped tables are good already: they move slowly."""


def fit_intents(
    start: Start, lessons: Lessons, pace: Pace, tell: Callable[[int, int, float], None]
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
    layers = _layers(start, lessons.classes, pace.hidden)
    rare = torch.optim.SparseAdam([*pieces.parameters(), *buckets.parameters()], lr=pace.table_rate)
    dense = torch.optim.AdamW(layers.parameters(), lr=pace.layer_rate, weight_decay=0.01)
    batches = max(1, len(lessons.texts) // BATCH)
    rates = [
        torch.optim.lr_scheduler.OneCycleLR(
            one, rate, total_steps=pace.epochs * batches, pct_start=0.1, cycle_momentum=False
        )
        for one, rate in ((rare, pace.table_rate), (dense, pace.layer_rate))
    ]
    loss_of = _loss(lessons)
    for epoch in range(pace.epochs):
        last = 0.0
        for chosen in np.array_split(random.permutation(len(lessons.texts)), batches):
            read = _means(pieces, buckets, [lessons.texts[place] for place in chosen], random, pace.words_dropped)
            loss = loss_of(layers(read), chosen)
            last = loss.item()
            rare.zero_grad()
            dense.zero_grad()
            loss.backward()
            for step in (rare, dense, *rates):
                step.step()
        tell(epoch + 1, pace.epochs, last)
    return _stored(pieces, buckets, layers)


def _loss(lessons: Lessons) -> Callable[[Any, NDArray[np.int64]], Any]:
    """Return what a batch's outputs lose: against the labels, and against the tutor's softened answers (Hinton et al. 2015)."""
    import torch

    functional = torch.nn.functional
    labels = torch.tensor(lessons.wanted)
    if lessons.answers is None:
        return lambda outputs, chosen: functional.cross_entropy(outputs, labels[chosen], label_smoothing=SMOOTHING)
    answered = torch.tensor(~np.isnan(lessons.answers[:, 0]))
    softened = (torch.tensor(np.nan_to_num(lessons.answers)) / TUTOR_TEMPERATURE).softmax(1)

    def loss(outputs: Any, chosen: NDArray[np.int64]) -> Any:
        """Where both speak, the tutor has the greater part; where one is silent, the other has all of it."""
        tutored, labelled = answered[chosen], labels[chosen] >= 0
        by_tutor = functional.kl_div(
            (outputs / TUTOR_TEMPERATURE).log_softmax(1), softened[chosen], reduction="none"
        ).sum(1)
        by_label = functional.cross_entropy(
            outputs, labels[chosen].clamp(min=0), label_smoothing=SMOOTHING, reduction="none"
        )
        share = torch.where(labelled, torch.where(tutored, LABEL_SHARE, 1.0), 0.0)
        return ((1 - share) * TUTOR_TEMPERATURE**2 * by_tutor + share * by_label).mean()

    return loss


def _table(values: NDArray[np.float32]) -> Any:
    import torch

    return torch.nn.EmbeddingBag.from_pretrained(
        torch.tensor(values, dtype=torch.float32), freeze=False, mode="mean", sparse=True
    )


def _layers(start: Start, classes: int, hidden: int) -> Any:
    import torch

    size = start.pieces.shape[1]
    if start.hidden is not None:
        hidden = len(start.hidden[1])
    layers = torch.nn.Sequential(
        torch.nn.Linear(size, hidden), torch.nn.ReLU(), torch.nn.Dropout(0.1), torch.nn.Linear(hidden, classes)
    )
    for layer, stored in ((layers[0], start.hidden), (layers[3], start.intents)):
        if stored is not None:
            weight, bias = stored
            layer.weight.data = torch.tensor(weight.T.copy(), dtype=torch.float32)
            layer.bias.data = torch.tensor(bias, dtype=torch.float32)
    return layers


def _means(pieces: Any, buckets: Any, texts: list[Rows], random: np.random.Generator, dropped: float) -> Any:
    """Return the mean vector of each text's pieces plus that of its pairs, some words dropped."""
    import torch

    flat: tuple[list[Rows], list[Rows]] = ([], [])
    for rows in texts:
        neighbours = pairs(rows)
        kept = random.random(len(rows)) > dropped if len(rows) > 2 else np.ones(len(rows), dtype=bool)
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
