"""What does the official JSON Schema suite hold (draft 2020-12)? Its schemas, its instances, and the documents its references mean."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_ADDRESS: Final = "http://localhost:1234/"
"""Where the suite says that its remote documents are. They are handed over from the folder: nothing is fetched."""


@dataclass(frozen=True, slots=True)
class Group:
    """A schema and its instances, each with whether it is valid. `file` is relative to the draft's folder."""

    file: str
    description: str
    schema: Any
    instances: tuple[tuple[Any, bool], ...]

    @property
    def asserts_formats(self) -> bool:
        """Whether the suite means `format` to be asserted: in the files about each format, else where the schema's dialect says so."""
        return self.file.startswith("optional/format/")


def suite_folder() -> Path:
    """Return the suite's folder below `LANE_DATA`."""
    return Path(os.environ.get("LANE_DATA", "../shared/data")) / "schemas" / "json-schema-test-suite"


def groups(folder: Path) -> list[Group]:
    """Read every group of draft 2020-12, optional ones too."""
    root = folder / "tests" / "draft2020-12"
    return [
        Group(
            file.relative_to(root).as_posix(),
            group["description"],
            group["schema"],
            tuple((case["data"], case["valid"]) for case in group["tests"]),
        )
        for file in sorted(root.rglob("*.json"))
        for group in json.loads(file.read_text())
    ]


def remotes(folder: Path) -> dict[str, Any]:
    """Read the documents that the suite's schemas refer to, by address."""
    root = folder / "remotes"
    return {
        _ADDRESS + file.relative_to(root).as_posix(): json.loads(file.read_text())
        for file in sorted(root.rglob("*.json"))
    }
