"""On what does the deep scan's forest learn? Labelled documents and plain prose, each with the group that must not be split.

A document is personal if it has a labelled span. Groups are templates: what is measured is measured on templates that the forest never saw.
"""

import csv
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PLAIN: Final = Path(__file__).parent / "plain.txt"
_PLACEHOLDER: Final = re.compile(r"\{\{?\w+\}?\}")
_QUESTION: Final = re.compile(
    r"(?:what|how|who|when|where|why|can|could|is|are|do|does|will|would|should|did|have|has|am)\b", re.I
)
_DAYS: Final = re.compile(
    r"\b(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday|january|february|march|april|june|july|august|september|october"
    r"|november|december|english|spanish|french|german|italian|mexican|chinese|japanese|american)\b"
)

_BLANK: Final = re.compile(r"\{(\w+)\}")
_FILLED_IN: Final = 8
_FILLINGS: Final = {
    "place": (
        *(
            "France",
            "Germany",
            "Brazil",
            "Japan",
            "India",
            "Kenya",
            "Norway",
            "Poland",
            "Spain",
            "Italy",
            "Canada",
            "Mexico",
            "Peru",
        ),
        *(
            "Egypt",
            "Turkey",
            "Vietnam",
            "South Korea",
            "New Zealand",
            "Australia",
            "Sweden",
            "Estonia",
            "Hungary",
            "Ghana",
            "Chile",
        ),
        *(
            "London",
            "Paris",
            "Berlin",
            "Tokyo",
            "New York",
            "Chicago",
            "Madrid",
            "Rome",
            "Vienna",
            "Prague",
            "Sydney",
            "Cairo",
            "Lima",
        ),
        *(
            "California",
            "Texas",
            "Bavaria",
            "Scotland",
            "Tuscany",
            "Catalonia",
            "the United States",
            "the United Kingdom",
        ),
    ),
    "firm": (
        *(
            "Acme Corp",
            "Globex",
            "Initech",
            "Northwind",
            "Contoso",
            "Umbrella Bank",
            "Apple",
            "Microsoft",
            "Siemens",
            "Toyota",
            "Spotify",
        ),
        *(
            "Deutsche Bank",
            "Lufthansa",
            "Netflix",
            "Samsung",
            "the Example Insurance Company",
            "Blue Harbor Health",
            "Tesla",
            "Nestlé",
        ),
    ),
    "figure": (
        *(
            "Isaac Newton",
            "Albert Einstein",
            "Marie Curie",
            "Charles Darwin",
            "Immanuel Kant",
            "Aristotle",
            "Plato",
            "Shakespeare",
        ),
        *(
            "Abraham Lincoln",
            "Nelson Mandela",
            "Martin Luther King",
            "Winston Churchill",
            "Napoleon",
            "Julius Caesar",
            "Mozart",
        ),
        *(
            "Ada Lovelace",
            "Alan Turing",
            "Jane Austen",
            "Simone de Beauvoir",
            "David Hume",
            "Karl Marx",
            "Adam Smith",
            "Leonardo da Vinci",
        ),
        *(
            "Galileo",
            "Emmy Noether",
            "Toni Morrison",
            "Barack Obama",
            "Angela Merkel",
            "Franklin Roosevelt",
            "John Locke",
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class Document:
    """A text, whether it holds personal data, the group it belongs to, how much it counts in training, and of what kind it is."""

    text: str
    personal: bool
    group: str
    weight: float = 1.0
    kind: str = "personal"


def documents(folder: Path) -> Iterator[Document]:
    """Yield everything to learn from. `folder` is the published data (`LANE_DATA`)."""
    for name in ("synth_v2_dev.json", "tests_generated_large.json"):
        for row in json.loads((folder / "pii" / name).read_text("utf-8")):
            personal = bool(row["spans"])
            # Few templates hold nothing; each counts for more.
            yield Document(
                row["full_text"],
                personal,
                _template(row["masked"]),
                1.0 if personal else 4.0,
                "personal" if personal else "span-free",
            )
    yield from _plain()
    yield from _queries(folder)
    yield from _questions(folder)


def _plain() -> Iterator[Document]:
    """Yield this project's own sentences; those with blanks are filled in several times."""
    chosen = random.Random(7)  # noqa: S311
    for line in PLAIN.read_text("utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        if "{" not in line:
            yield Document(line, personal=False, group=line, weight=3.0, kind="plain")
            continue
        for _ in range(_FILLED_IN):
            text = _BLANK.sub(lambda blank: chosen.choice(_FILLINGS[blank.group(1)]), line)
            yield Document(text, personal=False, group=line, weight=2.0, kind="general")


def _template(masked: str) -> str:
    return re.sub(r"[^a-z#]+", " ", _PLACEHOLDER.sub("#", masked).lower()).strip()


def _queries(folder: Path) -> Iterator[Document]:
    """Spoken queries as they are, all in lower case, and as somebody would type them."""
    chosen = random.Random(7)  # noqa: S311 - a sample, the same each time
    stored = json.loads((folder / "routing" / "clinc150_dev.json").read_text("utf-8"))
    for text, _ in [*chosen.sample(stored["train"], 3000), *stored["oos_train"]]:
        yield Document(text, personal=False, group=text, kind="queries")
        yield Document(_typed(text, chosen), personal=False, group=text, weight=0.7, kind="typed")


def _questions(folder: Path) -> Iterator[Document]:
    """Exam questions and arithmetic with somebody's name in it; and what people ask that is harmful, but nobody's data."""
    chosen = random.Random(7)  # noqa: S311
    with (folder / "routing" / "model_results_dev.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    exams = [row["prompt"] for row in rows if row["source"].startswith("mmlu")]
    sums = [row["prompt"] for row in rows if not row["source"].startswith("mmlu")]
    for text in chosen.sample(exams, 1000):
        yield Document(text, personal=False, group=text, weight=1.0, kind="exams")
    for text in chosen.sample(sums, 300):
        yield Document(text, personal=False, group=text, weight=0.5, kind="sums")
    with (folder / "redteam" / "prompt_risk_dev.jsonl").open(encoding="utf-8") as file:
        for row in map(json.loads, file):
            if row["label"] == "harmful":
                yield Document(row["text"], personal=False, group=row["text"], weight=0.6, kind="harmful")


def _typed(text: str, chosen: random.Random) -> str:
    """Write a spoken query as a person types: capitals, an end mark, sometimes a greeting or all of it in capitals."""
    text = _DAYS.sub(lambda found: found.group().capitalize(), re.sub(r"\bi\b", "I", text))
    text = text[:1].upper() + text[1:]
    if _QUESTION.match(text) and chosen.random() < 0.85:
        text += "?"
    else:
        text += chosen.choice(("", ".", ".", "!"))
    style = chosen.random()
    if style < 0.03:
        return text.upper()
    if style < 0.08:
        return chosen.choice(("Hello, ", "Sir, ", "Excuse me, ", "Hi, ", "Dear bot, ")) + text[:1].lower() + text[1:]
    return text.title() if style < 0.10 else text
