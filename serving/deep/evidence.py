"""What in a text speaks for or against its holding somebody's data? A few dozen named numbers, for the judgement to weigh.

A name finder alone is no judge: it takes towns and months for findings, and misses names that it never saw. What it finds is
therefore weighed together with how the text speaks (of whom, about what) and how it is written. Pure: a reading in, numbers out.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from serving.deep.reading import Reading, Span

FOUND: Final = (
    *("PERSON", "LOCATION", "DATE_TIME", "NRP", "ORGANIZATION", "EMAIL_ADDRESS", "URL", "PHONE_NUMBER", "CREDIT_CARD"),
    *("IBAN_CODE", "US_SSN", "US_DRIVER_LICENSE", "US_BANK_NUMBER", "US_PASSPORT", "US_ITIN", "IP_ADDRESS"),
)
"""Presidio's entities that are evidence by themselves: the number is its best score in the text."""
NAMED: Final = (
    *("PERSON", "GPE", "LOC", "FAC", "ORG", "NORP", "DATE", "TIME", "CARDINAL", "ORDINAL", "MONEY", "QUANTITY", "LAW"),
    *("WORK_OF_ART", "EVENT", "PRODUCT"),
)
"""The language model's labels: the number is how often they occur."""
_MOST: Final = 5
"""Counts above this say nothing more."""


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_SPEAKS: Final[Mapping[str, frozenset[str]]] = {
    "of itself": _words("i i'm me my mine myself we us our"),
    "of somebody": _words("he him his she her hers they them their"),
    "to somebody": _words("you your yours"),
    "of kin": _words(
        "friend friends wife husband mother father mom mum dad son daughter kid child brother sister partner boss aunt uncle"
        " grandfather grandmother cousin neighbour neighbor family patient female male man woman client customer"
    ),
    "of names": _words(
        "name named names called mr mrs ms dr prof miss sir madam signed regards sincerely dear hi hello said says told asked"
    ),
    "of living": _words(
        "live lives lived move moved moving born travel travelling traveling visit arrive arrived reside from"
        " near residence located headquarters office"
    ),
    "of addresses": _words(
        "address street st avenue ave road rd lane drive boulevard apt suite zip postal code deliver ship"
    ),
    "of numbers": _words("card account iban ssn social security license licence number phone call fax mobile tel ip"),
    "of birth": _words("birth born dob birthday bday"),
}
_OPENS: Final[Mapping[str, frozenset[str]]] = {
    "with a question": _words("what who whom whose when where why how which"),
    "with a yes or no question": _words("is are was were do does did can could will would should has have"),
    "with a request": _words(
        "compare explain list name write summarise summarize translate describe give plan draft find show tell play set book define"
        " calculate create suggest discuss analyse analyze outline"
    ),
}
_KNOWN: Final = frozenset(
    word
    for line in (Path(__file__).parent / "known.txt").read_text("utf-8").splitlines()
    if not line.startswith("#")
    for word in line.split()
)
_MARKS: Final = {"question": "?", "quote": '"', "colon": ":", "comma": ",", "at": "@", "line": "\n"}
_SHAPES: Final = {
    "age": re.compile(r"\b\d{1,3}[ -](?:year|month|week)s?[ -]olds?\b|\baged? \d|\bturned \d|\d ?(?:yo|y/o)\b", re.I),
    "five digits": re.compile(r"\b\d{5}\b"),
    "number before a capital": re.compile(r"\d[A-Za-z]?,? [A-Z]"),
    "letters and digits": re.compile(r"\b[A-Z]{1,3}\d|\d[A-Z]"),
    "numeric date": re.compile(r"\b\d{1,4}[/-]\d{1,2}[/-]\d{1,4}\b"),
}
_DIGITS: Final = re.compile(r"\+?\d(?:[\d ().-]{0,30}\d)?")


def evidence_in(reading: Reading) -> dict[str, float]:
    """Return the numbers by name; what is not there is 0 and left out."""
    numbers = {
        **_found(reading),
        **_named(reading),
        **_names(reading),
        **_known_names(reading),
        **_wording(reading),
        **_figures(reading.text),
    }
    return {name: float(number) for name, number in numbers.items() if number}


def _found(reading: Reading) -> dict[str, float]:
    best: dict[str, float] = {}
    for span in reading.found:
        if span.entity in FOUND:
            name = f"found {span.entity}"
            best[name] = max(best.get(name, 0.0), span.score)
    return best


def _named(reading: Reading) -> dict[str, int]:
    counts = Counter(span.entity for span in reading.named if span.entity in NAMED)
    written = Counter(span.entity for span in reading.named if span.entity in NAMED and _has_capital(reading, span))
    return {
        **{f"named {entity}": min(count, _MOST) for entity, count in counts.items()},
        **{f"capital {entity}": min(count, _MOST) for entity, count in written.items()},
    }


def _has_capital(reading: Reading, span: Span) -> bool:
    return any(map(str.isupper, reading.text[span.start : span.end]))


def _names(reading: Reading) -> dict[str, int]:
    """Count words that look like names, whatever the language model made of them."""
    counts: Counter[str] = Counter()
    entity_of = {place: span.entity for span in reading.named for place in range(span.start, span.end)}
    for word in reading.words:
        entity = entity_of.get(word.start)
        if word.proper and word.text[:1].isalpha():
            counts["proper"] += 1
            counts["proper inside a sentence"] += word.text[:1].isupper() and not word.opens_sentence
            counts["proper outside entities"] += entity is None
            counts["proper in lower case"] += word.text.islower()
        if word.strange and word.text[:1].isupper():
            counts["strange"] += 1
            counts["strange outside entities"] += entity is None
            if entity in ("PERSON", "GPE", "ORG"):
                counts[f"strange {entity}"] += 1
        elif word.strange and word.proper:
            counts["strange in lower case"] += 1
        if not word.strange and entity == "PERSON":
            counts["ordinary PERSON"] += 1
    return {name: min(count, _MOST) for name, count in counts.items()}


def _known_names(reading: Reading) -> dict[str, int]:
    """Count the names that everybody knows, and the names of places, people and firms that are none of them."""
    named = [span for span in reading.named if span.entity in ("GPE", "LOC", "FAC", "PERSON", "ORG", "NORP")]
    known = sum(_is_known(reading.text[span.start : span.end]) for span in named)
    return {"known name": min(known, _MOST), "other name": min(len(named) - known, _MOST)}


def _is_known(name: str) -> bool:
    return any(word in _KNOWN for word in name.lower().split())


def _wording(reading: Reading) -> dict[str, float]:
    text = reading.text
    said = {word.text.lower() for word in reading.words}
    first = reading.words[0].text.lower() if reading.words else ""
    letters = sum(map(str.isalpha, text))
    capitals = sum(map(str.isupper, text))
    return {
        **{f"speaks {topic}": bool(said & words) for topic, words in _SPEAKS.items()},
        **{f"opens {how}": first in words for how, words in _OPENS.items()},
        **{f"has {name}": mark in text for name, mark in _MARKS.items()},
        **{f"has {name}": bool(shape.search(text)) for name, shape in _SHAPES.items()},
        "all in lower case": capitals == 0,
        "share of capitals": round(capitals / letters, 2) if letters else 0,
        "letters beyond ASCII": any(letter > "\x7f" and letter.isalpha() for letter in text),
        "length": round(math.log2(len(text) + 1), 1),
    }


def _figures(text: str) -> dict[str, float]:
    lengths = [sum(map(str.isdigit, run)) for run in _DIGITS.findall(text)]
    return {"longest number": min(max(lengths, default=0), 20), "numbers": min(len(lengths), _MOST)}
