"""What do the alarms learn from? Published attacks and harmful requests, everyday texts of every length, and this project's own phrasings.

Of the published rows only the development half is read; the semantic router's own case file is not, for it holds the other half too.
The first rows are judged, by cross-validation; the rest (`own`) only help to fit.
"""

import json
import pydoc_data.topics
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from benchmarks.training.corpus import own_examples, read_prompts
from benchmarks.training.phrasings import attacks, buried, everyday, records

Kind = Literal["attack", "harmful", "benign"]
_SEED: Final = 1
_OWN_WEIGHT: Final = 0.5
_CONTEXT_WORDS: Final = 35


@dataclass(frozen=True, slots=True)
class Risk:
    """A text, what it is, where it is from, and how much it counts."""

    text: str
    kind: Kind
    source: str
    weight: float = 1.0
    own: bool = False


def read_risks(shared: Path) -> tuple[Risk, ...]:
    """Read the published rows, then everything that stands beside them."""
    lines = (shared / "redteam/prompt_risk_dev.jsonl").read_text("utf-8").strip().split("\n")
    published = [Risk(row["text"], row["label"], row["source"]) for row in map(json.loads, lines)]
    return (*published, *_beside(shared))


def read_passages(shared: Path) -> list[str]:
    """Return PubMedQA's passages, in an order of their own."""
    lines = (shared / "retrieval/pubmedqa_corpus.jsonl").read_text("utf-8").strip().split("\n")
    passages = [str(json.loads(line)["text"]) for line in lines]
    random.Random(_SEED).shuffle(passages)  # noqa: S311 - an order, no secret
    return passages


def _beside(shared: Path) -> list[Risk]:
    queries = json.loads((shared / "routing/clinc150_dev.json").read_text("utf-8"))["train"]
    random.Random(_SEED).shuffle(queries)  # noqa: S311
    documents = json.loads((shared / "pii/synth_v2_dev.json").read_text("utf-8"))
    passages = read_passages(shared)
    plain = {
        "CLINC150 train": [text for text, _ in queries[:2500]],
        "RouteLLM": [prompt.text for prompt in read_prompts(shared)[:2500]],
        "PubMedQA": passages[:900],
        "presidio-research": [row["full_text"] for row in documents[:400]],
        "Python's language reference": list(pydoc_data.topics.topics.values())[::2],
        "own everyday": everyday(1500, _SEED),
        "own examples": [example.text for example in own_examples()],
        "own records": records(300, _SEED),
    }
    material = [" ".join(text.split()[:_CONTEXT_WORDS]) for text in (*passages[900:1050], *records(150, _SEED + 1))]
    hostile = [
        *attacks(1200, _SEED),
        *(buried(text, said, place) for place, (text, said) in enumerate(zip(material, attacks(300, 7), strict=True))),
    ]
    return [
        *(_own(text, "benign", source) for source, texts in plain.items() for text in texts),
        *(_own(text, "attack", "own attacks") for text in hostile),
    ]


def _own(text: str, kind: Kind, source: str) -> Risk:
    return Risk(text, kind, source, _OWN_WEIGHT, own=True)


def by_source(risks: Sequence[Risk], kind: Kind) -> dict[str, list[int]]:
    """Return the places of the published rows of a kind, by source."""
    found: dict[str, list[int]] = {}
    for place, risk in enumerate(risks):
        if risk.kind == kind and not risk.own:
            found.setdefault(risk.source, []).append(place)
    return found
