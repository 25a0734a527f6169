"""What is this request about, and does it mean harm? A small network names the intent, linear heads all else.

`benchmarks/train.py` writes the folder, `lane train` one with a bundle's own intents; `card.json` says from what data, with which scores
and limits.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from router.classify.commands import Speech, speech
from router.classify.features import ALARM_CHARACTERS, Vocabulary, window, words_of
from router.classify.linear import Linear
from router.classify.network import Network
from router.classify.wording import family, looks_batch, regulated_words, unread
from router.contract import Alarm, Mode, Topic

DEFAULT_HEADS: Final = Path(__file__).parent / "heads"
OUT_OF_SCOPE: Final = "out_of_scope"
FAMILIES: Final = ("question", "writing", "coding", "extraction", "action")
REGULATED: Final = ("employment", "finance", "health", "legal")
ALARMS: Final = ("attack", "harm")
LINEAR_HEADS: Final = (*REGULATED, "difficulty", *ALARMS)
FILES: Final = ("card.json", "vocabulary.txt", "weights.npz")
_CERTAIN_REGULATED: Final = 0.5
_CERTAIN_CHANGE: Final = 0.5


@dataclass(frozen=True, slots=True)
class IntentFacts:
    """What follows from an intent: its domain, whether it changes anything, the regulated field it belongs to."""

    domain: str
    state_changing: bool
    regulated: tuple[str, ...]


_UNKNOWN: Final = IntentFacts("general", state_changing=False, regulated=())


@dataclass(frozen=True, slots=True)
class Alarms:
    """Does a text try to turn the model against its instructions, does it ask for help to do harm?"""

    attack: Alarm
    harm: Alarm


@dataclass(frozen=True, slots=True)
class Calibration:
    """How a linear head's score becomes a probability, and from which one on it is acted upon."""

    slope: float
    offset: float
    threshold: float

    def probability(self, score: float) -> float:
        """Return the probability that a text with this score is what the head looks for (Platt 1999)."""
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, self.slope * score + self.offset))))


@dataclass(frozen=True, slots=True)
class Heads:
    """The classifier: weights, vocabulary and the meaning of its outputs. `version` is the hash of its files."""

    version: str
    intents: tuple[str, ...]
    domains: tuple[str, ...]
    facts: Mapping[str, IntentFacts]
    changing: NDArray[np.float32]
    threshold: float
    calibrations: Mapping[str, Calibration]
    vocabulary: Vocabulary
    network: Network
    linear: Linear
    alarming: Linear

    @classmethod
    def load(cls, folder: Path) -> "Heads":
        """Read a folder of weights. Raises `OSError`, `KeyError` or `ValueError` when it is not whole."""
        card = json.loads((folder / "card.json").read_text("utf-8"))
        entries = (folder / "vocabulary.txt").read_bytes().rstrip(b"\n").split(b"\n")
        with np.load(folder / "weights.npz", allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        return cls.of(card, entries, arrays, _version(folder))

    @classmethod
    def of(
        cls, card: Mapping[str, Any], entries: Sequence[bytes], arrays: Mapping[str, NDArray[Any]], version: str
    ) -> "Heads":
        """Put together what a folder holds. Raises `KeyError` when something is missing."""
        linear = Linear.of(LINEAR_HEADS, arrays)
        facts = {
            name: IntentFacts(row["domain"], row["state_changing"], tuple(row["regulated"]))
            for name, row in card["intents"].items()
        }
        return cls(
            version=version,
            intents=tuple([*facts, *FAMILIES]),
            domains=tuple(sorted({row.domain for row in facts.values()} | {"general"})),
            facts=facts,
            changing=np.array([row.state_changing for row in facts.values()], dtype=np.float32),
            threshold=float(card["threshold"]),
            calibrations={name: Calibration(**row) for name, row in card["calibration"].items()},
            vocabulary=Vocabulary({entry: row for row, entry in enumerate(entries)}),
            network=Network.of(arrays, card["temperature"]),
            linear=linear,
            alarming=linear.last(len(ALARMS)),
        )

    def topic(self, text: str, mode: Mode | None = None) -> Topic:
        """Name what a text asks for. A declared mode stands. The topic of a long text is read at its head and tail, alarms all through."""
        read = window(text)
        words = words_of(read)
        rows = self.vocabulary.rows(words)
        marks = self.linear.marks(rows)
        logits = self.network.logits(rows)
        shares = self.network.shares(logits)
        fields = self._probabilities(self.linear, self.linear.whole(marks))
        alarms = self._alarms(marks[:, -len(ALARMS) :]) if read is text else self.alarms(text)
        best = int(shares[:-1].argmax())
        blind = unread(read, words)
        known = self.network.lead(logits) >= self.threshold and not blind
        said = speech(read)
        name = self.intents[best] if known else family(read, words, command=said == "command")
        facts = self.facts[name] if known else _UNKNOWN
        return Topic(
            intent=name,
            # What could not be read is not known to be harmless either.
            confidence=0.0 if blind else round(float(shares[best] if known else 1 - shares[:-1].max()), 4),
            domain=facts.domain,
            mode=mode or ("batch" if looks_batch(text) else "chat"),
            out_of_scope=not known,
            state_changing=self._changes(shares, facts, said),
            regulated=_regulated(fields, facts, words),
            attack=alarms.attack,
            harm=alarms.harm,
            difficulty=round(fields["difficulty"], 4),
        )

    def alarms(self, text: str) -> Alarms:
        """Judge any text that becomes part of a prompt (a tool's result, a document, an earlier turn), all of it."""
        rows = self.vocabulary.rows(words_of(text[:ALARM_CHARACTERS]))
        return self._alarms(self.alarming.marks(rows))

    def _alarms(self, marks: NDArray[np.float32]) -> Alarms:
        shares = self._probabilities(self.alarming, self.alarming.loudest(marks))
        attack, harm = (
            Alarm(score=round(shares[name], 4), flag=shares[name] >= self.calibrations[name].threshold)
            for name in ALARMS
        )
        return Alarms(attack, harm)

    def _probabilities(self, linear: Linear, scores: NDArray[np.float32]) -> dict[str, float]:
        return {
            name: self.calibrations[name].probability(score)
            for name, score in zip(linear.names, scores.tolist(), strict=True)
        }

    def _changes(self, shares: NDArray[np.float32], facts: IntentFacts, said: Speech) -> bool:
        """Whether a change is asked for. A command says so, a how-to question denies it; else the likely intents decide."""
        match said:
            case "command":
                return True
            case "how_to":
                return False
            case "question" | "other":
                return facts.state_changing or float((shares[:-1] * self.changing).sum()) >= _CERTAIN_CHANGE


def _regulated(fields: Mapping[str, float], facts: IntentFacts, words: list[bytes]) -> tuple[str, ...]:
    """Return the regulated fields: the intent's own, those a head is sure of, those the words name."""
    sure = {name for name in REGULATED if fields[name] >= _CERTAIN_REGULATED}
    return tuple(sorted(sure | set(facts.regulated) | regulated_words(words)))


def _version(folder: Path) -> str:
    digest = hashlib.sha256()
    for name in FILES:
        digest.update(hashlib.sha256((folder / name).read_bytes()).digest())
    return digest.hexdigest()[:12]
