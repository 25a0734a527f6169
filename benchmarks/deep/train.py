"""`make train-deep`: fit the deep scan's forest, choose its bar, print what it does on templates it never saw, write the JSON.

Needs the published data (`LANE_DATA`) and scikit-learn. Takes some minutes on one core, nearly all of it reading.
"""

import argparse
import json
import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import GroupKFold

from benchmarks.deep.corpus import Document, documents
from router.scan import scan_text
from serving.deep.evidence import evidence_in
from serving.deep.forest import DEFAULT_FOREST
from serving.deep.reader import Reader, stay_off_the_network
from serving.deep.reading import windows

FOLDS: Final = 8
OVER_BLOCKED: Final = 0.03
"""The bar lets so many plain queries be kept, on queries that the forest never saw: the aim is 0.05, the rest is margin."""
_SHOWN: Final = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
Numbers = NDArray[np.float64]


class Samples:
    """Windows of documents as rows of numbers, and which document each row is of."""

    def __init__(self, texts: Sequence[Document], reader: Reader) -> None:
        """Read all documents."""
        read = [
            [evidence_in(window.reading) for window in windows(reader.read(one.text))]
            for one in track(texts, "reading", console=Console(stderr=True))
        ]
        self.names = sorted({name for rows in read for row in rows for name in row})
        self.of = np.array([index for index, rows in enumerate(read) for _ in rows])
        self.numbers = np.array([[row.get(name, 0.0) for name in self.names] for rows in read for row in rows])
        self.documents = texts

    def column(self, of: Iterable[Any]) -> NDArray[Any]:
        """Return one value a row, from one a document."""
        values: NDArray[Any] = np.array(list(of))[self.of]
        return values

    def highest(self, odds: Numbers) -> Numbers:
        """Return each document's highest window."""
        best: Numbers = np.full(len(self.documents), -math.inf)
        np.maximum.at(best, self.of, odds)
        return best


def fit(rows: Numbers, personal: NDArray[Any], weight: NDArray[Any]) -> Any:
    """Fit small trees: few leaves, many of them, each reading half of the numbers."""
    model = HistGradientBoostingClassifier(
        max_depth=4,
        max_iter=250,
        learning_rate=0.08,
        l2_regularization=2,
        min_samples_leaf=15,
        max_features=0.5,
        random_state=0,
    )
    model.fit(rows, personal, sample_weight=weight)
    return model


def unseen_odds(samples: Samples) -> Numbers:
    """Return each document's log-odds by a forest that saw nothing of its group."""
    personal = samples.column(one.personal for one in samples.documents)
    weight = samples.column(one.weight for one in samples.documents)
    group = samples.column(one.group for one in samples.documents)
    odds = np.zeros(len(samples.of))
    for seen, unseen in GroupKFold(FOLDS).split(samples.numbers, personal, group):
        model = fit(samples.numbers[seen], personal[seen], weight[seen])
        odds[unseen] = model.decision_function(samples.numbers[unseen])
    return samples.highest(odds)


def forest_of(model: Any, names: Sequence[str], bar: float) -> dict[str, Any]:
    """Return the forest as it is stored (`serving.deep.forest`)."""

    def tree(nodes: Any, index: int) -> Any:
        node = nodes[index]
        if node["is_leaf"]:
            return round(float(node["value"]), 5)
        name, bar = names[node["feature_idx"]], round(float(node["num_threshold"]), 6)
        return [name, bar, tree(nodes, node["left"]), tree(nodes, node["right"])]

    trees = [tree(stage[0].nodes, 0) for stage in model._predictors]  # noqa: SLF001 - scikit-learn has no public way out
    start = float(np.ravel(model._baseline_prediction)[0])  # noqa: SLF001
    return {"start": round(start, 5), "bar": round(bar, 5), "trees": trees}


def _shares(samples: Samples, odds: Numbers, bar: float) -> Table:
    """Show the curve on unseen templates: kept with the fast scan beside it, and what is kept needlessly."""
    fast = np.array([any(one.score >= 0.5 for one in scan_text(doc.text)) for doc in samples.documents])
    score = 1 / (1 + np.exp(-(odds - bar)))
    personal = np.array([one.personal for one in samples.documents])
    kinds = np.array([one.kind for one in samples.documents])
    table = Table("score", "personal kept", *(kind for kind in dict.fromkeys(kinds) if kind != "personal"))
    for at in _SHOWN:
        kept = (score >= at) | fast
        others = [f"{kept[kinds == kind].mean():.3f}" for kind in dict.fromkeys(kinds) if kind != "personal"]
        table.add_row(f"{at:.2f}", f"{kept[personal].mean():.3f}", *others)
    return table


def main() -> None:
    """Train and write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("LANE_DATA", "../shared/data")))
    parser.add_argument("--out", type=Path, default=DEFAULT_FOREST)
    arguments = parser.parse_args()
    stay_off_the_network()
    samples = Samples(list(documents(arguments.data)), Reader())
    odds = unseen_odds(samples)
    queries = np.array([one.kind == "queries" for one in samples.documents])
    bar = float(np.quantile(odds[queries], 1 - OVER_BLOCKED))
    Console().print(_shares(samples, odds, bar))
    model = fit(
        samples.numbers,
        samples.column(one.personal for one in samples.documents),
        samples.column(one.weight for one in samples.documents),
    )
    arguments.out.write_text(json.dumps(forest_of(model, samples.names, bar), separators=(",", ":")) + "\n", "utf-8")


if __name__ == "__main__":
    main()
