"""How are the record's identifiers said in plain words? Names, counts and clauses; nothing of any request."""

from collections.abc import Iterable
from typing import Final

_CATEGORIES: Final = {
    "pii": "personal data",
    "health": "health data",
    "payment": "payment data",
    "finance": "financial data",
    "employment": "employment data",
    "legal": "legal matters",
    "credentials": "passwords or keys",
}
_ABBREVIATIONS: Final = {
    word.lower(): word
    for word in ("API", "AWS", "BIC", "CVV", "DEA", "EU", "IBAN", "ID", "IP", "ITIN", "JWT", "MAC", "MRN", "NHS", "NPI")
    + ("PIN", "SSN", "SWIFT", "UK", "URL", "US", "VAT", "VIN")
}
def category(category: str) -> str:
    return _CATEGORIES.get(category, words(category))


def words(name: str) -> str:
    """Turn an identifier into words: `US_SSN` becomes `US SSN`, `refund_request` becomes `refund request`."""
    words = name.replace("_", " ").replace(".", " ").lower().split()
    return " ".join(_ABBREVIATIONS.get(word, word) for word in words)


def clause(sentence: str) -> str:
    """Fit a sentence into another: no full stop, no capital at its start unless it is a name or an abbreviation."""
    sentence = sentence.strip().rstrip(".")
    first = sentence.partition(" ")[0]
    return sentence[:1].lower() + sentence[1:] if first[1:].islower() or len(first) == 1 else sentence


def capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def listed(things: Iterable[str]) -> str:
    *most, last = list(things) or [""]
    return f"{', '.join(most)} and {last}" if most else last


def was(things: list[str]) -> str:
    return "was" if len(set(things)) == 1 else "were"


def count(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def seconds(seconds: float) -> str:
    return "less than 0.1 s" if seconds < 0.1 else f"{seconds:,.1f} s"
