"""At which place is the abstract that answers a question, by each strategy, and how long does that take?"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, Literal

import orjson

from serving.retrieval.embedder import Embedder
from serving.retrieval.opened import OpenIndex
from serving.retrieval.search import Reader, Search

Half = Literal["one half", "other half", "all"]
_TOP: Final = 10
_EVERYBODY: Final = Reader(None)


@dataclass(frozen=True, slots=True)
class Question:
    """A question and the abstract that answers it."""

    id: str
    text: str
    doc: str


@dataclass(frozen=True, slots=True)
class Figures:
    """Means over questions; the time is wall time a question, all of them asked together."""

    recall_at_1: float
    recall_at_5: float
    ndcg_at_10: float
    milliseconds: float
    questions: int

    def row(self) -> dict[str, float]:
        """Return the figures by name."""
        return {name: round(getattr(self, name), 5) for name in self.__slots__}


def load_questions(file: Path) -> list[Question]:
    """Read the development questions."""
    lines = map(orjson.loads, file.read_bytes().splitlines())
    return [Question(line["id"], line["question"], line["doc"]) for line in lines]


def halves(questions: Sequence[Question]) -> Iterator[tuple[Half, list[Question]]]:
    """Yield two halves, to see how far chance goes, and all. Which half a question is in, its ID's hash says."""
    one_half = [one for one in questions if sha256(one.id.encode()).digest()[0] % 2 == 0]
    yield "one half", one_half
    yield "other half", [one for one in questions if one not in one_half]
    yield "all", list(questions)


def figures_of(index: OpenIndex, embedder: Embedder, questions: Sequence[Question]) -> dict[str, Figures]:
    """Ask each strategy all questions."""
    search = Search(index, embedder)
    view = index.view(None, "restricted")

    def by_terms(texts: list[str]) -> list[list[str]]:
        return [[index.passages[row].doc for row in list(view.bm25(text))[:_TOP]] for text in texts]

    def by(depth: Literal["light", "deep"]) -> Callable[[list[str]], list[list[str]]]:
        return lambda texts: [
            [one.passage.doc for one in found] for found in search.ask(texts, _EVERYBODY, depth, _TOP)
        ]

    asked = {"bm25": by_terms, "light": by("light"), "deep": by("deep")}
    for ask in asked.values():
        ask(["What is warmed up here?"])
    return {name: _figures(ask, questions) for name, ask in asked.items()}


def _figures(ask: Callable[[list[str]], list[list[str]]], questions: Sequence[Question]) -> Figures:
    began = time.perf_counter()
    answers = ask([question.text for question in questions])
    seconds = time.perf_counter() - began
    places = [_place(found, question.doc) for found, question in zip(answers, questions, strict=True)]
    count = len(questions)
    return Figures(
        recall_at_1=sum(place == 0 for place in places) / count,
        recall_at_5=sum(place is not None and place < 5 for place in places) / count,
        ndcg_at_10=sum(1 / math.log2(2 + place) for place in places if place is not None) / count,
        milliseconds=1000 * seconds / count,
        questions=count,
    )


def _place(found: Sequence[str], doc: str) -> int | None:
    """Return the place of an abstract among the first ten passages, each abstract counted once."""
    abstracts = list(dict.fromkeys(found))
    return abstracts.index(doc) if doc in abstracts else None
