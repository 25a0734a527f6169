"""Can a bundle have intents of its own? Read its examples, fit an intent network that starts from the shipped one, carry the rest over.

The alarms, the regulated fields, the change and the difficulty heads are the shipped ones, unchanged: only what an intent is, is learned.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.training.corpus import OUT_OF_SCOPE, Example, own_examples
from benchmarks.training.fit import FROM_SHIPPED, Lessons, Start, fit_intents
from benchmarks.training.folder import Folder
from benchmarks.training.judge import judge_intents
from benchmarks.training.linears import topic_rows
from router.classify.heads import DEFAULT_HEADS, FAMILIES, Heads
from router.errors import BadRequest

OOS_NAMES: Final = frozenset({OUT_OF_SCOPE, "oos"})
_SHOWN_AGAIN: Final = 3
"""Out-of-scope examples are few: each is shown three times."""
_HELD_BACK: Final = 10
_MAJORITY: Final = 0.5
_LAYOUT: Final = (
    '{"train": [[text, intent], …], "val": […], "oos_train": […], "oos_val": […]}, or JSON lines of {"text", "intent"}'
)


@dataclass(frozen=True, slots=True)
class OwnData:
    """A bundle's own examples: what to fit on, and what to judge on."""

    train: tuple[Example, ...]
    judge: tuple[Example, ...]

    @property
    def intents(self) -> tuple[str, ...]:
        """The intents' names, sorted; out of scope is none of them."""
        return tuple(sorted({example.intent for example in self.train} - {OUT_OF_SCOPE}))


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of a training: the heads as written, and their scores on the examples held back."""

    heads: Heads
    data: OwnData
    scores: dict[str, Any]


def read_own(file: Path) -> OwnData:
    """Read a file of examples. Raises `BadRequest` that says which line is wrong, and how it should be."""
    try:
        text = file.read_text("utf-8")
    except OSError as error:
        raise BadRequest(f"{file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadRequest(f"{file}: not UTF-8 text (byte {error.start})") from error
    parts = _parts(file, text)
    train = [*parts["train"], *parts["oos_train"]]
    judge = [*parts["val"], *parts["oos_val"]]
    if not judge:
        # Every tenth of each intent, so that each is judged.
        train.sort(key=lambda example: (example.intent, example.text))
        judge = train[::_HELD_BACK]
        del train[::_HELD_BACK]
    data = OwnData(tuple(train), tuple(judge))
    _check(file, data)
    return data


def train_own(data: OwnData, out: Path, source: str, tell: Callable[[int, int, float], None]) -> Trained:
    """Fit the intents, carry over the rest, write the folder and judge it."""
    base = Folder.read(DEFAULT_HEADS)
    shipped = base.heads()
    names = [*data.intents, OUT_OF_SCOPE]
    few = [example for example in (*data.train, *own_examples()) if example.intent == OUT_OF_SCOPE]
    shown = [*(example for example in data.train if example.intent != OUT_OF_SCOPE), *few * _SHOWN_AGAIN]
    wanted = np.array([names.index(example.intent) for example in shown])
    lessons = Lessons(topic_rows(shipped.vocabulary, shown), wanted, len(names))
    shipped_names = [*shipped.facts, OUT_OF_SCOPE]
    known = [shipped_names.index(name) if name in shipped_names else -1 for name in names]
    network = fit_intents(Start.from_stored(base.arrays, known), lessons, FROM_SHIPPED, tell)
    card = base.card | {
        "name": "a bundle's own topic heads",
        "data": [{"name": source, "licence": "the bundle's own", "source": "lane train"}, *base.card["data"]],
        "intents": _facts(shipped, data),
    }
    folder = Folder(card, base.entries, {**base.arrays, **network})
    folder.calibrate(data.judge)
    card["scores"] = judge_intents(folder.heads(), data.judge)
    return Trained(folder.write(out), data, card["scores"])


def _facts(shipped: Heads, data: OwnData) -> dict[str, dict[str, Any]]:
    """Say what follows from each intent: what the shipped heads know of that name, else what they see in most of its examples."""
    texts: dict[str, list[str]] = {}
    for example in data.train:
        texts.setdefault(example.intent, []).append(example.text)
    facts: dict[str, dict[str, Any]] = {}
    for name in data.intents:
        if known := shipped.facts.get(name):
            facts[name] = {
                "domain": known.domain,
                "state_changing": known.state_changing,
                "regulated": list(known.regulated),
            }
            continue
        topics = [shipped.topic(text) for text in texts[name]]
        facts[name] = {
            "domain": _most(topic.domain for topic in topics) or "general",
            "state_changing": sum(topic.state_changing for topic in topics) > _MAJORITY * len(topics),
            "regulated": [
                field
                for field in sorted({field for topic in topics for field in topic.regulated})
                if sum(field in topic.regulated for topic in topics) > _MAJORITY * len(topics)
            ],
        }
    return facts


def _most(values: Iterable[str]) -> str | None:
    """Return what more than half of them are, if anything."""
    counts = Counter(values)
    value, count = counts.most_common(1)[0]
    return value if count > _MAJORITY * counts.total() else None


def _parts(file: Path, text: str) -> dict[str, list[Example]]:
    """Tell the two layouts apart: one object of parts, or an object a line."""
    try:
        whole = json.loads(text)
    except json.JSONDecodeError:
        whole = None
    if isinstance(whole, dict) and "train" in whole:
        return {part: _part(file, whole, part) for part in ("train", "val", "oos_train", "oos_val")}
    if isinstance(whole, list) or (isinstance(whole, dict) and "text" not in whole):
        raise BadRequest(f"{file}: there is no `train` in it; wanted: {_LAYOUT}")
    # Not `splitlines`: a text may hold line separators of its own.
    lines = [_line(file, number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    return {"train": lines, "val": [], "oos_train": [], "oos_val": []}


def _part(file: Path, whole: dict[str, Any], part: str) -> list[Example]:
    rows = whole.get(part, [])
    if not isinstance(rows, list):
        raise BadRequest(f"{file}: {part} is no list; wanted: {_LAYOUT}")
    examples = []
    for index, row in enumerate(rows):
        match row:
            case [str(text), str(intent)] if text.strip() and intent:
                examples.append(_example(file, f"{part}[{index}]", text, intent))
            case _:
                raise BadRequest(f"{file}: {part}[{index}] is not [text, intent], two texts that are not empty")
    return examples


def _line(file: Path, number: int, line: str) -> Example:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise BadRequest(f"{file} line {number}: not JSON: {error.msg} at column {error.colno}") from error
    match row:
        case {"text": str(text), "intent": str(intent)} if text.strip() and intent:
            return _example(file, f"line {number}", text, intent)
        case _:
            raise BadRequest(
                f'{file} line {number}: wanted {{"text": "…", "intent": "…"}}, two texts that are not empty'
            )


def _example(file: Path, place: str, text: str, intent: str) -> Example:
    if intent in FAMILIES:
        raise BadRequest(
            f"{file} {place}: {intent!r} is what the router calls work that no intent knows: name the intent otherwise"
        )
    return Example(text, OUT_OF_SCOPE if intent in OOS_NAMES else intent, ())


def _check(file: Path, data: OwnData) -> None:
    if len(data.intents) < 2:
        raise BadRequest(f"{file}: {len(data.intents)} intents; at least two are needed, each with several examples")
    strange = sorted({example.intent for example in data.judge} - {*data.intents, OUT_OF_SCOPE})
    if strange:
        raise BadRequest(f"{file}: {strange[0]!r} is in the validation part and has no examples to learn from")
