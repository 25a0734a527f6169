"""What is the data boundary measured on? Every known file in a folder, the development half or a half that was kept back alike."""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from router.errors import BadRequest

_T = TypeVar("_T")
_SEED: Final = 7


@dataclass(frozen=True, slots=True)
class Marked:
    """A stretch that somebody labelled."""

    entity: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Document:
    """A text with its labelled spans; none: nobody's data."""

    text: str
    spans: tuple[Marked, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """A test case of one of Presidio's recognisers: `spans` are the places of `entity`, none: nothing to find."""

    text: str
    entity: str
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt that attacks, asks for harm, or does neither (`label`), and where it comes from."""

    text: str
    label: str
    source: str


@dataclass(frozen=True, slots=True)
class BoundaryData:
    """Everything there is. A part whose file is absent is empty, and its aims are then not judged."""

    documents: tuple[Document, ...]
    cases: tuple[Case, ...]
    secrets: tuple[str, ...]
    queries: tuple[str, ...]
    prompts: tuple[Prompt, ...]
    files: tuple[str, ...]


def read_data(folder: Path, sample: int | None = None) -> BoundaryData:
    """Read the folder, or a sample of so many of each part (the same each time). Raises `BadRequest`."""
    reader = _Folder(folder, sample)
    data = BoundaryData(
        documents=reader.read("synth_v2_*.json", _documents) + reader.read("tests_generated*.json", _documents),
        cases=reader.read("recognizer_cases_*.jsonl", _cases),
        secrets=reader.read("detect_secrets_*.jsonl", _secrets),
        queries=reader.read("clinc150_*.json", _queries),
        prompts=reader.read("prompt_risk_*.jsonl", _prompts),
        files=tuple(reader.seen),
    )
    if not data.files:
        raise BadRequest(f"--data {folder}: none of the files that this is measured on is there")
    return data


class _Folder:
    """A folder and what was read of it."""

    def __init__(self, folder: Path, sample: int | None) -> None:
        if not folder.is_dir():
            raise BadRequest(f"--data {folder}: there is no such folder")
        self._folder, self._sample = folder, sample
        self.seen: list[str] = []

    def read(self, pattern: str, parse: Callable[[Path], Iterator[_T]]) -> tuple[_T, ...]:
        found: list[_T] = []
        for path in sorted(self._folder.rglob(pattern)):
            try:
                rows = list(parse(path))
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise BadRequest(f"{path}: not in the layout expected ({type(error).__name__}: {error})") from error
            if rows:
                self.seen.append(path.name)
            found.extend(self._some(rows))
        return tuple(found)

    def _some(self, rows: Sequence[_T]) -> Sequence[_T]:
        if self._sample is None or len(rows) <= self._sample:
            return rows
        return random.Random(_SEED).sample(rows, self._sample)  # noqa: S311 - a sample, not a secret


def _documents(path: Path) -> Iterator[Document]:
    for row in json.loads(path.read_text("utf-8")):
        spans = (Marked(one["entity_type"], one["start_position"], one["end_position"]) for one in row["spans"] or ())
        yield Document(row["full_text"], tuple(spans))


def _cases(path: Path) -> Iterator[Case]:
    for row in _lines(path):
        spans = tuple((start, end) for start, end in row["spans"] or ())
        yield Case(row["text"], "/".join(row["entities"] or (row["recognizer"].upper(),)), spans)


def _secrets(path: Path) -> Iterator[str]:
    for row in _lines(path):
        if row["label"]:
            yield row["text"]


def _queries(path: Path) -> Iterator[str]:
    """Yield the queries of every split but the training ones; a file of domains has none."""
    stored = json.loads(path.read_text("utf-8"))
    for name, rows in stored.items():
        if "train" not in name and isinstance(rows, list) and rows and isinstance(rows[0], list):
            yield from (row[0] for row in rows if len(row) == 2 and " " in row[0])


def _prompts(path: Path) -> Iterator[Prompt]:
    for row in _lines(path):
        yield Prompt(row["text"], row["label"], row["source"])


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.strip():
                yield json.loads(line)
