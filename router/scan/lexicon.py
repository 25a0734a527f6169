"""Where do the words come from? The files of `lexicons/`: terms by the line, names by the word."""

from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent / "lexicons"


def _lines(name: str) -> list[str]:
    lines = (line.strip() for line in (_FOLDER / f"{name}.txt").read_text("utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def terms(*names: str) -> str:
    """Return the alternation of one or more lexicons: each line is a term or a short RE2 expression."""
    return "(?:" + "|".join(line for name in names for line in _lines(name)) + ")"


@cache
def words(name: str) -> frozenset[str]:
    """Return the words of a lexicon of names."""
    return frozenset(word for line in _lines(name) for word in line.split())


def samples() -> list[str]:
    """Return some texts of every kind."""
    return _lines("samples")
