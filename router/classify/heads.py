"""What is this request about? Static embeddings, one hidden layer, and heads read off it: intent, regulated fields, difficulty.

Weights are whole numbers with a scale; a text's pieces are summed exactly and the rest is done in a fixed order, so that equal texts
give equal topics. `benchmarks/train.py` writes the folder; its `card.json` says from what data, with which scores and limits.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router.classify.commands import Speech, speech
from router.classify.features import Vocabulary, pairs, window, words_of
from router.classify.wording import family, looks_batch, regulated_words
from router.contract import Mode, Topic

DEFAULT_HEADS: Final = Path(__file__).parent / "heads"
OUT_OF_SCOPE: Final = "out_of_scope"
FAMILIES: Final = ("question", "writing", "coding", "extraction", "action")
_CERTAIN_REGULATED: Final = 0.5
_CERTAIN_CHANGE: Final = 0.5
_FILES: Final = ("card.json", "vocabulary.txt", "weights.npz")

Numbers = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class IntentFacts:
    """What follows from an intent: its domain, whether it changes anything, the regulated field it belongs to."""

    domain: str
    state_changing: bool
    regulated: tuple[str, ...]


_UNKNOWN: Final = IntentFacts("general", state_changing=False, regulated=())


@dataclass(frozen=True, slots=True)
class Reading:
    """What the heads make of a text, before any rule: probabilities by intent, by regulated field, and the difficulty."""

    intents: Numbers
    regulated: Numbers
    difficulty: float


@dataclass(frozen=True, slots=True)
class Heads:
    """The classifier: weights, vocabulary and the meaning of its outputs. `version` is the hash of its files."""

    version: str
    intents: tuple[str, ...]
    domains: tuple[str, ...]
    facts: Mapping[str, IntentFacts]
    regulated: tuple[str, ...]
    temperature: float
    threshold: float
    vocabulary: Vocabulary
    arrays: Mapping[str, Numbers]
    pieces: NDArray[np.int8]
    pairs: NDArray[np.int8]

    @classmethod
    def load(cls, folder: Path) -> "Heads":
        """Read a folder of weights. Raises `OSError` or `ValueError` when it is not whole."""
        card = json.loads((folder / "card.json").read_text("utf-8"))
        words = (folder / "vocabulary.txt").read_bytes().split(b"\n")
        with np.load(folder / "weights.npz", allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        facts = {
            name: IntentFacts(row["domain"], row["state_changing"], tuple(row["regulated"]))
            for name, row in card["intents"].items()
        }
        # One product for all heads: intents, out of scope, regulated fields, difficulty.
        for part in ("weight", "bias"):
            heads = [arrays.pop(f"{name}_{part}") for name in ("intent", "regulated", "difficulty")]
            arrays[f"output_{part}"] = np.concatenate(heads, axis=-1)
        arrays["changing"] = np.array([row.state_changing for row in facts.values()])
        pieces, buckets = arrays.pop("pieces"), arrays.pop("pairs")
        return cls(
            version=_version(folder),
            intents=tuple([*facts, *FAMILIES]),
            domains=tuple(sorted({row.domain for row in facts.values()} | {"general"})),
            facts=facts,
            regulated=tuple(card["regulated"]),
            temperature=float(card["temperature"]),
            threshold=float(card["threshold"]),
            vocabulary=Vocabulary({word: row for row, word in enumerate(words) if word}),
            arrays={name: np.ascontiguousarray(array, dtype=np.float32) for name, array in arrays.items()},
            pieces=pieces,
            pairs=buckets,
        )

    def topic(self, text: str, mode: Mode | None = None) -> Topic:
        """Name what a text asks for. A declared mode stands. Long texts are read at their head and tail: time is bounded."""
        read = window(text)
        words = words_of(read)
        reading = self.read(words)
        best = int(reading.intents[:-1].argmax())
        known = bool(reading.intents[-1] < reading.intents[best] >= self.threshold)
        said = speech(read)
        name = self.intents[best] if known else family(read, words, command=said == "command")
        facts = self.facts[name] if known else _UNKNOWN
        return Topic(
            intent=name,
            confidence=round(float(reading.intents[best] if known else 1 - reading.intents[:-1].max()), 4),
            domain=facts.domain,
            mode=mode or ("batch" if looks_batch(text) else "chat"),
            out_of_scope=not known,
            state_changing=self._changes(reading, facts, said),
            regulated=self._regulated(reading, facts, words),
            difficulty=round(reading.difficulty, 4),
        )

    def read(self, words: list[bytes]) -> Reading:
        """Return the heads' outputs for a text's words. The last intent is out of scope."""
        hidden = self.hidden(words)
        arrays = self.arrays
        outputs = _times(hidden, arrays["output_weight"]) + arrays["output_bias"]
        logits = outputs[: len(self.facts) + 1] / np.float32(self.temperature)
        shares = np.exp(logits - logits.max())
        others: Numbers = np.reciprocal(1 + np.exp(-np.clip(outputs[len(self.facts) + 1 :], -30, 30)))
        return Reading(intents=shares / shares.sum(), regulated=others[:-1], difficulty=float(others[-1]))

    def hidden(self, words: list[bytes]) -> Numbers:
        """Return the hidden layer: mean of the pieces' vectors plus mean of the pairs', through one rectified layer."""
        arrays = self.arrays
        rows = self.vocabulary.rows(words)
        mean = _mean(self.pieces, rows) * arrays["piece_scale"]
        if len(rows) > 1:
            mean = mean + _mean(self.pairs, pairs(rows)) * arrays["pair_scale"]
        layer: Numbers = np.maximum(_times(mean, arrays["hidden_weight"]) + arrays["hidden_bias"], np.float32(0))
        return layer

    def _changes(self, reading: Reading, facts: IntentFacts, said: Speech) -> bool:
        """Whether a change is asked for. A command says so, a how-to question denies it; else the likely intents decide."""
        match said:
            case "command":
                return True
            case "how_to":
                return False
            case "question" | "other":
                share = float((reading.intents[:-1] * self.arrays["changing"]).sum())
                return facts.state_changing or share >= _CERTAIN_CHANGE

    def _regulated(self, reading: Reading, facts: IntentFacts, words: list[bytes]) -> tuple[str, ...]:
        """Return the regulated fields: the intent's own, those the head is sure of, those the words name."""
        sure = {
            name for name, share in zip(self.regulated, reading.regulated, strict=True) if share >= _CERTAIN_REGULATED
        }
        return tuple(sorted(sure | set(facts.regulated) | regulated_words(words)))


def _mean(table: NDArray[np.int8], rows: NDArray[np.int64]) -> Numbers:
    if not len(rows):
        return np.zeros(table.shape[1], np.float32)
    # Whole numbers far below 2^24: exact in single precision, in whatever order.
    total: Numbers = np.einsum("ij->j", table.take(rows, axis=0).astype(np.float32))
    return total / np.float32(len(rows))


def _times(row: Numbers, weights: Numbers) -> Numbers:
    """Multiply without BLAS: its threads cost milliseconds on a busy machine, and its order of adding differs between machines."""
    product: Numbers = np.einsum("i,ij->j", row, weights)
    return product


def _version(folder: Path) -> str:
    digest = hashlib.sha256()
    for name in _FILES:
        digest.update(hashlib.sha256((folder / name).read_bytes()).digest())
    return digest.hexdigest()[:12]
