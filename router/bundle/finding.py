"""What is wrong with a bundle, where, and how it is mended."""

from collections.abc import Iterable
from dataclasses import dataclass

from typing_extensions import override


@dataclass(frozen=True, slots=True, order=True)
class BundleFinding:
    """One thing to mend. `file` is relative to the bundle, `line` counts from 1 (1 too where a whole file is meant)."""

    file: str
    line: int
    message: str
    mend: str

    @override
    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}. Mend: {self.mend}"


def as_text(findings: Iterable[BundleFinding]) -> str:
    """Findings as people read them, a line each."""
    return "\n".join(str(finding) for finding in findings)
