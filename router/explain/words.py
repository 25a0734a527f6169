"""How are the record's identifiers said in plain words? Names, counts and clauses; nothing of any request."""

import re
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
    for word in (
        *(
            "API",
            "AWS",
            "BIC",
            "CVV",
            "DEA",
            "EU",
            "IBAN",
            "ID",
            "IP",
            "ITIN",
            "JWT",
            "MAC",
            "MRN",
            "NHS",
            "NPI",
            "PIN",
        ),
        *("SSH", "SSN", "SWIFT", "UK", "URL", "US", "VAT", "VIN"),
    )
}

_MOVES_THE_CURSOR: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def category(name: str) -> str:
    """Name a category of data as people do; the bundle's own are named as the bundle names them."""
    return _CATEGORIES.get(name, words(name))


def words(name: str) -> str:
    """Turn an identifier into words: `US_SSN` becomes `US SSN`, `refund_request` becomes `refund request`."""
    spaced = name.replace("_", " ").replace(".", " ").lower().split()
    return " ".join(_ABBREVIATIONS.get(word, word) for word in spaced)


def entity(name: str) -> str:
    """Name a detector's entity as people do. Two letters in front of others are a country: `DE_TAX_ID` is a `DE tax ID`."""
    first, _, rest = name.partition("_")
    return f"{first.upper()} {words(rest)}" if len(first) == 2 and rest and first.upper() != "IP" else words(name)


def clause(sentence: str) -> str:
    """Fit a sentence into another: no full stop, no capital at its start unless it is a name or an abbreviation."""
    sentence = sentence.strip().rstrip(".")
    first = sentence.partition(" ")[0]
    return sentence[:1].lower() + sentence[1:] if first[1:].islower() or len(first) == 1 else sentence


def capital(sentence: str) -> str:
    """Begin a sentence."""
    return sentence[:1].upper() + sentence[1:]


def listed(things: Iterable[str]) -> str:
    """Join as in speech: `a`, `a and b`, `a, b and c`."""
    *most, last = list(things) or [""]
    return f"{', '.join(most)} and {last}" if most else last


def count(number: int, thing: str) -> str:
    """Count things whose plural takes an s."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def seconds(duration: float) -> str:
    """Say how long something took."""
    return "less than 0.1 s" if duration < 0.1 else f"{duration:,.1f} s"


def printable(given: str) -> str:
    """Show what a caller or a model wrote without letting it move the cursor, break the line or turn its direction."""
    return _MOVES_THE_CURSOR.sub("\N{REPLACEMENT CHARACTER}", given)
