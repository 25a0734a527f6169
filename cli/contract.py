"""Are the JSON Schemas under `docs/contract/` those of today's types? `python -m cli.contract` writes them, `--check` compares."""

import json
import sys
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel
from rich.console import Console

from router.contract import Decision, Evidence, EvidenceEntry, RouteRequest, ShortDecision
from router.permit import Permit
from router.state import State

FOLDER: Final = Path(__file__).resolve().parent.parent / "docs" / "contract"

# What callers write may leave out defaults; what we print never does: the schemas say so.
TYPES: Final[tuple[tuple[type[BaseModel], Literal["validation", "serialization"]], ...]] = (
    (RouteRequest, "validation"),
    (State, "validation"),
    (Decision, "serialization"),
    (ShortDecision, "serialization"),
    (Evidence, "serialization"),
    (EvidenceEntry, "serialization"),
    (Permit, "serialization"),
)


def schemas() -> dict[str, str]:
    """Return each schema file's name with its text: draft 2020-12, sorted keys, the same text for the same types."""
    return {f"{kind.__name__}.schema.json": _schema(kind, mode) for kind, mode in TYPES}


def stale_files(folder: Path) -> tuple[str, ...]:
    """Return the names of schema files that are missing, differ from today's types or belong to no type."""
    wanted = schemas()
    stale = [name for name, text in wanted.items() if _read(folder / name) != text]
    left_over = [path.name for path in folder.glob("*.schema.json") if path.name not in wanted]
    return tuple(sorted([*stale, *left_over]))


def write(folder: Path) -> tuple[str, ...]:
    """Make the folder agree with the types; return the names of the files that changed."""
    changed = stale_files(folder)
    folder.mkdir(parents=True, exist_ok=True)
    wanted = schemas()
    for name in changed:
        if name in wanted:
            (folder / name).write_text(wanted[name], encoding="utf-8")
        else:
            (folder / name).unlink()
    return changed


def main(arguments: list[str], folder: Path = FOLDER) -> int:
    """Write or check; return 0 when all is well, 1 when `--check` found a stale file, 2 on another argument."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    if arguments not in ([], ["--check"]):
        console.print("usage: python -m cli.contract \\[--check]")
        return 2
    if not arguments:
        changed = write(folder)
        console.print(f"{len(changed)} of {len(TYPES)} schemas changed" + "".join(f"\n  {name}" for name in changed))
        return 0
    for name in (stale := stale_files(folder)):
        console.print(f"docs/contract/{name} does not agree with the types: run `make contract`")
    return 1 if stale else 0


def _schema(kind: type[BaseModel], mode: Literal["validation", "serialization"]) -> str:
    schema = kind.model_json_schema(mode=mode)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _read(file: Path) -> str | None:
    return file.read_text(encoding="utf-8") if file.is_file() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
