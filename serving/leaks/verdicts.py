"""What did the judge say of a sample? One question for what left and for what stayed alike, so that the judge need not know which it was.

The verdicts of one home rest in a file of their own, without any text: they outlive the samples' content.
"""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Final, Literal

from router.contract import Frozen
from serving.leaks.samples import SamplesUnusable

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS verdicts (
    sample TEXT NOT NULL, judge TEXT NOT NULL, at REAL NOT NULL, verdict TEXT NOT NULL, PRIMARY KEY (sample, judge)
) STRICT;
"""


class Verdict(Frozen):
    """Whether a text should stay at home, in this judge's eyes, and the categories of data it holds. `stays` None: can't be told."""

    sample: str
    judge: str
    kind: Literal["person", "model"]
    stays: bool | None
    categories: tuple[str, ...] = ()
    at: float


def record(file: Path, verdict: Verdict) -> None:
    """Keep a verdict; a judge's second one of the same sample takes the first one's place. Raises `SamplesUnusable`."""
    try:
        with closing(sqlite3.connect(file, timeout=5.0)) as database:
            database.executescript(_SCHEMA)
            with database:
                database.execute(
                    "INSERT OR REPLACE INTO verdicts VALUES (?, ?, ?, ?)",
                    (verdict.sample, verdict.judge, verdict.at, verdict.model_dump_json()),
                )
    except (sqlite3.Error, OSError) as error:
        raise SamplesUnusable(f"{file}: {error}") from error


def read_verdicts(file: Path) -> list[Verdict]:
    """Return all verdicts, the oldest first. Raises `SamplesUnusable`."""
    if not file.exists():
        return []
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)) as database:
            rows = database.execute("SELECT verdict FROM verdicts ORDER BY at, sample, judge").fetchall()
    except sqlite3.Error as error:
        raise SamplesUnusable(f"{file}: {error}") from error
    return [Verdict.model_validate_json(text) for (text,) in rows]


def settled(verdicts: Iterable[Verdict]) -> dict[str, Verdict]:
    """Return the verdict that counts for each sample: a person's outweighs a model's, the latest of a kind the others."""
    counts: dict[str, Verdict] = {}
    for verdict in verdicts:
        held = counts.get(verdict.sample)
        if held is None or held.kind == "model" or verdict.kind == "person":
            counts[verdict.sample] = verdict
    return counts
