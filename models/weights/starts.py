"""How long does a replica take from nothing to ready, and on what? Each start on this machine leaves a line beside the seals."""

import contextlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

_STARTS: Final = ".seals/starts.jsonl"


class Start(BaseModel):
    """One start of an engine. `warm`: the weights were on this machine and sealed. Seconds; None for what was not reached.

    `fetch`: until the weights were here; `check`: until the folder was admitted; `load`: until the engine answered a call of each kind.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    weights_hash: str
    at: datetime
    warm: bool
    fetch_seconds: float
    check_seconds: float
    load_seconds: float | None = None
    refused: str | None = None

    @property
    def ready_seconds(self) -> float | None:
        """From nothing to ready."""
        return None if self.load_seconds is None else self.fetch_seconds + self.check_seconds + self.load_seconds


def record_start(models: Path, start: Start) -> None:
    """Append a start. One write of one line: several replicas of a machine may do so at once."""
    with contextlib.suppress(OSError):
        (models / _STARTS).parent.mkdir(exist_ok=True)
        with (models / _STARTS).open("a", encoding="utf-8") as file:
            file.write(start.model_dump_json() + "\n")


def read_starts(models: Path, model: str | None = None) -> tuple[Start, ...]:
    """Return the starts on this machine, oldest first; lines that can't be read are passed over."""
    try:
        lines = (models / _STARTS).read_text("utf-8").splitlines()
    except OSError:
        return ()
    read = [start for line in lines if (start := _parse(line)) is not None]
    return tuple(start for start in read if model in {None, start.model})


def typical_seconds(starts: Sequence[Start], kind: Literal["warm", "cold"]) -> float | None:
    """Return the median time to ready over warm or cold starts; None where there was none."""
    seconds = [took for start in starts if start.warm == (kind == "warm") and (took := start.ready_seconds) is not None]
    return median(seconds) if seconds else None


def _parse(line: str) -> Start | None:
    try:
        return Start.model_validate_json(line)
    except ValidationError:
        return None
