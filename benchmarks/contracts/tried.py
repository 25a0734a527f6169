"""Which schemas is the model asked to answer under, and how did each end?"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import yaml

from benchmarks.contracts.suite import Group
from router.validate import validate_answer

End = Literal["refused", "unfinished", "truncated", "completed"]


@dataclass(frozen=True, slots=True)
class Tried:
    """A schema as JSON text, and a name to find it by."""

    name: str
    schema: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one ended: refused up front, cut by its tokens, not ended in time, or completed (and then valid or not)."""

    tried: Tried
    end: End
    text: str = ""
    tokens: int = 0
    compile_seconds: float = 0.0
    because: str | None = None

    def ended(self, text: str, tokens: int, reason: str | None) -> "Outcome":
        """Return the outcome once the engine has said how it ended."""
        end: End = "completed" if reason == "stop" else "truncated"
        return replace(self, end=end, text=text, tokens=tokens)

    @property
    def errors(self) -> tuple[str, ...]:
        """What a completed answer breaks of the schema as the caller gave it, formats asserted."""
        # An empty schema is no `json_object` here: the suite means any value by it.
        asked = "true" if self.tried.schema == "{}" else self.tried.schema
        return validate_answer(self.text, asked).errors if self.end == "completed" else ()


def schemas(groups: Iterable[Group], bundle: Path) -> list[Tried]:
    """Return the bundle's own contracts and tool parameters, then the suite's schemas, each different one once."""
    own = [Tried(file.stem, file.read_text()) for file in sorted((bundle / "contracts").glob("*.json"))]
    for file in sorted((bundle / "tools").glob("*.yaml")):
        tool = yaml.safe_load(file.read_text())
        own += [
            Tried(f"{file.stem}.{part}", json.dumps(tool[part])) for part in ("parameters", "result") if tool.get(part)
        ]
    seen: set[str] = set()
    for index, group in enumerate(groups):
        text = json.dumps(group.schema)
        if text not in seen:
            seen.add(text)
            own.append(Tried(f"{index:03d} {group.file}: {group.description}", text))
    return own


def spread(found: Sequence[Tried], most: int) -> list[Tried]:
    """Return so many schemas at most, evenly taken from all."""
    step = max(1.0, len(found) / most)
    return [found[int(index * step)] for index in range(min(most, len(found)))]
