"""How does a classifier's folder get written? Card, vocabulary and weights, read back at once: what is written can be loaded."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.training.corpus import OUT_OF_SCOPE, Example
from benchmarks.training.fit import fit_temperature
from router.classify.features import window, words_of
from router.classify.heads import Heads

THRESHOLD: Final = 0.35
REJECTED: Final = 0.85
"""The share of out-of-scope validation texts to reject: more than is promised, for they are few."""
LOWEST, HIGHEST = 0.1, 0.7
"""No threshold outside these: a handful of examples must not decide alone."""
_UNWRITTEN: Final = "unwritten"


@dataclass(frozen=True, slots=True)
class Folder:
    """What a classifier's folder holds, before it is written. `card` is filled in as the training goes on."""

    card: dict[str, Any]
    entries: Sequence[bytes]
    arrays: Mapping[str, NDArray[Any]]

    @classmethod
    def read(cls, folder: Path) -> "Folder":
        """Read a folder that was written earlier."""
        with np.load(folder / "weights.npz", allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        entries = (folder / "vocabulary.txt").read_bytes().rstrip(b"\n").split(b"\n")
        return cls(json.loads((folder / "card.json").read_text("utf-8")), entries, arrays)

    def heads(self) -> Heads:
        """Return the classifier as it stands; it has no version before it is written."""
        return Heads.of(self.card, self.entries, self.arrays, _UNWRITTEN)

    def calibrate(self, examples: Sequence[Example]) -> None:
        """Set temperature and threshold by examples that were not fitted on."""
        self.card.update(temperature=1.0, threshold=THRESHOLD)
        self.card["temperature"] = temperature_of(self.heads(), examples)
        self.card["threshold"] = threshold_of(self.heads(), examples)

    def write(self, out: Path) -> Heads:
        """Write the folder, and return what is read back from it."""
        out.mkdir(parents=True, exist_ok=True)
        (out / "vocabulary.txt").write_bytes(b"\n".join(self.entries) + b"\n")
        np.savez_compressed(out / "weights.npz", allow_pickle=False, **dict(self.arrays))
        (out / "card.json").write_text(json.dumps(self.card, indent=1) + "\n", "utf-8")
        return Heads.load(out)


def temperature_of(heads: Heads, examples: Sequence[Example]) -> float:
    """Return the temperature at which the intents' probabilities fit these examples best."""
    names = [*heads.facts, OUT_OF_SCOPE]
    logits = np.stack([heads.network.logits(heads.vocabulary.rows(words_of(window(one.text)))) for one in examples])
    return fit_temperature(logits, np.array([names.index(one.intent) for one in examples]))


def threshold_of(heads: Heads, examples: Sequence[Example]) -> float:
    """Return the lowest lead that rejects enough of what is out of scope; where no example is, the shipped one."""
    leads = [
        heads.network.lead(heads.network.logits(heads.vocabulary.rows(words_of(window(one.text)))))
        for one in examples
        if one.intent == OUT_OF_SCOPE
    ]
    if not leads:
        return THRESHOLD
    return round(min(max(float(np.quantile(leads, REJECTED)), LOWEST), HIGHEST) + 0.005, 2)
